#!/usr/bin/env python3
"""Opens a trace of `fallline profile --trace` and checks what a viewer would find in it.

    check_trace.py TRACE[.gz] [--profile PROFILE.json] [--own]
    check_trace.py TRACE[.gz] --self-test

With Perfetto's own trace processor (package `perfetto`) where there is one: that package downloads
it, or $TRACE_PROCESSOR names it. Where it cannot be had, a line says so, and a strict reader of the trace-event format
takes its place, as with --own: JSON without repeated keys and without what is no number, the keys that each event must
have and their types.

Either way: one track for each worker, calls of a track one after another or within each other, calls in the order of
their beginnings, operations, bytes and fractions of a roof with each call; with --profile, the JSON of the same run, as
many calls of each site as it counts. The exit code is 1 if something is wrong.
"""

import argparse
import collections
import copy
import gzip
import json
import os
import pathlib
import sys
import tempfile

# Microseconds: times are rounded to nanoseconds.
ROUNDING = 2e-3
# Calls of a site beside `calls * steps`: the record rounds nothing, but a step that lasted far longer than the others
# counts for its calls and not for its times.
CALLS = 0.01


def strict(data):
    """The content of JSON, which has no key twice and no NaN."""
    def pairs(items):
        keys = [key for key, _ in items]
        if len(set(keys)) < len(keys):
            raise ValueError(f"a key stands twice among {keys}")
        return dict(items)

    def constant(name):
        raise ValueError(f"{name} is no number of JSON")

    return json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def event_faults(event):
    """What a call lacks by the format."""
    kinds = {"ts": is_number, "dur": is_number, "pid": lambda v: type(v) is int, "tid": lambda v: type(v) is int,
             "name": lambda v: isinstance(v, str) and v != "", "cat": lambda v: isinstance(v, str),
             "args": lambda v: isinstance(v, dict)}
    for key, is_right in kinds.items():
        if key not in event:
            yield f"lacks `{key}`"
        elif not is_right(event[key]):
            yield f"has {event[key]!r} as `{key}`"
        elif key in ("ts", "dur") and event[key] < 0:
            yield f"has a negative `{key}`"


def own_reading(data):
    """Calls as (track, name, start, length, arguments) in microseconds, the names of tracks, and what is wrong."""
    faults, calls, tracks = [], [], {}
    try:
        trace = strict(data)
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        return [], {}, [f"no strict JSON: {error}"]
    events = trace.get("traceEvents") if isinstance(trace, dict) else None
    if not isinstance(events, list):
        return [], {}, ["there is no list `traceEvents`"]
    if trace.get("displayTimeUnit") not in ("ns", "ms"):
        faults.append(f"`displayTimeUnit` is {trace.get('displayTimeUnit')!r}")
    for index, event in enumerate(events):
        kind = event.get("ph") if isinstance(event, dict) else None
        if kind == "M":
            arguments = event.get("args")
            name = arguments.get("name") if isinstance(arguments, dict) else None
            if event.get("name") == "thread_name":
                if event.get("tid") in tracks:
                    faults.append(f"event {index} names track {event.get('tid')} again")
                tracks[event.get("tid")] = name
            elif event.get("name") not in ("process_name", "thread_sort_index"):
                faults.append(f"event {index} is metadata {event.get('name')!r}")
        elif kind == "X":
            found = list(event_faults(event))
            faults += [f"event {index} {fault}" for fault in found]
            if not found:
                calls.append((event["tid"], event["name"], event["ts"], event["dur"], event["args"]))
        else:
            faults.append(f"event {index} is of the unknown kind {kind!r}")
    told = trace.get("otherData", {}).get("events")
    if told != len(calls):
        faults.append(f"the trace says that it has {told} calls, and has {len(calls)}")
    return calls, tracks, faults


def perfetto_reading(path):
    """The same by Perfetto's trace processor; raises if there is none."""
    from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig

    config = TraceProcessorConfig(bin_path=os.environ.get("TRACE_PROCESSOR"))
    processor = TraceProcessor(trace=str(path), config=config)
    try:
        faults = [
            f"Perfetto: {row.name}: {row.value}"
            for row in processor.query(
                "select name, value from stats where severity in ('error', 'data_loss') and value > 0")
        ]
        tracks = {
            row.tid: row.name
            for row in processor.query(
                "select distinct tid, thread.name as name from thread_track join thread using (utid) "
                "order by tid")
        }
        calls, kinds = [], "flops bytes step roof fraction_of_roof".split()
        columns = ", ".join(f"extract_arg(arg_set_id, 'args.{kind}') as {kind}" for kind in kinds)
        query = (f"select tid, slice.name as name, ts, dur, {columns} from slice join thread_track "
                 "on slice.track_id = thread_track.id join thread using (utid) order by ts, dur desc")
        for row in processor.query(query):
            arguments = {kind: getattr(row, kind) for kind in kinds if getattr(row, kind) is not None}
            calls.append((row.tid, row.name, row.ts / 1e3, row.dur / 1e3, arguments))
    finally:
        processor.close()
    return calls, tracks, faults


