"""Makes tests/golden/kmeans.json: k-means from given centres with scikit-learn, and the gradient of the inertia with PyTorch.

Features are standardised (the first 500 digits only divided by 16), then rounded to f32, so that the test computes with the same numbers.
Each case names the samples that are the first centres, and has the clusters, the inertia and the centres that Lloyd's
algorithm comes to from there, and the gradient of the inertia by the first centres.

    pip install scikit-learn==1.9.1 torch==2.15.0
    python3 scripts/golden/kmeans.py
"""

import json
import pathlib
import sys

import numpy as np
import sklearn
import torch
from sklearn import cluster, datasets

FILE = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "kmeans.json"


def standardised(data):
    x = data.data.astype(np.float64)
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)


def short(value):
    """Nine digits are enough for an f32."""
    return float(f"{value:.9g}")


def case(x, clusters, seed, weights=None):
    x64 = x.astype(np.float64)
    _, first = cluster.kmeans_plusplus(x64, clusters, random_state=seed)
    fit = cluster.KMeans(clusters, init=x64[first], n_init=1, max_iter=10_000, tol=0, algorithm="lloyd")
    fit.fit(x64, sample_weight=weights)
    # An empty cluster would be moved, which is no part of Lloyd's algorithm.
    assert len(set(fit.labels_)) == clusters
    w = np.ones(len(x)) if weights is None else weights
    distances = ((x64[:, None, :] - fit.cluster_centers_[None]) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == fit.labels_).all()
    inertia = (w * distances.min(axis=1)).sum() / w.sum()

    centres = torch.tensor(x64[first], requires_grad=True)
    squares = ((torch.tensor(x64)[:, None, :] - centres[None]) ** 2).sum(dim=2)
    loss = (squares.min(dim=1).values * torch.tensor(w)).sum() / w.sum()
    loss.backward()
    return {
        "clusters": clusters,
        "first": [int(index) for index in first],
        "weights": None if weights is None else [short(value) for value in weights],
        "labels": [int(label) for label in fit.labels_],
        "inertia": float(inertia),
        "iterations": int(fit.n_iter_),
        "centres": [float(f"{value:.12g}") for value in fit.cluster_centers_.reshape(-1)],
        "first_inertia": float(loss.detach()),
        "gradient": [float(f"{value:.12g}") for value in centres.grad.reshape(-1)],
    }


def main():
    sets = []
    loads = [("iris", datasets.load_iris, [1, 3, 5]), ("wine", datasets.load_wine, [3, 8])]
    loads += [("breast cancer", datasets.load_breast_cancer, [2, 10]), ("digits", datasets.load_digits, [10])]
    for name, load, all_clusters in loads:
        data = load()
        x = (data.data[:500] / 16).astype(np.float32) if name == "digits" else standardised(data)
        cases = [case(x, clusters, 7 * index + 2) for index, clusters in enumerate(all_clusters)]
        if name == "wine":
            weights = np.random.default_rng(5).integers(0, 5, size=len(x)) / 2.0
            cases.append(case(x, 4, 3, weights))
        sets.append(
            {
                "name": name,
                "features": x.shape[1],
                "x": [short(value) for value in x.reshape(-1)],
                "cases": cases,
            }
        )
    file = {
        "script": "scripts/golden/kmeans.py",
        "versions": {
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": sys.version.split()[0],
        },
        "sets": sets,
    }
    FILE.write_text(json.dumps(file) + "\n")


if __name__ == "__main__":
    main()
