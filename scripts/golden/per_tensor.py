"""Fifty steps of the update rules for whole parameters, by optax or torch.optim in float64.

    python scripts/golden/per_tensor.py

writes tests/golden/per_tensor.json. A case has a weight [out, in], common.weights(0, out, in), and a bias
[out], common.biases(0, out) or zeros. The gradients of step t (from 1) are those of the mean absolute
error of a linear layer far from its targets, which do not depend on the parameters: the features x are rows
(t - 1) * ROWS .. t * ROWS of uniform(INPUTS, STEPS * ROWS * in), the targets those rows of 1000 times the
signs of uniform(GRADIENTS, STEPS * ROWS * out). Of the weight, every SPARSE-th element is written.

A network case trains dense layers for 20 steps of cross-entropy on first_steps.py's data, and has the loss
of each.

torch.optim.Muon orthogonalises in bfloat16; here float64 takes its place, so that the file says what the
formula is. optax.contrib.muon, without Nesterov's step, must agree: `optax_deviation`.
"""

import jax
import numpy as np
import optax
import torch

import common
import first_steps

STEPS = 50
SNAPSHOTS = [1, 2, 10, 50]
ROWS = 5
SPARSE = 7
DIGITS = 11
NETWORK_STEPS = 20

jax.config.update("jax_enable_x64", True)


class WithoutBfloat16:
    """The module torch, with float64 in the place of bfloat16."""

    bfloat16 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


torch.optim._muon.torch = WithoutBfloat16()


class Optax:
    """A rule of optax, with torch's interface."""

    def __init__(self, parameters, rule):
        self.parameters, self.update = list(parameters), jax.jit(rule.update)
        self.state = rule.init(self.values())

    def values(self):
        return [jax.numpy.asarray(parameter.detach().numpy()) for parameter in self.parameters]

    def step(self):
        gradients = [jax.numpy.asarray(parameter.grad.numpy()) for parameter in self.parameters]
        updates, self.state = self.update(gradients, self.state, self.values())
        with torch.no_grad():
            for parameter, value in zip(self.parameters, optax.apply_updates(self.values(), updates)):
                parameter.copy_(torch.from_numpy(np.array(value)))


class Both:
    """Two rules at once."""

    def __init__(self, *rules):
        self.rules = rules

    def step(self):
        for rule in self.rules:
            rule.step()


def lamb(weights, biases, lr, b1, b2, eps, weight_decay):
    return Optax(weights + biases, optax.lamb(lr, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay))


def muon(weights, biases, adamw, last_layer="muon", **options):
    """Matrices by Muon, the rest by AdamW; the last layer's weights as `last_layer` says."""
    options = options | {"ns_coefficients": tuple(options["ns_coefficients"])}
    matrices, rest = weights, biases
    if last_layer == "adamw":
        matrices, rest = weights[:-1], biases + weights[-1:]
    rules = [torch.optim.Muon(matrices, **options)] if matrices else []
    return Both(*rules, torch.optim.AdamW(rest, **adamw))


def optax_muon(weights, biases, adamw, last_layer="muon", **options):
    """The same of one layer without Nesterov's step, whose decay and Adam are optax's."""
    assert not options["nesterov"] and last_layer == "muon" and len(weights) == 1
    rms = {"original": None, "match_rms_adamw": 0.2}[options["adjust_lr_fn"]]
    rule = optax.contrib.muon(
        options["lr"], options["ns_coefficients"], options["ns_steps"], options["momentum"],
        eps=0.0, weight_decay=options["weight_decay"], nesterov=False, consistent_rms=rms,
        # It takes [in, out].
        muon_weight_dimension_numbers=[optax.contrib.MuonDimensionNumbers(1, 0)],
    )  # fmt: skip
    return Both(Optax(weights, rule), torch.optim.AdamW(biases, **adamw))


def adafactor(weights, biases, eps, **options):
    return torch.optim.Adafactor(weights + biases, eps=tuple(eps), **options)


