"""ONNX files as PyTorch's two exporters write them, with the outputs of the networks.

    python scripts/golden/onnx_files.py

writes tests/golden/onnx.json. Beside torch it needs onnx and onnxscript. The files are base64.
"""

import base64
import io
import json
import logging
import pathlib
import warnings

import torch
from torch import nn

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/onnx.json"


class Block(nn.Module):
    """The basic block of a residual network."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


class Recurrent(nn.Module):
    """A recurrent layer of which the states at all positions go on, the last one, or the final state."""

    def __init__(self, kind, takes, units=4, **settings):
        super().__init__()
        self.layer = kind(5, units, batch_first=True, **settings)
        self.takes = takes
        self.out = nn.Linear(units * (1 + settings.get("bidirectional", False)), 3)

    def forward(self, x):
        y, state = self.layer(x)
        state = state[0] if isinstance(state, tuple) else state
        return self.out({"all": y, "last": y[:, -1], "state": state[-1]}[self.takes])


class Mean(nn.Module):
    """The mean of the vectors of a sequence's codes."""

    def __init__(self):
        super().__init__()
        self.table, self.out = nn.Embedding(11, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.out(self.table(x).mean(1))


class Excite(nn.Module):
    """Channels times gates that follow from their means."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.ReLU(), nn.Conv2d(2, 8, 1), nn.Sigmoid()
        )
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        y = self.conv(x)
        return self.out((y * self.gate(y)).mean((2, 3)))


class Scaled(nn.Module):
    """Pixels that the network normalises itself."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 1))

    def forward(self, x):
        return self.net((x / 255 - 0.5) / 0.25)


class Positions(nn.Module):
    """Features position by position, as a sequence is laid out."""

    def __init__(self):
        super().__init__()
        self.each, self.norm, self.out = nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(20, 2)

    def forward(self, x):
        return self.out(torch.relu(self.norm(self.each(x))).flatten(1))


def cases():
    linear, flatten = nn.Linear, nn.Flatten
    yield "mlp", nn.Sequential(
        flatten(), linear(12, 5), nn.ReLU(), nn.Dropout(0.2), linear(5, 3), nn.LogSoftmax(1)
    ), [3, 2, 2]
    yield "features", nn.Sequential(
        linear(6, 7, bias=False), nn.BatchNorm1d(7), nn.GELU(), linear(7, 2), nn.Sigmoid()
    ), [6]
    yield "selu", nn.Sequential(linear(6, 5), nn.SELU(), linear(5, 1)), [6]
    yield "lenet", nn.Sequential(
        nn.Conv2d(1, 3, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2),
        flatten(), linear(36, 8), nn.SiLU(), linear(8, 3),
    ), [1, 16, 16]
    yield "residual", nn.Sequential(
        Block(3, 3, 1), Block(3, 4, 2), nn.AdaptiveAvgPool2d(1), flatten(), linear(4, 3)
    ), [3, 6, 6]
    yield "norm between", nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.LeakyReLU(0.2), flatten(), linear(16, 2)
    ), [2, 6, 6]
    yield "depthwise", nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.PReLU(4), nn.Conv2d(4, 6, 3, groups=2, stride=2), nn.ReLU(),
        nn.ConvTranspose2d(6, 3, 3, 2, 1, 1), nn.LayerNorm([3, 4, 6]), nn.AdaptiveMaxPool2d(1), flatten(), linear(3, 2),
    ), [4, 5, 7]
    yield "sequence", nn.Sequential(
        nn.Conv1d(3, 4, 3, padding="same"), nn.GELU(), nn.BatchNorm1d(4), nn.SiLU(), nn.Mish(), nn.Hardswish(),
        nn.Softplus(), nn.ELU(), nn.MaxPool1d(2), nn.GroupNorm(2, 4), nn.AvgPool1d(2, padding=1), flatten(),
        nn.LayerNorm(12), linear(12, 2),
    ), [3, 9]
    yield "lstm", Recurrent(nn.LSTM, "last"), [7, 5]
    yield "lstm of both directions", Recurrent(nn.LSTM, "all", num_layers=2, bidirectional=True), [7, 5]
    yield "gru", Recurrent(nn.GRU, "state"), [7, 5]
    yield "rnn", Recurrent(nn.RNN, "last", nonlinearity="relu"), [7, 5]
    yield "embedding", Mean(), [6]
    yield "squeeze and excite", Excite(), [1, 6, 6]
    yield "scaled", Scaled(), [1, 3, 4]
    yield "positions", Positions(), [5, 3]


def samples(name, shape):
    if name == "embedding":
        return torch.randint(0, 11, [3] + shape)
    x = (torch.randn([3] + shape) * 1024).round() / 1024
    return (x * 50 + 120).round().clamp(0, 255) if name == "scaled" else x


def train_statistics(net, x):
    """Running statistics and weights of normalisations that are not those of the beginning."""
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)


def exported(net, x, dynamo):
    file = io.BytesIO()
    if dynamo:
        batch = {0: torch.export.Dim("batch", min=2, max=1000)}
        program = torch.onnx.export(net, (x,), dynamo=True, dynamic_shapes=(batch,), verbose=False)
        model = program.model_proto
        # Where in the program each node was written is most of the file.
        for node in model.graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
        del model.graph.value_info[:]
        del model.graph.metadata_props[:]
        del model.functions[:]
        for value in list(model.graph.input) + list(model.graph.output) + list(model.graph.initializer):
            del value.metadata_props[:]
        return model.SerializeToString()
    names = {"input_names": ["input"], "dynamic_axes": {"input": {0: "batch"}}}
    torch.onnx.export(net, (x,), file, dynamo=False, **names)
    return file.getvalue()


def sample_of(x):
    """As the layers of the crate have a sample: images as height x width x channels."""
    if x.dim() == 4:
        x = x.permute(0, 2, 3, 1)
    return x


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    torch.manual_seed(1)
    written = []
    for name, net, shape in cases():
        x = samples(name, shape)
        train_statistics(net, x)
        net.eval()
        # What the loss has itself is not in the outputs.
        whole = net
        if isinstance(net, nn.Sequential) and isinstance(net[-1], (nn.LogSoftmax, nn.Sigmoid)):
            whole = net[:-1]
        with torch.no_grad():
            outputs = whole(x)
        seen = sample_of(x)
        if name == "sequence":
            seen = x.permute(0, 2, 1)
        # The new exporter unrolls a plain recurrent layer, position by position.
        for dynamo in [False] if name == "rnn" else [False, True]:
            file = base64.b64encode(exported(net, x, dynamo)).decode()
            written.append({
                "name": f"{name}, {'new' if dynamo else 'old'} exporter",
                "input": seen.flatten().tolist(),
                "outputs": outputs.flatten().tolist(),
                "file": file,
            })
    lines = ",\n".join(json.dumps(case) for case in written)
    OUT.write_text(f'{{"torch": "{torch.__version__}", "cases": [\n{lines}\n]}}\n')


main()
