"""Losses, gradients, running statistics and answers of small networks with normalisations by PyTorch in
float64, in training and in evaluation mode.

    python scripts/golden/normalisation.py

writes tests/golden/normalisation.json. Layers are written as a recipe of this crate writes them; samples
are [height, width, channels], as its data are. Inputs and initial values are exactly f32, widened.
`names` and `shapes` are those of PyTorch's `state_dict`, without the counts of batches.
"""

import torch

import common

CLASSES = 3
DIGITS = 13
# Whole epochs: what they leave is compared.
STEPS = 28
SAMPLES, BATCH = 40, 12
LEARNING_RATE = 0.01


def conv(channels, kernel, padding=0):
    # A bias before a normalisation has no gradient but rounding, which Adam would blow up.
    return {"type": "conv", "channels": channels, "kernel": kernel, "padding": padding, "bias": False}


def dense(units):
    return {"type": "dense", "units": units, "bias": False}


LAST = {"type": "dense", "units": CLASSES}
FLATTEN = {"type": "flatten"}
POOL = {"type": "max-pool", "kernel": 2, "stride": 2}

CASES = [
    {
        "name": "batch norm of images",
        "input": [10, 9, 2],
        "layers": [
            conv(6, 3, 1),
            {"type": "batch-norm", "activation": "relu"},
            POOL,
            conv(17, 3),
            {"type": "batch-norm", "activation": "tanh", "momentum": 0.3, "epsilon": 0.01},
            conv(20, 1),
            {"type": "batch-norm", "activation": "gelu"},
            {"type": "global-average-pool"},
            LAST,
        ],
    },
    {
        "name": "batch norm of features",
        "input": [3, 7, 1],
        "layers": [
            {"type": "batch-norm", "momentum": 0.2, "activation": "tanh"},
            dense(33),
            {"type": "batch-norm", "activation": "relu"},
            dense(70),
            {"type": "batch-norm", "activation": "leaky_relu"},
            {"type": "batch-norm"},
            LAST,
        ],
    },
    {
        "name": "layer and group norm",
        "input": [8, 7, 1],
        "layers": [
            conv(6, 3, 1),
            {"type": "group-norm", "groups": 2, "activation": "relu"},
            conv(18, 3),
            {"type": "layer-norm", "activation": "tanh"},
            POOL,
            {"type": "group-norm", "groups": 9, "epsilon": 0.01},
            FLATTEN,
            {"type": "layer-norm", "epsilon": 0.001},
            dense(20),
            {"type": "group-norm", "groups": 5, "activation": "sigmoid"},
            dense(33),
            {"type": "layer-norm", "activation": "silu"},
            LAST,
        ],
    },
    {
        "name": "all of them",
        "input": [9, 9, 1],
        "layers": [
            conv(16, 3),
            {"type": "batch-norm", "activation": "relu"},
            {"type": "group-norm", "groups": 4},
            conv(8, 3),
            {"type": "layer-norm"},
            {"type": "batch-norm", "activation": "relu"},
            FLATTEN,
            dense(20),
            {"type": "batch-norm", "activation": "relu"},
            LAST,
        ],
    },
]


def normalisation(layer, shape):
    """PyTorch's module for samples of this shape: features, or [channels, height, width]."""
    options = {"eps": layer.get("epsilon", 1e-5), "dtype": torch.float64}
    if layer["type"] == "layer-norm":
        return torch.nn.LayerNorm(list(shape), **options)
    if layer["type"] == "group-norm":
        return torch.nn.GroupNorm(layer["groups"], shape[0], **options)
    options["momentum"] = layer.get("momentum", 0.1)
    kind = torch.nn.BatchNorm1d if len(shape) == 1 else torch.nn.BatchNorm2d
    return kind(shape[0], **options)


