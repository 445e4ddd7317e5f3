"""Losses of 40 training steps with what acts on all incoming weights of an output: adaptive gradient
clipping by optax, constraints after the update and weight normalisation by PyTorch.

    python scripts/golden/per_output.py

writes tests/golden/per_output.json. As in clipping.py, losses are computed in float64 from inputs and
initial weights that are exactly f32. A step with optax: the L1 penalty is part of what is minimised (but
not of the loss that is written), then optax.clip, optax.adaptive_grad_clip and
optax.clip_by_global_norm, those that are asked for, then optax.sgd; weights are [in, out] there, whose
columns are units to optax. A step with PyTorch: the optimizer; then all parameters are clamped; then
torch.renorm brings the rows of each weight [out, in] to the largest norm, or, where weights are
normalised, g is clamped. `clipped` are gradients alone, clipped by optax.
"""

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np
import optax
import torch

import common
import first_steps

STEPS = 40

# Batches of 50, 50, 20; widths that are no multiple of 16.
SMALL = {"dims": [784, 33, 10], "activations": ["sigmoid"], "samples": 120, "batch": 50}
# Batches of several blocks, more than two panels, inputs of more than one unit.
LARGE = {"dims": [784, 70, 17, 10], "activations": ["tanh", "relu"], "samples": 900, "batch": 450}
# Not Adam, which would hide a wrong scale.
MOMENTUM = {"lr": 0.2, "momentum": 0.9, "weight_decay": 0.0}
SLOW = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.0}
DECAY = {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.001}
NO_GRADIENT = {"l1": 0.0, "clip_value": None, "clip_adaptive": None, "clip_norm": None}
NO_CONSTRAINT = {"clip_weights": None, "max_norm": None}

PLAIN = {"weight_norm": False, "gradient": NO_GRADIENT, "constraint": NO_CONSTRAINT}
NORMED = PLAIN | {"weight_norm": True}
ALL_GRADIENT = {"l1": 0.0005, "clip_value": 0.02, "clip_adaptive": 0.03, "clip_norm": 0.05}

CASES = [
    {"name": "adaptive", **SMALL, **PLAIN, "optimizer": MOMENTUM, "gradient": NO_GRADIENT | {"clip_adaptive": 0.02}},
    {"name": "large_adaptive", **LARGE, **PLAIN, "optimizer": MOMENTUM, "gradient": NO_GRADIENT | {"clip_adaptive": 0.05}},
    {"name": "all_gradient", **LARGE, **PLAIN, "optimizer": MOMENTUM, "gradient": ALL_GRADIENT},
    {"name": "clip_weights", **SMALL, **PLAIN, "optimizer": MOMENTUM, "constraint": NO_CONSTRAINT | {"clip_weights": 0.07}},
    {"name": "max_norm", **SMALL, **PLAIN, "optimizer": MOMENTUM, "constraint": NO_CONSTRAINT | {"max_norm": 1.3}},
    {"name": "large_both", **LARGE, **PLAIN, "optimizer": DECAY, "constraint": {"clip_weights": 0.2, "max_norm": 1.2}},
    {"name": "weight_norm", **SMALL, **NORMED, "optimizer": SLOW},
    {"name": "large_weight_norm", **LARGE, **NORMED, "optimizer": DECAY},
    {"name": "weight_norm_both", **SMALL, **NORMED, "optimizer": SLOW, "constraint": {"clip_weights": 0.3, "max_norm": 0.25}},
]


def batches(case, images, labels):
    """The rows of each step, as float64 of exact f32, and their classes."""
    x = images[: case["samples"]].astype(np.float32) * (np.float32(1) / np.float32(255))
    start = 0
    for _ in range(STEPS):
        rows = slice(start, min(start + case["batch"], case["samples"]))
        start = 0 if rows.stop == case["samples"] else rows.stop
        yield x[rows].astype(np.float64), labels[: case["samples"]][rows]


