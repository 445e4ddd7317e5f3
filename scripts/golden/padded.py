"""The same as recurrent.py for sequences of different lengths, which PyTorch packs or masks.

    python scripts/golden/padded.py

writes tests/golden/padded.json. Sample i has 1 + 7 i mod T positions that count, of T.
"""

import torch

import common
import convolutions
import recurrent
from convolutions import CLASSES, DENSE, DIGITS, SAMPLES

AVERAGE = {"type": "global-average-pool"}
LAST = {"type": "last-position"}


def attention(heads, **settings):
    return {"type": "attention", "heads": heads} | settings


CASES = [
    {
        "name": "both directions",
        "input": [1, 11, 3],
        "layers": [
            recurrent.recurrent("lstm", 4, bidirectional=True),
            recurrent.recurrent("gru", 16, bidirectional=True, returns="last"),
            DENSE,
        ],
    },
    {
        "name": "plain cells, mean",
        "input": [1, 6, 2],
        "layers": [recurrent.recurrent("rnn", 16, bidirectional=True), AVERAGE, DENSE],
    },
    {"name": "last position", "input": [1, 9, 2], "layers": [recurrent.recurrent("gru", 7), LAST, DENSE]},
    {"name": "attention", "input": [1, 11, 6], "layers": [attention(2), attention(3), AVERAGE, DENSE]},
    {
        "name": "causal attention",
        "input": [1, 70, 4],
        "layers": [attention(2, causal=True), recurrent.recurrent("lstm", 5, returns="last"), DENSE],
    },
]


class Network(torch.nn.Sequential):
    """Modules that are told which positions count: x is [samples, positions, channels]."""

    def forward(self, x, lengths):
        for module in self:
            x = module(x) if isinstance(module, torch.nn.Linear) else module(x, lengths)
        return x


def counts(x, lengths):
    """[samples, positions]"""
    return torch.arange(x.shape[1])[None] < lengths[:, None]


class Attention(torch.nn.MultiheadAttention):
    def __init__(self, channels, heads, causal):
        super().__init__(channels, heads, batch_first=True, dtype=torch.float64)
        self.causal = causal

    def forward(self, x, lengths):
        count = x.shape[1]
        hidden = torch.ones(count, count, dtype=torch.bool).triu(1) if self.causal else None
        mask = counts(x, lengths)
        y, _ = super().forward(x, x, x, key_padding_mask=~mask, need_weights=False, attn_mask=hidden)
        return y * mask[:, :, None]


class Mean(torch.nn.Module):
    def forward(self, x, lengths):
        return (x * counts(x, lengths)[:, :, None]).sum(1) / lengths[:, None]


class Last(torch.nn.Module):
    def forward(self, x, lengths):
        return x[torch.arange(len(x)), lengths - 1]


class Nothing(torch.nn.Module):
    """In the place of the second module of a pool."""

    def forward(self, x, lengths):
        return x


def packed(layer, channels):
    base = recurrent.KINDS[layer["type"]]
    is_last = layer.get("returns", "all") == "last"

    class Recurrent(base):
        def forward(self, x, lengths):
            rows = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            y, state = super().forward(rows)
            if not is_last:
                return torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0]
            h = state[0] if isinstance(state, tuple) else state
            return h.transpose(0, 1).flatten(1)

    return Recurrent(
        channels,
        layer["units"],
        batch_first=True,
        bidirectional=layer.get("bidirectional", False),
        dtype=torch.float64,
    )


def modules(case, x, lengths):
    made = []
    for layer in case["layers"]:
        with torch.no_grad():
            channels = Network(*made)(x, lengths).shape[-1]
        kind = layer["type"]
        if kind == "attention":
            made.append(Attention(channels, layer["heads"], layer.get("causal", False)))
        elif kind == "global-average-pool":
            made += [Mean(), Nothing()]
        elif kind == "last-position":
            made.append(Last())
        elif kind == "dense":
            made.append(torch.nn.Linear(channels, layer["units"], dtype=torch.float64))
        else:
            made.append(packed(layer, channels))
    return Network(*made)


def solved(case):
    _, positions, channels = case["input"]
    x = torch.from_numpy(common.uniform(common.INPUTS, SAMPLES * positions * channels))
    x = x.reshape(SAMPLES, positions, channels).double()
    lengths = torch.tensor([1 + 7 * sample % positions for sample in range(SAMPLES)])
    net = modules(case, x, lengths)
    with torch.no_grad():
        for number, values in enumerate(net.state_dict().values()):
            drawn = common.uniform(common.WEIGHTS + number, values.numel()) * 0.5
            values.copy_(torch.from_numpy(drawn).reshape(values.shape))
    logits = net(x, lengths)
    loss = common.loss_of("cross_entropy", logits, torch.from_numpy(common.labels(SAMPLES, CLASSES)))
    loss.backward()
    names = list(net.state_dict())
    gradients = dict(net.named_parameters())
    return case | {
        "lengths": lengths.tolist(),
        "value": common.rounded(loss.item(), DIGITS),
        "logits": common.rounded(logits, DIGITS),
        "gradients": [common.rounded(gradients[name].grad.reshape(-1), DIGITS) for name in names],
        "names": names,
        "shapes": [list(values.shape) for values in net.state_dict().values()],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    head = {"classes": CLASSES, "samples": SAMPLES, "labels": common.labels(SAMPLES, CLASSES).tolist()}
    common.write(common.golden_path("padded.json"), "padded.py", head, [solved(case) for case in CASES])
