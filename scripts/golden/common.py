"""What the golden scripts share: the number generator, initial values, and how a file is written.

Everything a golden file was computed from can be made again from small integers, so that the tests
need no file of inputs. The Rust twin of the generator is tests/common/splitmix.rs; its fingerprints
must equal those written here.
"""

import json
import os
import platform

import numpy as np
import torch

# Seeds, one for each tensor. Layer i (from 0) has weights WEIGHTS + i and biases BIASES + i.
PROTOTYPES, LABELS, PIXELS = 1, 2, 3
WEIGHTS, BIASES = 100, 200
INPUTS = 300
PARAMETERS, GRADIENTS = 400, 401


def splitmix64(seed, count):
    """The first `count` outputs of SplitMix64 (Steele, Lea, Flood 2014) from this state, as u64."""
    # Output i (from 1) depends on state seed + i * golden gamma only; u64 arithmetic wraps.
    z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(seed, count):
    """f32 in [-1, 1): the top 24 bits of each output, times 2^-23, minus 1. Every step is exact."""
    return (splitmix64(seed, count) >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)


def weights(layer, out, fan_in):
    """f32 [out, fan_in], row-major: uniform * bound, rounded once.

    bound = sqrt(6 / fan_in) in f32: the quotient is rounded to f32, then its root is."""
    bound = np.sqrt(np.float32(6) / np.float32(fan_in))
    return (uniform(WEIGHTS + layer, out * fan_in) * bound).reshape(out, fan_in)


def biases(layer, out):
    """f32 [out]: uniform * 0.1, the 0.1 being f32's nearest, the product rounded once."""
    return uniform(BIASES + layer, out) * np.float32(0.1)


def labels(count, classes):
    """Class numbers: SplitMix64 modulo the number of classes."""
    return (splitmix64(LABELS, count) % np.uint64(classes)).astype(np.int64)


def fingerprint(values):
    """The u64 sum, wrapping, of (place + 1) * value over all values in row-major order, place from 0;
    the value is an integer itself, or the bit pattern of an f32. Other values or another order show."""
    values = values.reshape(-1)
    bits = values.view(np.uint32) if values.dtype == np.float32 else values
    places = np.arange(1, bits.size + 1, dtype=np.uint64)
    return int((places * bits.astype(np.uint64)).sum(dtype=np.uint64))


# Name in the golden files -> activation of PyTorch.
ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "leaky_relu": lambda: torch.nn.LeakyReLU(0.01),
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "gelu": lambda: torch.nn.GELU(approximate="none"),
    "silu": torch.nn.SiLU,
    "softplus": torch.nn.Softplus,
    "elu": lambda: torch.nn.ELU(alpha=1.0),
    "mish": torch.nn.Mish,
    "hard_swish": torch.nn.Hardswish,
}


def network(dims, activations, dtype):
    """Dense layers dims[0]-dims[1]-..., an activation after each but the last; initial values as above,
    widened without change when dtype is float64."""
    modules = []
    for layer, (fan_in, out) in enumerate(zip(dims, dims[1:])):
        dense = torch.nn.Linear(fan_in, out, dtype=dtype)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(weights(layer, out, fan_in)))
            dense.bias.copy_(torch.from_numpy(biases(layer, out)))
        modules.append(dense)
        if layer < len(activations):
            modules.append(ACTIVATIONS[activations[layer]]())
    return torch.nn.Sequential(*modules)


def loss_of(name, logits, target):
    """Mean over the batch of softmax cross-entropy, or mean over all elements of the squared error
    against one-hot targets."""
    if name == "cross_entropy":
        return torch.nn.functional.cross_entropy(logits, target)
    if name == "mean_squared_error":
        one_hot = torch.nn.functional.one_hot(target, logits.shape[1]).to(logits.dtype)
        return torch.nn.functional.mse_loss(logits, one_hot)
    raise ValueError(f"no loss is called {name}")


def rounded(values, digits):
    """Nested lists of plain floats with this many significant digits, for a tensor or a number."""
    values = values.tolist() if isinstance(values, torch.Tensor) else values
    if isinstance(values, list):
        return [rounded(value, digits) for value in values]
    return float(f"{values:.{digits}g}")


def write(path, script, header, cases):
    """Writes a golden file: the header's entries and the cases, one a line."""
    head = {
        "made_by": f"scripts/golden/{script}",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    compact = lambda value: json.dumps(value, separators=(",", ":"), allow_nan=False)
    lines = [f'"{key}":{compact(value)},' for key, value in (head | header).items()]
    body = ",\n".join(compact(case) for case in cases)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("{\n" + "\n".join(lines) + '\n"cases":[\n' + body + "\n]}\n")
    print(f"{path}: {len(cases)} cases, {os.path.getsize(path)} bytes")


GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")


def golden_path(name):
    """The path of a golden file of this repository."""
    return os.path.normpath(os.path.join(GOLDEN, name))
