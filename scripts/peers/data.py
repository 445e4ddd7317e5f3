"""MNIST for the peers: IDX files to arrays, normalised once, in memory."""

import gzip
import pathlib

import numpy


def idx(path):
    """The bytes of an IDX file behind its header, and its dimensions."""
    raw = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    rank = raw[3]
    dimensions = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return numpy.frombuffer(raw, numpy.uint8, offset=4 + 4 * rank).reshape(dimensions)


def train_split(folder):
    """Images [60000, 784] as float32 and labels [60000] as int64."""
    folder = pathlib.Path(folder)
    folder = folder / "mnist" if (folder / "mnist").is_dir() else folder
    find = lambda stem: next(path for path in sorted(folder.glob(stem + "*")))
    images, labels = idx(find("train-images-idx3")), idx(find("train-labels-idx1"))
    x = (images.reshape(len(images), -1).astype(numpy.float32) / 255 - 0.1307) / 0.3081
    return x, labels.astype(numpy.int64)
