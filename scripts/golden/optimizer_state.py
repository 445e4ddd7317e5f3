"""Five steps of torch.optim.Adam, AdamW and SGD on a small network, what the optimizer has kept by then, and five more; in
float64.

    python scripts/golden/optimizer_state.py

writes tests/golden/optimizer_state.json. Module m with parameters, from 0, begins with weights(m) and biases(m); batch b is samples 8 b to 8 b + 7 of uniform(INPUTS) and of the labels.
"""

import torch

import common

INPUT = [5, 4, 2]
CLASSES, BATCH, STEPS = 3, 8, 5
DIGITS = 9
LAYERS = [
    {"type": "conv", "channels": 3, "kernel": 3, "activation": "tanh"},
    {"type": "flatten"},
    {"type": "dense", "units": 18, "activation": "tanh"},
    {"type": "dense", "units": CLASSES},
]
CASES = [
    ("adam", torch.optim.Adam, {"lr": 0.01, "betas": [0.8, 0.99], "eps": 1e-6, "weight_decay": 0.01}),
    ("amsgrad", torch.optim.Adam, {"lr": 0.01, "betas": [0.9, 0.9], "amsgrad": True}),
    ("adamw", torch.optim.AdamW, {"lr": 0.02, "betas": [0.9, 0.999], "weight_decay": 0.1}),
    ("momentum", torch.optim.SGD, {"lr": 0.05, "momentum": 0.8, "dampening": 0.25, "weight_decay": 0.01}),
    ("nesterov", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
]
# What the options are called in a recipe.
KEYS = {"lr": "learning_rate", "eps": "epsilon"}


def network():
    height, width, channels = INPUT
    net = torch.nn.Sequential(
        torch.nn.Conv2d(channels, 3, 3),
        torch.nn.Tanh(),
        torch.nn.Flatten(),
        torch.nn.Linear(3 * (height - 2) * (width - 2), 18),
        torch.nn.Tanh(),
        torch.nn.Linear(18, CLASSES),
    ).double()
    with torch.no_grad():
        for number, module in enumerate(module for module in net if hasattr(module, "weight")):
            weight = module.weight
            drawn = common.weights(number, weight.shape[0], weight[0].numel()).reshape(tuple(weight.shape))
            weight.copy_(torch.from_numpy(drawn))
            module.bias.copy_(torch.from_numpy(common.biases(number, weight.shape[0])))
    return net


def samples():
    height, width, channels = INPUT
    count = 2 * STEPS * BATCH
    x = torch.from_numpy(common.uniform(common.INPUTS, count * height * width * channels)).double()
    x = x.reshape(count, height, width, channels).permute(0, 3, 1, 2)
    return x, torch.from_numpy(common.labels(count, CLASSES))


def tensors(named):
    return [
        {"name": name, "shape": list(values.shape), "values": common.rounded(values.detach().flatten(), DIGITS)}
        for name, values in named
    ]


def recipe(name, options):
    values = {KEYS.get(key, key): value for key, value in options.items()}
    if "betas" in values:
        values["beta1"], values["beta2"] = values.pop("betas")
    # Rules of their own.
    if name in ("amsgrad", "nesterov"):
        values.pop(name)
    return {"name": name} | values


def case(name, rule, options):
    net, (x, y) = network(), samples()
    optimizer = rule(net.parameters(), **options)

    def steps(first):
        for batch in range(first, first + STEPS):
            rows = slice(BATCH * batch, BATCH * (batch + 1))
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()

    steps(0)
    names = [name for name, _ in net.named_parameters()]
    kept = optimizer.state_dict()["state"]
    slots = [slot for slot in kept[0] if slot != "step"]
    state = [tensors((f"{own}.{slot}", kept[number][slot]) for number, own in enumerate(names)) for slot in slots]
    middle = tensors(net.named_parameters())
    steps(STEPS)
    return {
        "name": name,
        "optimizer": recipe(name, options),
        "slots": slots,
        "middle": middle,
        "state": state,
        "end": tensors(net.named_parameters()),
    }


def main():
    header = {"input": INPUT, "classes": CLASSES, "batch": BATCH, "steps": STEPS, "layers": LAYERS}
    path = common.golden_path("optimizer_state.json")
    common.write(path, "optimizer_state.py", header, [case(*about) for about in CASES])


if __name__ == "__main__":
    main()