def train_optax(case, images, labels):
    """The loss of each step before its update."""
    functions = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}
    layers = list(enumerate(zip(case["dims"], case["dims"][1:])))
    parameters = [
        (jnp.asarray(common.weights(i, out, n).T, jnp.float64), jnp.asarray(common.biases(i, out), jnp.float64))
        for i, (n, out) in layers
    ]
    options, rule = case["gradient"], case["optimizer"]

    def loss_of(parameters, x, y):
        for index, (weight, bias) in enumerate(parameters):
            x = x @ weight + bias
            if index < len(case["activations"]):
                x = functions[case["activations"][index]](x)
        return optax.softmax_cross_entropy_with_integer_labels(x, y).mean()

    def minimised(parameters, x, y):
        penalty = sum(jnp.abs(p).sum() for p in jax.tree.leaves(parameters))
        loss = loss_of(parameters, x, y)
        return loss + options["l1"] * penalty, loss

    treatments = [
        ("clip_value", optax.clip),
        ("clip_adaptive", optax.adaptive_grad_clip),
        ("clip_norm", optax.clip_by_global_norm),
    ]
    chosen = [make(options[key]) for key, make in treatments if options[key] is not None]
    optimizer = optax.chain(*chosen, optax.sgd(rule["lr"], rule["momentum"]))
    state = optimizer.init(parameters)
    gradient = jax.jit(jax.value_and_grad(minimised, has_aux=True))
    losses = []
    for x, y in batches(case, images, labels):
        (_, loss), gradients = gradient(parameters, x, y)
        updates, state = optimizer.update(gradients, state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        losses.append(float(loss))
    return losses


def train_torch(case, images, labels):
    """The loss of each step before its update."""
    net = common.network(case["dims"], case["activations"], torch.float64)
    dense = [module for module in net if isinstance(module, torch.nn.Linear)]
    if case["weight_norm"]:
        for module in dense:
            torch.nn.utils.parametrizations.weight_norm(module, dim=0)
    optimizer = torch.optim.SGD(net.parameters(), **case["optimizer"])
    clip_weights, max_norm = case["constraint"]["clip_weights"], case["constraint"]["max_norm"]
    losses = []
    for x, y in batches(case, images, labels):
        optimizer.zero_grad()
        loss = common.loss_of("cross_entropy", net(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        with torch.no_grad():
            if clip_weights is not None:
                for parameter in net.parameters():
                    parameter.clamp_(-clip_weights, clip_weights)
            if max_norm is not None:
                for module in dense:
                    if case["weight_norm"]:
                        module.parametrizations.weight.original0.clamp_(-max_norm, max_norm)
                    else:
                        module.weight.copy_(torch.renorm(module.weight, 2, 0, max_norm))
    return losses


def solved(case, images, labels):
    train = train_torch if case["gradient"] == NO_GRADIENT else train_optax
    losses = train(case, images, labels)
    print(f"{case['name']}: {losses[0]:.4f} .. {losses[-1]:.4f}, largest {max(losses):.4f}")
    return case | {"loss": "cross_entropy", "losses": common.rounded(losses, 9)}


def clipped(out, fan_in):
    """Gradients [out, fan_in] and [out] of parameters of these shapes, clipped. Row i of the gradient
    is uniform * 0.001 * 4^(i % 5); the third row of the weights, and of the gradients, is zero."""
    scale = np.float32(0.001) * np.float32(4) ** (np.arange(out) % 5).astype(np.float32)
    gradient = common.uniform(common.GRADIENTS, out * fan_in).reshape(out, fan_in) * scale[:, None]
    weight = common.uniform(common.PARAMETERS, out * fan_in).reshape(out, fan_in).copy()
    weight[1:3] = 0
    gradient[2] = 0
    bias, of_bias = common.biases(0, out), common.uniform(common.INPUTS, out)
    limit = 0.01
    treatment = optax.adaptive_grad_clip(limit)
    wide = lambda values: jnp.asarray(values.astype(np.float64))
    parameters = [wide(weight.T), wide(bias)]
    gradients, _ = treatment.update([wide(gradient.T), wide(of_bias)], treatment.init(parameters), parameters)
    return {
        "out": out,
        "in": fan_in,
        "limit": limit,
        "weight": common.rounded(np.asarray(gradients[0]).T.tolist(), 13),
        "bias": common.rounded(np.asarray(gradients[1]).tolist(), 13),
    }


def main():
    torch.set_num_threads(1)
    images, labels = first_steps.made_up_data()
    header = {
        "optax": optax.__version__,
        "jax": jax.__version__,
        "data": {"byte_fingerprint": common.fingerprint(images)},
        "clipped": [clipped(5, 7), clipped(18, 33)],
    }
    cases = [solved(case, images, labels) for case in CASES]
    common.write(common.golden_path("per_output.json"), "per_output.py", header, cases)


if __name__ == "__main__":
    main()