def call_faults(calls, tracks):
    """What is wrong with calls, whoever has read them."""
    if not calls:
        yield "there are no calls"
    if list(tracks.values()) != [f"worker {worker}" for worker in range(len(tracks))]:
        yield f"tracks are not one for each worker: {tracks}"
    last, open_calls = 0.0, collections.defaultdict(list)
    for track, name, start, length, arguments in calls:
        where = f"`{name}` at {start} of track {track}"
        if track not in tracks:
            yield f"{where}: the track has no name"
        if start < last - ROUNDING:
            yield f"{where} stands behind one at {last}"
        last = start
        # The ends of the calls that this one may lie within, the innermost last.
        ends = open_calls[track]
        while ends and ends[-1] <= start + ROUNDING:
            ends.pop()
        if ends and start + length > ends[-1] + ROUNDING:
            yield f"{where} begins within another call and ends {start + length - ends[-1]:.3f} us after it"
        ends.append(start + length)
        for key in ("flops", "bytes", "step"):
            if not is_number(arguments.get(key)) or arguments[key] < 0:
                yield f"{where} has {arguments.get(key)!r} as its {key}"
        if ("roof" in arguments) != ("fraction_of_roof" in arguments):
            yield f"{where} has a roof without a fraction, or a fraction without a roof"
        elif "roof" in arguments and not (is_number(arguments["fraction_of_roof"]) and arguments["fraction_of_roof"] >= 0):
            yield f"{where} is at {arguments['fraction_of_roof']!r} of its roof"
        if "roof" not in arguments and (arguments.get("flops") or 0) > 0:
            yield f"{where} computes, and has no roof"


def count_faults(calls, about, profile):
    """Sites of which the trace has another number of calls than the profile; nothing is said of traces that were cut."""
    if about.get("events_left_out"):
        return
    counts = collections.Counter(name for _, name, *_ in calls)
    sites = {f"{site['layer']} {site['operation']}" if "layer" in site else site["operation"]: site["calls"] * profile["steps"]
             for site in profile["sites"]}
    for name in sorted(counts.keys() | sites.keys()):
        traced, expected = counts[name], sites.get(name, 0)
        if abs(traced - expected) > max(0.5, CALLS * expected):
            yield f"`{name}`: {traced} calls in the trace, {expected:.1f} in the profile"


