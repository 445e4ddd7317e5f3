"""Fifty steps of update rules with Lookahead, and averages over them, by optax and torch in float64.

    python scripts/golden/averages.py

writes tests/golden/averages.json. Parameters and gradients are those of rules.py; the gradient of a step
is the same whatever the parameters are, so a difference shows the average and nothing else.

Of each case the file has the parameters after some steps: `fast` as they are trained on, and `average`
(for Lookahead the slow ones). "lookahead" is optax.lookahead around optax.sgd or optax.adam.
"ema" is torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn, updated after each step; "ema" with
debias is optax.ema over the parameters after each step. "swa" is AveragedModel with its default, the
equal average, updated after every `every` steps.
"""

import jax
import numpy
import optax
import torch

import common
import rules

COUNT, STEPS, SNAPSHOTS, DIGITS = rules.COUNT, rules.STEPS, rules.SNAPSHOTS, rules.DIGITS

ADAM = {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8}
SGD = {"lr": 0.05}
MOMENTUM = {"lr": 0.05, "momentum": 0.9}

# Name -> (rule beneath, its options as torch.optim names them, method, its options).
CASES = {
    "lookahead_sgd": ("sgd", SGD, "lookahead", {"steps": 5, "alpha": 0.5}),
    "lookahead_adam": ("adam", ADAM, "lookahead", {"steps": 5, "alpha": 0.5}),
    "lookahead_momentum": ("momentum", MOMENTUM, "lookahead", {"steps": 7, "alpha": 0.8}),
    "lookahead_every_step": ("adam", ADAM, "lookahead", {"steps": 1, "alpha": 0.3}),
    "ema_sgd": ("sgd", SGD, "ema", {"decay": 0.999, "debias": False}),
    "ema_adam": ("adam", ADAM, "ema", {"decay": 0.9, "debias": False}),
    "ema_debias_sgd": ("sgd", SGD, "ema", {"decay": 0.9, "debias": True}),
    "ema_debias_adam": ("adam", ADAM, "ema", {"decay": 0.999, "debias": True}),
    "swa_sgd": ("sgd", SGD, "swa", {"every": 1}),
    "swa_adam": ("adam", ADAM, "swa", {"every": 10}),
}


class Holder(torch.nn.Module):
    """Something with one parameter, as AveragedModel wants it."""

    def __init__(self, values):
        super().__init__()
        self.values = torch.nn.Parameter(values.clone())


def start():
    """Parameters [37] and the gradient of each step [50, 37]."""
    parameters = torch.from_numpy(common.uniform(common.PARAMETERS, COUNT)).double()
    gradients = torch.from_numpy(common.uniform(common.GRADIENTS, STEPS * COUNT)).double()
    return parameters, gradients.reshape(STEPS, COUNT)


def lookahead(rule, options, method):
    """Fast and slow parameters after each step, by optax."""
    if rule == "adam":
        fast = optax.adam(options["lr"], b1=options["betas"][0], b2=options["betas"][1], eps=options["eps"])
    else:
        fast = optax.sgd(options["lr"], momentum=options.get("momentum"))
    rule = optax.lookahead(fast, sync_period=method["steps"], slow_step_size=method["alpha"])
    parameters, gradients = start()
    both = optax.LookaheadParams.init_synced(jax.numpy.asarray(parameters.numpy()))
    state = rule.init(both)
    for gradient in gradients:
        updates, state = rule.update(jax.numpy.asarray(gradient.numpy()), state, both)
        both = optax.apply_updates(both, updates)
        yield [torch.from_numpy(numpy.array(values)) for values in (both.fast, both.slow)]


def averaged(rule, options, method):
    """Parameters and their average after each step, by torch or optax."""
    parameters, gradients = start()
    holder = Holder(parameters)
    constructor = torch.optim.Adam if rule == "adam" else torch.optim.SGD
    optimizer = constructor(holder.parameters(), **options)
    ema = None if "every" in method else torch.optim.swa_utils.get_ema_multi_avg_fn(method["decay"])
    average = torch.optim.swa_utils.AveragedModel(holder, multi_avg_fn=ema)
    if method.get("debias"):
        moving = optax.ema(method["decay"], debias=True)
        state = moving.init(jax.numpy.asarray(parameters.numpy()))
    for step, gradient in enumerate(gradients, 1):
        holder.values.grad = gradient.clone()
        optimizer.step()
        values = holder.values.detach().clone()
        if method.get("debias"):
            result, state = moving.update(jax.numpy.asarray(values.numpy()), state)
            yield values, torch.from_numpy(numpy.array(result))
            continue
        if step % method.get("every", 1) == 0:
            average.update_parameters(holder)
        yield values, average.module.values.detach().clone()


def solved(name, rule, options, kind, method):
    """The case with its snapshots."""
    run = lookahead if kind == "lookahead" else averaged
    snapshots = {
        str(step): {"fast": common.rounded(fast, DIGITS), "average": common.rounded(average, DIGITS)}
        for step, (fast, average) in enumerate(run(rule, options, method), 1)
        if step in SNAPSHOTS
    }
    return {
        "name": name,
        "rule": rule,
        "options": options,
        "kind": kind,
        "method": method,
        "after": snapshots,
    }


def main():
    header = {"count": COUNT, "steps": STEPS, "optax": optax.__version__, "jax": jax.__version__}
    cases = [solved(name, *case) for name, case in CASES.items()]
    common.write(common.golden_path("averages.json"), "averages.py", header, cases)


if __name__ == "__main__":
    main()
