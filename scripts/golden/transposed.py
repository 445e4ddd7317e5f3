"""The same as convolutions.py for transposed convolutions.

    python scripts/golden/transposed.py

writes tests/golden/transposed.json. Windows are given as in windows.py.
"""

import torch
from torch.nn import functional

import common
import convolutions
from convolutions import DENSE, FLATTEN, conv
from windows import Window, pair


def transposed(channels, kernel, activation, **window):
    return {"type": "conv-transpose", "channels": channels, "kernel": kernel, "activation": activation} | window


CASES = [
    {
        "name": "encoder and decoder",
        "input": [9, 10, 2],
        "layers": [
            conv(6, 3, "tanh", stride=2, padding=1),
            conv(18, 3, "silu", stride=2, padding=1),
            transposed(17, 3, "tanh", stride=2, padding=1),
            transposed(3, 4, "silu", stride=2, padding=1, output_padding=[1, 0]),
            {"type": "global-average-pool"},
            DENSE,
        ],
    },
    {
        "name": "windows",
        "input": [5, 6, 3],
        "layers": [
            transposed(6, [3, 2], "tanh", stride=[1, 3], dilation=[2, 1], output_padding=[0, 2]),
            transposed(17, 3, "leaky_relu", padding=1),
            transposed(19, [2, 3], "gelu", padding=[0, 1, 2, 0]),
            transposed(5, [1, 4], "sigmoid", stride=[3, 1], dilation=[1, 2], padding=[2, 3]),
            {"type": "max-pool", "kernel": 3, "stride": 3},
            FLATTEN,
            DENSE,
        ],
    },
    {
        "name": "one pixel",
        "input": [3, 4, 16],
        "layers": [
            transposed(16, 1, "relu"),
            transposed(35, 1, "identity", stride=2, output_padding=1),
            transposed(7, 2, "softplus", stride=2),
            {"type": "global-average-pool"},
            DENSE,
        ],
    },
]


class Cut(torch.nn.ConvTranspose2d):
    """One that cuts other numbers of pixels off opposite sides, which PyTorch's does not."""

    def forward(self, x):
        return functional.pad(super().forward(x), [-pixels for ends in reversed(self.cut) for pixels in ends])


def transposed_of(layer, channels):
    window = Window(layer)
    others = {
        "stride": window.stride,
        "dilation": window.dilation,
        "output_padding": pair(layer.get("output_padding", 0)),
        "dtype": torch.float64,
    }
    if window.is_symmetric:
        own = [before for before, _ in window.padding]
        return torch.nn.ConvTranspose2d(channels, layer["channels"], window.kernel, padding=own, **others)
    owner = Cut(channels, layer["channels"], window.kernel, **others)
    owner.cut = window.padding
    return owner


def initialised(case, x):
    """The network with its initial values, and what has parameters."""
    made, owners, channels = [], [], case["input"][2]
    for layer in case["layers"]:
        if layer["type"] == "conv-transpose":
            own = [transposed_of(layer, channels)]
        elif layer["type"] == "conv":
            own = convolutions.modules([layer], channels, x)[0][:1]
        elif layer["type"] == "dense":
            with torch.no_grad():
                features = torch.nn.Sequential(*made)(x).shape[1]
            own = [torch.nn.Linear(features, layer["units"], dtype=torch.float64)]
        else:
            made += convolutions.modules([layer], channels, x)[0]
            continue
        made += own
        owners += own
        channels = layer.get("channels", channels)
        if layer.get("activation", "identity") != "identity":
            made.append(common.ACTIVATIONS[layer["activation"]]())
    for number, owner in enumerate(owners):
        out = owner.weight.shape[0]
        weight = common.weights(number, out, owner.weight[0].numel()).reshape(tuple(owner.weight.shape))
        with torch.no_grad():
            owner.weight.copy_(torch.from_numpy(weight))
            owner.bias.copy_(torch.from_numpy(common.biases(number, owner.bias.shape[0])))
    return torch.nn.Sequential(*made), owners


if __name__ == "__main__":
    convolutions.write("transposed", CASES, initialised)