def check(path, profile=None, own=False, quiet=False):
    """All that is wrong with a trace, and who has read it."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            return [f"cannot be decompressed: {error}"], "nobody"
    reader = "a reader of its own"
    calls, tracks, faults = own_reading(data)
    about = json.loads(data).get("otherData", {}) if not faults else {}
    if not own:
        try:
            theirs = perfetto_reading(path)
            if len(theirs[0]) != len(calls):
                faults.append(f"Perfetto finds {len(theirs[0])} calls of {len(calls)}")
            calls, tracks, reader = theirs[0], theirs[1], "Perfetto's trace processor"
            faults += theirs[2]
        except Exception as error:  # whatever keeps the package from its program
            reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
            if not quiet:
                print(f"Perfetto's trace processor cannot be had ({reason[0][:90]}); read by a reader of its own")
    faults += call_faults(calls, tracks)
    if profile:
        faults += count_faults(calls, about, profile)
    return faults, reader


def self_test(path):
    """Each breach of a trace is noticed, and by the check that is meant to."""
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    whole = json.loads(data)
    # Few calls are enough, and cutting a trace says less than what it was.
    events = whole["traceEvents"]
    names = [event for event in events if event["ph"] == "M"]
    calls = [event for event in events if event["ph"] == "X"][:400]
    whole["traceEvents"], whole["otherData"]["events"] = names + calls, len(calls)
    whole["otherData"]["events_left_out"] = 0
    first = len(names)
    sound = json.dumps(whole)
    computing = next(index for index, event in enumerate(whole["traceEvents"]) if event.get("args", {}).get("roof"))
    tracks = [index for index, event in enumerate(names) if event["name"] == "thread_name"]
    counts = collections.Counter(call["name"] for call in calls)
    profile = {"steps": 1, "sites": [{"operation": name, "calls": count} for name, count in counts.items()]}

    def changed(change):
        trace = copy.deepcopy(whole)
        change(trace["traceEvents"], trace)
        return json.dumps(trace)

    def longer(events, _):
        follower = next(e for e in events[first + 1:] if e["tid"] == events[first]["tid"])
        events[first]["dur"] = follower["ts"] - events[first]["ts"] + 0.5 * follower["dur"] + 0.1

    def set_to(index, key, value):
        return lambda events, _: events[index].__setitem__(key, value)

    breaches = {
        "a key twice": (sound.replace('"ph": "X"', '"ph": "X", "ph": "X"', 1), "twice"),
        "a NaN": (changed(set_to(first, "dur", float("nan"))), "NaN is no number"),
        "an infinity": (changed(set_to(first, "ts", float("-inf"))), "-Infinity is no number"),
        "a trace that is cut off": (sound[:-20], "no strict JSON"),
        "letters that are none": (sound.replace('"name"', '"na\udcffme"', 1), "no strict JSON"),
        "no list of events": (json.dumps({"otherData": {}}), "no list `traceEvents`"),
        "a call without a length": (changed(lambda events, _: events[first].pop("dur")), "lacks `dur`"),
        "a time as text": (changed(set_to(first, "ts", "1")), "as `ts`"),
        "a truth as a track": (changed(set_to(first, "tid", True)), "as `tid`"),
        "a negative length": (changed(set_to(first, "dur", -1)), "negative `dur`"),
        "a call without a name": (changed(set_to(first, "name", "")), "as `name`"),
        "an unknown kind": (changed(set_to(first, "ph", "Q")), "unknown kind"),
        "a track without a name": (changed(set_to(first, "tid", 99)), "the track has no name"),
        "two workers on one track": (changed(set_to(tracks[-1], "tid", 1)), "again"),
        "a track of something else": (changed(set_to(tracks[0], "args", {"name": "cat"})), "one for each worker"),
        "calls that overlap": (changed(longer), "begins within another"),
        "calls out of order": (changed(lambda events, _: events.append(events.pop(first))), "stands behind"),
        "no operations": (changed(lambda events, _: events[first]["args"].pop("flops")), "as its flops"),
        "bytes as text": (changed(lambda events, _: events[first]["args"].update(bytes="1")), "as its bytes"),
        "a roof without a fraction": (
            changed(lambda events, _: events[computing]["args"].pop("fraction_of_roof")), "without a fraction"),
        "a call that is lost": (changed(lambda events, _: events.pop()), "says that it has"),
        "a call that the profile does not know": (
            changed(set_to(first, "name", "9 forward")), "in the profile"),
        "no calls": (changed(lambda events, trace: trace.update(
            traceEvents=events[:first], otherData={"events": 0})), "there are no calls"),
    }
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        sound_path = pathlib.Path(folder) / "sound.json"
        sound_path.write_text(sound)
        faults, _ = check(sound_path, profile, own=True)
        if faults:
            print(f"MISSED  the whole trace is said to be wrong: {faults[:3]}")
            missed += 1
        for name, (text, expected) in breaches.items():
            broken = pathlib.Path(folder) / "trace.json"
            broken.write_bytes(text.encode("utf-8", "surrogateescape"))
            faults, _ = check(broken, profile, own=True)
            noticed = any(expected in fault for fault in faults)
            missed += not noticed
            shown = next((fault for fault in faults if expected in fault), faults[:3])
            print(f"{'noticed' if noticed else 'MISSED '} {name}: {shown}"[:200])
        packed = pathlib.Path(folder) / "trace.json.gz"
        packed.write_bytes(gzip.compress(sound.encode())[:-30])
        faults, _ = check(packed, own=True)
        noticed = any("decompressed" in fault for fault in faults)
        missed += not noticed
        print(f"{'noticed' if noticed else 'MISSED '} a file that is cut off: {faults}"[:200])
    print(f"self-test: {len(breaches) + 1 - missed} of {len(breaches) + 1} breaches noticed")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=pathlib.Path)
    parser.add_argument("--profile", type=pathlib.Path, metavar="JSON", help="the profile of the same run")
    parser.add_argument("--own", action="store_true", help="do not look for Perfetto's trace processor")
    parser.add_argument("--self-test", action="store_true", help="break the trace and see it noticed")
    arguments = parser.parse_args()
    for path in filter(None, (arguments.trace, arguments.profile)):
        if not path.is_file():
            parser.error(f"{path}: no such file")
    profile = json.loads(arguments.profile.read_text()) if arguments.profile else None
    faults, reader = check(arguments.trace, profile, arguments.own)
    for fault in faults[:20]:
        print(fault)
    if len(faults) > 20:
        print(f"and {len(faults) - 20} more")
    if not faults:
        print(f"{arguments.trace}: nothing wrong, says {reader}")
    missed = self_test(arguments.trace) if arguments.self_test and not faults else 0
    sys.exit(1 if faults or missed else 0)


if __name__ == "__main__":
    main()
