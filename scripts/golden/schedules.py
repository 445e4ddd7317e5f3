"""The rates of each schedule, step by step, by torch.optim.lr_scheduler or optax in float64.

    python scripts/golden/schedules.py

writes tests/golden/schedules.json. Each case has the `[schedule]` table of a recipe, the length of the
run, the rate of each step divided by the optimizer's own (its highest), and with one-cycle the momentum
of each step. Every scheduler of torch is stepped once a step; those with epochs have their lengths
multiplied by STEPS_PER_EPOCH here, as fallline does it by itself. Plateau cases have the loss of each
epoch, and the rate after it.

To add a case, add a line to CASES.
"""


import jax
import optax
import torch
from torch.optim import lr_scheduler as torch_schedules

import common

RATE = 0.4
STEPS = 60
STEPS_PER_EPOCH = 5
DIGITS = 15

jax.config.update("jax_enable_x64", True)


def stepped(make, steps=STEPS):
    """The learning rates and momenta of an optimizer of torch that this scheduler drives."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE, momentum=0.9)
    scheduler = make(optimizer)
    rates, momenta = [], []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"] / RATE)
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    return rates, momenta


def torched(name, *arguments, **options):
    return lambda: stepped(lambda optimizer: getattr(torch_schedules, name)(optimizer, *arguments, **options))[0]


def optaxed(schedule):
    return lambda: [float(schedule(step)) / RATE for step in range(STEPS)]


def sequence(*parts, milestones):
    """Parts are pairs of a scheduler's name and its options."""

    def make(optimizer):
        schedulers = [getattr(torch_schedules, name)(optimizer, **options) for name, options in parts]
        return torch_schedules.SequentialLR(optimizer, schedulers, milestones=milestones)

    return lambda: stepped(make)[0]


def inverse_time(rate, every):
    """Keras's InverseTimeDecay, which neither torch nor optax has."""
    return lambda: [1 / (1 + rate * step / every) for step in range(STEPS)]


def one_cycle(**options):
    def both():
        make = lambda optimizer: torch_schedules.OneCycleLR(optimizer, max_lr=RATE, total_steps=STEPS, **options)
        return stepped(make)

    return both


WARMUP = ("LinearLR", {"start_factor": 0.1, "total_iters": 8})

# Name -> (the table of a recipe, what computes the rates).
CASES = {
    "constant": ({"name": "constant", "scale": 0.5}, torched("ConstantLR", factor=0.5, total_iters=1000)),
    "step": ({"name": "step", "every_steps": 7, "gamma": 0.6}, torched("StepLR", 7, gamma=0.6)),
    "step_epochs": ({"name": "step", "every_epochs": 3, "gamma": 0.5}, torched("StepLR", 15, gamma=0.5)),
    "multi_step": (
        {"name": "multi-step", "milestones_steps": [4, 20, 21, 45], "gamma": 0.3},
        torched("MultiStepLR", [4, 20, 21, 45], gamma=0.3),
    ),
    "exponential": ({"name": "exponential", "every_steps": 1, "gamma": 0.93}, torched("ExponentialLR", 0.93)),
    "exponential_epochs": (
        {"name": "exponential", "every_epochs": 2, "gamma": 0.7},
        optaxed(optax.exponential_decay(RATE, transition_steps=10, decay_rate=0.7)),
    ),
    "inverse_time": ({"name": "inverse-time", "every_epochs": 1, "rate": 0.5}, inverse_time(0.5, 5)),
    "polynomial": (
        {"name": "polynomial", "length_steps": 40, "power": 2.5},
        torched("PolynomialLR", total_iters=40, power=2.5),
    ),
    "polynomial_end": (
        {"name": "polynomial", "power": 0.9, "end_factor": 0.05},
        optaxed(optax.polynomial_schedule(RATE, 0.05 * RATE, power=0.9, transition_steps=STEPS)),
    ),
    "linear": (
        {"name": "linear", "length_epochs": 10, "start_factor": 0.8, "end_factor": 0.1},
        torched("LinearLR", start_factor=0.8, end_factor=0.1, total_iters=50),
    ),
    "cosine": ({"name": "cosine"}, torched("CosineAnnealingLR", T_max=STEPS)),
    "cosine_end": (
        {"name": "cosine", "end_factor": 0.2},
        torched("CosineAnnealingLR", T_max=STEPS, eta_min=0.2 * RATE),
    ),
    "cosine_short": (
        {"name": "cosine", "length_steps": 33, "end_factor": 0.03},
        optaxed(optax.cosine_decay_schedule(RATE, decay_steps=33, alpha=0.03)),
    ),
    "cosine_restarts": (
        {"name": "cosine-restarts", "first_steps": 13},
        torched("CosineAnnealingWarmRestarts", T_0=13),
    ),
    "cosine_restarts_longer": (
        {"name": "cosine-restarts", "first_steps": 6, "multiplier": 2, "end_factor": 0.1},
        torched("CosineAnnealingWarmRestarts", T_0=6, T_mult=2, eta_min=0.1 * RATE),
    ),
    "warmup_cosine": (
        {"name": "cosine", "warmup_steps": 8, "warmup_factor": 0.1, "end_factor": 0.01},
        sequence(WARMUP, ("CosineAnnealingLR", {"T_max": 52, "eta_min": 0.01 * RATE}), milestones=[8]),
    ),
    "warmup_constant": (
        {"name": "constant", "warmup_epochs": 1.6, "warmup_factor": 0.1},
        sequence(WARMUP, ("ConstantLR", {"factor": 1.0}), milestones=[8]),
    ),
    "sequence": (
        {
            "sequence": [
                {"name": "constant", "length_epochs": 2, "scale": 0.5},
                {"name": "exponential", "length_steps": 21, "every_steps": 1, "gamma": 0.95},
                {"name": "linear", "start_factor": 0.4, "end_factor": 0.01},
            ]
        },
        sequence(
            ("ConstantLR", {"factor": 0.5, "total_iters": 1000}),
            ("ExponentialLR", {"gamma": 0.95}),
            ("LinearLR", {"start_factor": 0.4, "end_factor": 0.01, "total_iters": 29}),
            milestones=[10, 31],
        ),
    ),
    "warmup_sequence": (
        {
            "warmup_steps": 8,
            "warmup_factor": 0.1,
            "sequence": [
                {"name": "step", "length_steps": 20, "every_steps": 6, "gamma": 0.7},
                {"name": "polynomial", "power": 2},
            ],
        },
        sequence(
            WARMUP,
            ("StepLR", {"step_size": 6, "gamma": 0.7}),
            ("PolynomialLR", {"total_iters": 32, "power": 2}),
            milestones=[8, 28],
        ),
    ),
}

