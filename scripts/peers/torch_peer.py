"""The training loop of fallline's recipes in PyTorch, as its documentation writes one.

Mode "eager": as it is. Mode "channels-last": the same with images and kernels in PyTorch's memory format
of this name. Mode "compile": forward pass and loss are one `torch.compile`d function, the optimizer's
step is another. The lines that it is spoken to with are in serve.py.
"""

import itertools
import os
import time

from data import UNCOUNTED, batches, initial_weights, reads_codes, saved_tensors
from serve import Refused, serve


def start(specification):
    # Compile in this process: helpers of it would outlive a peer that is killed.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    import torch

    torch.set_num_threads(specification["threads"])
    torch.set_flush_denormal(True)
    model = network_of(torch.nn, specification)
    channels_last = specification["mode"] == "channels-last"
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    initial = {name: values.clone() for name, values in initial_of(torch, model, specification).items()}
    optimizer = optimizer_of(torch.optim, model.parameters(), specification)
    loss_of, update = loss_function_of(torch.nn, model, specification), optimizer.step
    if specification["clip_norm"] is not None:
        update = clipped(torch.nn.utils.clip_grad_norm_, list(model.parameters()), specification["clip_norm"], update)
    if specification["mode"] == "compile":
        loss_of, update = torch.compile(loss_of), torch.compile(update)

    x, y = (torch.from_numpy(part) for part in batches(specification))
    if specification["network"] is not None and not reads_codes(specification):
        height, width, channels = specification["network"]["input"]
        x = x.reshape(*x.shape[:2], height, width, channels).permute(0, 1, 4, 2, 3).contiguous()
        if specification["network"]["one_dimensional"]:
            x = x.squeeze(3)
    x = x.unbind()
    if channels_last:
        # Of one channel, `contiguous` would find nothing to do and leave the strides as they are.
        x = [images.to(memory_format=torch.channels_last) for images in x]
    samples = list(zip(x, y.unbind()))

    def restart():
        """Puts the initial weights in their place and makes the optimizer's state zero."""
        # In place: a compiled step would be compiled again for a state that is gone.
        for state in optimizer.state.values():
            for value in state.values():
                if value is not None:
                    value.zero_()
        with torch.no_grad():
            for name, values in state_of(model).items():
                values.copy_(initial[name])
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


def network_of(nn, specification):
    """The modules, numbered as fallline's saved models number them."""
    activations = {
        "identity": nn.Identity,
        "relu": nn.ReLU,
        "leaky-relu": nn.LeakyReLU,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "softplus": nn.Softplus,
        "elu": nn.ELU,
        "mish": nn.Mish,
        "hard-swish": nn.Hardswish,
    }
    network = specification["network"]
    if network is None:
        widths, layers = specification["widths"], []
        for before, after in zip(widths, widths[1:]):
            layers += [nn.Linear(before, after), activations[specification["activation"]]()]
        return nn.Sequential(*layers[:-1])
    from torch_sequence import MAKERS, positions_of

    lines = network["one_dimensional"]
    makers = {
        "conv": convolution_of,
        "conv-transpose": transposed_of,
        "dense": lambda inputs, outputs, bias: nn.Linear(inputs, outputs, bias),
        "max-pool": max_pool_of,
        "average-pool": average_pool_of,
        "global-average-pool": lambda: (nn.AdaptiveAvgPool1d if lines else nn.AdaptiveAvgPool2d)(1),
        "flatten": nn.Flatten,
        "batch-norm": lambda features, image, epsilon, momentum: (
            nn.BatchNorm2d if image and not lines else nn.BatchNorm1d
        )(features, epsilon, momentum),
        "activation": lambda name, parameter: activations[name](*([] if parameter is None else [parameter])),
    }
    makers |= MAKERS
    made = []
    for module in network["modules"]:
        settings = dict(module)
        kind = settings.pop("type")
        if kind not in makers:
            raise Refused(f"this peer has no layer {kind}")
        made.append(makers[kind](**settings))
    first = network["positions_from"]
    if first is not None:
        # A module of its own would change the numbers of those behind it.
        made[first].register_forward_pre_hook(lambda _, inputs: (positions_of(inputs[0]),))
    return nn.Sequential(*made)


