"""Minimax coefficients for src/kernels/simd/math.rs, by Remez's exchange algorithm.

    pip install mpmath && python scripts/coefficients.py

Each polynomial minimises the largest weighted error |w(x) (f(x) - p(x))| over an interval; the
weight turns the error of the polynomial into the relative error of the function made from it.
Coefficients are printed from the constant term up, rounded to f32, with the error that remains.
"""

import struct

from mpmath import cos, erf, erfc, expm1, log, log1p, lu_solve, matrix, mp, mpf, pi, sin, sqrt

mp.dps = 40
GRID = 3000


def to_f32(x):
    return mpf(struct.unpack("f", struct.pack("f", float(x)))[0])


def evaluate(coefficients, x):
    total = mpf(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def extrema(points, signed, size):
    """The largest |error| of each run of equal sign: `size` neighbouring runs with the largest."""
    runs = []
    for i, s in enumerate(signed):
        if runs and (s > 0) == (signed[runs[-1]] > 0):
            if abs(s) > abs(signed[runs[-1]]):
                runs[-1] = i
        else:
            runs.append(i)
    while len(runs) > size:
        runs.pop(0 if abs(signed[runs[0]]) < abs(signed[runs[-1]]) else -1)
    return [points[i] for i in runs]


def remez(f, weight, low, high, degree):
    # An even number of Chebyshev points, so that none falls on a zero of the weight at x = 0.
    middle, half = (mpf(low) + high) / 2, (mpf(high) - low) / 2
    points = [middle - half * cos(pi * (i + mpf(1) / 3) / GRID) for i in range(GRID)]
    values = [f(x) for x in points]
    weights = [abs(weight(x)) for x in points]
    size = degree + 2
    reference = [int((GRID - 1) * (i + mpf(1) / 2) / size) for i in range(size)]
    reference = [points[i] for i in reference]
    index = {x: i for i, x in enumerate(points)}
    for _ in range(30):
        rows, right = [], []
        for j, x in enumerate(reference):
            i = index[x]
            rows.append([x**k for k in range(degree + 1)] + [(-1) ** j / weights[i]])
            right.append(values[i])
        solution = lu_solve(matrix(rows), matrix(right))
        coefficients, level = list(solution[: degree + 1]), abs(solution[degree + 1])
        signed = [w * (v - evaluate(coefficients, x)) for x, v, w in zip(points, values, weights)]
        reference = extrema(points, signed, size)
        if len(reference) < size:
            raise ValueError("the error no longer alternates")
        worst = max(abs(s) for s in signed)
        if worst < level * mpf("1.0001"):
            break
    rounded = [to_f32(c) for c in coefficients]
    after = max(w * abs(v - evaluate(rounded, x)) for x, v, w in zip(points, values, weights))
    return rounded, worst, after


def show(name, formula, interval, degree, f, weight):
    rounded, exact, after = remez(f, weight, *interval, degree)
    print(f"{name}: {formula}")
    print(f"  error {float(exact):.2e}, after rounding {float(after):.2e} (half an f32 ulp: 6.0e-08)")
    for c in rounded:
        print(f"  {float(c):.9g},")


LN2 = log(mpf(2))
# A little wider than the reduced range, for reductions that are off by a rounding.
EXP = (-LN2 / 2 * mpf("1.001"), LN2 / 2 * mpf("1.001"))
show("EXP", "e^r = 1 + r + r^2 p(r)", EXP, 4,
     lambda r: (expm1(r) - r) / r**2, lambda r: r**2 / expm1(r))
show("LN", "ln(1+f) = f - f^2/2 + f^3 p(f)", (sqrt(mpf(1) / 2) - 1, sqrt(mpf(2)) - 1), 7,
     lambda f: (log1p(f) - f + f**2 / 2) / f**3, lambda f: f**3 / log1p(f))
show("ERF_SMALL", "erf(x) = x + x p(x^2), x^2 < 1", (mpf(0), mpf(1)), 6,
     lambda z: (erf(sqrt(z)) / sqrt(z) - 1) if z else 2 / sqrt(pi) - 1,
     lambda z: sqrt(z) / erf(sqrt(z)) if z else sqrt(pi) / 2)
show("ERF_LARGE", "erf(x) = 1 - exp(-x - x p(x)), 1 <= x <= 4", (mpf(1), mpf(4)), 5,
     lambda x: -log(erfc(x)) / x - 1, lambda x: x * erfc(x) / erf(x))
# The range of a cosine whose argument is off by a rounding at 2^20: see `reduce_to_half_turns`.
show("SIN", "sin(r) = r + r^3 p(r^2), |r| <= 1.65", (mpf(0), mpf("1.65") ** 2), 4,
     lambda z: (sin(sqrt(z)) / sqrt(z) - 1) / z if z else -mpf(1) / 6,
     lambda z: z * sqrt(z) / sin(sqrt(z)) if z else mpf(0))

# π in three parts, each the f32 nearest to what the ones before leave.
rest = pi
for name in ("PI", "PI_REST", "PI_LAST"):
    part = to_f32(rest)
    print(f"{name}: {float(part):.9e}")
    rest = rest - part
