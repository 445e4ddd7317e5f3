"""The same as convolutions.py for convolutions in groups, among them depthwise ones; and losses of steps
by rules that treat whole parameters, or all incoming weights of an output, together.

    python scripts/golden/grouped.py

writes tests/golden/grouped.json. LAMB and adaptive clipping are optax's, with kernels laid out as its
networks lay them, [height, width, channels in / groups, channels out]; the largest norm is
`torch.renorm` of each output's kernel.
"""

import jax
import optax
import torch

import common
import convolutions
from convolutions import BATCH, CLASSES, DENSE, FLATTEN, SAMPLES, STEPS, conv
from per_tensor import Optax

CASES = [
    {
        "name": "separable",
        "input": [10, 9, 2],
        "layers": [
            conv(6, 3, "relu", padding=1),
            conv(6, 3, "relu", padding=1, groups=6),
            conv(17, 1, "tanh"),
            conv(34, 3, "relu", stride=2, padding=1, groups=17),
            {"type": "global-average-pool"},
            DENSE,
        ],
    },
    {
        "name": "groups",
        "input": [9, 7, 4],
        "layers": [
            conv(8, 3, "tanh", padding=1, groups=2),
            {"type": "max-pool", "kernel": 2, "stride": 1},
            conv(36, 2, "gelu", padding=2, dilation=2, groups=4),
            conv(12, 1, "relu", groups=3),
            FLATTEN,
            DENSE,
        ],
    },
    {
        "name": "depthwise data",
        "input": [8, 9, 3],
        "layers": [
            conv(6, 5, "sigmoid", padding=2, groups=3),
            conv(6, 3, "leaky_relu", padding=3, dilation=2, groups=6),
            conv(20, 3, "relu", stride=2, groups=2),
            FLATTEN,
            DENSE,
        ],
    },
]

LAMB = {"lr": 0.02, "b1": 0.9, "b2": 0.95, "eps": 1e-6, "weight_decay": 0.01}
SGD = {"lr": 0.1}
CLIPPING, NORM = 0.02, 1.1


class Clipped(torch.optim.SGD):
    """Gradient descent after `optax.adaptive_grad_clip`."""

    def step(self):
        parameters = self.param_groups[0]["params"]
        clip = optax.adaptive_grad_clip(CLIPPING)
        own = [as_optax(parameter.detach()) for parameter in parameters]
        gradients = [as_optax(parameter.grad) for parameter in parameters]
        clipped, _ = clip.update(gradients, clip.init(own), own)
        for parameter, gradient in zip(parameters, clipped):
            back = torch.from_numpy(jax.device_get(gradient).copy())
            parameter.grad.copy_(back.permute(3, 2, 0, 1) if back.ndim == 4 else back.T if back.ndim == 2 else back)
        super().step()


def as_optax(values):
    order = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}[values.ndim]
    return jax.numpy.asarray(values.permute(order).numpy())


class Limited(torch.optim.SGD):
    """Gradient descent that keeps the norm of each output's weights below a limit."""

    def step(self):
        super().step()
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                if parameter.ndim > 1:
                    parameter.copy_(torch.renorm(parameter, 2, 0, NORM))


RULES = {
    "lamb": lambda parameters: Optax(parameters, optax.lamb(LAMB["lr"], **{k: LAMB[k] for k in LAMB if k != "lr"})),
    "clip_adaptive": lambda parameters: Clipped(parameters, **SGD),
    "max_norm": lambda parameters: Limited(parameters, **SGD),
}


def losses(case, rule):
    """The loss of each step, as convolutions.py takes them."""
    height, width, channels = case["input"]
    values = common.uniform(common.INPUTS, SAMPLES * height * width * channels)
    x = torch.from_numpy(values).reshape(SAMPLES, height, width, channels).permute(0, 3, 1, 2).double()
    target = torch.from_numpy(common.labels(SAMPLES, CLASSES))
    net, _ = convolutions.initialised(case, x)
    optimizer = RULES[rule](list(net.parameters()))
    found, start = [], 0
    for _ in range(STEPS):
        rows = slice(start, min(start + BATCH, SAMPLES))
        start = 0 if rows.stop == SAMPLES else rows.stop
        net.zero_grad()
        loss = common.loss_of("cross_entropy", net(x[rows]), target[rows])
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return common.rounded(found, 9)


def main():
    torch.set_num_threads(1)
    header = {
        "classes": CLASSES,
        "samples": SAMPLES,
        "batch": BATCH,
        "learning_rate": convolutions.LEARNING_RATE,
        "labels": common.labels(SAMPLES, CLASSES).tolist(),
        "lamb": LAMB,
        "sgd": SGD,
        "clip_adaptive": CLIPPING,
        "max_norm": NORM,
    }
    cases = [convolutions.solved(case, convolutions.initialised) | {"rules": {rule: losses(case, rule) for rule in RULES}} for case in CASES]
    common.write(common.golden_path("grouped.json"), "grouped.py", header, cases)


if __name__ == "__main__":
    main()
