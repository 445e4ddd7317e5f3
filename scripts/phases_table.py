#!/usr/bin/env python3
"""Where the time of a training step goes, as a table in Markdown on standard output.

    cargo build --release --example phases
    scripts/phases_table.py [ROUNDS] CASE...

A case is RECIPE:OPTIMIZER:BATCH:THREADS, and :ISA where it is not the best instruction set of the CPU. All
cases run in turn, ROUNDS (3) times; each figure is the median over the rounds of the mean over the workers, in
microseconds a step. Nothing else may run meanwhile.
"""

import collections
import pathlib
import re
import statistics
import subprocess
import sys

PROGRAM = pathlib.Path(__file__).parent.parent / "target/release/examples/phases"
PRODUCTS = ("forward", "input-gradient", "weight-gradient")
COLUMNS = ("step", "arithmetic", "products", "gather", "loss", "update", "waiting", "rest")


def run(case):
    """One run: microseconds a step by column."""
    output = subprocess.run([PROGRAM, *case.split(":")], check=True, capture_output=True, text=True).stdout
    times = collections.Counter()
    for column in ("step", "arithmetic"):
        times[column] = float(re.search(column + r" ([\d.]+) us", output)[1])
    workers = re.findall(r"waiting ([\d.]+) us", output)
    times["waiting"] = sum(map(float, workers)) / len(workers)
    for name, time in re.findall(r"^  (.*?) +layer (?:\d+|-) +([\d.]+) us", output, re.M):
        column = "products" if name in PRODUCTS else "update" if name == "derive" else name
        times[column] += float(time) / len(workers)
    times["rest"] = times["step"] - sum(times[column] for column in COLUMNS[2:-1])
    return times


def main():
    arguments = sys.argv[1:]
    rounds = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else 3
    if not arguments:
        sys.exit(__doc__)
    seen = collections.defaultdict(list)
    for _ in range(rounds):
        for case in arguments:
            seen[case].append(run(case))
    columns = ["recipe", "rule", "batch", "threads", "instructions"]
    columns = columns[: max(case.count(":") + 1 for case in seen)]
    header = [*columns, *COLUMNS, "arithmetic / step"]
    print("| " + " | ".join(header) + " |\n" + "|" + "---|" * len(header))
    for case, runs in seen.items():
        medians = {column: statistics.median(times[column] for times in runs) for column in COLUMNS}
        cells = case.split(":")
        cells += ["best"] * (len(columns) - len(cells))
        cells += [f"{medians[column]:.1f}" for column in COLUMNS]
        print("| " + " | ".join([*cells, f"{medians['arithmetic'] / medians['step']:.2f}"]) + " |")


if __name__ == "__main__":
    main()
