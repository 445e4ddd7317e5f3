"""Losses of 40 training steps by PyTorch with clipped gradients and an L1 penalty.

    python scripts/golden/clipping.py

writes tests/golden/clipping.json. In a step, the penalty is part of what is minimised (but not of the
loss that is written), then torch.nn.utils.clip_grad_value_ is called, then clip_grad_norm_, then the
optimizer. Losses are computed in float64 from inputs and initial weights that are exactly f32;
`float32_deviation` is as in first_steps.py. `norms` are those that clip_grad_norm_ found.
"""

import numpy as np
import torch

import common
import first_steps

STEPS = 40

# 120 samples in batches of 50, 50, 20. Widths that are no multiple of 16: padding has no part in a norm.
SMALL = {"dims": [784, 33, 10], "activations": ["sigmoid"], "samples": 120, "batch": 50}
# Batches of several blocks.
LARGE = {"dims": [784, 20, 17, 10], "activations": ["tanh", "relu"], "samples": 900, "batch": 450}
# Not Adam, which would hide a wrong scale.
MOMENTUM = {"lr": 0.2, "momentum": 0.9, "weight_decay": 0.0}
DECAY = {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.001}
NONE = {"l1": 0.0, "clip_value": None, "clip_norm": None}

CASES = [
    {"name": "small_norm", **SMALL, "optimizer": MOMENTUM, "gradient": NONE | {"clip_norm": 0.25}},
    {"name": "small_value", **SMALL, "optimizer": MOMENTUM, "gradient": NONE | {"clip_value": 0.01}},
    {"name": "small_l1", **SMALL, "optimizer": MOMENTUM, "gradient": NONE | {"l1": 0.001}},
    {"name": "large_norm", **LARGE, "optimizer": MOMENTUM, "gradient": NONE | {"clip_norm": 0.5}},
    {
        "name": "large_all",
        **LARGE,
        "optimizer": DECAY,
        "gradient": {"l1": 0.0005, "clip_value": 0.02, "clip_norm": 0.4},
    },
]


def train(case, images, labels, dtype):
    """The loss of each step before its update, and the norm of its gradient before it is clipped."""
    x = images[: case["samples"]].astype(np.float32) * (np.float32(1) / np.float32(255))
    x = torch.from_numpy(x).to(dtype)
    y = torch.from_numpy(labels[: case["samples"]])
    net = common.network(case["dims"], case["activations"], dtype)
    optimizer = torch.optim.SGD(net.parameters(), **case["optimizer"])
    options = case["gradient"]
    losses, norms = [], []
    start = 0
    for _ in range(STEPS):
        rows = slice(start, min(start + case["batch"], case["samples"]))
        start = 0 if rows.stop == case["samples"] else rows.stop
        optimizer.zero_grad()
        loss = common.loss_of("cross_entropy", net(x[rows]), y[rows])
        penalty = sum(parameter.abs().sum() for parameter in net.parameters())
        (loss + options["l1"] * penalty).backward()
        if options["clip_value"] is not None:
            torch.nn.utils.clip_grad_value_(net.parameters(), options["clip_value"])
        limit = float("inf") if options["clip_norm"] is None else options["clip_norm"]
        norms.append(torch.nn.utils.clip_grad_norm_(net.parameters(), limit).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


def solved(case, images, labels):
    """The case with what PyTorch makes of it."""
    exact, norms = train(case, images, labels, torch.float64)
    single, _ = train(case, images, labels, torch.float32)
    deviation = max(abs(a - b) / b for a, b in zip(single, exact))
    limit = case["gradient"]["clip_norm"]
    clipped = "" if limit is None else f", clipped {sum(norm > limit for norm in norms)} times"
    print(f"{case['name']}: {exact[0]:.4f} .. {exact[-1]:.4f}, float32 {deviation:.1e}{clipped}")
    return case | {
        "loss": "cross_entropy",
        "float32_deviation": common.rounded(deviation, 2),
        "losses": common.rounded(exact, 9),
        "norms": common.rounded(norms, 9),
    }


def main():
    torch.set_num_threads(1)
    images, labels = first_steps.made_up_data()
    header = {"data": {"byte_fingerprint": common.fingerprint(images)}}
    cases = [solved(case, images, labels) for case in CASES]
    common.write(common.golden_path("clipping.json"), "clipping.py", header, cases)


if __name__ == "__main__":
    main()