RULES = {"lamb": lamb, "muon": muon, "adafactor": adafactor}

LAMB = {"lr": 0.02, "b1": 0.9, "b2": 0.999, "eps": 1e-6, "weight_decay": 0.0}
OTHER_LAMB = {"lr": 0.05, "b1": 0.7, "b2": 0.9, "eps": 0.01, "weight_decay": 0.2}
ADAMW = {"lr": 0.001, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01}
MUON = {
    "lr": 0.02,
    "weight_decay": 0.1,
    "momentum": 0.95,
    "nesterov": True,
    "ns_coefficients": [3.4445, -4.7750, 2.0315],
    "eps": 1e-7,
    "ns_steps": 5,
    "adjust_lr_fn": "original",
    "adamw": ADAMW,
}
OTHER_MUON = MUON | {
    "lr": 0.01,
    "weight_decay": 0.3,
    "momentum": 0.8,
    "nesterov": False,
    "ns_steps": 4,
    "ns_coefficients": [3.0, -4.0, 2.0],
    "adamw": {"lr": 0.02, "betas": [0.7, 0.9], "eps": 0.01, "weight_decay": 0.2},
}

ADAFACTOR = {"lr": 0.02, "beta2_decay": -0.8, "eps": [1e-7, 1e-3], "d": 1.0, "weight_decay": 0.0}
# The rate is more than 1 / sqrt(t) after a few steps, and the epsilons are more than what they stand beside.
OTHER_ADAFACTOR = {"lr": 0.3, "beta2_decay": -0.5, "eps": [0.02, 0.2], "d": 1.1, "weight_decay": 0.05}

# Several units along the inputs, several along the outputs, both, and less than one.
WIDE, TALL, SQUARE, SMALL = {"out": 19, "in": 121}, {"out": 67, "in": 19}, {"out": 33, "in": 33}, {"out": 3, "in": 5}

CASES = [
    {"name": "lamb_wide", **WIDE, "options": LAMB},
    {"name": "lamb_tall_from_zero_bias", **TALL, "options": LAMB, "zero_bias": True},
    {"name": "lamb_other_constants", **SQUARE, "options": OTHER_LAMB},
    {"name": "muon_wide", **WIDE, "options": MUON},
    {"name": "muon_tall", **TALL, "options": MUON},
    {"name": "muon_small", **SMALL, "options": MUON},
    {"name": "muon_other_constants", **WIDE, "options": OTHER_MUON},
    {"name": "muon_match_rms_adamw", **TALL, "options": OTHER_MUON | {"adjust_lr_fn": "match_rms_adamw"}},
    {"name": "muon_spectral_unclamped", **WIDE, "options": MUON | {"adjust_lr_fn": "spectral_unclamped"}},
    {"name": "adafactor_wide", **WIDE, "options": ADAFACTOR},
    {"name": "adafactor_tall_from_zero_bias", **TALL, "options": ADAFACTOR, "zero_bias": True},
    {"name": "adafactor_small", **SMALL, "options": ADAFACTOR},
    {"name": "adafactor_other_constants", **SQUARE, "options": OTHER_ADAFACTOR},
    {"name": "muon_last_layer", **SQUARE, "options": MUON | {"last_layer": "adamw"}},
]

SHAPE = {"dims": [784, 33, 50, 10], "activations": ["tanh", "relu"], "samples": 320, "batch": 64}
NETWORKS = [
    {"name": "lamb_network", **SHAPE, "options": LAMB},
    {"name": "muon_network", **SHAPE, "options": MUON | {"last_layer": "adamw"}},
    {"name": "adafactor_network", **SHAPE, "options": ADAFACTOR},
    {"name": "muon_network_throughout", **SHAPE, "options": OTHER_MUON},
]