def loss_function_of(nn, model, specification):
    """The mean loss of a batch: of its samples, or of all positions that count."""
    criterion = nn.CrossEntropyLoss(ignore_index=UNCOUNTED, label_smoothing=specification["label_smoothing"])
    windows = specification["windows"]
    if windows is not None and windows["targets"] is not None:
        return lambda x, y: criterion(model(x).flatten(0, 1), y.flatten())
    return lambda x, y: criterion(model(x), y)


def clipped(clip, parameters, norm, update):
    """The update, after gradients have been scaled down to a norm."""

    def clip_and_update():
        # All tensors in one call: faster than one after the other.
        clip(parameters, norm, foreach=True)
        update()

    return clip_and_update


def convolution_of(inputs, outputs, kernel, padding, **others):
    from torch import nn

    maker = nn.Conv1d if len(kernel) == 1 else nn.Conv2d
    own, before = split_padding(padding)
    return padded(maker(inputs, outputs, kernel, padding=own, **others), before, 0.0)


def transposed_of(inputs, outputs, kernel, padding, **others):
    from torch import nn
    from torch.nn import functional

    own, cut = split_padding(padding)
    module = nn.ConvTranspose2d(inputs, outputs, kernel, padding=own, **others)
    if cut is not None:
        # What PyTorch cuts off opposite sides is the same.
        module.register_forward_hook(lambda _, inputs, y: functional.pad(y, [-pixels for pixels in cut]))
    return module


def max_pool_of(kernel, stride, padding, dilation):
    from torch import nn

    maker = nn.MaxPool1d if len(kernel) == 1 else nn.MaxPool2d
    # PyTorch's pools take padding of at most half a window.
    own, before = split_padding(padding, [size // 2 for size in kernel])
    return padded(maker(kernel, stride, padding=own, dilation=dilation), before, float("-inf"))


def average_pool_of(kernel, stride, padding, dilation):
    from torch import nn

    maker = nn.AvgPool1d if len(kernel) == 1 else nn.AvgPool2d
    own, before = split_padding(padding, [size // 2 for size in kernel])
    return padded(maker(kernel, stride, padding=own), before, 0.0)


def split_padding(padding, most=None):
    """The padding that a module takes itself, the same on both ends of each side, or what comes before it."""
    symmetric = all(before == after for before, after in padding)
    if symmetric and (most is None or all(ends[0] <= limit for ends, limit in zip(padding, most))):
        return [before for before, _ in padding], None
    # Of `pad`, the last side comes first.
    return 0, [pixels for ends in reversed(padding) for pixels in ends]


def padded(module, padding, value):
    """The module, its input padded first; as it keeps its own parameters, their names stay."""
    if padding is not None:
        from torch.nn import functional

        pad = lambda _, inputs: (functional.pad(inputs[0], padding, value=value),)
        module.register_forward_pre_hook(pad)
    return module


def state_of(model):
    """Parameters and running statistics by name, without the count of batches, which is of no use."""
    return {name: values for name, values in model.state_dict().items() if "num_batches" not in name}


def initial_of(torch, model, specification):
    """The values to begin with, by name."""
    if specification["network"] is None:
        dense = [number for number, layer in enumerate(model) if isinstance(layer, torch.nn.Linear)]
        pairs = zip(dense, initial_weights(specification), strict=True)
        arrays = {f"{n}.{name}": part for n, pair in pairs for name, part in zip(("weight", "bias"), pair)}
    elif specification["initial"] is not None:
        arrays = saved_tensors(specification["initial"])
    else:
        return state_of(model)
    if set(arrays) != set(state_of(model)):
        raise Refused(f"the initial weights are {sorted(arrays)}, not {sorted(state_of(model))}")
    return {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}


def optimizer_of(optim, parameters, specification):
    """The optimizer: the fused implementation, which is the fastest, except where it is compiled."""
    hyper, fused = specification["hyper"], specification["mode"] != "compile"
    common = {"lr": hyper["learning_rate"], "weight_decay": hyper["weight_decay"], "fused": fused}
    if specification["optimizer"] in ("adam", "adamw"):
        rule = optim.AdamW if specification["optimizer"] == "adamw" else optim.Adam
        return rule(parameters, betas=(hyper["beta1"], hyper["beta2"]), eps=hyper["epsilon"], **common)
    return optim.SGD(parameters, momentum=hyper["momentum"], nesterov=hyper["nesterov"], **common)


if __name__ == "__main__":
    serve(start)
