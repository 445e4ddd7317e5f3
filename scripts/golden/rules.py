"""Fifty steps of each update rule on given gradients, by torch.optim in float64.

    python scripts/golden/rules.py

writes tests/golden/rules.json. Parameters start as uniform(PARAMETERS, 37); the gradient of step t (from
1) is values (t - 1) * 37 .. t * 37 of uniform(GRADIENTS, 50 * 37). Gradients do not depend on the
parameters, so a difference shows the rule and nothing else.

To add a rule, add a line to RULES. Anything will do that is called with a list of parameters and the
options, and has `step()`: a rule that torch.optim lacks can be written here as a small class.
"""

import torch

import common

COUNT = 37
STEPS = 50
SNAPSHOTS = [1, 2, 10, 50]
DIGITS = 13

# Name -> (constructor, options). The options are named as torch.optim names them, and go into the file.
# Its momentum starts with the first gradient itself, not dampened; its weight_decay is added to the
# gradient (an L2 penalty), which is then what momentum and moments see.
RULES = {
    "sgd": (torch.optim.SGD, {"lr": 0.05}),
    "sgd_weight_decay": (torch.optim.SGD, {"lr": 0.05, "weight_decay": 0.1}),
    "momentum": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "momentum_dampening": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}),
    "momentum_weight_decay": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
    "nesterov": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": (torch.optim.Adam, {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8}),
    "adam_weight_decay": (
        torch.optim.Adam,
        {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.1},
    ),
    # Not the usual constants, and an epsilon large enough to show where it is added.
    "adam_other_constants": (torch.optim.Adam, {"lr": 0.02, "betas": [0.7, 0.9], "eps": 0.1}),
}


def solved(name, constructor, options):
    """The parameters [37] after each step of SNAPSHOTS."""
    parameters = torch.from_numpy(common.uniform(common.PARAMETERS, COUNT)).double().requires_grad_()
    gradients = torch.from_numpy(common.uniform(common.GRADIENTS, STEPS * COUNT)).double().reshape(STEPS, COUNT)
    rule = constructor([parameters], **options)
    snapshots = {}
    for step in range(1, STEPS + 1):
        parameters.grad = gradients[step - 1].clone()
        rule.step()
        if step in SNAPSHOTS:
            snapshots[str(step)] = common.rounded(parameters.detach(), DIGITS)
    return {"name": name, "options": options, "parameters_after": snapshots}


def main():
    cases = [solved(name, *rule) for name, rule in RULES.items()]
    common.write(common.golden_path("rules.json"), "rules.py", {"count": COUNT, "steps": STEPS}, cases)


if __name__ == "__main__":
    main()
