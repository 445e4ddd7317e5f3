"""Output and gradients of a dense layer with normalised weights by PyTorch in float64.

    python scripts/golden/weight_norm.py

writes tests/golden/weight_norm.json: torch.nn.utils.parametrizations.weight_norm with dim=0, an
activation behind it, and the gradients of sum(dy * y). g is uniform in [-1, 1), v as the initial weights
elsewhere; all are exactly f32, widened. `initial_g` is what PyTorch begins with.
"""

import torch

import common

DIGITS = 13
LENGTHS = 500

CASES = [
    {"rows": 4, "in": 7, "out": 5, "activation": "identity"},
    {"rows": 3, "in": 33, "out": 18, "activation": "tanh"},
    {"rows": 5, "in": 130, "out": 33, "activation": "relu"},
    {"rows": 1, "in": 1, "out": 1, "activation": "sigmoid"},
]


def wide(seed, *shape):
    count = torch.Size(shape).numel()
    return torch.from_numpy(common.uniform(seed, count)).reshape(*shape).double()


def solved(case):
    rows, fan_in, out = case["rows"], case["in"], case["out"]
    layer = torch.nn.Linear(fan_in, out, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(common.weights(0, out, fan_in)))
        layer.bias.copy_(torch.from_numpy(common.biases(0, out)))
    torch.nn.utils.parametrizations.weight_norm(layer, dim=0)
    lengths, directions = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    initial = lengths.detach().clone()
    with torch.no_grad():
        lengths.copy_(wide(LENGTHS, out, 1))
    x = wide(common.INPUTS, rows, fan_in).requires_grad_()
    dy = wide(common.GRADIENTS, rows, out)
    activation = torch.nn.Identity() if case["activation"] == "identity" else common.ACTIVATIONS[case["activation"]]()
    y = activation(layer(x))
    (dy * y).sum().backward()
    return case | {
        "initial_g": common.rounded(initial, DIGITS),
        "y": common.rounded(y.detach(), DIGITS),
        "dx": common.rounded(x.grad, DIGITS),
        "dg": common.rounded(lengths.grad, DIGITS),
        "dv": common.rounded(directions.grad, DIGITS),
        "db": common.rounded(layer.bias.grad, DIGITS),
        "names": sorted(layer.state_dict()),
    }


def main():
    cases = [solved(case) for case in CASES]
    common.write(common.golden_path("weight_norm.json"), "weight_norm.py", {}, cases)


if __name__ == "__main__":
    main()
