"""State dicts of small networks of PyTorch, with an input and what comes out, by PyTorch in float64 of weights in float32.

    python scripts/golden/state_dicts.py

writes tests/golden/state_dicts.json. Names are those that `state_dict()` gives; `map` and `by_order` are the options with
which `fallline import` takes them. Inputs are `[samples, height, width, channels]`.
"""

import torch
from torch import nn

import common

SAMPLES = 3
CLASSES = 3
DIGITS = 9

DENSE = {"type": "dense", "units": CLASSES}
MEAN = {"type": "global-average-pool"}


def conv(channels, kernel=3, **more):
    return {"type": "conv", "channels": channels, "kernel": kernel, "padding": kernel // 2, "bias": False} | more


def norm(**more):
    return {"type": "batch-norm"} | more


def basic(channels, stride=1, projects=False):
    """The block below, as a recipe has it."""
    layers = [conv(channels, stride=stride), norm(activation="relu"), conv(channels), norm()]
    shortcut = [conv(channels, 1, stride=stride), norm()] if projects else []
    return {"type": "residual", "layers": layers, "shortcut": shortcut, "activation": "relu"}


class BasicBlock(nn.Module):
    """With the names of torchvision's."""

    def __init__(self, inputs, outputs, stride=1, projects=False):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if projects:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Sequences(nn.Sequential):
    """Of [samples, channels, 1, positions]."""

    def forward(self, x):
        return super().forward(x.flatten(2).transpose(1, 2))


class Recurrent(nn.Module):
    def __init__(self, kind, inputs, units, **more):
        super().__init__()
        self.rnn = kind(inputs, units, batch_first=True, **more)
        self.fc = nn.Linear(units * (2 if more.get("bidirectional") else 1), CLASSES)

    def forward(self, x):
        states, last = self.rnn(x.flatten(2).transpose(1, 2))
        h = last[0] if isinstance(last, tuple) else last
        # The last layer's state of each direction.
        both = 2 if self.rnn.bidirectional else 1
        return self.fc(h[-both:].transpose(0, 1).flatten(1))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.input = nn.Linear(5, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.head(self.encoder(self.input(x.flatten(2).transpose(1, 2))).mean(1))


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 3, batch_first=True)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)
        return self.fc(self.attention(x, x, x, need_weights=False)[0].mean(1))


class Named(nn.Module):
    """Whose names say nothing of the order of its layers but by their numbers."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)
        self.fc1, self.fc2 = nn.Linear(4 * 2 * 1, 6), nn.Linear(6, CLASSES)

    def forward(self, x):
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.fc2(torch.tanh(self.fc1(x.flatten(1))))


def block(heads, **more):
    return {"type": "transformer-block", "heads": heads, "causal": False} | more


CASES = [
    {
        "name": "convolutions with normalisation by batch",
        "input": [9, 8, 2],
        "layers": [conv(6), norm(activation="relu"), {"type": "max-pool", "kernel": 2, "stride": 2}, {"type": "flatten"}, DENSE],
        "make": lambda: nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(6 * 4 * 4, CLASSES),
        ),
    },
    {
        "name": "residual blocks",
        "input": [7, 6, 1],
        "layers": [conv(4), basic(6, 2, True), basic(6), MEAN, DENSE],
        "make": lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, bias=False), BasicBlock(4, 6, 2, True), BasicBlock(6, 6),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES),
        ),
        "style": "torch",
    },
    {
        "name": "lstm in both directions",
        "input": [1, 7, 3],
        "layers": [{"type": "lstm", "units": 4, "bidirectional": True, "returns": "last"}, DENSE],
        "make": lambda: Recurrent(nn.LSTM, 3, 4, bidirectional=True),
        "map": ["rnn=0", "fc=1"],
    },
    {
        "name": "stack of gru",
        "input": [1, 5, 2],
        "layers": [{"type": "gru", "units": 6, "layers": 2, "returns": "last"}, DENSE],
        "make": lambda: Recurrent(nn.GRU, 2, 6, num_layers=2),
        "map": ["rnn=0", "fc=1"],
    },
    {
        "name": "encoder, normalised before",
        "input": [1, 9, 5],
        "layers": [{"type": "position-dense", "units": 8}, block(2, hidden=12), block(2, hidden=12), MEAN, DENSE],
        "make": Encoder,
        "map": ["input=0", "encoder.layers.0=1", "encoder.layers.1=2", "head=5"],
    },
    {
        "name": "encoder, normalised after",
        "input": [1, 6, 8],
        "layers": [block(4, hidden=10, function="relu", normalise="after"), MEAN, DENSE],
        "make": lambda: Sequences(
            nn.TransformerEncoderLayer(8, 4, 10, 0.0, "relu", batch_first=True), Mean(), nn.Identity(), nn.Linear(8, CLASSES)
        ),
        "style": "torch",
    },
    {
        "name": "attention",
        "input": [1, 8, 6],
        "layers": [{"type": "attention", "heads": 3}, MEAN, DENSE],
        "make": Attention,
        "map": ["attention=0", "fc=3"],
    },
    {
        "name": "by order, of a parallel module",
        "input": [6, 5, 1],
        "layers": [
            {"type": "conv", "channels": 4, "kernel": 3, "activation": "relu"},
            {"type": "conv", "channels": 4, "kernel": 3, "activation": "relu"},
            {"type": "flatten"},
            {"type": "dense", "units": 6, "activation": "tanh"},
            DENSE,
        ],
        "make": lambda: nn.ModuleDict({"module": Named()}),
        "by_order": True,
    },
]


def initialise(net):
    """Weights of normalisations and running variances near 1, means and biases near 0, other weights as PyTorch draws them;
    all rounded so that they are short to write."""
    for name, values in net.state_dict().items():
        if values.dtype == torch.int64:
            values.fill_(17)
            continue
        drawn = torch.from_numpy(common.uniform(common.WEIGHTS + len(name), values.numel())).reshape(values.shape)
        if name.endswith("running_var") or values.dim() == 1 and name.endswith("weight"):
            values.copy_(1 + drawn / 2)
        elif values.dim() == 1:
            values.copy_(drawn / 10)
        values.copy_((values * 4096).round() / 4096)


def case(about):
    torch.manual_seed(1)
    net = about["make"]()
    initialise(net)
    state = net.state_dict()
    tensors = [
        {"name": name, "shape": list(values.shape), "values": common.rounded(values.flatten(), DIGITS)}
        for name, values in state.items()
        if values.dtype != torch.int64
    ]
    height, width, channels = about["input"]
    x = torch.from_numpy(common.uniform(common.INPUTS, SAMPLES * height * width * channels))
    images = x.reshape(SAMPLES, height, width, channels).permute(0, 3, 1, 2).to(torch.float64)
    whole = net["module"] if isinstance(net, nn.ModuleDict) else net
    # In training mode, but with the running statistics: the fast way of evaluation rounds to f32.
    whole.double().train()
    for module in whole.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    with torch.no_grad():
        outputs = whole(images)
    kept = ("name", "input", "layers")
    return {key: about[key] for key in kept} | {
        "map": about.get("map", []),
        "by_order": about.get("by_order", False),
        "style": about.get("style", "sequential"),
        "counts": [name for name, values in state.items() if values.dtype == torch.int64],
        "tensors": tensors,
        "outputs": common.rounded(outputs, DIGITS),
    }


def main():
    header = {"classes": CLASSES, "samples": SAMPLES}
    common.write(common.golden_path("state_dicts.json"), "state_dicts.py", header, [case(about) for about in CASES])


if __name__ == "__main__":
    main()
