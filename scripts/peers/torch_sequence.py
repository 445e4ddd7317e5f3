"""Layers of sequences in PyTorch: samples are [samples, positions, channels], parameters named as in fallline's saved models."""

import torch
from torch import nn
from torch.nn import functional


def positions_of(image):
    """Pixels of [samples, channels, height, width], or of [samples, channels, width], as positions."""
    return image.flatten(2).transpose(1, 2)


class Rows(nn.Module):
    """The rows of images as positions, each of all numbers of its row."""

    def forward(self, x):
        # One-dimensional samples have one row.
        return x.permute(0, 2, 3, 1).flatten(2) if x.dim() == 4 else x.transpose(1, 2).flatten(1).unsqueeze(1)


class PositionEmbedding(nn.Module):
    def __init__(self, positions, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(positions, channels).normal_(std=0.02))

    def forward(self, x):
        return x + self.weight


class SinusoidalPositions(nn.Module):
    def __init__(self, positions, channels):
        super().__init__()
        pairs = torch.arange(0, channels, 2, dtype=torch.float64)
        angles = torch.arange(positions, dtype=torch.float64)[:, None] / 10_000 ** (pairs / channels)
        weight = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :channels]
        self.register_buffer("weight", weight.float().contiguous())

    def forward(self, x):
        return x + self.weight


class MeanPosition(nn.Module):
    def forward(self, x):
        return x.mean(dim=1)


class LastPosition(nn.Module):
    def forward(self, x):
        return x[:, -1]


class FlattenPositions(nn.Module):
    """As nn.Flatten of images, whose channels come first."""

    def forward(self, x):
        return x.transpose(1, 2).flatten(1)


def normalisation_of(norm, channels, epsilon=1e-5):
    return (nn.RMSNorm if norm == "rms" else nn.LayerNorm)(channels, eps=epsilon)


def recurrent_of(cell, inputs, units, bidirectional, returns, nonlinearity):
    own = {"nonlinearity": nonlinearity} if cell == "rnn" else {}
    maker = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell]
    module = maker(inputs, units, batch_first=True, bidirectional=bidirectional, **own)

    def given(_, inputs, outputs):
        states, last = outputs
        if returns == "all":
            return states
        last = last[0] if cell == "lstm" else last
        # [directions, samples, units]
        return last.transpose(0, 1).flatten(1)

    module.register_forward_hook(given)
    return module


class Attention(nn.Module):
    """Self-attention by PyTorch's fused function."""

    def __init__(self, channels, heads, kv_heads, width, causal, rotary_base, bias):
        super().__init__()
        self.parts = [heads * width, kv_heads * width, kv_heads * width]
        self.width, self.causal, self.base, self.groups = width, causal, rotary_base, kv_heads != heads
        self.in_proj_weight = nn.Parameter(torch.empty(sum(self.parts), channels))
        nn.init.xavier_uniform_(self.in_proj_weight)
        self.in_proj_bias = nn.Parameter(torch.zeros(sum(self.parts))) if bias else None
        self.out_proj = nn.Linear(heads * width, channels, bias)
        self.turns = None

    def forward(self, x):
        projected = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        parts = projected.split(self.parts, dim=2)
        q, k, v = (part.unflatten(2, (-1, self.width)).transpose(1, 2) for part in parts)
        if self.base is not None:
            q, k = self.turned(q), self.turned(k)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal, enable_gqa=self.groups)
        return self.out_proj(y.transpose(1, 2).flatten(2))

    def turned(self, x):
        """Pairs of [samples, heads, positions, width], a number of the first half and one of the second, by their angles."""
        if self.turns is None:
            half = torch.arange(self.width // 2, dtype=torch.float64)
            angles = torch.arange(x.shape[2], dtype=torch.float64)[:, None] * self.base ** (-2 * half / self.width)
            self.turns = angles.cos().float(), angles.sin().float()
        (cosines, sines), (a, b) = self.turns, x.chunk(2, dim=3)
        return torch.cat([a * cosines - b * sines, b * cosines + a * sines], dim=3)


class Compute(nn.Module):
    """Two dense layers at each position."""

    def __init__(self, channels, hidden, function, bias):
        super().__init__()
        self.function = function
        self.up = nn.Linear(channels, 2 * hidden if function == "swiglu" else hidden, bias)
        self.down = nn.Linear(hidden, channels, bias)

    def forward(self, x):
        x = self.up(x)
        if self.function == "swiglu":
            a, gate = x.chunk(2, dim=-1)
            return self.down(a * functional.silu(gate))
        return self.down(getattr(functional, self.function)(x))


class Attend(nn.Module):
    """Holds an attention under a name."""

    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x):
        return self.attention(x)


class TransformerBlock(nn.Module):
    def __init__(self, hidden, function, norm, normalise, dropout, **attention):
        super().__init__()
        channels, self.before = attention["channels"], normalise == "before"
        self.attend = Attend(Attention(**attention))
        self.compute = Compute(channels, hidden, function, attention["bias"])
        if self.before:
            self.attend.norm, self.compute.norm = (normalisation_of(norm, channels) for _ in range(2))
        else:
            self.attend_norm, self.compute_norm = (normalisation_of(norm, channels) for _ in range(2))
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()

    def forward(self, x):
        if self.before:
            x = x + self.dropout(self.attend(self.attend.norm(x)))
            return x + self.dropout(self.compute(self.compute.norm(x)))
        x = self.attend_norm(x + self.dropout(self.attend(x)))
        return self.compute_norm(x + self.dropout(self.compute(x)))


MAKERS = {
    "embedding": lambda categories, width: nn.Embedding(categories, width),
    "rows": Rows,
    "position-embedding": PositionEmbedding,
    "sinusoidal-positions": SinusoidalPositions,
    "position-dense": lambda inputs, outputs, bias: nn.Linear(inputs, outputs, bias),
    "position-norm": normalisation_of,
    "recurrent": recurrent_of,
    "attention": Attention,
    "transformer-block": TransformerBlock,
    "dropout": lambda rate: nn.Dropout(rate),
    "mean-position": MeanPosition,
    "last-position": LastPosition,
    "flatten-positions": FlattenPositions,
}
