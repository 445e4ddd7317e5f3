"""The training loop of fallline's recipes in PyTorch, as its documentation writes one.

Mode "eager": as it is. Mode "compile": forward pass and loss are one `torch.compile`d function, the
optimizer's step is another. The lines that it is spoken to with are in serve.py.
"""

import itertools
import os
import time

from data import batches, initial_weights
from serve import serve


def start(specification):
    # Compile in this process: helpers of it would outlive a peer that is killed.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    import torch

    torch.set_num_threads(specification["threads"])
    torch.set_flush_denormal(True)
    activation = {
        "identity": torch.nn.Identity,
        "relu": torch.nn.ReLU,
        "sigmoid": torch.nn.Sigmoid,
        "tanh": torch.nn.Tanh,
        "gelu": torch.nn.GELU,
        "silu": torch.nn.SiLU,
        "softplus": torch.nn.Softplus,
    }[specification["activation"]]
    widths, layers = specification["widths"], []
    for before, after in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(before, after), activation()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = optimizer_of(torch.optim, model.parameters(), specification)
    criterion = torch.nn.CrossEntropyLoss()
    loss_of, update = (lambda x, y: criterion(model(x), y)), optimizer.step
    if specification["mode"] == "compile":
        loss_of, update = torch.compile(loss_of), torch.compile(update)

    x, y = (torch.from_numpy(part) for part in batches(specification))
    samples = list(zip(x.unbind(), y.unbind()))

    def restart():
        """Puts the initial weights in their place and makes the optimizer's state zero."""
        # In place: a compiled step would be compiled again for a state that is gone.
        for state in optimizer.state.values():
            for value in state.values():
                if value is not None:
                    value.zero_()
        dense = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
        with torch.no_grad():
            for layer, (weight, bias) in zip(dense, initial_weights(specification), strict=True):
                layer.weight.copy_(torch.from_numpy(weight.copy()))
                layer.bias.copy_(torch.from_numpy(bias.copy()))
        return itertools.cycle(samples)

    def train(most_steps, deadline):
        steps, total = 0, 0.0
        for x, y in rest:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(x, y)
            loss.backward()
            update()
            total += loss.item()
            steps += 1
            if steps >= most_steps or time.perf_counter() >= deadline:
                return steps, total

    # The first step makes the optimizer's state and the next ones find it: both are compiled.
    rest = restart()
    train(3, time.perf_counter() + 60)
    rest = restart()
    return f"pytorch-{specification['mode']}", torch.__version__, train


def optimizer_of(optim, parameters, specification):
    """The optimizer with PyTorch's own choice of implementation."""
    hyper = specification["hyper"]
    common = {"lr": hyper["learning_rate"], "weight_decay": hyper["weight_decay"]}
    if specification["optimizer"] == "adam":
        return optim.Adam(parameters, betas=(hyper["beta1"], hyper["beta2"]), eps=hyper["epsilon"], **common)
    return optim.SGD(parameters, momentum=hyper["momentum"], nesterov=hyper["nesterov"], **common)


if __name__ == "__main__":
    serve(start)
