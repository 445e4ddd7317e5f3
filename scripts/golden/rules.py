"""Fifty steps of each update rule on given gradients, by torch.optim or optax in float64.

    python scripts/golden/rules.py

writes tests/golden/rules.json. Parameters start as uniform(PARAMETERS, 37); the gradient of step t (from
1) is values (t - 1) * 37 .. t * 37 of uniform(GRADIENTS, 50 * 37). Gradients do not depend on the
parameters, so a difference shows the rule and nothing else.

To add a rule, add a line to RULES. Anything will do that is called with a list of parameters and the
options, and has `step()`: a rule that torch.optim lacks is taken from optax or written here as a small
class after its paper.
"""

import jax
import numpy
import optax
import schedulefree
import torch

import common

COUNT = 37
STEPS = 50
SNAPSHOTS = [1, 2, 10, 50]
DIGITS = 13

jax.config.update("jax_enable_x64", True)


class Optax:
    """A rule of optax with torch's interface. Its weight decay, if any, is its own."""

    def __init__(self, make):
        self.make = make

    def __call__(self, parameters, **options):
        self.parameters = parameters[0]
        self.rule = self.make(**options)
        self.values = jax.numpy.asarray(self.parameters.detach().numpy())
        self.state = self.rule.init(self.values)
        return self

    def step(self):
        gradient = jax.numpy.asarray(self.parameters.grad.numpy())
        updates, self.state = self.rule.update(gradient, self.state, self.values)
        self.values = optax.apply_updates(self.values, updates)
        with torch.no_grad():
            self.parameters.copy_(torch.from_numpy(numpy.array(self.values)))


class AdaBelief:
    """Algorithm 2 of the AdaBelief paper, which takes the difference to the new mean; optax takes it to
    the old one."""

    def __init__(self, parameters, lr, betas, eps, weight_decay=0.0):
        self.p, self.lr, self.betas, self.eps, self.decay = parameters[0], lr, betas, eps, weight_decay
        self.t, self.m, self.s = 0, torch.zeros_like(self.p), torch.zeros_like(self.p)

    @torch.no_grad()
    def step(self):
        beta1, beta2 = self.betas
        self.t += 1
        g = self.p.grad + self.decay * self.p
        self.m = beta1 * self.m + (1 - beta1) * g
        self.s = beta2 * self.s + (1 - beta2) * (g - self.m) ** 2 + self.eps
        mean, square = self.m / (1 - beta1**self.t), self.s / (1 - beta2**self.t)
        self.p -= self.lr * mean / (square.sqrt() + self.eps)


class Adan:
    """Algorithm 1 of the Adan paper, as the authors' program (sail-sg/Adan) computes it by default, which calls beta
    what is 1 - beta in the paper: the parameter shrinks after the step."""

    def __init__(self, parameters, lr, betas, eps, weight_decay=0.0):
        self.p, self.lr, self.betas, self.eps, self.decay = parameters[0], lr, betas, eps, weight_decay
        self.t, self.before = 0, None
        self.m, self.v, self.n = (torch.zeros_like(self.p) for _ in range(3))

    @torch.no_grad()
    def step(self):
        beta1, beta2, beta3 = self.betas
        self.t += 1
        g = self.p.grad.clone()
        difference = torch.zeros_like(g) if self.before is None else g - self.before
        self.before = g
        self.m.mul_(beta1).add_(g, alpha=1 - beta1)
        self.v.mul_(beta2).add_(difference, alpha=1 - beta2)
        update = g + beta2 * difference
        self.n.mul_(beta3).addcmul_(update, update, value=1 - beta3)
        denominator = self.n.sqrt() / (1 - beta3**self.t) ** 0.5 + self.eps
        self.p.addcdiv_(self.m, denominator, value=-self.lr / (1 - beta1**self.t))
        self.p.addcdiv_(self.v, denominator, value=-self.lr * beta2 / (1 - beta2**self.t))
        self.p.div_(1 + self.lr * self.decay)


class ScheduleFree(schedulefree.AdamWScheduleFree):
    """In training from the start."""

    def __init__(self, parameters, **options):
        super().__init__(parameters, foreach=False, **options)
        self.train()


def lion(lr, betas, weight_decay=0.0):
    return optax.lion(lr, b1=betas[0], b2=betas[1], weight_decay=weight_decay)


def yogi(lr, betas, eps, initial):
    return optax.yogi(lr, b1=betas[0], b2=betas[1], eps=eps) if initial == 1e-6 else optax.chain(
        optax.scale_by_yogi(b1=betas[0], b2=betas[1], eps=eps, initial_accumulator_value=initial),
        optax.scale(-lr),
    )


