"""The same as convolutions.py for activations with trained slopes and for gated linear units.

    python scripts/golden/gated.py

writes tests/golden/gated.json.
"""

import torch

import common
import convolutions
from convolutions import DENSE, FLATTEN, conv


def dense(units, activation="identity"):
    return {"type": "dense", "units": units, "activation": activation}


CASES = [
    {
        "name": "slopes",
        "input": [6, 5, 2],
        "layers": [
            conv(5, 3, "identity", padding=1),
            {"type": "prelu", "by_channel": True},
            conv(6, 3, "identity"),
            {"type": "prelu"},
            FLATTEN,
            dense(19),
            {"type": "prelu", "by_channel": True},
            DENSE,
        ],
    },
    {
        "name": "gates of images",
        "input": [5, 6, 1],
        "layers": [
            conv(6, 3, "identity", padding=1),
            {"type": "glu"},
            conv(38, 2, "identity"),
            {"type": "swiglu"},
            {"type": "global-average-pool"},
            DENSE,
        ],
    },
    {
        "name": "gates of features",
        "input": [1, 1, 7],
        "layers": [
            dense(34),
            {"type": "glu", "gate": "gelu"},
            dense(20),
            {"type": "swiglu"},
            dense(12),
            {"type": "glu", "gate": "relu"},
            dense(8),
            {"type": "glu", "gate": "identity"},
            dense(10),
            {"type": "glu"},
            DENSE,
        ],
    },
]

GATES = {
    "sigmoid": torch.sigmoid,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "relu": torch.relu,
    "identity": lambda b: b,
}


class Gated(torch.nn.Module):
    """a gate(b), of the halves of the channels."""

    def __init__(self, gate):
        super().__init__()
        self.gate = GATES[gate]

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        return a * self.gate(b)


def modules(layers, side):
    """PyTorch's modules of these layers, and those among them that have parameters."""
    made, owners = [], []
    for layer in layers:
        kind = layer["type"]
        with torch.no_grad():
            shape = torch.nn.Sequential(*made)(side).shape
        if kind == "conv":
            window = {key: layer[key] for key in ("stride", "padding", "dilation")}
            owners.append(torch.nn.Conv2d(shape[1], layer["channels"], layer["kernel"], dtype=torch.float64, **window))
        elif kind == "dense":
            owners.append(torch.nn.Linear(shape[1], layer["units"], dtype=torch.float64))
        elif kind == "prelu":
            slopes = shape[1] if layer.get("by_channel") else 1
            owners.append(torch.nn.PReLU(slopes, dtype=torch.float64))
        elif kind == "glu" and layer.get("gate", "sigmoid") == "sigmoid":
            made.append(torch.nn.GLU(dim=1))
            continue
        elif kind in ("glu", "swiglu"):
            made.append(Gated(layer.get("gate", "silu")))
            continue
        elif kind == "global-average-pool":
            made += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
            continue
        else:
            made.append(torch.nn.Flatten())
            continue
        made.append(owners[-1])
    return made, owners


class Features(torch.nn.Sequential):
    """A network that takes the data as features."""

    def forward(self, x):
        return super().forward(x.flatten(1))


def initialised(case, x):
    """The network with its initial values, and what has parameters."""
    of_features = case["layers"][0]["type"] == "dense"
    made, owners = modules(case["layers"], x.flatten(1) if of_features else x)
    for number, owner in enumerate(owners):
        out = owner.weight.shape[0]
        weight = common.weights(number, out, owner.weight[0].numel()).reshape(tuple(owner.weight.shape))
        with torch.no_grad():
            owner.weight.copy_(torch.from_numpy(weight))
            if hasattr(owner, "bias"):
                owner.bias.copy_(torch.from_numpy(common.biases(number, out)))
    return (Features if of_features else torch.nn.Sequential)(*made), owners


if __name__ == "__main__":
    convolutions.write("gated", CASES, initialised)
