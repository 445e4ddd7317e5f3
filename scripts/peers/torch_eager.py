"""The training loop of fallline's recipes in eager PyTorch.

    torch_eager.py --data DIR --widths 784,128,10 --batch 64 --threads 2 --epochs 4

Prints a JSON list of samples/s, one for each epoch. Data is in memory as floats, and batches are
contiguous slices, unshuffled: kinder than what fallline does.
"""

import argparse
import json
import time

import torch

from data import train_split


def main():
    parser = argparse.ArgumentParser()
    for name, kind in [("data", str), ("widths", str), ("batch", int), ("threads", int), ("epochs", int)]:
        parser.add_argument("--" + name, type=kind, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    x, y = (torch.from_numpy(part) for part in train_split(options.data))
    widths = [int(width) for width in options.widths.split(",")]
    layers = []
    for before, after in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_of = torch.nn.CrossEntropyLoss()
    rates = []
    for _ in range(options.epochs):
        begun, total = time.perf_counter(), 0.0
        for first in range(0, len(x), options.batch):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(x[first : first + options.batch]), y[first : first + options.batch])
            loss.backward()
            optimizer.step()
            total += loss.item()
        rates.append(len(x) / (time.perf_counter() - begun))
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