def gradients(case):
    """Of the weight [STEPS, out, in] and the bias [STEPS, out]."""
    x = common.uniform(common.INPUTS, STEPS * ROWS * case["in"]).astype(np.float64).reshape(STEPS, ROWS, case["in"])
    signs = np.where(common.uniform(common.GRADIENTS, STEPS * ROWS * case["out"]) < 0, -1.0, 1.0)
    dy = -signs.reshape(STEPS, ROWS, case["out"]) / (ROWS * case["out"])
    return torch.from_numpy(dy.transpose(0, 2, 1) @ x), torch.from_numpy(dy.sum(axis=1))


def run(case, make):
    """Weight and bias after each step of SNAPSHOTS."""
    weight = torch.from_numpy(common.weights(0, case["out"], case["in"])).double().requires_grad_()
    bias = torch.from_numpy(common.biases(0, case["out"])).double()
    bias = (bias * 0 if case.get("zero_bias") else bias).requires_grad_()
    rule = make([weight], [bias], **case["options"])
    of_weight, of_bias = gradients(case)
    snapshots = {}
    for step in range(1, STEPS + 1):
        weight.grad, bias.grad = of_weight[step - 1].clone(), of_bias[step - 1].clone()
        rule.step()
        if step in SNAPSHOTS:
            snapshots[step] = weight.detach().clone(), bias.detach().clone()
    return snapshots


def solved(case):
    """The case with its snapshots."""
    rule = case["name"].split("_")[0]
    snapshots = run(case, RULES[rule])
    agreement = {}
    if case["options"].get("nesterov") is False:
        other = run(case, optax_muon)
        deviation = max((other[step][0] - weight).abs().max().item() for step, (weight, _) in snapshots.items())
        assert deviation < 1e-10, f"{case['name']}: torch and optax differ by {deviation}"
        agreement = {"optax_deviation": deviation}
    after = {
        str(step): {
            "weight": common.rounded(weight.reshape(-1)[::SPARSE], DIGITS),
            "bias": common.rounded(bias, DIGITS),
        }
        for step, (weight, bias) in snapshots.items()
    }
    return case | {"rule": rule} | agreement | {"parameters_after": after}


def losses(case, images, labels, dtype):
    """The loss of each of NETWORK_STEPS steps, before its update."""
    x = images[: case["samples"]].astype(np.float32) * (np.float32(1) / np.float32(255))
    x, y = torch.from_numpy(x).to(dtype), torch.from_numpy(labels[: case["samples"]])
    net = common.network(case["dims"], case["activations"], dtype)
    weights = [parameter for parameter in net.parameters() if parameter.ndim == 2]
    biases = [parameter for parameter in net.parameters() if parameter.ndim == 1]
    rule = RULES[case["name"].split("_")[0]](weights, biases, **case["options"])
    found = []
    for step in range(NETWORK_STEPS):
        start = step * case["batch"] % case["samples"]
        rows = slice(start, start + case["batch"])
        net.zero_grad()
        loss = common.loss_of("cross_entropy", net(x[rows]), y[rows])
        loss.backward()
        rule.step()
        found.append(loss.item())
    return found


def solved_network(case, images, labels):
    exact, single = (losses(case, images, labels, dtype) for dtype in (torch.float64, torch.float32))
    deviation = max(abs(a - b) / b for a, b in zip(single, exact))
    print(f"{case['name']}: {exact[0]:.4f} .. {exact[-1]:.4f}, with float32 layers {deviation:.1e}")
    return case | {
        "rule": case["name"].split("_")[0],
        "loss": "cross_entropy",
        "float32_deviation": common.rounded(deviation, 2),
        "losses": common.rounded(exact, 10),
    }


def main():
    torch.set_num_threads(1)
    images, labels = first_steps.made_up_data()
    networks = [solved_network(case, images, labels) for case in NETWORKS]
    header = {
        "steps": STEPS,
        "rows": ROWS,
        "sparse": SPARSE,
        "optax": optax.__version__,
        "jax": jax.__version__,
        "networks": networks,
        "data": {"byte_fingerprint": common.fingerprint(images)},
    }
    common.write(common.golden_path("per_tensor.json"), "per_tensor.py", header, [solved(case) for case in CASES])


if __name__ == "__main__":
    main()