# As CASES, with torch's options.
ONE_CYCLE = {
    "one_cycle": ({"name": "one-cycle"}, {}),
    "one_cycle_constants": (
        {
            "name": "one-cycle",
            "pct_start": 0.45,
            "div_factor": 10,
            "final_div_factor": 50,
            "anneal": "linear",
            "base_momentum": 0.7,
            "max_momentum": 0.9,
        },
        {
            "pct_start": 0.45,
            "div_factor": 10,
            "final_div_factor": 50,
            "anneal_strategy": "linear",
            "base_momentum": 0.7,
            "max_momentum": 0.9,
        },
    ),
    "one_cycle_three_phase": (
        {"name": "one-cycle", "pct_start": 0.35, "three_phase": True, "div_factor": 8},
        {"pct_start": 0.35, "three_phase": True, "div_factor": 8},
    ),
}

# Falls, stays, rises, falls again by a little and a lot.
LOSSES = [
    2.0, 1.5, 1.2, 1.19, 1.195, 1.18, 1.185, 1.184, 1.183, 1.182, 1.1, 1.0, 0.995, 0.991, 0.99, 0.989,
    1.1, 1.2, 1.3, 0.9, 0.899, 0.8985, 0.898, 0.8975, 0.897, 0.9, 0.91, 0.92, 0.93, 0.94, 0.8, 0.7,
    0.69, 0.685, 0.68, 0.675, 0.67, 0.665, 0.66, 0.655, 0.65, 0.645, 0.64, 0.7, 0.7, 0.7, 0.7, 0.7,
    0.7, 0.7, 0.7, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1,
]  # fmt: skip

PLATEAU = {
    "plateau": ({"name": "plateau"}, {"patience": 2}),
    "plateau_constants": (
        {"name": "plateau", "factor": 0.7, "patience": 1, "threshold": 0.002, "cooldown": 3, "min_factor": 0.2},
        {"factor": 0.7, "patience": 1, "threshold": 0.002, "cooldown": 3, "min_lr": 0.2 * RATE},
    ),
    "plateau_absolute": (
        {"name": "plateau", "factor": 0.5, "patience": 0, "threshold": 0.0095, "threshold_mode": "abs"},
        {"factor": 0.5, "patience": 0, "threshold": 0.0095, "threshold_mode": "abs"},
    ),
}


def plateau(options):
    """The rate after each epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler = torch_schedules.ReduceLROnPlateau(optimizer, eps=0.0, **options)
    rates = []
    for loss in LOSSES:
        scheduler.step(loss)
        rates.append(optimizer.param_groups[0]["lr"] / RATE)
    return rates


def main():
    cases = []
    for name, (table, rates) in CASES.items():
        cases.append({"name": name, "schedule": table, "rates": common.rounded(rates(), DIGITS)})
    for name, (table, options) in ONE_CYCLE.items():
        rates, momenta = one_cycle(**options)()
        rates, momenta = common.rounded(rates, DIGITS), common.rounded(momenta, DIGITS)
        cases.append({"name": name, "schedule": table, "rates": rates, "momenta": momenta})
    for name, (table, options) in PLATEAU.items():
        rates = common.rounded(plateau(options), DIGITS)
        cases.append({"name": name, "schedule": table, "losses": LOSSES, "rates": rates})
    header = {"optax": optax.__version__, "steps": STEPS, "steps_per_epoch": STEPS_PER_EPOCH}
    common.write(common.golden_path("schedules.json"), "schedules.py", header, cases)


if __name__ == "__main__":
    main()
