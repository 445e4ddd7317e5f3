#!/usr/bin/env python3
"""Trains with every update rule at its default learning rate, for docs/optimizers.md.

    scripts/optimizers_table.py --data DIR [--seeds 1] [--floor 0.95] [NAME ...] > table.md

Mini-batch rules train `mnist-mlp` for 3 epochs of batches of 64. Rules for the full batch train it on
the first 10,000 samples, all in one batch, for 100 epochs. Writes a table in Markdown: rule, learning
rate, seconds of training and test accuracy, both medians over the seeds. Exits with 1 if a mini-batch
rule misses the floor, and with 2 if a run fails. For times to mean anything, nothing else may run.
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
RECIPE = "mnist-mlp"
FULL_BATCH_SAMPLES = 10_000
MINI_BATCH = ["--epochs", "3", "--batch", "64"]
FULL_BATCH = [
    "--epochs", "100", "--batch", "all",
    "--set", f"data.train_samples={FULL_BATCH_SAMPLES}",
]  # fmt: skip


def rules():
    """Name -> whether the rule is for the full batch and its learning rate, as the program lists them."""
    listed = subprocess.run([BINARY, "optimizers"], capture_output=True, text=True, check=True).stdout
    found, name = {}, None
    for line in listed.splitlines():
        if line and not line.startswith(" "):
            name = line
            found[name] = [False, None]
        elif line.startswith("  For the full batch"):
            found[name][0] = True
        elif line.startswith("  learning_rate "):
            found[name][1] = float(line.split()[1])
    return found


def trained(name, length, seed, data):
    """The record of one run."""
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "run.json"
        command = [BINARY, "train", RECIPE, "--optimizer", name, *length, "--seed", str(seed)]
        run = subprocess.run([*command, "--data", data, "--quiet", "--json", record], stdout=subprocess.DEVNULL)
        if run.returncode != 0:
            sys.exit(2)
        return json.loads(record.read_text())


def row(name, rate, length, options):
    """A line of the table, and the accuracy."""
    runs = [trained(name, length, seed, options.data) for seed in range(1, options.seeds + 1)]
    seconds = statistics.median(run["train_seconds"] for run in runs)
    accuracy = statistics.median(run["test"]["accuracy"] for run in runs)
    return f"| `{name}` | {rate:g} | {seconds:.2f} | {100 * accuracy:.2f} |", accuracy


def table(title, length, names, options):
    """Prints a table; `names` are pairs of a name and its rate. Returns the names of the rules below the floor."""
    print(f"{title}\n\n| rule | learning rate | seconds | test accuracy, % |\n|---|---|---|---|")
    missed = []
    for name, rate in names:
        line, accuracy = row(name, rate, length, options)
        print(line, flush=True)
        if accuracy < options.floor:
            missed.append(name)
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--data", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--floor", type=float, default=0.95)
    options = parser.parse_args()
    known = rules()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no rule is called {', '.join(unknown)}; known: {', '.join(known)}")
    chosen = options.names or list(known)
    mini = [(name, known[name][1]) for name in chosen if not known[name][0]]
    full = [(name, known[name][1]) for name in chosen if known[name][0]]
    missed = []
    if mini:
        missed = table(f"`{RECIPE}`, 3 epochs, batches of 64:", MINI_BATCH, mini, options)
    if full:
        if mini:
            print()
        title = f"`{RECIPE}`, the first {FULL_BATCH_SAMPLES:,} samples as one batch, 100 steps:"
        # Another task, which the floor is not made for.
        table(title, FULL_BATCH, full, options)
    if missed:
        print(f"below {100 * options.floor:g} %: {', '.join(missed)}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
