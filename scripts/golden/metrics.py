"""Metrics of classes and of values, by scikit-learn.

    python scripts/golden/metrics.py

writes tests/golden/metrics.json. The outputs of a case are scale * uniform(INPUTS, rows * width), row-major, rounded
to multiples of `step` where there is one, so that many are equal; labels are labels(rows, classes), or those of
`labels`; target values are uniform(TARGETS, rows * width), and
the outputs of such a case the target + 0.3 * uniform(INPUTS, rows * width), every step rounded to f32. Numbers are
value * factor + offset by the units of the case.

To add a case, add a line to CLASSES or VALUES.
"""

import platform

import numpy as np
import sklearn
from sklearn import metrics

import common

TARGETS = 320

# Samples, classes, scale and step of the outputs, and labels where they are given.
CLASSES = [
    (200, 2, 4.0, None, None),
    (200, 2, 2.0, 0.5, None),
    (300, 5, 4.0, None, None),
    (300, 7, 2.0, 0.25, None),
    (12, 4, 3.0, None, [0, 1, 3, 3, 1, 0, 1, 1, 0, 3, 3, 1]),
    (6, 3, 3.0, None, [1, 1, 1, 1, 1, 1]),
]

# Samples, outputs, and units.
VALUES = [
    (100, 1, []),
    (100, 1, [(2500.0, -40.0)]),
    (90, 3, [(0.01, 5.0), (1.0, 0.0), (300.0, 1e4)]),
]


def classes_of(rows, classes, scale, step, labels):
    outputs = common.uniform(common.INPUTS, rows * classes) * np.float32(scale)
    if step is not None:
        outputs = np.round(outputs / np.float32(step)) * np.float32(step)
    outputs = outputs.reshape(rows, classes).astype(np.float64)
    given = labels is not None
    labels = np.array(labels) if given else common.labels(rows, classes)
    exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    case = {"rows": rows, "classes": classes, "scale": scale}
    if step is not None:
        case["step"] = step
    if given:
        case["labels"] = labels.tolist()
    everywhere = list(range(classes))
    predicted = outputs.argmax(axis=1)
    case["balanced_accuracy"] = float(metrics.recall_score(labels, predicted, labels=np.unique(labels), average="macro"))
    if set(predicted) <= set(labels):
        balanced = metrics.balanced_accuracy_score(labels, predicted)
        assert np.isclose(case["balanced_accuracy"], balanced, rtol=1e-14)
    case["log_loss"] = float(metrics.log_loss(labels, probabilities, labels=everywhere))
    occurring = np.unique(labels)
    if len(occurring) > 1:
        # The area of one class against all others, which roc_auc_score itself averages if all classes occur.
        areas = [metrics.roc_auc_score(labels == label, probabilities[:, label]) for label in occurring]
        case["auc"] = float(np.mean(areas))
        if classes == 2:
            assert np.isclose(case["auc"], metrics.roc_auc_score(labels, probabilities[:, 1]), rtol=1e-14)
        elif len(occurring) == classes:
            assert np.isclose(case["auc"], metrics.roc_auc_score(labels, probabilities, multi_class="ovr"), rtol=1e-14)
    case["confusion"] = metrics.confusion_matrix(labels, predicted, labels=everywhere).tolist()
    return case


def values_of(rows, width, units):
    count = rows * width
    targets = common.uniform(TARGETS, count)
    # Every step is rounded to f32.
    outputs = targets + np.float32(0.3) * common.uniform(common.INPUTS, count)
    factors = np.array([factor for factor, _ in units] or [1.0] * width)
    offsets = np.array([offset for _, offset in units] or [0.0] * width)
    number = lambda values: values.astype(np.float64).reshape(rows, width) * factors + offsets
    y, t = number(outputs), number(targets)
    each = {
        "rmse": np.sqrt(metrics.mean_squared_error(t, y, multioutput="raw_values")),
        "mae": metrics.mean_absolute_error(t, y, multioutput="raw_values"),
        "r_squared": metrics.r2_score(t, y, multioutput="raw_values"),
    }
    return {
        "rows": rows,
        "width": width,
        "units": [list(unit) for unit in units],
        "rmse": float(np.sqrt(metrics.mean_squared_error(t, y))),
        "mae": float(metrics.mean_absolute_error(t, y)),
        "r_squared": float(metrics.r2_score(t, y)),
        "outputs": {name: numbers.tolist() for name, numbers in each.items()},
    }


def main():
    cases = [classes_of(*case) for case in CLASSES] + [values_of(*case) for case in VALUES]
    versions = {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__}
    common.write(common.golden_path("metrics.json"), "metrics.py", {"versions": versions}, cases)


if __name__ == "__main__":
    main()
