"""Losses and their gradients, by torch.nn.functional in float64.

    python scripts/golden/losses.py

writes tests/golden/losses.json. The outputs y of a case are 4 * uniform(INPUTS, rows * classes), row-major;
labels are labels(rows, classes); values, where they are the targets, stand in the file. `loss` is the mean
over the batch with PyTorch's default reduction ("batchmean" for the divergence), `gradient` its gradient by y.

To add a case, add a line to CASES: the name of the loss in a recipe, its parameters there, "classes" or the
kind of values, rows and classes.
"""

import numpy as np
import torch
from torch.nn import functional

import common

DIGITS = 13
VALUES = 310

WEIGHTS = [0.5, 2.0, 0.0, 1.5, 0.25, 1.0, 3.0]

CASES = [
    ("cross-entropy", {}, "classes", 9, 7),
    ("cross-entropy", {"label_smoothing": 0.1}, "classes", 9, 7),
    ("cross-entropy", {"class_weights": WEIGHTS}, "classes", 9, 7),
    ("cross-entropy", {"label_smoothing": 0.25, "class_weights": WEIGHTS}, "classes", 9, 7),
    ("cross-entropy", {}, "probabilities", 5, 7),
    ("cross-entropy", {"label_smoothing": 0.25, "class_weights": WEIGHTS}, "probabilities", 5, 7),
    ("cross-entropy", {"label_smoothing": 0.1}, "classes", 3, 1),
    ("cross-entropy", {"label_smoothing": 0.1}, "classes", 2, 33),
    ("binary-cross-entropy", {}, "classes", 5, 7),
    ("binary-cross-entropy", {}, "probabilities", 5, 7),
    ("mean-squared-error", {}, "classes", 5, 7),
    ("mean-squared-error", {}, "numbers", 5, 17),
    ("mean-absolute-error", {}, "classes", 5, 7),
    ("mean-absolute-error", {}, "numbers", 5, 7),
    ("huber", {"delta": 1.0}, "numbers", 5, 7),
    ("huber", {"delta": 0.25}, "classes", 5, 7),
    ("hinge", {"margin": 1.0, "squared": False}, "classes", 9, 7),
    ("hinge", {"margin": 0.5, "squared": True}, "classes", 9, 7),
    ("kl-divergence", {}, "classes", 5, 7),
    ("kl-divergence", {}, "probabilities", 5, 17),
    ("poisson", {}, "classes", 5, 7),
    ("poisson", {}, "counts", 5, 7),
]


def values_of(kind, rows, classes):
    """f64 [rows, classes], each an f32."""
    numbers = common.uniform(VALUES, rows * classes).reshape(rows, classes)
    if kind == "probabilities":
        # The last of each row is 0.
        positive = np.abs(numbers) * np.arange(classes, 0, -1) - np.where(np.arange(classes) == classes - 1, 9, 0)
        positive = np.maximum(positive, 0)
        numbers = (positive / positive.sum(axis=1, keepdims=True)).astype(np.float32)
    elif kind == "counts":
        numbers = np.floor(np.abs(numbers) * 5).astype(np.float32)
    return torch.from_numpy(numbers.astype(np.float64))


def loss_of(name, options, y, kind, target):
    """PyTorch's loss of this name, with the reduction that it has unless told otherwise."""
    classes = y.shape[1]
    one_hot = functional.one_hot(target, classes).double() if kind == "classes" else target
    if name == "cross-entropy":
        weights = options.get("class_weights")
        return functional.cross_entropy(
            y,
            target,
            weight=None if weights is None else torch.tensor(weights, dtype=torch.float64),
            label_smoothing=options.get("label_smoothing", 0.0),
        )
    if name == "binary-cross-entropy":
        return functional.binary_cross_entropy_with_logits(y, one_hot)
    if name == "mean-squared-error":
        return functional.mse_loss(y, one_hot)
    if name == "mean-absolute-error":
        return functional.l1_loss(y, one_hot)
    if name == "huber":
        return functional.huber_loss(y, one_hot, delta=options["delta"])
    if name == "hinge":
        power = 2 if options["squared"] else 1
        return functional.multi_margin_loss(y, target, p=power, margin=options["margin"])
    if name == "kl-divergence":
        return functional.kl_div(functional.log_softmax(y, dim=1), one_hot, reduction="batchmean")
    if name == "poisson":
        return functional.poisson_nll_loss(y, one_hot, log_input=True, full=False)
    raise ValueError(f"no loss is called {name}")


def solved(name, options, kind, rows, classes):
    y = torch.from_numpy(common.uniform(common.INPUTS, rows * classes) * np.float32(4)).double()
    y = y.reshape(rows, classes).requires_grad_()
    is_class = kind == "classes"
    target = torch.from_numpy(common.labels(rows, classes)) if is_class else values_of(kind, rows, classes)
    loss = loss_of(name, options, y, kind, target)
    loss.backward()
    case = {"loss": name, "options": options, "targets": kind, "rows": rows, "classes": classes}
    if not is_class:
        # Nine digits are enough for an f32.
        case["values"] = common.rounded(target, 9)
    return case | {
        "value": common.rounded(loss.detach(), DIGITS),
        "gradient": common.rounded(y.grad, DIGITS),
    }


def main():
    cases = [solved(*case) for case in CASES]
    common.write(common.golden_path("losses.json"), "losses.py", {}, cases)


if __name__ == "__main__":
    main()
