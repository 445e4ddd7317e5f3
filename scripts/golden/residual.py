"""Outputs, gradients and first training steps of small networks with residual and squeeze-excite blocks, by
PyTorch in float64.

    python scripts/golden/residual.py

writes tests/golden/residual.json, whose form is that of convolutions.py. The two modules below are what the
names of parameters in saved models stand for: docs/layers.md shows them.
"""

import torch

import common
import convolutions
from convolutions import conv


def dense(units, activation="identity"):
    return {"type": "dense", "units": units, "activation": activation}


def residual(layers, shortcut=(), activation="identity"):
    return {"type": "residual", "layers": layers, "shortcut": list(shortcut), "activation": activation}


def squeeze_excite(reduction):
    return {"type": "squeeze-excite", "reduction": reduction}


FLATTEN = {"type": "flatten"}
OUTPUT = {"type": "dense", "units": convolutions.CLASSES, "activation": "identity"}

CASES = [
    {
        "name": "identity",
        "input": [9, 7, 3],
        "layers": [
            conv(17, 3, "relu", padding=1),
            residual([conv(5, 3, "relu", padding=1), conv(17, 1, "identity")], activation="relu"),
            {"type": "max-pool", "kernel": 3, "stride": 2},
            residual([conv(17, 1, "tanh")]),
            FLATTEN,
            OUTPUT,
        ],
    },
    {
        "name": "projection",
        "input": [11, 8, 2],
        "layers": [
            # Both ways read the data.
            residual(
                [conv(6, 3, "relu", stride=2, padding=1), conv(6, 3, "identity", padding=1)],
                [conv(6, 1, "identity", stride=2)],
                "relu",
            ),
            residual(
                [conv(18, 3, "identity", stride=2, padding=1), squeeze_excite(8)],
                [{"type": "average-pool", "kernel": 2, "stride": 2}, conv(18, 1, "sigmoid")],
                "gelu",
            ),
            {"type": "global-average-pool"},
            OUTPUT,
        ],
    },
    {
        "name": "nested",
        "input": [6, 5, 3],
        "layers": [
            # The image that it scales is the data.
            squeeze_excite(16),
            residual([squeeze_excite(1), residual([conv(3, 3, "relu", padding=1)])], activation="sigmoid"),
            FLATTEN,
            dense(17, "relu"),
            residual([dense(9, "tanh"), residual([dense(9, "relu"), dense(9)], [dense(9)]), dense(17)]),
            OUTPUT,
        ],
    },
]


class Residual(torch.nn.Module):
    def __init__(self, layers, shortcut, activation):
        super().__init__()
        self.layers, self.shortcut = torch.nn.Sequential(*layers), torch.nn.Sequential(*shortcut)
        self.activation = activation

    def forward(self, x):
        return self.activation(self.layers(x) + self.shortcut(x))


class SqueezeExcite(torch.nn.Module):
    def __init__(self, channels, reduction):
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.fc1 = torch.nn.Linear(channels, hidden, dtype=torch.float64)
        self.fc2 = torch.nn.Linear(hidden, channels, dtype=torch.float64)

    def forward(self, x):
        gate = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


def activation_of(layer):
    name = layer["activation"]
    return [] if name == "identity" else [common.ACTIVATIONS[name]()]


def modules(layers, x):
    """PyTorch's modules of these layers, the first of which gets x."""
    made = []
    for layer in layers:
        with torch.no_grad():
            here = torch.nn.Sequential(*made)(x)
        kind, channels = layer["type"], here.shape[1]
        if kind == "residual":
            both = [modules(layer[key], here) for key in ("layers", "shortcut")]
            activation = activation_of(layer) or [torch.nn.Identity()]
            made.append(Residual(*both, activation[0]))
        elif kind == "squeeze-excite":
            made.append(SqueezeExcite(channels, layer["reduction"]))
        elif kind == "conv":
            window = {key: layer[key] for key in ("stride", "padding", "dilation")}
            made.append(torch.nn.Conv2d(channels, layer["channels"], layer["kernel"], dtype=torch.float64, **window))
            made += activation_of(layer)
        elif kind == "dense":
            made.append(torch.nn.Linear(channels, layer["units"], dtype=torch.float64))
            made += activation_of(layer)
        else:
            made += convolutions.modules([layer], channels, here)[0]
    return made


def initialised(case, x):
    """The network with its initial values, and what has parameters, in the order of `state_dict`."""
    net = torch.nn.Sequential(*modules(case["layers"], x))
    owners = [module for module in net.modules() if hasattr(module, "weight")]
    convolutions.initialise(owners)
    return net, owners


def main():
    convolutions.write("residual", CASES, initialised)


if __name__ == "__main__":
    main()
