"""The same as transformer.py for an encoder and a decoder, whose samples are a source and a target behind it.

    python scripts/golden/decoder.py

writes tests/golden/decoder.json. The numbers are those of torch.nn.TransformerEncoderLayer, torch.nn.TransformerDecoderLayer and
torch.nn.MultiheadAttention.
"""

import functools

import torch

import convolutions
import transformer
from convolutions import DENSE
from transformer import BY_POSITION, MEAN, block, dense


def encoder(heads, source, **settings):
    return block(heads, causal=False, **settings) | {"source": source, "part": "source"}


def decoder(heads, source, **settings):
    return {"type": "decoder-block", "heads": heads, "source": source} | settings


def part(layer, source, name):
    return layer | {"source": source, "part": name}


CASES = [
    {
        "name": "before",
        "input": [1, 11, 5],
        "layers": [
            dense(12),
            encoder(3, 4, hidden=20),
            part(BY_POSITION, 4, "source"),
            decoder(2, 4),
            part(BY_POSITION, 4, "target"),
            MEAN,
            DENSE,
        ],
    },
    {
        "name": "after",
        "input": [2, 4, 6],
        "layers": [
            dense(20, activation="relu"),
            encoder(4, 5, hidden=33, function="relu", normalise="after"),
            decoder(1, 5, hidden=21, normalise="after"),
            decoder(4, 5, hidden=33, function="relu", normalise="after"),
            MEAN,
            DENSE,
        ],
    },
    {
        "name": "cross",
        "input": [1, 9, 6],
        "layers": [
            dense(18),
            {"type": "cross-attention", "heads": 3, "source": 4},
            part(dense(20), 4, "target"),
            part({"type": "rms-norm", "epsilon": 0.1}, 4, "target"),
            MEAN,
            DENSE,
        ],
    },
]


class Part(torch.nn.Module):
    """A module on a part of the positions of [samples, positions, channels]; the others pass, or become zeros of as many
    channels as come out."""

    def __init__(self, module, layer):
        super().__init__()
        # In a list it has no name of its own.
        self.module = [module]
        self.source, self.is_source = layer["source"], layer["part"] == "source"
        self.gives_zeros = layer["type"] == "position-dense"
        for name, child in module.named_children():
            self.add_module(name, child)
        for name, values in module.named_parameters(recurse=False):
            self.register_parameter(name, values)

    def forward(self, x):
        source, target = x[:, : self.source], x[:, self.source :]
        inside, outside = (source, target) if self.is_source else (target, source)
        inside = self.module[0](inside)
        if self.gives_zeros:
            outside = outside.new_zeros(*outside.shape[:2], inside.shape[2])
        return torch.cat([inside, outside] if self.is_source else [outside, inside], dim=1)


class Cross(torch.nn.MultiheadAttention):
    """Of the target to the source; zeros at the source's positions."""

    def __init__(self, layer, channels):
        super().__init__(channels, layer["heads"], batch_first=True, dtype=torch.float64)
        self.source = layer["source"]

    def forward(self, x):
        source, target = x[:, : self.source], x[:, self.source :]
        y, _ = super().forward(target, source, source, need_weights=False)
        return torch.cat([torch.zeros_like(source), y], dim=1)


class Decoder(torch.nn.Module):
    """A layer of PyTorch's decoder; the source passes."""

    def __init__(self, layer, channels):
        super().__init__()
        self.source = layer["source"]
        is_first = layer.get("normalise", "before") == "before"
        whole = torch.nn.TransformerDecoderLayer(
            channels,
            layer["heads"],
            layer.get("hidden", 4 * channels),
            dropout=0.0,
            activation=layer.get("function", "gelu"),
            batch_first=True,
            norm_first=is_first,
            dtype=torch.float64,
        )
        # In a list it has no names of its own beside those of its parts.
        self.whole = [whole]
        parts = (
            ("attend", whole.norm1, {"attention": whole.self_attn}),
            ("cross", whole.norm2, {"attention": whole.multihead_attn}),
            ("compute", whole.norm3, {"up": whole.linear1, "down": whole.linear2}),
        )
        for name, norm, own in parts:
            self.add_module(name, torch.nn.ModuleDict({"norm": norm} | own if is_first else own))
            if not is_first:
                self.add_module(f"{name}_norm", norm)

    def forward(self, x):
        source, target = x[:, : self.source], x[:, self.source :]
        count = target.shape[1]
        hidden = torch.ones(count, count, dtype=torch.bool).triu(1)
        return torch.cat([source, self.whole[0](target, source, tgt_mask=hidden)], dim=1)


def modules(layers, channels):
    """PyTorch's modules of these layers."""
    made = []
    for layer in layers:
        kind = layer["type"]
        if kind == "cross-attention":
            made.append(Cross(layer, channels))
        elif kind == "decoder-block":
            made.append(Decoder(layer, channels))
        else:
            of_all = transformer.modules([layer], channels)
            made += [Part(of_all[0], layer)] + of_all[1:] if "part" in layer else of_all
            channels = layer["units"] if kind == "position-dense" else channels
    return made


if __name__ == "__main__":
    cases = [case | {"weights_near_one": True} for case in CASES]
    convolutions.write("decoder", cases, functools.partial(transformer.initialised, make=modules))
