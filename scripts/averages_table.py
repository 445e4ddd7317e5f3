#!/usr/bin/env python3
"""Trains with averages of the parameters and without, for docs/training.md.

    scripts/averages_table.py --data DIR [--seeds 5] [--epochs 10] [--threads N] > table.md

`mnist-mlp` with each rule of RULES and each average of AVERAGES. Writes a table in Markdown: mean and
standard deviation of the test accuracy over the seeds, and the mean test loss. Exits with 2 if a run fails.
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

# Name -> what is set.
RULES = {
    "`adam`": [],
    "`momentum`, 0.05": ["optimizer.name=momentum", "optimizer.learning_rate=0.05"],
}
AVERAGES = {
    "none": [],
    "`ema`": ["average.method=ema"],
    "`swa`": ["average.method=swa"],
    "Lookahead": ["lookahead.steps=5", "lookahead.alpha=0.5"],
    "Lookahead and `ema`": ["lookahead.steps=5", "lookahead.alpha=0.5", "average.method=ema"],
}


def test(settings, seed, options):
    """The test accuracy and loss of a run."""
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "run.json"
        command = [BINARY, "train", "mnist-mlp", "--seed", str(seed), "--epochs", str(options.epochs)]
        command += [f"--set={setting}" for setting in settings]
        if options.threads:
            command += ["--threads", str(options.threads)]
        run = subprocess.run([*command, "--data", options.data, "--quiet", "--json", record], stdout=subprocess.DEVNULL)
        if run.returncode != 0:
            sys.exit(2)
        result = json.loads(record.read_text())["test"]
        return 100 * result["accuracy"], result["loss"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    # Of no effect on the results.
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    print("| rule | average | test accuracy, % | test loss |\n|---|---|---|---|")
    for rule, rule_settings in RULES.items():
        for average, settings in AVERAGES.items():
            runs = [test(rule_settings + settings, seed, options) for seed in range(1, options.seeds + 1)]
            accuracies, losses = zip(*runs)
            mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
            print(f"| {rule} | {average} | {mean:.2f} ± {deviation:.2f} | {statistics.mean(losses):.4f} |", flush=True)


if __name__ == "__main__":
    main()
