"""Ten training steps by PyTorch on samples that have weights.

    python scripts/golden/weights.py

writes tests/golden/weights.json. The loss of a step is the sum of the samples' losses (`reduction="none"`), each
times the weight of its sample, divided by the sum of these weights; with class weights, each of them times that of
the sample's class, as `reduction="mean"` divides by the sum of those. A sample's squared error is the mean over the
outputs. Losses and final parameters are computed in float64 from numbers that are exactly f32;
`float32_deviation` is that of the losses in float32. The twin of the inputs is in tests/training/weights.rs.
"""

import numpy as np
import torch
from torch.nn import functional

import common

STEPS = 10
SAMPLES, BATCH = 40, 16
DIMS = [6, 5, 3]
# The seeds of the weights and of the target values.
SAMPLE_WEIGHTS, VALUES = 500, 501

CROSS_ENTROPY = {"loss": "cross_entropy", "class_weights": []}
SQUARED = {"loss": "mean_squared_error", "class_weights": []}
SGD = {"optimizer": "sgd", "learning_rate": 0.3}
ADAM = {"optimizer": "adam", "learning_rate": 0.03}

CASES = [
    {"name": "cross_entropy_sgd"} | CROSS_ENTROPY | SGD,
    {"name": "cross_entropy_adam"} | CROSS_ENTROPY | ADAM,
    {"name": "class_weights_sgd"} | CROSS_ENTROPY | SGD | {"class_weights": [0.5, 2.0, 1.25]},
    {"name": "class_weights_adam"} | CROSS_ENTROPY | ADAM | {"class_weights": [0.5, 2.0, 1.25]},
    {"name": "squared_sgd"} | SQUARED | SGD,
    {"name": "squared_adam"} | SQUARED | ADAM,
]


def sample_weights():
    """f32 in [0, 2), every fifth 0."""
    weights = common.uniform(SAMPLE_WEIGHTS, SAMPLES) + np.float32(1)
    weights[::5] = 0
    return weights


def mean(case, outputs, labels, values, weights):
    """The weighted mean of the samples' losses."""
    if case["loss"] == "mean_squared_error":
        losses = functional.mse_loss(outputs, values, reduction="none").mean(dim=1)
        return (losses * weights).sum() / weights.sum()
    of_classes = torch.tensor(case["class_weights"], dtype=outputs.dtype) if case["class_weights"] else None
    losses = functional.cross_entropy(outputs, labels, weight=of_classes, reduction="none")
    divisors = weights if of_classes is None else weights * of_classes[labels]
    return (losses * weights).sum() / divisors.sum()


def train(case, dtype):
    """The loss of each step before its update, and the parameters after the last."""
    x = torch.from_numpy(common.uniform(common.INPUTS, SAMPLES * DIMS[0]).reshape(SAMPLES, -1)).to(dtype)
    values = torch.from_numpy(common.uniform(VALUES, SAMPLES * DIMS[-1]).reshape(SAMPLES, -1)).to(dtype)
    labels = torch.from_numpy(common.labels(SAMPLES, DIMS[-1]))
    weights = torch.from_numpy(sample_weights()).to(dtype)
    net = common.network(DIMS, ["tanh"], dtype)
    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[case["optimizer"]]
    optimizer = rule(net.parameters(), lr=case["learning_rate"])
    losses, start = [], 0
    for _ in range(STEPS):
        rows = slice(start, min(start + BATCH, SAMPLES))
        start = 0 if rows.stop == SAMPLES else rows.stop
        optimizer.zero_grad()
        loss = mean(case, net(x[rows]), labels[rows], values[rows], weights[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [parameter.detach() for parameter in net.parameters()]


def solved(case):
    """The case with what PyTorch makes of it."""
    exact, parameters = train(case, torch.float64)
    single, _ = train(case, torch.float32)
    deviation = max(abs(a - b) / b for a, b in zip(single, exact))
    print(f"{case['name']}: {exact[0]:.4f} .. {exact[-1]:.4f}, float32 {deviation:.1e}")
    return case | {
        "float32_deviation": common.rounded(deviation, 2),
        "losses": common.rounded(exact, 9),
        "parameters": [common.rounded(parameter, 9) for parameter in parameters],
    }


def main():
    torch.set_num_threads(1)
    header = {
        "dims": DIMS,
        "samples": SAMPLES,
        "batch": BATCH,
        "weight_fingerprint": common.fingerprint(sample_weights()),
    }
    common.write(common.golden_path("weights.json"), "weights.py", header, [solved(case) for case in CASES])


if __name__ == "__main__":
    main()
