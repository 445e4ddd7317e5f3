"""The same as convolutions.py for self-attention between the pixels of an image.

    python scripts/golden/attention.py

writes tests/golden/attention.json.
"""

import torch

import common
import convolutions
from convolutions import DENSE, FLATTEN, conv


def attention(heads, **settings):
    return {"type": "attention", "heads": heads} | settings


CASES = [
    {
        "name": "heads",
        "input": [3, 3, 6],
        "layers": [
            attention(2),
            conv(9, 1, "tanh"),
            attention(3, causal=True),
            FLATTEN,
            DENSE,
        ],
    },
    {
        "name": "groups",
        "input": [1, 11, 5],
        "layers": [
            attention(4, kv_heads=2, head_width=3, causal=True),
            conv(8, 1, "identity"),
            attention(4, kv_heads=1),
            {"type": "global-average-pool"},
            DENSE,
        ],
    },
    {
        "name": "rotary",
        "input": [2, 35, 4],
        "layers": [
            conv(20, 1, "identity"),
            attention(2, causal=True, rotary=True),
            attention(3, kv_heads=3, head_width=6, rotary=True, rotary_base=100.0),
            {"type": "global-average-pool"},
            DENSE,
        ],
    },
]


def sequence(x):
    """[samples, pixels, channels] of an image of PyTorch's."""
    return x.flatten(2).transpose(1, 2)


def image(y, like):
    """Inverts sequence() for an image of this shape."""
    return y.transpose(1, 2).reshape(like.shape)


class Heads(torch.nn.MultiheadAttention):
    """PyTorch's own, of images."""

    def __init__(self, channels, heads, causal):
        super().__init__(channels, heads, batch_first=True, dtype=torch.float64)
        self.causal = causal

    def forward(self, x):
        positions = sequence(x)
        count = positions.shape[1]
        hidden = torch.ones(count, count, dtype=torch.bool).triu(1) if self.causal else None
        y, _ = super().forward(positions, positions, positions, need_weights=False, attn_mask=hidden)
        return image(y, x)


def turned(x, base):
    """Rotary positions by their formula: x is [samples, heads, positions, width]."""
    width = x.shape[3]
    rates = base ** (-2 * torch.arange(width // 2, dtype=torch.float64) / width)
    angles = torch.arange(x.shape[2], dtype=torch.float64)[:, None] * rates
    a, b = x.chunk(2, dim=3)
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], dim=3)


class Groups(torch.nn.Module):
    """Heads of any width that share keys and values in groups, perhaps with rotary positions."""

    def __init__(self, channels, heads, kv_heads, width, causal, base):
        super().__init__()
        self.heads, self.kv_heads, self.width, self.causal, self.base = heads, kv_heads, width, causal, base
        projected = (heads + 2 * kv_heads) * width
        self.in_proj_weight = torch.nn.Parameter(torch.empty(projected, channels, dtype=torch.float64))
        self.in_proj_bias = torch.nn.Parameter(torch.empty(projected, dtype=torch.float64))
        self.out_proj = torch.nn.Linear(heads * width, channels, dtype=torch.float64)

    def forward(self, x):
        projected = torch.nn.functional.linear(sequence(x), self.in_proj_weight, self.in_proj_bias)
        parts = [count * self.width for count in (self.heads, self.kv_heads, self.kv_heads)]
        q, k, v = (part.unflatten(2, (-1, self.width)).transpose(1, 2) for part in projected.split(parts, dim=2))
        if self.base is not None:
            q, k = turned(q, self.base), turned(k, self.base)
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal, enable_gqa=True)
        return image(self.out_proj(y.transpose(1, 2).flatten(2)), x)


def attending(layer, channels):
    """PyTorch's module of an attention."""
    heads, causal = layer["heads"], layer.get("causal", False)
    own = {"kv_heads", "head_width", "rotary"} & layer.keys()
    if not own:
        return Heads(channels, heads, causal)
    width = layer.get("head_width", channels // heads)
    base = layer.get("rotary_base", 10000.0) if layer.get("rotary") else None
    return Groups(channels, heads, layer.get("kv_heads", heads), width, causal, base)


def modules(layers, channels, side):
    """PyTorch's modules of these layers, and pairs of their weights and biases in their order."""
    made, pairs = [], []
    for layer in layers:
        kind = layer["type"]
        if kind == "attention":
            made.append(attending(layer, channels))
            pairs.append([made[-1].in_proj_weight, made[-1].in_proj_bias])
            pairs.append([made[-1].out_proj.weight, made[-1].out_proj.bias])
        elif kind == "conv":
            made.append(torch.nn.Conv2d(channels, layer["channels"], layer["kernel"], dtype=torch.float64))
            channels = layer["channels"]
            pairs.append([made[-1].weight, made[-1].bias])
            if layer["activation"] != "identity":
                made.append(common.ACTIVATIONS[layer["activation"]]())
        elif kind == "dense":
            with torch.no_grad():
                features = torch.nn.Sequential(*made)(side).shape[1]
            made.append(torch.nn.Linear(features, layer["units"], dtype=torch.float64))
            pairs.append([made[-1].weight, made[-1].bias])
        elif kind == "global-average-pool":
            made += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
        else:
            made.append(torch.nn.Flatten())
    return made, pairs


def initialised(case, x):
    """The network with its initial values, and what has parameters."""
    made, pairs = modules(case["layers"], case["input"][2], x)
    for number, (weight, bias) in enumerate(pairs):
        out = weight.shape[0]
        values = common.weights(number, out, weight[0].numel()).reshape(tuple(weight.shape))
        with torch.no_grad():
            weight.copy_(torch.from_numpy(values))
            bias.copy_(torch.from_numpy(common.biases(number, out)))
    return torch.nn.Sequential(*made), [module for module in made if any(True for _ in module.parameters())]


if __name__ == "__main__":
    convolutions.write("attention", CASES, initialised)
