"""The same as convolutions.py for whole blocks of a Transformer, and for normalisations of each position.

    python scripts/golden/transformer.py

writes tests/golden/transformer.json. The numbers are those of torch.nn.TransformerEncoderLayer, whose parts have the names of
this crate here.
"""

import torch

import common
import convolutions
from convolutions import DENSE


def dense(units, **more):
    return {"type": "position-dense", "units": units} | more


def block(heads, **settings):
    return {"type": "transformer-block", "heads": heads} | settings


MEAN = {"type": "global-average-pool"}
BY_POSITION = {"type": "layer-norm", "by_position": True}

CASES = [
    {
        "name": "before",
        "input": [1, 11, 5],
        "layers": [
            dense(12),
            block(3, hidden=20),
            block(2, function="relu", causal=False),
            BY_POSITION,
            MEAN,
            DENSE,
        ],
    },
    {
        "name": "after",
        "input": [2, 4, 6],
        "layers": [
            dense(20, activation="relu"),
            block(4, hidden=33, function="relu", normalise="after"),
            block(1, normalise="after", causal=False),
            MEAN,
            DENSE,
        ],
    },
    {
        "name": "norms",
        "input": [1, 9, 6],
        "layers": [
            dense(18),
            {"type": "rms-norm", "epsilon": 0.1},
            block(2, hidden=20, norm="rms"),
            BY_POSITION | {"epsilon": 0.01},
            block(3, hidden=33, norm="rms", normalise="after", function="relu"),
            MEAN,
            DENSE,
        ],
    },
]


class Block(torch.nn.Module):
    """A layer of PyTorch's encoder over [samples, positions, channels]."""

    def __init__(self, layer, channels):
        super().__init__()
        self.causal = layer.get("causal", True)
        is_first = layer.get("normalise", "before") == "before"
        whole = torch.nn.TransformerEncoderLayer(
            channels,
            layer["heads"],
            layer.get("hidden", 4 * channels),
            dropout=0.0,
            activation=layer.get("function", "gelu"),
            batch_first=True,
            norm_first=is_first,
            dtype=torch.float64,
        )
        if layer.get("norm") == "rms":
            whole.norm1, whole.norm2 = (
                torch.nn.RMSNorm(channels, eps=whole.norm1.eps, dtype=torch.float64) for _ in range(2)
            )
        # In a list it has no names of its own beside those of its parts.
        self.whole = [whole]
        parts = {"attention": whole.self_attn}, {"up": whole.linear1, "down": whole.linear2}
        for name, norm, own in zip(("attend", "compute"), (whole.norm1, whole.norm2), parts):
            half = torch.nn.ModuleDict({"norm": norm} | own if is_first else own)
            self.add_module(name, half)
            if not is_first:
                self.add_module(f"{name}_norm", norm)

    def forward(self, x):
        count = x.shape[1]
        hidden = torch.ones(count, count, dtype=torch.bool).triu(1) if self.causal else None
        return self.whole[0](x, src_mask=hidden)


class Mean(torch.nn.Module):
    def forward(self, x):
        return x.mean(1)


class Positions(torch.nn.Sequential):
    """Layers of [samples, positions, channels], which take images."""

    def forward(self, x):
        return super().forward(x.flatten(2).transpose(1, 2))


def modules(layers, channels):
    """PyTorch's modules of these layers."""
    made = []
    for layer in layers:
        kind, options = layer["type"], {"eps": layer.get("epsilon", 1e-5), "dtype": torch.float64}
        if kind == "transformer-block":
            made.append(Block(layer, channels))
        elif kind == "layer-norm":
            made.append(torch.nn.LayerNorm(channels, **options))
        elif kind == "rms-norm":
            made.append(torch.nn.RMSNorm(channels, **options))
        elif kind == "global-average-pool":
            # Of images it is two modules.
            made += [Mean(), torch.nn.Identity()]
        else:
            made.append(torch.nn.Linear(channels, layer["units"], dtype=torch.float64))
            channels = layer["units"]
            if "activation" in layer:
                made.append(common.ACTIVATIONS[layer["activation"]]())
    return made


def initialised(case, _, make=modules):
    """The network with its initial values: weights and biases of one module have the number of that module. The weights of
    normalisations are 1 + uniform / 2, in f32."""
    net = Positions(*make(case["layers"], case["input"][2]))
    number, module = -1, None
    for name, values in net.state_dict().items():
        own = name.rsplit(".", 1)[0]
        number, module = number + (own != module), own
        out = values.shape[0]
        if name.endswith("weight") and values.dim() == 1:
            # Of a normalisation.
            drawn = 1 + common.uniform(common.WEIGHTS + number, out) / 2
        elif name.endswith("weight"):
            drawn = common.weights(number, out, values[0].numel()).reshape(tuple(values.shape))
        else:
            drawn = common.biases(number, out)
        values.copy_(torch.from_numpy(drawn))
    return net, [net]


if __name__ == "__main__":
    cases = [case | {"weights_near_one": True} for case in CASES]
    convolutions.write("transformer", cases, initialised)
