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
    ("binary-hinge", {"squared": False}, "classes", 5, 7),
    ("binary-hinge", {"squared": True}, "classes", 5, 17),
    ("kl-divergence", {}, "classes", 5, 7),
    ("kl-divergence", {}, "probabilities", 5, 17),
    ("poisson", {}, "classes", 5, 7),
    ("poisson", {}, "counts", 5, 7),
    ("log-cosh", {}, "classes", 5, 7),
    ("log-cosh", {}, "numbers", 5, 17),
    ("focal", {}, "classes", 9, 7),
    ("focal", {"gamma": 0.5}, "classes", 9, 7),
    ("focal", {"gamma": 5.0, "alpha": WEIGHTS}, "classes", 9, 7),
    ("focal", {"gamma": 0.0, "alpha": WEIGHTS}, "classes", 2, 7),
    ("focal", {"gamma": 1.5}, "classes", 3, 33),
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
    if name == "binary-hinge":
        lacking = functional.relu(1 - (2 * one_hot - 1) * y)
        return (lacking**2 if options["squared"] else lacking).mean()
    if name == "kl-divergence":
        return functional.kl_div(functional.log_softmax(y, dim=1), one_hot, reduction="batchmean")
    if name == "poisson":
        return functional.poisson_nll_loss(y, one_hot, log_input=True, full=False)
    if name == "log-cosh":
        return torch.log(torch.cosh(y - one_hot)).mean()
    if name == "focal":
        return focal(y, target, options.get("gamma", 2.0), options.get("alpha"))
    raise ValueError(f"no loss is called {name}")


def focal(y, target, gamma, alpha):
    """Equation 5 of Lin et al. (2017) with the softmax of several classes, by autograd.

    Of two classes with the outputs 0 and z it is torchvision.ops.sigmoid_focal_loss of z, which has one weight
    for class 1 and the rest for class 0: that is checked below.
    """
    log_p = functional.log_softmax(y, dim=1).gather(1, target[:, None])[:, 0]
    weights = torch.ones(y.shape[1], dtype=torch.float64) if alpha is None else torch.tensor(alpha, dtype=torch.float64)
    return (-weights[target] * (1 - log_p.exp()) ** gamma * log_p).mean()


def check_focal():
    """The formula of torchvision.ops.sigmoid_focal_loss (alpha = 0.25, gamma = 2), written down again."""
    z = torch.linspace(-4, 4, 9, dtype=torch.float64)
    target = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1])
    ce = functional.binary_cross_entropy_with_logits(z, target.double(), reduction="none")
    p = torch.sigmoid(z)
    p_t = p * target + (1 - p) * (1 - target)
    alpha_t = 0.25 * target + 0.75 * (1 - target)
    binary = (alpha_t * ce * (1 - p_t) ** 2).mean()
    ours = focal(torch.stack([torch.zeros_like(z), z], dim=1), target, 2.0, [0.75, 0.25])
    assert torch.isclose(binary, ours, rtol=1e-12), (binary, ours)


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
    check_focal()
    cases = [solved(*case) for case in CASES]
    common.write(common.golden_path("losses.json"), "losses.py", {}, cases)


if __name__ == "__main__":
    main()
