"""Makes tests/golden/features.json with scikit-learn: polynomial and random Fourier features, and fits on them.

    pip install scikit-learn==1.9.1
    python3 scripts/golden/features.py

Samples come from the seeds of common.py. The fits are of the diabetes set as linear.py has it, with the penalties of this
crate and scikit-learn's coefficients. The random numbers are scikit-learn's: the test puts them into the layer.
"""

import json
import pathlib
import sys

import numpy as np
import sklearn
from sklearn import datasets, linear_model
from sklearn.kernel_approximation import RBFSampler
from sklearn.preprocessing import PolynomialFeatures

import common
import linear

FILE = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "features.json"
ROWS = 3
SEED = 1
# Numbers, degree, whether only different ones are multiplied.
POLYNOMIALS = [(1, 5, False), (3, 3, False), (4, 3, True), (6, 2, False), (5, 1, False), (4, 4, True), (3, 5, True), (2, 6, False)]
# Numbers, components, gamma.
FOURIER = [(3, 7, 0.5), (1, 16, 2.0), (10, 33, 0.1)]


def polynomial(inputs, degree, interactions_only):
    x = common.uniform(SEED, ROWS * inputs).reshape(ROWS, inputs).astype(np.float64)
    features = PolynomialFeatures(degree, interaction_only=interactions_only, include_bias=False).fit(x)
    return {
        "inputs": inputs,
        "degree": degree,
        "interactions_only": interactions_only,
        "powers": features.powers_.tolist(),
        "y": features.transform(x).reshape(-1).tolist(),
    }


def drawn(inputs, components, gamma):
    """scikit-learn's sampler with its numbers rounded to f32, as `weight` [components, inputs] and `bias`."""
    sampler = RBFSampler(gamma=gamma, n_components=components, random_state=5).fit(np.zeros((1, inputs)))
    sampler.random_weights_ = sampler.random_weights_.astype(np.float32).astype(np.float64)
    sampler.random_offset_ = sampler.random_offset_.astype(np.float32).astype(np.float64)
    tensors = {
        "components": components,
        "gamma": gamma,
        "weight": [linear.short(value) for value in sampler.random_weights_.T.reshape(-1)],
        "bias": [linear.short(value) for value in sampler.random_offset_],
    }
    return sampler, tensors


def fourier(inputs, components, gamma):
    x = 4 * common.uniform(SEED, ROWS * inputs).reshape(ROWS, inputs).astype(np.float64)
    sampler, tensors = drawn(inputs, components, gamma)
    return {"inputs": inputs, **tensors, "y": sampler.transform(x).reshape(-1).tolist()}


def fit(name, model, features, t, names, tensors):
    """Ridge regression on `features` [n, d], with alpha = n * penalty."""
    n = len(features)
    ridge = linear_model.Ridge(alpha=model["penalty"] * n, solver="cholesky").fit(features, t)
    ones = linear.case(name, model, features, t, ridge.coef_, ridge.intercept_, linear.squares, linear.ridge_of(model["penalty"]))
    # The bias of the layer in front has the name that that of the fit had.
    return {**ones, "intercept": ones["bias"], "names": names, **tensors}


def fits():
    data = datasets.load_diabetes(scaled=False)
    t = ((data.target - data.target.mean()) / data.target.std()).astype(np.float32).reshape(-1, 1).astype(np.float64)
    x = linear.standardised(data).astype(np.float64)
    cases = []
    for name, degree, only in [("squares", 2, False), ("triples", 3, True)]:
        features = PolynomialFeatures(degree, interaction_only=only, include_bias=False).fit(x)
        model = {"kind": "ridge", "outputs": 1, "penalty": 0.05, "features": "polynomial", "degree": degree, "interactions_only": only}
        names = list(features.get_feature_names_out())
        cases.append(fit(name, model, features.transform(x), t, names, {}))
    sampler, tensors = drawn(x.shape[1], 60, 0.05)
    model = {"kind": "ridge", "outputs": 1, "penalty": 0.01, "features": "random-fourier", "components": 60, "gamma": 0.05}
    cases.append(fit("fourier", model, sampler.transform(x), t, [], tensors))
    return cases


def main():
    file = {
        "script": "scripts/golden/features.py",
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "python": sys.version.split()[0]},
        "seed": SEED,
        "rows": ROWS,
        "polynomials": [polynomial(*case) for case in POLYNOMIALS],
        "fourier": [fourier(*case) for case in FOURIER],
        "fits": fits(),
    }
    FILE.write_text(json.dumps(file) + "\n")


if __name__ == "__main__":
    main()
