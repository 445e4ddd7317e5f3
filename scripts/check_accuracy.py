#!/usr/bin/env python3
"""Trains a recipe with several seeds and checks its test accuracy against a floor.

    scripts/check_accuracy.py RECIPE --data DIR [--seeds 5] [--each 0.973] [--mean 0.976]

The test split is evaluated once a run, after training. Prints one line a seed; exits with 1 if a
floor is missed and with 2 if a run fails.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "target" / "release" / "fallline"


def accuracy(recipe, seed, data):
    """The test accuracy and training time of one run."""
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "run.json"
        command = [BINARY, "train", recipe, "--seed", str(seed), "--quiet", "--json", record]
        if data:
            command += ["--data", data]
        run = subprocess.run(command, stdout=subprocess.DEVNULL)
        if run.returncode != 0:
            sys.exit(2)
        run = json.loads(record.read_text())
    return run["test"]["accuracy"], run["train_seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--data")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--each", type=float, default=0.0)
    parser.add_argument("--mean", type=float, default=0.0)
    options = parser.parse_args()
    accuracies = []
    for seed in range(1, options.seeds + 1):
        found, seconds = accuracy(options.recipe, seed, options.data)
        print(f"{options.recipe} seed {seed}: {100 * found:.2f} % in {seconds:.2f} s", flush=True)
        accuracies.append(found)
    mean, least = statistics.mean(accuracies), min(accuracies)
    good = least >= options.each and mean >= options.mean
    print(
        f"{options.recipe}: mean {100 * mean:.2f} % (floor {100 * options.mean:.2f}), "
        f"least {100 * least:.2f} % (floor {100 * options.each:.2f}): {'met' if good else 'MISSED'}"
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
