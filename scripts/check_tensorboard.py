#!/usr/bin/env python3
"""Reads what `fallline train --tensorboard` writes with TensorBoard's own reader.

Trains two small runs into one folder and compares every scalar with the runs' JSON: the figures of
each epoch, those of the test, and the losses of the steps with the mean that the epoch reports.

    python3 scripts/check_tensorboard.py [--fallline target/release/fallline] [--self-test]

`--self-test` breaks bytes of an event file and figures of the JSON, and sees each noticed.

Needs the package `tensorboard`; tried with 2.21.0.
"""

import argparse
import copy
import json
import logging
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SAMPLES, BATCH, EPOCHS = 1000, 64, 3
# The reader takes a broken record for the end of the file and warns of it.
logging.getLogger("tensorboard").setLevel(logging.ERROR)


def train(fallline, folder, optimizer):
    """Trains a run into `folder`/logs; gives its record."""
    result = folder / f"{optimizer}.json"
    command = [fallline, "train", "digits-mlp", "--quiet", "--seed", "3", "--optimizer", optimizer]
    command += [f"--epochs={EPOCHS}", f"--batch={BATCH}", f"--set=data.train_samples={SAMPLES}"]
    command += ["--set=data.test_samples=200", f"--json={result}", f"--tensorboard={folder / 'logs'}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads(result.read_text())


def read(run):
    """{tag: [(step, value, wall time)]} of a run's folder."""
    accumulator = EventAccumulator(str(run), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {
        tag: [(event.step, event.value, event.wall_time) for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def expected(record):
    """{tag: [(step, value)]} that the record says, the losses of steps left out."""
    keys = {
        "train/loss": "train_loss",
        "train/accuracy": "train_accuracy",
        "validation/loss": "validation_loss",
        "validation/accuracy": "validation_accuracy",
        "learning_rate": "learning_rate",
        "samples_per_second": "samples_per_second",
    }
    scalars = {}
    for tag, key in keys.items():
        values = [(epoch["epoch"], epoch[key]) for epoch in record["epochs"] if epoch.get(key) is not None]
        if values:
            scalars[tag] = values
    for epoch in record["epochs"]:
        for layer in epoch["layers"]:
            for tag, key in (("gradient", "gradient"), ("update", "update"), ("parameter", "parameters")):
                scalars.setdefault(f"{tag}_norm/{layer['layer']}", []).append((epoch["epoch"], layer[key]))
    for key in ("loss", "accuracy"):
        scalars[f"test/{key}"] = [(len(record["epochs"]), record["test"][key])]
    return scalars


def compare(run, record, since):
    """The differences, as lines of text, and how many numbers were compared."""
    found, wanted = read(run), expected(record)
    steps = found.pop("train/step_loss", [])
    differences = []
    if sorted(found) != sorted(wanted):
        differences.append(f"tags {sorted(found)}, expected {sorted(wanted)}")
    for tag, values in wanted.items():
        # Event files hold 32 bits of a number.
        values = [(step, float(numpy.float32(value))) for step, value in values]
        if [(step, value) for step, value, _ in found.get(tag, [])] != values:
            differences.append(f"{tag}: {found.get(tag)}, expected {values}")
    per_epoch = math.ceil(SAMPLES / BATCH)
    sizes = [min(BATCH, SAMPLES - BATCH * index) for index in range(per_epoch)]
    if [step for step, _, _ in steps] != list(range(1, EPOCHS * per_epoch + 1)):
        differences.append(f"train/step_loss: {len(steps)} steps, expected {EPOCHS * per_epoch} from 1 on")
    else:
        for index, epoch in enumerate(record["epochs"]):
            losses = [value for _, value, _ in steps[index * per_epoch : (index + 1) * per_epoch]]
            mean = sum(loss * size for loss, size in zip(losses, sizes)) / SAMPLES
            if not math.isclose(mean, epoch["train_loss"], rel_tol=1e-6):
                differences.append(f"train/step_loss: mean {mean}, expected {epoch['train_loss']}")
    times = [wall for values in [steps, *found.values()] for _, _, wall in values]
    if any(not since - 1 <= wall <= time.time() + 1 for wall in times):
        differences.append("a wall time outside of the run")
    return differences, len(times)


def self_test(run, record, since):
    """Each broken byte and each changed figure is noticed."""
    (path,) = run.iterdir()
    whole = path.read_bytes()
    # The bytes of the first records, where all parts of one are, and some everywhere else.
    places = [*range(150), *range(150, len(whole), 97), len(whole) - 1]
    for place in places:
        broken = bytearray(whole)
        broken[place] ^= 1 << place % 8
        path.write_bytes(broken)
        assert compare(run, record, since)[0], f"a broken byte at {place} goes unnoticed"
    path.write_bytes(whole[:-1])
    assert compare(run, record, since)[0], "a missing byte goes unnoticed"
    path.write_bytes(whole)
    changes = 0
    for epoch in range(EPOCHS):
        for key in ("epoch", "train_loss", "train_accuracy", "learning_rate", "samples_per_second"):
            changed = copy.deepcopy(record)
            changed["epochs"][epoch][key] *= 1.001
            assert compare(run, changed, since)[0], f"another {key} in epoch {epoch} goes unnoticed"
            changes += 1
        for key in ("gradient", "update", "parameters"):
            changed = copy.deepcopy(record)
            changed["epochs"][epoch]["layers"][0][key] *= 1.001
            assert compare(run, changed, since)[0], f"another norm: {key} in epoch {epoch} goes unnoticed"
            changes += 1
    for key in ("loss", "accuracy"):
        changed = copy.deepcopy(record)
        changed["test"][key] *= 1.001
        assert compare(run, changed, since)[0], f"another test {key} goes unnoticed"
        changes += 1
    assert compare(run, record, time.time() + 10)[0], "wrong times go unnoticed"
    assert not compare(run, record, since)[0]
    print(f"self-test: {len(places)} broken bytes and {changes} changed figures are noticed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fallline", default="target/release/fallline", help="the program")
    parser.add_argument("--self-test", action="store_true", help="see that the check can fail")
    arguments = parser.parse_args()
    since = time.time()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        records = {name: train(arguments.fallline, folder, name) for name in ("adam", "nesterov")}
        runs = {f"digits-mlp-{name}-seed3": record for name, record in records.items()}
        names = sorted(path.name for path in (folder / "logs").iterdir())
        assert names == sorted(runs), names
        if arguments.self_test:
            name, record = next(iter(runs.items()))
            return self_test(folder / "logs" / name, record, since)
        failed = False
        for name, record in runs.items():
            differences, numbers = compare(folder / "logs" / name, record, since)
            failed |= bool(differences)
            print("\n".join(f"{name}: {line}" for line in differences) or f"{name}: {numbers} scalars agree")
        sys.exit(failed)


if __name__ == "__main__":
    main()
