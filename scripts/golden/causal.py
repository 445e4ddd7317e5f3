"""The same as convolutions.py for causal convolutions of sequences: zeros in front, as many as the window reaches. The blocks
of the last case are those of a temporal convolutional network (Bai, Kolter, Koltun 2018).

    python scripts/golden/causal.py

writes tests/golden/causal.json.
"""

import torch
from torch.nn import functional

import convolutions
import residual
from convolutions import DENSE, FLATTEN
from residual import activation_of
from windows import Lines


def conv(channels, kernel, activation, **more):
    layer = {"type": "conv-1d", "channels": channels, "kernel": kernel, "activation": activation}
    return layer | {"padding": "causal"} | more


CASES = [
    {
        "name": "dilated",
        "input": [1, 23, 3],
        "layers": [
            conv(6, 3, "relu"),
            conv(18, 2, "tanh", dilation=4),
            conv(20, 4, "gelu", dilation=9),
            conv(5, 1, "identity"),
            FLATTEN,
            DENSE,
        ],
    },
    {
        "name": "groups",
        "input": [1, 14, 2],
        "layers": [
            conv(12, 2, "silu"),
            conv(12, 3, "relu", dilation=2, groups=12),
            conv(18, 3, "tanh", groups=3),
            conv(36, 2, "identity", dilation=3, groups=18),
            FLATTEN,
            DENSE,
        ],
    },
    {
        "name": "blocks",
        "input": [1, 17, 4],
        "layers": [
            residual.residual(
                [conv(9, 3, "relu"), conv(9, 3, "relu")],
                [conv(9, 1, "identity")],
                "relu",
            ),
            residual.residual([conv(9, 3, "relu", dilation=2), conv(9, 3, "relu", dilation=2)], activation="relu"),
            FLATTEN,
            DENSE,
        ],
    },
]


class Causal(torch.nn.Conv1d):
    def forward(self, x):
        reach = self.dilation[0] * (self.kernel_size[0] - 1)
        x = functional.pad(x, (reach, 0))
        return functional.conv1d(x, self.weight, self.bias, dilation=self.dilation, groups=self.groups)


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
            made.append(residual.Residual(*both, activation[0]))
        elif kind == "conv-1d":
            more = {key: layer[key] for key in ("dilation", "groups") if key in layer}
            made.append(Causal(channels, layer["channels"], layer["kernel"], dtype=torch.float64, **more))
            made += activation_of(layer)
        else:
            made += convolutions.modules([layer], channels, here)[0]
    return made


def initialised(case, x):
    """The network with its initial values, and what has parameters, in the order of `state_dict`."""
    net = Lines(*modules(case["layers"], x.squeeze(2)))
    owners = [module for module in net.modules() if hasattr(module, "weight")]
    convolutions.initialise(owners)
    return net, owners


if __name__ == "__main__":
    convolutions.write("causal", CASES, initialised)
