"""Makes tests/golden/linear.json with scikit-learn: linear fits on its own small data sets.

Features are standardised, then rounded to f32, so that the test computes with the same numbers. Each case says the
penalty of this crate that its alpha or C stands for, and has scikit-learn's coefficients and the objective of this
crate at them, computed here.

    pip install scikit-learn==1.9.1
    python3 scripts/golden/linear.py
"""

import json
import pathlib
import sys

import numpy as np
import sklearn
from sklearn import datasets, linear_model, svm

FILE = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "linear.json"
TIGHT = 1e-13


def standardised(data, most=None):
    x = data.data[:most].astype(np.float64)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return x.astype(np.float32)


def short(value):
    """Nine digits are enough for an f32."""
    return float(f"{value:.9g}")


def squares(z, t):
    return 0.5 * ((z - t) ** 2).sum(axis=1)


def huber(delta):
    def loss(z, t):
        d = np.abs(z - t)
        return np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta)).sum(axis=1)

    return loss


def cross_entropy(z, t):
    largest = z.max(axis=1, keepdims=True)
    return (t * (np.log(np.exp(z - largest).sum(axis=1, keepdims=True)) + largest - z)).sum(axis=1)


def hinge(power):
    return lambda z, t: (np.maximum(0, 1 - (2 * t - 1) * z) ** power).sum(axis=1)


def case(name, recipe, x, t, weights, bias, loss, penalty):
    """`weights` [outputs, features], `t` [samples, outputs]."""
    weights, bias = np.atleast_2d(weights).astype(float), np.atleast_1d(bias).astype(float)
    z = x.astype(np.float64) @ weights.T + bias
    objective = loss(z, t).mean() + penalty(weights)
    return {
        "name": name,
        "model": recipe,
        "weights": weights.tolist(),
        "bias": bias.tolist(),
        "objective": float(objective),
    }


def ridge_of(penalty):
    return lambda w: 0.5 * penalty * (w**2).sum()


def values_cases(x, y):
    n = len(x)
    t = y.reshape(n, -1).astype(np.float64)
    outputs = t.shape[1]
    x64 = x.astype(np.float64)
    cases = []
    fit = linear_model.LinearRegression().fit(x64, t)
    cases.append(case("linear", {"kind": "linear", "outputs": outputs}, x, t, fit.coef_, fit.intercept_, squares, lambda w: 0))
    alpha = 2.5
    fit = linear_model.Ridge(alpha=alpha, solver="cholesky").fit(x64, t)
    penalty = alpha / n
    model = {"kind": "ridge", "outputs": outputs, "penalty": penalty}
    cases.append(case("ridge", model, x, t, fit.coef_, fit.intercept_, squares, ridge_of(penalty)))
    if outputs == 1:
        penalty = 0.05
        fit = linear_model.Lasso(alpha=penalty, tol=TIGHT, max_iter=1_000_000).fit(x64, t[:, 0])
        model = {"kind": "lasso", "outputs": 1, "penalty": penalty}
        cases.append(case("lasso", model, x, t, fit.coef_, fit.intercept_, squares, lambda w: penalty * np.abs(w).sum()))
        epsilon, alpha = 1.2, 0.5
        fit = linear_model.HuberRegressor(epsilon=epsilon, alpha=alpha, tol=1e-12, max_iter=100_000).fit(x64, t[:, 0])
        # It estimates a scale as well; at that scale its objective is this crate's with these settings.
        delta, penalty = float(np.float32(epsilon * fit.scale_)), alpha * fit.scale_ / n
        model = {"kind": "huber", "outputs": 1, "penalty": penalty, "delta": delta}
        cases.append(case("huber", model, x, t, fit.coef_, fit.intercept_, huber(delta), ridge_of(penalty)))
    return cases


def classes_cases(x, labels):
    n, classes = len(x), int(labels.max()) + 1
    t = np.eye(classes)[labels]
    x64 = x.astype(np.float64)
    cases = []
    c = 0.5
    fit = linear_model.LogisticRegression(C=c, solver="newton-cg", tol=1e-12, max_iter=100_000).fit(x64, labels)
    weights, bias, penalty = fit.coef_, fit.intercept_, 1 / (n * c)
    if classes == 2:
        # One vector w for the difference of two outputs, which have half of it each.
        weights, bias, penalty = np.vstack([-weights / 2, weights / 2]), np.array([-bias[0] / 2, bias[0] / 2]), 2 / (n * c)
    model = {"kind": "logistic", "outputs": classes, "penalty": penalty}
    cases.append(case("logistic", model, x, t, weights, bias, cross_entropy, ridge_of(penalty)))
    # liblinear penalises the bias: of a large constant feature, hardly.
    penalty = 1 / (n * c)
    machines = [
        svm.LinearSVC(C=c, dual=False, tol=1e-12, max_iter=1_000_000, intercept_scaling=1e4).fit(x64, labels == k)
        for k in range(classes)
    ]
    weights = np.vstack([fit.coef_ for fit in machines])
    bias = np.array([fit.intercept_[0] for fit in machines])
    model = {"kind": "svm", "outputs": classes, "penalty": penalty, "loss": "squared-hinge"}
    cases.append(case("squared hinge", model, x, t, weights, bias, hinge(2), ridge_of(penalty)))
    machines = [svm.SVC(kernel="linear", C=c, tol=1e-10).fit(x64, labels == k) for k in range(classes)]
    weights = np.vstack([fit.coef_ for fit in machines])
    bias = np.array([fit.intercept_[0] for fit in machines])
    model = {"kind": "svm", "outputs": classes, "penalty": penalty, "loss": "hinge"}
    cases.append(case("hinge", model, x, t, weights, bias, hinge(1), ridge_of(penalty)))
    return cases


def main():
    sets = []

    def add(name, x, targets, cases):
        sets.append(
            {
                "name": name,
                "features": x.shape[1],
                "x": [short(value) for value in x.reshape(-1)],
                **targets,
                "cases": cases,
            }
        )

    data = datasets.load_diabetes(scaled=False)
    y = ((data.target - data.target.mean()) / data.target.std()).astype(np.float32)
    x = standardised(data)
    add("diabetes", x, {"values": [short(value) for value in y]}, values_cases(x, y))
    data = datasets.load_linnerud()
    y = ((data.target - data.target.mean(axis=0)) / data.target.std(axis=0)).astype(np.float32)
    x = standardised(data)
    add("linnerud", x, {"values": [short(value) for value in y.reshape(-1)]}, values_cases(x, y))
    for name, load in [("iris", datasets.load_iris), ("breast cancer", datasets.load_breast_cancer)]:
        data = load()
        x = standardised(data)
        add(name, x, {"labels": [int(label) for label in data.target]}, classes_cases(x, data.target))
    file = {
        "script": "scripts/golden/linear.py",
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "python": sys.version.split()[0]},
        "sets": sets,
    }
    FILE.write_text(json.dumps(file) + "\n")


if __name__ == "__main__":
    main()
