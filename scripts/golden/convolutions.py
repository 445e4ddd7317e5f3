"""Outputs, gradients and first training steps of small convolutional networks by PyTorch in float64.

    python scripts/golden/convolutions.py

writes tests/golden/convolutions.json. Layers are written as a recipe of this crate writes them; samples
are [height, width, channels], as its data are. Inputs and initial values are exactly f32, widened.
`names` and `shapes` are those of PyTorch's `state_dict`.
"""

import torch

import common

CLASSES = 3
DIGITS = 13
STEPS = 30
SAMPLES, BATCH = 40, 12
LEARNING_RATE = 0.01


def conv(channels, kernel, activation, **window):
    window = {"stride": 1, "padding": 0, "dilation": 1} | window
    return {"type": "conv", "channels": channels, "kernel": kernel, "activation": activation} | window


DENSE = {"type": "dense", "units": CLASSES}
FLATTEN = {"type": "flatten"}

CASES = [
    {
        "name": "plain",
        "input": [10, 10, 1],
        "layers": [
            conv(6, 3, "relu", padding=1),
            {"type": "max-pool", "kernel": 2, "stride": 2},
            conv(17, 3, "relu"),
            {"type": "max-pool", "kernel": 2, "stride": 1},
            FLATTEN,
            DENSE,
        ],
    },
    {
        "name": "windows",
        "input": [9, 7, 3],
        "layers": [
            conv(5, 3, "tanh", stride=2, padding=1),
            {"type": "max-pool", "kernel": 2, "stride": 1},
            conv(18, 2, "leaky_relu", padding=2, dilation=2),
            {"type": "average-pool", "kernel": 3, "stride": 2},
            FLATTEN,
            DENSE,
        ],
    },
    {
        "name": "pointwise",
        "input": [6, 6, 2],
        "layers": [
            conv(20, 3, "gelu", padding=1),
            conv(33, 1, "relu"),
            conv(7, 1, "sigmoid", stride=2),
            {"type": "global-average-pool"},
            DENSE,
        ],
    },
]


def modules(layers, channels, side):
    """PyTorch's modules of these layers, and those among them that have parameters."""
    made, owners = [], []
    for layer in layers:
        kind = layer["type"]
        if kind == "conv":
            window = {key: layer[key] for key in ("stride", "padding", "dilation", "groups") if key in layer}
            owner = torch.nn.Conv2d(channels, layer["channels"], layer["kernel"], dtype=torch.float64, **window)
            channels = layer["channels"]
            made += [owner, common.ACTIVATIONS[layer["activation"]]()]
            owners.append(owner)
        elif kind == "dense":
            with torch.no_grad():
                features = torch.nn.Sequential(*made)(side).shape[1]
            owners.append(torch.nn.Linear(features, layer["units"], dtype=torch.float64))
            made.append(owners[-1])
        elif kind == "max-pool":
            made.append(torch.nn.MaxPool2d(layer["kernel"], layer["stride"]))
        elif kind == "average-pool":
            made.append(torch.nn.AvgPool2d(layer["kernel"], layer["stride"]))
        elif kind == "global-average-pool":
            made += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
        elif kind == "flatten":
            made.append(torch.nn.Flatten())
    return made, owners


def initialise(owners):
    for number, owner in enumerate(owners):
        out = owner.weight.shape[0]
        weight = common.weights(number, out, owner.weight[0].numel()).reshape(tuple(owner.weight.shape))
        with torch.no_grad():
            owner.weight.copy_(torch.from_numpy(weight))
            owner.bias.copy_(torch.from_numpy(common.biases(number, out)))


def initialised(case, x):
    """The network with its initial values, and what has parameters."""
    made, owners = modules(case["layers"], case["input"][2], x)
    initialise(owners)
    return torch.nn.Sequential(*made), owners


def solved(case, initialised):
    height, width, channels = case["input"]
    values = common.uniform(common.INPUTS, SAMPLES * height * width * channels)
    # PyTorch's images are [channels, height, width].
    x = torch.from_numpy(values).reshape(SAMPLES, height, width, channels).permute(0, 3, 1, 2).double()
    target = torch.from_numpy(common.labels(SAMPLES, CLASSES))
    net, owners = initialised(case, x)
    logits = net(x)
    loss = common.loss_of("cross_entropy", logits, target)
    loss.backward()
    solution = {
        "value": common.rounded(loss.item(), DIGITS),
        "logits": common.rounded(logits, DIGITS),
        "gradients": [
            common.rounded(values.grad.reshape(-1), DIGITS)
            for owner in owners
            for values in owner.parameters()
        ],
        "names": list(net.state_dict()),
        "shapes": [list(values.shape) for values in net.state_dict().values()],
    }
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    losses = []
    start = 0
    for _ in range(STEPS):
        rows = slice(start, min(start + BATCH, SAMPLES))
        start = 0 if rows.stop == SAMPLES else rows.stop
        optimizer.zero_grad()
        loss = common.loss_of("cross_entropy", net(x[rows]), target[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return case | solution | {"losses": common.rounded(losses, 9)}


def write(name, cases, initialised):
    """Solves the cases, whose networks `initialised` makes, and writes tests/golden/name.json."""
    torch.set_num_threads(1)
    header = {
        "classes": CLASSES,
        "samples": SAMPLES,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "labels": common.labels(SAMPLES, CLASSES).tolist(),
    }
    solutions = [solved(case, initialised) for case in cases]
    common.write(common.golden_path(f"{name}.json"), f"{name}.py", header, solutions)


def main():
    write("convolutions", CASES, initialised)


if __name__ == "__main__":
    main()
