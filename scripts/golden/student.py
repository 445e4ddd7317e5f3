"""Quantiles of Student's distribution, and intervals of means, by scipy.

    python scripts/golden/student.py

writes tests/golden/student.json: `quantiles` has degrees of freedom, the level, and the t for which
[-t, t] has that probability; `samples` has values with their mean, standard deviation (of a sample) and
95 % interval of the mean.
"""

import json
import pathlib
import platform

import scipy
from scipy import stats

DEGREES = [1, 2, 3, 4, 5, 8, 9, 10, 19, 29, 30, 99, 100, 998, 999]
LEVELS = [0.95, 0.5, 0.999]

SAMPLES = [
    [0.9812, 0.9797],
    [0.9812, 0.9797, 0.9803],
    [0.9790, 0.9772, 0.9781, 0.9762, 0.9742],
    [0.9847, 0.9809, 0.9838, 0.9834, 0.9869, 0.9841, 0.9822, 0.9855, 0.9831, 0.9840],
    [-3.0, 1e-3, 2.5, 1e6],
    [7.25, 7.25, 7.25, 7.25],
]


def sample(values):
    mean, deviation = stats.tmean(values), stats.tstd(values)
    low, high = mean, mean
    if deviation > 0:
        low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=stats.sem(values))
    return {"values": values, "mean": float(mean), "deviation": float(deviation),
            "interval": [float(low), float(high)]}


def main():
    # [-t, t] leaves half of the rest above t.
    quantile = lambda degrees, level: float(stats.t.isf((1 - level) / 2, degrees))
    golden = {
        "made_by": "scripts/golden/student.py",
        "versions": {"python": platform.python_version(), "scipy": scipy.__version__},
        "quantiles": [[degrees, level, quantile(degrees, level)] for degrees in DEGREES for level in LEVELS],
        "samples": [sample(values) for values in SAMPLES],
    }
    path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "student.json"
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
