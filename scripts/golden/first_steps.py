"""Losses of the first 100 training steps by PyTorch, on made-up data and, with --mnist, on MNIST.

    python scripts/golden/first_steps.py [--mnist DIR]

writes tests/golden/first_steps.json, and tests/golden/first_steps_mnist.json when DIR holds MNIST's
training files (train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz).

Losses are computed in float64 from inputs and initial weights that are exactly f32. The same run in
float32 gives `float32_deviation`, the largest relative difference of any of the 100 losses: what a
correct f32 implementation can be expected to stay near.
"""

import argparse
import gzip
import os
import struct

import numpy as np
import torch

import common

STEPS = 100
CLASSES = 10
PIXELS = 784
SAMPLES = 6400
# Of 100 pixels of a sample, how many show its class; the others are on or off by chance.
FAITHFUL = 10

OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}

RELU = {"dims": [PIXELS, 128, CLASSES], "activations": ["relu"], "samples": SAMPLES, "batch": 64}
# 120 samples in batches of 50, 50, 20, over and over: the short batch counts as its own mean.
SMOOTH = {"dims": [PIXELS, 64, 48, CLASSES], "activations": ["tanh", "sigmoid"], "samples": 120, "batch": 50}
# Options are named as torch.optim names them.
MOMENTUM = {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": False}
NESTEROV = {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True}
ADAM = {"name": "adam", "lr": 0.001, "betas": [0.9, 0.999], "eps": 1e-8}

RELU_CASES = [
    {"name": "relu_momentum", **RELU, "loss": "cross_entropy", "optimizer": MOMENTUM},
    {"name": "relu_nesterov", **RELU, "loss": "cross_entropy", "optimizer": NESTEROV},
    {"name": "relu_adam", **RELU, "loss": "cross_entropy", "optimizer": ADAM},
]
SMOOTH_CASES = [
    {"name": "smooth_adam", **SMOOTH, "loss": "cross_entropy", "optimizer": ADAM},
    # Momentum, because Adam would hide a wrong scale of the gradient.
    {"name": "smooth_squared_error", **SMOOTH, "loss": "mean_squared_error", "optimizer": MOMENTUM | {"lr": 0.5}},
]


def made_up_data():
    """Bytes [SAMPLES, PIXELS] and labels [SAMPLES]: noisy pictures of ten random prototypes."""
    on = common.splitmix64(common.PROTOTYPES, CLASSES * PIXELS) % np.uint64(100) < 20
    prototypes = on.reshape(CLASSES, PIXELS)
    labels = common.labels(SAMPLES, CLASSES)
    z = common.splitmix64(common.PIXELS, SAMPLES * PIXELS).reshape(SAMPLES, PIXELS)
    faithful = z % np.uint64(100) < FAITHFUL
    chance = (z >> np.uint64(40)) % np.uint64(100) < 20
    on = np.where(faithful, prototypes[labels], chance)
    # A pixel that is on is 128 to 255, by the top seven bits.
    images = np.where(on, np.uint64(128) + (z >> np.uint64(57)), np.uint64(0)).astype(np.uint8)
    return images, labels


def read_idx(path, dimensions):
    """The bytes of a gzipped IDX file of unsigned bytes."""
    with gzip.open(path, "rb") as file:
        content = file.read()
    magic, *shape = struct.unpack(f">{1 + dimensions}I", content[: 4 * (1 + dimensions)])
    if magic != 0x0800 + dimensions:
        raise ValueError(f"{path}: magic {magic:#x}, expected {0x0800 + dimensions:#x}")
    return np.frombuffer(content, np.uint8, offset=4 * (1 + dimensions)).reshape(shape)


def mnist(folder):
    """The first SAMPLES training images [SAMPLES, PIXELS] and labels, in the order of the file."""
    images = read_idx(os.path.join(folder, "train-images-idx3-ubyte.gz"), 3)[:SAMPLES]
    labels = read_idx(os.path.join(folder, "train-labels-idx1-ubyte.gz"), 1)[:SAMPLES]
    return images.reshape(SAMPLES, PIXELS), labels.astype(np.int64)


def train(case, images, labels, dtype):
    """The loss of each step, on the step's batch before the step's update."""
    # One f32 product per byte, then widened without change when dtype is float64.
    x = images[: case["samples"]].astype(np.float32) * (np.float32(1) / np.float32(255))
    x = torch.from_numpy(x).to(dtype)
    y = torch.from_numpy(labels[: case["samples"]])
    net = common.network(case["dims"], case["activations"], dtype)
    options = dict(case["optimizer"])
    optimizer = OPTIMIZERS[options.pop("name")](net.parameters(), **options)
    losses = []
    start = 0
    for _ in range(STEPS):
        rows = slice(start, min(start + case["batch"], case["samples"]))
        start = 0 if rows.stop == case["samples"] else rows.stop
        optimizer.zero_grad()
        loss = common.loss_of(case["loss"], net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def solved(case, images, labels):
    """The case with what PyTorch makes of it."""
    exact = train(case, images, labels, torch.float64)
    single = train(case, images, labels, torch.float32)
    deviation = max(abs(a - b) / b for a, b in zip(single, exact))
    print(f"{case['name']}: {exact[0]:.4f} .. {exact[-1]:.4f}, least {min(exact):.4f}, float32 {deviation:.1e}")
    layers = list(enumerate(zip(case["dims"], case["dims"][1:])))
    return case | {
        "weight_fingerprints": [common.fingerprint(common.weights(i, out, n)) for i, (n, out) in layers],
        "bias_fingerprints": [common.fingerprint(common.biases(i, out)) for i, (_, out) in layers],
        "float32_deviation": common.rounded(deviation, 2),
        "losses": common.rounded(exact, 9),
    }


def write(name, cases, images, labels):
    header = {
        "data": {
            "byte_fingerprint": common.fingerprint(images),
            "label_fingerprint": common.fingerprint(labels),
            "first_labels": labels[:20].tolist(),
        }
    }
    solutions = [solved(case, images, labels) for case in cases]
    common.write(common.golden_path(name), "first_steps.py", header, solutions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", metavar="DIR", help="folder of MNIST's training files")
    folder = parser.parse_args().mnist
    # One thread: float32 sums then come in the same order on every machine with the same kernels.
    torch.set_num_threads(1)
    write("first_steps.json", RELU_CASES + SMOOTH_CASES, *made_up_data())
    if folder:
        write("first_steps_mnist.json", RELU_CASES, *mnist(folder))


if __name__ == "__main__":
    main()
