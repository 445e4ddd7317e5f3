#!/usr/bin/env python3
"""Whether profiles can be believed on this machine: their sums, roofs, coverage and cost, with the real clock.

    cargo build --release
    scripts/check_profile.py [CASE...]
    scripts/check_profile.py --slowed

A case is RECIPE:OPTIMIZER:BATCH:THREADS. For each, one profile of some seconds is made; a line tells the numbers, and what
is not as it should be is marked. The exit code is 1 if something is. Nothing else may run meanwhile.

With --slowed, single kernels are made slower by a known time (examples/slowed_kernel.rs), and each has to come out first,
and slower by that time.
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(__file__).parent.parent / "target/release/fallline"
CASES = [
    f"{recipe}:adam:{batch}:{threads}"
    for recipe in ("mnist-mlp", "mnist-lenet5", "mnist-cnn")
    for batch in (64, 256, 1024)
    for threads in (1, 2)
]
SECONDS = "4"
# Sites and what is uncovered make up the step.
SUM = 0.03
# From this batch on: how much may be uncovered, and what probes may cost.
FULL, UNCOVERED, OVERHEAD = 256, 0.03, 0.01
# The peak varies by as much from one measurement to the next.
ROOF = 1.05
# Operations and layers that are slowed down, each of them by this part of the step; how well that is found again. By
# one thread, which waits for no other.
SLOWED = [("forward", "0"), ("update", "1"), ("loss", "-")]
PART, FOUND, THREADS = 0.5, 0.1, 1


def profile(case, folder):
    recipe, optimizer, batch, threads = case.split(":")
    path = pathlib.Path(folder) / "profile.json"
    arguments = ["--optimizer", optimizer, "--batch", batch, "--threads", threads, "--seconds", SECONDS]
    command = [PROGRAM, "profile", recipe, *arguments, "--json", path]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads(path.read_text())


def faults(record):
    """What is not as it should be."""
    step = record["step_seconds"]
    covered = sum(site["seconds_per_step"] for site in record["sites"])
    found = []
    if abs((covered + record["uncovered"]) / step - 1) > SUM:
        found.append("sums do not agree with the step")
    for site in record["sites"]:
        if site.get("fraction_of_roof", 0) > ROOF:
            name = f"{site.get('layer', '')} {site['operation']}".strip()
            found.append(f"{name} at {site['fraction_of_roof']:.2f} of its {site['roof']} roof")
    if record["settings"]["batch"] >= FULL:
        if record["uncovered"] / step > UNCOVERED:
            found.append("too much is uncovered")
        # A machine that others use shows a difference by chance: it counts if the whole interval is above.
        low, _ = record.get("overhead_interval", [-math.inf, math.inf])
        if low > OVERHEAD:
            found.append("probes cost too much")
    return found


def cost(record):
    """What the probes cost, with its interval."""
    low, high = record.get("overhead_interval", [-math.inf, math.inf])
    return f"{100 * record['overhead']:+5.2f} % ({100 * low:+.2f} to {100 * high:+.2f})"


def slowed():
    """Slows kernels down; whether each is found."""
    root = PROGRAM.parent.parent.parent
    build = ["cargo", "build", "--release", "--locked", "--quiet", "--example", "slowed_kernel"]
    subprocess.run(build, check=True, cwd=root)
    failed = False
    for operation, layer in SLOWED:
        command = [PROGRAM.parent / "examples/slowed_kernel", operation, layer, str(PART), str(THREADS)]
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

        def site_of(record):
            # Layers are told by their modules, whose order is that of their numbers.
            modules = sorted({site["layer"] for site in record["sites"] if "layer" in site}, key=int)
            module = None if layer == "-" else modules[int(layer)]
            return next(s for s in record["sites"] if (s["operation"], s.get("layer")) == (operation, module))

        record = told["slowed"]
        site = site_of(record)
        plain = [site_of(other)["seconds_per_step"] for other in told["plain"]]
        # Each worker has its part of the calls.
        added = told["delay"] * site["calls"] / record["settings"]["threads"]
        grown = site["seconds_per_step"] - sum(plain) / len(plain)
        first = record["sites"][0]
        found = []
        if site is not first:
            found.append(f"{first.get('layer', '')} {first['operation']} comes first".strip())
        if abs(grown / added - 1) > FOUND:
            found.append("not the time that was added")
        failed |= bool(found)
        print(f"{operation} {layer}: {1e6 * added:.1f} us added to a step of {1e6 * told['plain'][0]['step_seconds']:.1f}, "
              f"{1e6 * grown:.1f} found, {100 * site['saving'] / record['step_seconds']:.0f} % could be saved"
              + "".join(f"\n    WRONG: {fault}" for fault in found), flush=True)
    return failed


def main():
    if sys.argv[1:] == ["--slowed"]:
        sys.exit(1 if slowed() else 0)
    cases = sys.argv[1:] or CASES
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            record = profile(case, folder)
            step = record["step_seconds"]
            first = record["sites"][0]
            found = faults(record)
            failed |= bool(found)
            print(
                f"{case:28} step {1e6 * step:10.1f} us, probes {cost(record)}, uncovered "
                f"{100 * record['uncovered'] / step:5.2f} %, first {first.get('layer', '-')} {first['operation']}"
                + "".join(f"\n    WRONG: {fault}" for fault in found),
                flush=True,
            )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
