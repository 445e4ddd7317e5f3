#!/usr/bin/env python3
"""Whether a training that is killed at any moment, and goes on, comes to the bits of one that was not.

    cargo build --release
    scripts/check_kills.py [PROGRAM] [--kills 500] [--seed 1]

Trainings that write checkpoints often are killed (SIGKILL) at random moments and resumed, each time on 1 to 3 threads, until
they end; then they begin anew, until that many kills have met a running program. The SHA-256 of the parameters that each
training comes to must be that of the training without a kill, and no checkpoint may be found damaged. The exit code is 1 if
one is not.
"""

import argparse
import hashlib
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "target/release/fallline"

DIGITS = "[data]\nset = 'digits'\ntrain_samples = {samples}\ntest_samples = 20\n"
TRAIN = "[train]\nepochs = {epochs}\nbatch = {batch}\nseed = 3\n"

# A name, the recipe, and how often a checkpoint is written.
TRAININGS = [
    (
        "perceptron",
        "name = 'perceptron'\n"
        + DIGITS.format(samples=200)
        + "[model]\nlayers = [{ type = 'dense', units = 64, activation = 'relu' }, { type = 'dropout', rate = 0.2 },\n"
        + "{ type = 'dense', units = 10 }]\n[optimizer]\nname = 'adam'\n[schedule]\nname = 'cosine'\n"
        + TRAIN.format(epochs=12, batch=9),
        "1steps",
    ),
    (
        "lstm",
        "name = 'lstm'\n[data]\nset = 'adding'\nlength = 12\ntrain_samples = 300\ntest_samples = 50\n"
        + "[model]\nloss = 'mean-squared-error'\nlayers = [{ type = 'lstm', units = 16, returns = 'last' }, { type = 'dense', units = 1 }]\n"
        + "[optimizer]\nname = 'rmsprop'\n"
        + TRAIN.format(epochs=10, batch=16),
        "2steps",
    ),
    (
        "convolution",
        "name = 'convolution'\n"
        + DIGITS.format(samples=120)
        + "[model]\nlayers = [{ type = 'conv', channels = 4, kernel = 3 }, { type = 'batch-norm' },\n"
        + "{ type = 'max-pool', kernel = 2 }, { type = 'flatten' },\n"
        + "{ type = 'dense', units = 10 }]\n[optimizer]\nname = 'momentum'\n"
        + "[average]\nmethod = 'ema'\n"
        + TRAIN.format(epochs=6, batch=12),
        "1steps",
    ),
]


class Training:
    """One of the trainings, in a folder of its own."""

    def __init__(self, program, place, name, recipe, every):
        self.program, self.folder, self.name, self.every = program, place / name, name, every
        self.folder.mkdir()
        (self.folder / "recipe.toml").write_text(recipe)
        done = self.start("1", "--save=whole.safetensors")
        if done.wait() != 0:
            sys.exit(f"{name}: {self.said()}")
        self.parameters = sum_of(self.folder / "whole.safetensors")
        # With checkpoints it takes longer.
        started = time.monotonic()
        self.go_on("1").wait()
        self.seconds = time.monotonic() - started
        self.failures = self.end()

    def start(self, threads, *more):
        arguments = [self.program, "train", "recipe.toml", "--quiet", f"--threads={threads}", *more]
        with open(self.folder / "said", "w") as said:
            return subprocess.Popen(arguments, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=said)

    def go_on(self, threads):
        return self.start(
            threads, "--resume=kept", f"--checkpoint-every={self.every}", "--save=model.safetensors"
        )

    def said(self):
        return (self.folder / "said").read_text().strip()

    def run_to_a_kill(self, draw):
        """Lets it go on until a random moment; whether it was killed, and what is wrong."""
        running = self.go_on(str(draw.randint(1, 3)))
        # The earlier moments often, since a program that has just begun reads checkpoints, and all that come later.
        latest = self.seconds * draw.choice([0.1, 0.3, 1.0])
        try:
            code = running.wait(draw.uniform(0, latest))
        except subprocess.TimeoutExpired:
            running.kill()
            code = running.wait()
        said = self.said()
        wrong = [f"{self.name}: {said}"] if said or code not in (0, -9) else []
        return code == -9, wrong + (self.end() if code == 0 else [])

    def end(self):
        """What is wrong with what it came to; it may then begin anew."""
        wrong = []
        if sum_of(self.folder / "model.safetensors") != self.parameters:
            wrong.append(f"{self.name}: other parameters than those of the training without a kill")
        names = sorted(path.name for path in (self.folder / "kept").iterdir())
        # Whoever is killed between the last checkpoint and the removal of the one before leaves three, and nothing
        # more is written then.
        known = all(name == "lock" or name.startswith("checkpoint-") for name in names)
        if len(names) not in (3, 4) or not known:
            wrong.append(f"{self.name}: expected two or three checkpoints and a lock, found {', '.join(names)}")
        shutil.rmtree(self.folder / "kept")
        (self.folder / "model.safetensors").unlink()
        return wrong


def sum_of(path):
    """The SHA-256 of the parameters in a file of safetensors, which lie behind its header."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    json.loads(data[8 : 8 + length])
    return hashlib.sha256(data[8 + length :]).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", type=pathlib.Path, default=PROGRAM)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as place:
        program, place = arguments.program.resolve(), pathlib.Path(place)
        trainings = [Training(program, place, *training) for training in TRAININGS]
        failures = [failure for training in trainings for failure in training.failures]
        kills, ends = dict.fromkeys((training.name for training in trainings), 0), 0
        # Each has its share of the kills, and then goes on to its end.
        for number, training in enumerate(trainings):
            share = arguments.kills * (number + 1) // len(trainings) - arguments.kills * number // len(trainings)
            while kills[training.name] < share:
                was_killed, wrong = training.run_to_a_kill(draw)
                kills[training.name] += was_killed
                ends += not was_killed
                failures += wrong
            if training.go_on("2").wait() != 0:
                failures.append(f"{training.name}: {training.said()}")
            else:
                failures += training.end()
                ends += 1
            print(f"{training.name}: {kills[training.name]} kills", flush=True)
    for failure in failures:
        print(failure)
    print(f"{sum(kills.values())} kills, {ends} trainings that came to their end, {len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
