#!/usr/bin/env python3
"""benches/RESULTS.md from the records of `fallline bench`, on standard output.

    scripts/results.py FULL.json [PEERS.json...] > benches/RESULTS.md

All figures come from the records; what they mean is in benches/NOTES.md, written by hand.
"""

import datetime
import json
import pathlib
import sys


def read(path):
    record = json.loads(pathlib.Path(path).read_text())
    if record["schema"] != "fallline.bench/1":
        sys.exit(f"{path}: expected the schema fallline.bench/1, found {record['schema']}")
    return record


def distinct(values):
    return list(dict.fromkeys(values))


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def cell(case):
    """Samples/s with the half width of its interval, and the fraction of the peak."""
    if case is None:
        return ""
    rate, fraction = case["samples_per_second"], case["fraction_of_peak"]["median"]
    width = 50 * (rate["high"] - rate["low"]) / rate["median"]
    return f"{rate['median']:,.0f} ± {width:.0f} % ({fraction:.2f})"


def machine(record):
    facts = record["machine"]
    lines = [f"{facts['cpu']}, {facts['cores']} cores, {facts['instruction_set']}, {facts['os']}."]
    calibration = record.get("calibration")
    if calibration:
        peaks = [
            f"{peak['flops_per_second'] / 1e9:.0f} GFLOP/s on {peak['threads']}"
            for peak in calibration["peaks"]
            if peak["instruction_set"] == facts["instruction_set"] and peak["precision"] == "f32"
        ]
        lines.append(f"f32 multiply-add peak by number of threads: {', '.join(peaks)}.")
    return " ".join(lines) + "\n"


def throughput(record):
    own = [case for case in record["cases"] if case["framework"] == "fallline"]
    batches = sorted({case["batch"] for case in own})
    for threads in sorted({case["threads"] for case in own}):
        yield f"### {threads} thread{'s' if threads > 1 else ''}: samples/s, and fraction of the peak\n"
        rows = []
        for recipe in distinct(case["recipe"] for case in own):
            for optimizer in distinct(case["optimizer"] for case in own):
                keys = {
                    case["batch"]: case
                    for case in own
                    if (case["recipe"], case["optimizer"], case["threads"]) == (recipe, optimizer, threads)
                }
                if keys:
                    rows.append([recipe, optimizer] + [cell(keys.get(batch)) for batch in batches])
        yield table(["recipe", "rule"] + [f"batch {batch}" for batch in batches], rows)


def scaling(record):
    cases = [case for case in record["cases"] if case["threads"] > 1 and case.get("scaling_efficiency")]
    batches = sorted({case["batch"] for case in cases})
    rows = []
    for key in distinct((case["recipe"], case["optimizer"], case["threads"]) for case in cases):
        found = {
            case["batch"]: f"{case['scaling_efficiency'] * case['threads']:.2f}"
            for case in cases
            if (case["recipe"], case["optimizer"], case["threads"]) == key
        }
        rows.append([key[0], key[1], str(key[2])] + [found.get(batch, "") for batch in batches])
    return table(["recipe", "rule", "threads"] + [f"batch {batch}" for batch in batches], rows)


def peers(record):
    frameworks = distinct(case["framework"] for case in record["cases"])
    rows = []
    for own in (case for case in record["cases"] if case["framework"] == "fallline"):
        same = lambda case: all(case[key] == own[key] for key in ("recipe", "optimizer", "batch", "threads"))
        row = [own["recipe"], own["optimizer"], str(own["batch"]), str(own["threads"])]
        for framework in frameworks:
            case = next((case for case in record["cases"] if same(case) and case["framework"] == framework), None)
            if case is None:
                row.append("")
                continue
            rate = case["samples_per_second"]["median"]
            ratio = own["samples_per_second"]["median"] / rate
            row.append(f"{rate:,.0f}" + ("" if framework == "fallline" else f" ({ratio:.2f} times)"))
        rows.append(row)
    return table(["recipe", "rule", "batch", "threads"] + frameworks, rows)


def notes(record):
    return "".join(f"- {note}\n" for note in record["notes"])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    full = read(sys.argv[1])
    print("# Measurements\n")
    print(f"Made by `scripts/bench.sh` on {datetime.date.today()}; what the figures mean, and what bounds them,")
    print("is in [NOTES.md](NOTES.md). Medians of whole runs, all cases in turn; ± is half the 95 % bootstrap")
    print("interval; the fraction is of the f32 multiply-add peak measured just before each run.\n")
    print(machine(full))
    print(notes(full))
    print("## Training throughput\n")
    print(f"    fallline bench --suite full --seconds {full['seconds_per_case']:g}\n")
    for part in throughput(full):
        print(part)
    print("### Throughput over that of one thread\n")
    print(scaling(full))
    others = [read(path) for path in sys.argv[2:]]
    if others:
        print("## Beside other frameworks\n")
        print("Samples/s; in brackets how many times as fast fallline is. The others train on floats in memory in")
        print("contiguous slices, fallline on shuffled bytes. PyTorch eager, PyTorch with `torch.compile`, JAX with")
        print("many steps in one jitted scan; of images, PyTorch eager also with the channels last in memory. One")
        print("process each, asked in turn with ours, run by run.\n")
        for side_by_side in others:
            print(peers(side_by_side))
        lines = "".join(notes(side_by_side) for side_by_side in others).splitlines()
        print("\n".join(distinct(lines)))


if __name__ == "__main__":
    main()
