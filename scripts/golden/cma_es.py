"""Generations of CMA-ES in float64, written from Hansen's tutorial (2016) alone.

    python scripts/golden/cma_es.py

writes tests/golden/cma_es.json: of each case the mean, σ and C after each generation, its normal numbers being given:
√3 times those of uniform(NORMALS, ...), which have the mean 0 and the variance 1 too, and are made again on every
machine. A point is m + σ B D Bᵀ z (C = B D² Bᵀ), the root that does not
depend on the choice of eigenvectors; the tutorial has B D z, which is as good. Weights are not negative. With a diagonal
covariance c₁ and c_μ are (n + 2) / 3 times as large (Ros, Hansen 2008). The root is renewed after each
max(1, floor(1 / (10 n (c₁ + c_μ)))) generations.

The function: `bowl`, Σ cᵢ xᵢ² / 2, c from 1 to CONDITION by the same factor from coordinate to coordinate.
"""

import numpy as np

import common

NORMALS, CONDITION = 500, 100.0
DIGITS = 15

# Name, parameters, λ (0 for the default), first σ, generations, whether the covariance is diagonal.
CASES = [
    ("two parameters", 2, 0, 0.5, 40, False),
    ("five parameters, large population", 5, 24, 0.3, 40, False),
    ("twenty parameters", 20, 0, 0.3, 60, False),
    ("five parameters, diagonal", 5, 0, 0.5, 60, True),
]


def bowl(x):
    n = len(x)
    curvature = CONDITION ** (np.arange(n) / max(n - 1, 1))
    return float((curvature * x * x).sum() / 2)


def normals(count):
    return np.sqrt(3.0) * common.uniform(NORMALS, count).astype(np.float64)


def strategy(n, lam, sigma, generations, diagonal):
    lam = lam or 4 + int(np.floor(3 * np.log(n)))
    mu = lam // 2
    w = np.log((lam + 1) / 2) - np.log(np.arange(1, mu + 1))
    w /= w.sum()
    mueff = 1 / (w**2).sum()
    cs = (mueff + 2) / (n + mueff + 5)
    ds = 1 + 2 * max(0, np.sqrt((mueff - 1) / (n + 1)) - 1) + cs
    cc = (4 + mueff / n) / (n + 4 + 2 * mueff / n)
    factor = (n + 2) / 3 if diagonal else 1
    c1 = min(1, factor * 2 / ((n + 1.3) ** 2 + mueff))
    cmu = min(1 - c1, factor * 2 * (1 / 4 + mueff + 1 / mueff - 2) / ((n + 2) ** 2 + 2 * mueff / 2))
    chi = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
    every = max(1, int(np.floor(1 / (10 * n * (c1 + cmu)))))
    m = np.array([3.0 if i % 2 == 0 else -2.0 for i in range(n)])
    c, root, ps, pc = np.eye(n), np.eye(n), np.zeros(n), np.zeros(n)
    z_all = normals(generations * lam * n).reshape(generations, lam, n)
    after = []
    for g in range(generations):
        z = z_all[g]
        y = z @ root.T
        order = np.argsort([bowl(m + sigma * step) for step in y], kind="stable")[:mu]
        z, y = z[order], y[order]
        yw = w @ y
        m = m + sigma * yw
        # C^(-1/2) yw; the root that the points were drawn with.
        ps = (1 - cs) * ps + np.sqrt(cs * (2 - cs) * mueff) * np.linalg.solve(root, yw)
        h = np.linalg.norm(ps) / np.sqrt(1 - (1 - cs) ** (2 * (g + 1))) < (1.4 + 2 / (n + 1)) * chi
        pc = (1 - cc) * pc + h * np.sqrt(cc * (2 - cc) * mueff) * yw
        delta = (1 - h) * cc * (2 - cc)
        c = (1 + c1 * delta - c1 - cmu) * c + c1 * np.outer(pc, pc) + cmu * (y.T * w) @ y
        if diagonal:
            c = np.diag(np.diag(c))
        sigma *= np.exp(min(1, cs / ds * (np.linalg.norm(ps) / chi - 1)))
        if (g + 1) % every == 0:
            d, b = np.linalg.eigh(c)
            root = b @ np.diag(np.sqrt(d)) @ b.T
        after.append({"mean": m, "sigma": sigma, "covariance": c[np.tril_indices(n)]})
    return lam, after


def case(name, n, lam, sigma, generations, diagonal):
    population, after = strategy(n, lam, sigma, generations, diagonal)
    # A few generations show all: the first ones, one in the middle, and the last.
    shown = [0, 1, 2, generations // 2, generations - 1]
    number = lambda value: common.rounded(np.asarray(value).tolist(), DIGITS)
    return {
        "name": name,
        "parameters": n,
        "population": lam,
        "points": population,
        "sigma": sigma,
        "diagonal": diagonal,
        "generations": generations,
        "shown": shown,
        "means": [number(after[g]["mean"]) for g in shown],
        "sigmas": [number(after[g]["sigma"]) for g in shown],
        "covariances": [number(after[g]["covariance"]) for g in shown],
    }


if __name__ == "__main__":
    header = {"condition": CONDITION, "seed": NORMALS, "digits": DIGITS}
    common.write(common.golden_path("cma_es.json"), "cma_es.py", header, [case(*row) for row in CASES])