ADAM = {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8}

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
    "amsgrad": (torch.optim.Adam, {"lr": 0.02, "betas": [0.7, 0.9], "eps": 1e-8, "amsgrad": True}),
    "adamw": (torch.optim.AdamW, {**ADAM, "weight_decay": 0.1}),
    "adamw_amsgrad": (
        torch.optim.AdamW,
        {"lr": 0.02, "betas": [0.7, 0.9], "eps": 0.01, "weight_decay": 0.2, "amsgrad": True},
    ),
    "adagrad": (torch.optim.Adagrad, {"lr": 0.05, "eps": 1e-10}),
    "adagrad_everything": (
        torch.optim.Adagrad,
        {"lr": 0.05, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 0.01},
    ),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "eps": 1e-8}),
    "rmsprop_momentum": (
        torch.optim.RMSprop,
        {"lr": 0.01, "alpha": 0.9, "eps": 0.01, "momentum": 0.8, "weight_decay": 0.1},
    ),
    "rmsprop_centered": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.8, "eps": 0.01, "centered": True}),
    "rmsprop_everything": (
        torch.optim.RMSprop,
        {"lr": 0.01, "alpha": 0.8, "eps": 0.1, "momentum": 0.5, "centered": True, "weight_decay": 0.1},
    ),
    "adadelta": (torch.optim.Adadelta, {"lr": 1.0, "rho": 0.9, "eps": 1e-4}),
    "adadelta_weight_decay": (
        torch.optim.Adadelta,
        {"lr": 0.7, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1},
    ),
    "adamax": (torch.optim.Adamax, ADAM),
    "adamax_other_constants": (
        torch.optim.Adamax,
        {"lr": 0.02, "betas": [0.7, 0.9], "eps": 0.1, "weight_decay": 0.1},
    ),
    "nadam": (torch.optim.NAdam, {**ADAM, "momentum_decay": 0.004}),
    "nadam_other_constants": (
        torch.optim.NAdam,
        {"lr": 0.02, "betas": [0.7, 0.9], "eps": 0.1, "weight_decay": 0.1, "momentum_decay": 0.1},
    ),
    "radam": (torch.optim.RAdam, ADAM),
    "radam_other_constants": (
        torch.optim.RAdam,
        {"lr": 0.02, "betas": [0.7, 0.95], "eps": 0.1, "weight_decay": 0.1},
    ),
    "lion": (Optax(lion), {"lr": 0.01, "betas": [0.9, 0.99]}),
    "lion_other_constants": (Optax(lion), {"lr": 0.02, "betas": [0.7, 0.9], "weight_decay": 0.1}),
    "yogi": (Optax(yogi), {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-3, "initial": 1e-6}),
    "yogi_other_constants": (Optax(yogi), {"lr": 0.02, "betas": [0.7, 0.9], "eps": 0.1, "initial": 0.1}),
    "adabelief": (AdaBelief, {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-16}),
    "adabelief_other_constants": (
        AdaBelief,
        {"lr": 0.02, "betas": [0.7, 0.9], "eps": 0.01, "weight_decay": 0.1},
    ),
    "adan": (Adan, {"lr": 0.01, "betas": [0.98, 0.92, 0.99], "eps": 1e-8}),
    "adan_other_constants": (
        Adan,
        {"lr": 0.02, "betas": [0.7, 0.8, 0.9], "eps": 0.1, "weight_decay": 0.1},
    ),
    "schedule-free-adamw": (
        ScheduleFree,
        {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "warmup_steps": 0},
    ),
    "schedule-free-adamw_other_constants": (
        ScheduleFree,
        {"lr": 0.02, "betas": [0.7, 0.9], "eps": 0.1, "weight_decay": 0.1, "warmup_steps": 7},
    ),
    "rprop": (torch.optim.Rprop, {"lr": 0.01, "etas": [0.5, 1.2], "step_sizes": [1e-6, 50.0]}),
    "rprop_other_constants": (
        torch.optim.Rprop,
        {"lr": 0.02, "etas": [0.7, 1.5], "step_sizes": [0.01, 0.1]},
    ),
}


def solved(name, constructor, options):
    """The parameters [37] after each step of SNAPSHOTS."""
    parameters = torch.from_numpy(common.uniform(common.PARAMETERS, COUNT)).double().requires_grad_()
    gradients = torch.from_numpy(common.uniform(common.GRADIENTS, STEPS * COUNT)).double().reshape(STEPS, COUNT)
    rule = constructor([parameters], **options)
    snapshots, evaluated = {}, {}
    for step in range(1, STEPS + 1):
        parameters.grad = gradients[step - 1].clone()
        rule.step()
        if step in SNAPSHOTS:
            snapshots[str(step)] = common.rounded(parameters.detach(), DIGITS)
            if hasattr(rule, "eval"):
                rule.eval()
                evaluated[str(step)] = common.rounded(parameters.detach(), DIGITS)
                rule.train()
    # "momentum_dampening" is a case of the rule "momentum".
    case = {"name": name, "rule": name.split("_")[0], "options": options, "parameters_after": snapshots}
    # Where that is another point.
    return case | {"evaluated_after": evaluated} if evaluated else case


def main():
    cases = [solved(name, *rule) for name, rule in RULES.items()]
    common.write(common.golden_path("rules.json"), "rules.py", {"count": COUNT, "steps": STEPS}, cases)


if __name__ == "__main__":
    main()
