"""Iterations of torch.optim.LBFGS with its strong-Wolfe line search, in float64.

    python scripts/golden/full_batch.py

writes tests/golden/full_batch.json: of each case the parameters and the loss after each iteration, and
how many evaluations all iterations so far took. One call of `step` with `max_iter=1` is one iteration; it
evaluates its starting point again, which is not counted but for the first one.

The functions: `rosenbrock`, Σ 100 (pᵢ₊₁ - pᵢ²)² + (1 - pᵢ)² from -1.2, 1, -1.2 ...; `logistic`, the mean
over SAMPLES rows x of log(1 + exp(-s p·[x, 1])) + PENALTY / 2 |p|², s = ±1, from 0. Row i is values
i * FEATURES ... of uniform(INPUTS); s is the sign of x₀ - x₁ + uniform(LABELS, SAMPLES)[i] / 2.
"""

import torch

import common

SAMPLES, FEATURES, PENALTY = 60, 5, 1e-3
DIGITS = 15

# Name, function, parameters, options, iterations.
CASES = [
    ("rosenbrock of 2", "rosenbrock", 2, {"lr": 1.0, "history_size": 100}, 30),
    ("rosenbrock of 2, short first trials", "rosenbrock", 2, {"lr": 0.3, "history_size": 100}, 30),
    ("rosenbrock of 10", "rosenbrock", 10, {"lr": 1.0, "history_size": 100}, 30),
    ("rosenbrock of 10, short history", "rosenbrock", 10, {"lr": 1.0, "history_size": 3}, 30),
    ("rosenbrock of 10, long first trials", "rosenbrock", 10, {"lr": 20.0, "history_size": 5}, 30),
    ("logistic", "logistic", FEATURES + 1, {"lr": 1.0, "history_size": 100}, 20),
    ("logistic, short history", "logistic", FEATURES + 1, {"lr": 1.0, "history_size": 2}, 20),
    ("logistic, short first trials", "logistic", FEATURES + 1, {"lr": 0.05, "history_size": 100}, 20),
]


def rosenbrock(p):
    return (100 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2).sum()


def logistic(p):
    x = torch.from_numpy(common.uniform(common.INPUTS, SAMPLES * FEATURES)).double().reshape(SAMPLES, FEATURES)
    noise = torch.from_numpy(common.uniform(common.LABELS, SAMPLES)).double()
    sign = torch.sign(x[:, 0] - x[:, 1] + noise / 2)
    scores = x @ p[:FEATURES] + p[FEATURES]
    return torch.nn.functional.softplus(-sign * scores).mean() + PENALTY / 2 * (p * p).sum()


def case(name, function, count, options, iterations):
    if function == "rosenbrock":
        start = [-1.2 if place % 2 == 0 else 1.0 for place in range(count)]
    else:
        start = [0.0] * count
    p = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    objective = {"rosenbrock": rosenbrock, "logistic": logistic}[function]
    calls = 0

    def closure():
        nonlocal calls
        calls += 1
        rule.zero_grad()
        loss = objective(p)
        loss.backward()
        return loss

    tolerances = {"tolerance_grad": 1e-7, "tolerance_change": 1e-9}
    rule = torch.optim.LBFGS([p], max_iter=1, max_eval=1000, line_search_fn="strong_wolfe", **tolerances, **options)
    snapshots, losses, evaluations = [], [], []
    for iteration in range(iterations):
        before = p.detach().clone()
        rule.step(closure)
        if torch.equal(before, p.detach()):
            break
        snapshots.append(common.rounded(p.detach(), DIGITS))
        losses.append(common.rounded(objective(p).item(), DIGITS))
        evaluations.append(calls - iteration)
    return {
        "name": name,
        "function": function,
        "start": start,
        "options": options | tolerances,
        "parameters_after": snapshots,
        "losses": losses,
        "evaluations": evaluations,
    }


if __name__ == "__main__":
    header = {"samples": SAMPLES, "features": FEATURES, "penalty": PENALTY, "digits": DIGITS}
    common.write(common.golden_path("full_batch.json"), "full_batch.py", header, [case(*row) for row in CASES])
