"""What the peers share: samples and initial weights as arrays.

Samples are normalised once and kept as floats, batch after batch in contiguous memory, unshuffled:
kinder to the peers than what fallline does, which gathers and converts shuffled bytes in every step.
"""

import json
import pathlib

import numpy

# Element types of the IDX format that fallline writes.
TYPES = {0x08: numpy.dtype("u1"), 0x0C: numpy.dtype(">i4"), 0x0D: numpy.dtype(">f4")}
# The target of a position that does not count.
UNCOUNTED = -1
# Batches of windows that are kept. Of a long text in windows that overlap, all would take gigabytes.
MOST_WINDOWS = 1024


def idx(path):
    """The array of an IDX file."""
    raw = pathlib.Path(path).read_bytes()
    kind, rank = TYPES[raw[2]], raw[3]
    dimensions = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return numpy.frombuffer(raw, kind, offset=4 + 4 * rank).reshape(dimensions)


def batches(specification):
    """Images `[batches, batch, features]` as float32 and labels `[batches, batch]` as int64.

    Codes are int64, too. If positions have targets of their own, labels are `[batches, batch, positions]`, with
    UNCOUNTED where one does not count. A last short batch is left out: a scan needs equal ones, and
    torch.compile would compile twice.
    """
    images, labels = idx(specification["images"]), idx(specification["labels"])
    size, windows = specification["batch"], specification["windows"]
    samples = len(images) if windows is None else windows["samples"]
    count = samples // size
    if windows is not None:
        count = min(count, MOST_WINDOWS)
        images = windows_of(images, count * size, *windows["features"])
        if windows["targets"] is not None:
            labels = windows_of(labels, count * size, *windows["targets"])
    x = images[: count * size].reshape(count, size, -1)
    y = labels[: count * size].astype(numpy.int64).reshape(count, size, *labels.shape[1:])
    if reads_codes(specification):
        return x.astype(numpy.int64), y
    x = x.astype(numpy.float32)
    x *= numpy.float32(1 / (specification["scale"] * specification["deviation"]))
    x -= numpy.float32(specification["mean"] / specification["deviation"])
    return x, y


def windows_of(numbers, count, length, step):
    """The first windows `[count, length]`, each beginning `step` numbers behind the one before."""
    return numpy.lib.stride_tricks.sliding_window_view(numbers, length)[::step][:count]


def reads_codes(specification):
    """Whether the network begins with an embedding of codes."""
    network = specification["network"]
    return network is not None and network["modules"][0]["type"] == "embedding"


def initial_weights(specification):
    """Weights `[out, in]` and biases `[out]` of every layer, as float32: those of the safetensors
    file `initial`, or He's normal ones and zeros."""
    if specification["initial"] is not None:
        return saved_weights(specification["initial"])
    random, widths = numpy.random.default_rng(0), specification["widths"]
    return [
        (
            random.normal(0, (2 / before) ** 0.5, (after, before)).astype(numpy.float32),
            numpy.zeros(after, numpy.float32),
        )
        for before, after in zip(widths, widths[1:])
    ]


def saved_weights(path):
    """The pairs N.weight, N.bias of a safetensors file, by N."""
    tensors = saved_tensors(path)
    layers = sorted(int(name.split(".")[0]) for name in tensors if name.endswith(".weight"))
    return [(tensors[f"{layer}.weight"], tensors[f"{layer}.bias"]) for layer in layers]


def saved_tensors(path):
    """The arrays of a safetensors file by name: eight bytes with the length of the header, the header
    in JSON, the values."""
    raw = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    header.pop("__metadata__", None)

    def tensor(entry):
        begin, end = entry["data_offsets"]
        return numpy.frombuffer(raw[start + begin : start + end], "<f4").reshape(entry["shape"])

    return {name: tensor(entry) for name, entry in header.items()}
