"""The same as convolutions.py for windows whose sides differ, for padding and dilation of pools, and for
convolutions and pools of sequences.

    python scripts/golden/windows.py

writes tests/golden/windows.json. Windows are given as a recipe of this crate gives them: an integer, or
[height, width]; of the padding also [above, below, left, right], or "same". Sequences are samples of height 1.
"""

import torch
from torch.nn import functional

import common
import convolutions
from convolutions import DENSE, FLATTEN, conv


def conv_1d(channels, kernel, activation, **window):
    return conv(channels, kernel, activation, **window) | {"type": "conv-1d"}


def pool(kind, kernel, **window):
    return {"type": kind, "kernel": kernel} | window


CASES = [
    {
        "name": "rectangles",
        "input": [11, 8, 2],
        "layers": [
            conv(6, [3, 5], "relu", padding=[1, 2], dilation=[2, 1]),
            conv(18, [4, 1], "tanh", padding=[2, 0, 0, 1]),
            pool("max-pool", [2, 3], stride=[1, 2]),
            conv(33, [2, 3], "silu", padding="same"),
            conv(33, [3, 2], "relu", stride=[2, 1], padding=[0, 1], groups=33),
            conv(12, [1, 3], "gelu", groups=3, padding=[0, 0, 2, 0]),
            FLATTEN,
            DENSE,
        ],
    },
    {
        "name": "padded pools",
        "input": [9, 10, 3],
        "layers": [
            conv(5, 3, "tanh", stride=[2, 1]),
            pool("max-pool", 3, stride=1, padding=1),
            pool("max-pool", [2, 3], stride=[1, 2], padding=[0, 1, 2, 0], dilation=[1, 2]),
            conv(17, 2, "leaky_relu", padding="same"),
            pool("average-pool", [3, 2], stride=1, padding=1),
            pool("average-pool", 2, stride=[2, 1], padding=[1, 0, 0, 1], dilation=[2, 1]),
            FLATTEN,
            DENSE,
        ],
    },
    {
        "name": "sequences",
        "input": [1, 40, 3],
        "layers": [
            conv_1d(6, 5, "relu", padding=2),
            pool("max-pool-1d", 2),
            conv_1d(18, 3, "gelu", stride=2, padding=[2, 1], dilation=2),
            pool("average-pool-1d", 3, stride=1, padding=1),
            conv_1d(18, 3, "tanh", groups=18, padding="same"),
            conv_1d(24, 1, "relu"),
            conv_1d(8, 4, "sigmoid", padding="same", groups=2),
            pool("max-pool-1d", 3, stride=2, padding=[0, 2], dilation=2),
            FLATTEN,
            DENSE,
        ],
    },
]


def pair(value):
    return list(value) if isinstance(value, list) else [value, value]


def padding_of(layer, kernel, dilation):
    """[before, after] for each side."""
    value = layer.get("padding", 0)
    if value == "same":
        reaches = [d * (k - 1) for k, d in zip(kernel, dilation)]
        return [[reach // 2, reach - reach // 2] for reach in reaches]
    if len(kernel) == 1:
        return [pair(value)]
    if isinstance(value, list) and len(value) == 4:
        return [value[:2], value[2:]]
    return [[side, side] for side in pair(value)]


class Window:
    """The numbers of a window, one for each side."""

    def __init__(self, layer):
        sides = 1 if layer["type"].endswith("-1d") else 2
        self.kernel = pair(layer["kernel"])[:sides]
        default = 1 if layer["type"].startswith("conv") else layer["kernel"]
        self.stride = pair(layer.get("stride", default))[:sides]
        self.dilation = pair(layer.get("dilation", 1))[:sides]
        self.padding = padding_of(layer, self.kernel, self.dilation)
        self.is_symmetric = all(before == after for before, after in self.padding)

    def pad(self, x, value):
        # Of `pad`, the last side comes first.
        return functional.pad(x, [pixels for ends in reversed(self.padding) for pixels in ends], value=value)


class Padded:
    """A module of which the input is padded with this value first."""

    def padded(self, window, value):
        self.window, self.value = window, value
        return self

    def forward(self, x):
        return super().forward(self.window.pad(x, self.value))


def padded(module, window, value):
    """The module, made without padding, as one of a class that pads."""
    module.__class__ = type("Padded" + type(module).__name__, (Padded, type(module)), {})
    return module.padded(window, value)


class AveragePool(torch.nn.Module):
    """The mean under each place; PyTorch's has no dilation."""

    def __init__(self, window):
        super().__init__()
        self.window = window

    def forward(self, x):
        x = self.window.pad(x, 0.0)
        for side, (kernel, stride, dilation) in enumerate(zip(self.window.kernel, self.window.stride, self.window.dilation)):
            places = (x.shape[2 + side] - dilation * (kernel - 1) - 1) // stride + 1
            at = torch.arange(places)[:, None] * stride + torch.arange(kernel) * dilation
            taken = x.index_select(2 + side, at.reshape(-1))
            x = taken.reshape(*x.shape[: 2 + side], places, kernel, *x.shape[3 + side :]).mean(3 + side)
        return x


def modules(layers, channels, side):
    """PyTorch's modules of these layers, and those among them that have parameters."""
    made, owners = [], []
    for layer in layers:
        kind, line = layer["type"].removesuffix("-1d"), layer["type"].endswith("-1d")
        window = Window(layer) if "kernel" in layer else None
        if kind == "conv":
            maker = torch.nn.Conv1d if line else torch.nn.Conv2d
            owner = maker(
                channels,
                layer["channels"],
                window.kernel,
                stride=window.stride,
                padding=[before for before, _ in window.padding] if window.is_symmetric else 0,
                dilation=window.dilation,
                groups=layer.get("groups", 1),
                dtype=torch.float64,
            )
            owner = owner if window.is_symmetric else padded(owner, window, 0.0)
            channels = layer["channels"]
            made += [owner, common.ACTIVATIONS[layer["activation"]]()]
            owners.append(owner)
        elif kind == "dense":
            with torch.no_grad():
                features = torch.nn.Sequential(*made)(side).shape[1]
            owners.append(torch.nn.Linear(features, layer["units"], dtype=torch.float64))
            made.append(owners[-1])
        elif kind == "max-pool":
            maker = torch.nn.MaxPool1d if line else torch.nn.MaxPool2d
            own = [before for before, _ in window.padding] if window.is_symmetric else 0
            module = maker(window.kernel, window.stride, padding=own, dilation=window.dilation)
            made.append(module if window.is_symmetric else padded(module, window, float("-inf")))
        elif kind == "average-pool" and window.is_symmetric and max(window.dilation) == 1:
            maker = torch.nn.AvgPool1d if line else torch.nn.AvgPool2d
            made.append(maker(window.kernel, window.stride, padding=[before for before, _ in window.padding]))
        elif kind == "average-pool":
            made.append(AveragePool(window))
        elif kind == "flatten":
            made.append(torch.nn.Flatten())
    return made, owners


class Lines(torch.nn.Sequential):
    """A network of sequences, which takes samples of height 1."""

    def forward(self, x):
        return super().forward(x.squeeze(2))


def initialised(case, x):
    """The network with its initial values, and what has parameters."""
    is_of_sequences = case["layers"][0]["type"].endswith("-1d")
    side = x.squeeze(2) if is_of_sequences else x
    made, owners = modules(case["layers"], case["input"][2], side)
    convolutions.initialise(owners)
    return (Lines if is_of_sequences else torch.nn.Sequential)(*made), owners


if __name__ == "__main__":
    convolutions.write("windows", CASES, initialised)