def modules(layers, x):
    """PyTorch's modules of these layers, and those among them that have parameters."""
    made, owners = [], []
    for layer in layers:
        kind = layer["type"]
        with torch.no_grad():
            shape = torch.nn.Sequential(*made).eval()(x).shape[1:]
        if kind == "conv":
            owner = torch.nn.Conv2d(
                shape[0], layer["channels"], layer["kernel"], padding=layer["padding"], bias=False, dtype=torch.float64
            )
        elif kind == "dense":
            owner = torch.nn.Linear(shape[0], layer["units"], bias=layer.get("bias", True), dtype=torch.float64)
        elif kind.endswith("norm"):
            owner = normalisation(layer, shape)
        else:
            owner = None
            if kind == "max-pool":
                made.append(torch.nn.MaxPool2d(layer["kernel"], layer["stride"]))
            elif kind == "global-average-pool":
                made += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
            elif kind == "flatten":
                made.append(torch.nn.Flatten())
        if owner is not None:
            owners.append((len(made), owner))
            made.append(owner)
            if "activation" in layer:
                made.append(common.ACTIVATIONS[layer["activation"]]())
    return made, owners


def is_norm(owner):
    return not isinstance(owner, (torch.nn.Conv2d, torch.nn.Linear))


def initialised(case, x):
    """The network with its initial values: weights of normalisations are 1 + uniform / 2, in f32."""
    made, owners = modules(case["layers"], x)
    for number, (_, owner) in enumerate(owners):
        if is_norm(owner):
            weight = 1 + common.uniform(common.WEIGHTS + number, owner.weight.numel()) / 2
        else:
            weight = common.weights(number, owner.weight.shape[0], owner.weight[0].numel())
        with torch.no_grad():
            owner.weight.copy_(torch.from_numpy(weight).reshape(owner.weight.shape))
            if owner.bias is not None:
                bias = common.biases(number, owner.bias.numel())
                owner.bias.copy_(torch.from_numpy(bias).reshape(owner.bias.shape))
    return torch.nn.Sequential(*made), owners


def tensors(net):
    return {name: values for name, values in net.state_dict().items() if not name.endswith("num_batches_tracked")}


def statistics(net):
    """All running statistics, in the order of their names."""
    running = [values for name, values in tensors(net).items() if "running" in name]
    return common.rounded(torch.cat(running), DIGITS) if running else []


def data(case):
    height, width, channels = case["input"]
    values = common.uniform(common.INPUTS, SAMPLES * height * width * channels)
    x = torch.from_numpy(values).reshape(SAMPLES, height, width, channels).double()
    # At the front, a normalisation takes data as features.
    if case["layers"][0]["type"].endswith("norm"):
        return x.reshape(SAMPLES, -1)
    # PyTorch's images are [channels, height, width].
    return x.permute(0, 3, 1, 2)


def solved(case):
    x = data(case)
    target = torch.from_numpy(common.labels(SAMPLES, CLASSES))
    net, owners = initialised(case, x)
    net.eval()
    before = net(x)
    net.train()
    loss = common.loss_of("cross_entropy", net(x), target)
    loss.backward()
    solution = {
        "value": common.rounded(loss.item(), DIGITS),
        "logits": common.rounded(before, DIGITS),
        "gradients": [
            common.rounded(values.grad.reshape(-1), DIGITS)
            for _, owner in owners
            for values in (owner.weight, owner.bias)
            if values is not None
        ],
        "statistics": statistics(net),
        "names": list(tensors(net)),
        "shapes": [list(values.shape) for values in tensors(net).values()],
        "norms": [module for module, owner in owners if is_norm(owner)],
    }
    net, owners = initialised(case, x)
    net.train()
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
    net.eval()
    trained = {"losses": common.rounded(losses, 9), "trained_statistics": statistics(net)}
    return case | solution | trained | {"trained_logits": common.rounded(net(x), DIGITS)}


def main():
    torch.set_num_threads(1)
    header = {
        "classes": CLASSES,
        "samples": SAMPLES,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "labels": common.labels(SAMPLES, CLASSES).tolist(),
    }
    cases = [solved(case) for case in CASES]
    common.write(common.golden_path("normalisation.json"), "normalisation.py", header, cases)


if __name__ == "__main__":
    main()
