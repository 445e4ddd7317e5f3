#!/usr/bin/env python3
"""fallline beside PyTorch and JAX, interleaved: each round runs every program once.

    scripts/peers/compare.py --data DIR [--python PYTHON] [--recipe mnist-mlp] [--batches 64,1024]
                             [--threads 2] [--rounds 5] [--epochs 4]

PYTHON is one that has scripts/peers/requirements.txt installed: the argument, else
$FALLLINE_PEERS_PYTHON, else .venv/bin/python. A peer that is not installed is reported and left out.
Each run trains for some epochs, of which the first is not counted; quoted is the median over all
counted epochs of all rounds, and the ratio of medians.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WIDTHS = {
    "mnist-mlp": "784,128,10",
    "mnist-mlp-512": "784,512,512,10",
    "mnist-mlp-2048": "784,2048,2048,2048,10",
}


def ours(options, batch):
    """Samples/s of each epoch of `fallline train`."""
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "run.json"
        command = [ROOT / "target/release/fallline", "train", options.recipe, "--data", options.data, "--quiet"]
        command += ["--optimizer", "adam", "--lr", "1e-4"]
        command += ["--batch", batch, "--threads", options.threads, "--epochs", options.epochs, "--json", record]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
        return [epoch["samples_per_second"] for epoch in json.loads(record.read_text())["epochs"]]


def peer(script, options, batch):
    """Samples/s of each epoch of a peer, or None if it does not run."""
    command = [options.python, HERE / script, "--data", options.data, "--widths", WIDTHS[options.recipe]]
    command += ["--batch", batch, "--threads", options.threads, "--epochs", options.epochs]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if run.returncode != 0:
        print(f"{script}: left out: {(run.stderr.strip().splitlines() or ['failed'])[-1]}")
        return None
    return json.loads(run.stdout)


def main():
    default = os.environ.get("FALLLINE_PEERS_PYTHON", str(ROOT / ".venv/bin/python"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--python", default=default)
    parser.add_argument("--recipe", default="mnist-mlp", choices=WIDTHS)
    parser.add_argument("--batches", default="64,1024")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    programs = {
        "fallline": ours,
        "PyTorch eager": lambda *case: peer("torch_eager.py", *case),
        "JAX scan": lambda *case: peer("jax_scan.py", *case),
    }
    batches = [int(batch) for batch in options.batches.split(",")]
    rates = {(name, batch): [] for batch in batches for name in programs}
    for _ in range(options.rounds):
        for batch in batches:
            for name, program in list(programs.items()):
                found = program(options, batch)
                if found is None:
                    del programs[name]
                else:
                    rates[name, batch] += found[1:]
    for batch in batches:
        base = statistics.median(rates["fallline", batch])
        for name in programs:
            rate = statistics.median(rates[name, batch])
            print(f"{options.recipe}, Adam, batch {batch}: {name:14} {rate:10,.0f} samples/s, fallline {base / rate:.2f} x")


if __name__ == "__main__":
    main()
