#!/usr/bin/env python3
"""Whether searches find what they should, against trainings with seeds that no search has seen.

    cargo build --release
    scripts/check_search.py rates [RECIPE|TABLE...] [--data DIR]   # the range test's rate beside a grid of 20 rates
    scripts/check_search.py methods [--seeds N]   # Hyperband and Parzen estimators beside random search with thrice the budget
    scripts/check_search.py packing               # the processor time of trials side by side beside that of trials alone

`rates` trains each rate of the grid once, and the best five of them and the suggested rate from five fresh seeds, at their own
number of epochs; with --all, every rate of the grid from five seeds. `packing` measures times: nothing else may run meanwhile.
The exit code is 1 if a target is missed.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "target/release/fallline"
# Trainings run side by side, each on one thread: their results do not depend on it.
WORKERS = os.cpu_count() or 1
# Seeds of trainings that judge; searches train from the recipes' own.
FRESH = range(101, 106)

RATES = ["mnist-mlp", "mnist-lenet5"]
GRID, FINALISTS, RATE_MARGIN = 20, 5, 0.002

METHOD_RECIPE, BUDGET, METHOD_MARGIN = "digits-mlp", 60, 0.001
KEYS = [
    "optimizer.learning_rate=1e-5..1:log",
    "train.batch=32,64,128,256,512",
    "model.layers.0.units=8..256:log",
    "optimizer.weight_decay=1e-6..1e-1:log",
]

PACKED_TRIALS, PACKED_MARGIN, ROUNDS = 64, 1.1, 5


def fallline(*arguments):
    """Runs the program; whether it went well (a training that diverges has exit code 4)."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 4):
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return done.returncode == 0


def search(recipe, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "search.json"
        fallline("search", recipe, *arguments, "--json", path)
        return json.loads(path.read_text())


def accuracy(recipe, seed, options):
    """The test accuracy of a training, 0 if it has diverged."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "run.json"
        options = ["--threads", 1, "--quiet", "--set", f"train.seed={seed}", *options, "--json", path]
        if not fallline("train", recipe, *options):
            return 0.0
        return json.loads(path.read_text())["test"]["accuracy"]


def accuracies(jobs):
    """The accuracies of jobs (recipe, seed, options), in their order, side by side."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda job: accuracy(*job), jobs))


def check_rate(recipe, options, every):
    test = search(recipe, "--method", "range-test", *options)["range_test"]
    suggestion = test["suggestion"]
    # Around the rate that the test begins with, which is a thousandth of the recipe's.
    middle = test["points"][0]["rate"] * 1000
    grid = [middle * 10 ** (4 * index / (GRID - 1) - 2) for index in range(GRID)]
    rated = lambda rate: ["--set", f"optimizer.learning_rate={rate:.6g}", *options]
    if every:
        finalists = grid
    else:
        first = accuracies([(recipe, FRESH[0], rated(rate)) for rate in grid])
        finalists = sorted(grid, key=lambda rate: -first[grid.index(rate)])[:FINALISTS]
    asked = [suggestion, *finalists]
    found = accuracies([(recipe, seed, rated(rate)) for rate in asked for seed in FRESH])
    means = [statistics.mean(found[at : at + len(FRESH)]) for at in range(0, len(found), len(FRESH))]
    best = max(range(len(finalists)), key=lambda index: means[index + 1])
    behind = means[best + 1] - means[0]
    verdict = "ok" if behind <= RATE_MARGIN else "MISSED"
    print(
        f"{pathlib.Path(recipe).stem}: suggested {suggestion:.3g}: {means[0]:.2%}; best of the grid {finalists[best]:.3g}: "
        f"{means[best + 1]:.2%}; behind by {100 * behind:.2f} points: {verdict}",
        flush=True,
    )
    return behind <= RATE_MARGIN


def winner_accuracy(searched):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "best.toml"
        path.write_text(searched["winner"])
        return statistics.mean(accuracies([(path, seed, []) for seed in FRESH]))


def check_methods(seeds):
    over = [word for key in KEYS for word in ("--over", key)]
    reached = {}
    for method, trials in (("hyperband", BUDGET), ("tpe", BUDGET), ("random", 3 * BUDGET)):
        name = f"{method}, {trials} trainings"
        found = []
        for seed in range(1, seeds + 1):
            record = search(METHOD_RECIPE, "--method", method, "--trials", trials, "--seed", seed, *over)
            found.append(winner_accuracy(record))
        reached[name] = statistics.mean(found)
        each = " ".join(f"{100 * value:.2f}" for value in found)
        print(f"{name}: {reached[name]:.3%} (each: {each})", flush=True)
    bar = reached[f"random, {3 * BUDGET} trainings"] - METHOD_MARGIN
    missed = [name for name, mean in reached.items() if not name.startswith("random") and mean < bar]
    print("missed by " + "; ".join(missed) if missed else "both are as good as random search with thrice the budget")
    return not missed


def processor_seconds(threads):
    over = ["--over", "optimizer.learning_rate=1e-4..1e-2:log", "--over", "train.batch=32,64,128"]
    arguments = ["search", METHOD_RECIPE, "--trials", PACKED_TRIALS, *over, "--threads", threads]
    before = os.times()
    fallline(*arguments)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def check_packing():
    ratios = []
    for _ in range(ROUNDS):
        alone, packed = processor_seconds(1), processor_seconds(WORKERS)
        ratios.append(packed / alone)
        print(f"{PACKED_TRIALS} trials: alone {alone:.1f} s, {WORKERS} side by side {packed:.1f} s: {ratios[-1]:.3f}", flush=True)
    ratio = statistics.median(ratios)
    print(f"median {ratio:.3f}: {'ok' if ratio <= PACKED_MARGIN else 'MISSED'}")
    return ratio <= PACKED_MARGIN


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=["rates", "methods", "packing"])
    parser.add_argument("recipes", nargs="*")
    parser.add_argument("--data")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    options = ["--data", arguments.data] if arguments.data else []
    options += [word for change in arguments.set for word in ("--set", change)]
    if arguments.check == "rates":
        fine = all([check_rate(recipe, options, arguments.all) for recipe in arguments.recipes or RATES])
    elif arguments.check == "methods":
        fine = check_methods(arguments.seeds)
    else:
        fine = check_packing()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
