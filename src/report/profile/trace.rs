//! The calls of each worker over time, in the trace-event format that Perfetto and chrome://tracing open.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::charts::Family;
use crate::atomic_file;
use crate::bench::profile::record::{ProfileRecord, Site};
use crate::bench::profile::request::is_part_of;
use crate::bench::profile::trace::TraceEvent;
use crate::error::Result;
use crate::report::numbers::thousands;

/// The most calls of a trace: more make viewers slow.
pub const MOST_EVENTS: usize = 200_000;

/// The process to which all tracks belong.
const PROCESS: u32 = 1;

/// Writes the first `most` calls, in the order of their beginnings, compressed if the file's name ends with
/// `.gz`. With a `layer`, those of that layer and of the layers inside it. Returns a message about what the file holds,
/// and what was left out.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be written.
pub fn write(
    path: &Path,
    record: &ProfileRecord,
    events: &[TraceEvent],
    layer: Option<&str>,
    most: usize,
) -> Result<String> {
    let is_shown =
        |event: &&TraceEvent| layer.is_none_or(|module| is_part_of(event.layer.as_deref(), module));
    let mut shown: Vec<&TraceEvent> = events.iter().filter(is_shown).collect();
    shown.sort_by(|a, b| a.start.total_cmp(&b.start));
    let all = shown.len();
    shown.truncate(most);
    let held = message(&shown, all);
    let is_compressed = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    atomic_file::write(path, |file| {
        if is_compressed {
            let mut encoder = GzEncoder::new(file, Compression::default());
            content(&mut encoder, record, &shown, all, &held)?;
            encoder.finish().map(drop)
        } else {
            content(file, record, &shown, all, &held)
        }
    })?;
    Ok(held)
}

/// The message: "1,204 calls of steps 0 to 41", and how many were left out, if any.
fn message(shown: &[&TraceEvent], all: usize) -> String {
    let count = |number: usize| thousands(number as u64);
    let steps = match (shown.iter().map(|event| event.step).min(), shown.iter().map(|event| event.step).max())
    {
        (Some(first), Some(last)) if first < last => format!(" of steps {first} to {last}"),
        (Some(step), _) => format!(" of step {step}"),
        (None, _) => String::new(),
    };
    let left = all - shown.len();
    if left == 0 {
        return format!("{} calls{steps}", count(all));
    }
    format!(
        "the first {} of {} calls{steps}; the other {} were left out, --steps A..B or --layer N takes fewer",
        count(shown.len()),
        count(all),
        count(left)
    )
}

fn content(
    mut file: &mut dyn Write,
    record: &ProfileRecord,
    events: &[&TraceEvent],
    all: usize,
    held: &str,
) -> io::Result<()> {
    let sites: HashMap<(Option<&str>, &str), &Site> =
        record.sites.iter().map(|site| ((site.layer.as_deref(), site.operation.as_str()), site)).collect();
    file.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n")?;
    for (index, event) in names(record, events).iter().enumerate() {
        file.write_all(if index == 0 { b"" } else { b",\n" })?;
        serde_json::to_writer(&mut file, event)?;
    }
    for event in events {
        file.write_all(b",\n")?;
        let site = sites.get(&(event.layer.as_deref(), &event.operation)).copied();
        serde_json::to_writer(&mut file, &call(record, event, site))?;
    }
    let settings = &record.settings;
    let about = json!({
        "program": format!("fallline {}", record.version),
        "command": record.command,
        "recipe": settings.recipe,
        "mode": settings.mode,
        "optimizer": settings.optimizer,
        "batch": settings.batch,
        "threads": settings.threads,
        "events": events.len(),
        "events_left_out": all - events.len(),
        "note": held,
    });
    file.write_all(b"\n],\"otherData\":")?;
    serde_json::to_writer(&mut file, &about)?;
    file.write_all(b"}\n")
}

/// The names of the process and of the workers' tracks, with all workers of the record.
fn names(record: &ProfileRecord, events: &[&TraceEvent]) -> Vec<Value> {
    let name = |tid: usize, kind: &str, arguments: Value| json!({"ph": "M", "pid": PROCESS, "tid": tid, "ts": 0, "name": kind, "args": arguments});
    let most = events.iter().map(|event| event.worker + 1).max().unwrap_or(0);
    let title = format!("fallline {}", record.settings.recipe);
    let mut names = vec![name(0, "process_name", json!({"name": title}))];
    for worker in 0..record.workers.len().max(most) {
        names.push(name(track(worker), "thread_name", json!({"name": format!("worker {worker}")})));
        names.push(name(track(worker), "thread_sort_index", json!({"sort_index": worker})));
    }
    names
}

/// The track of a worker; viewers take track 0 for the idle one.
fn track(worker: usize) -> usize {
    worker + 1
}

fn call(record: &ProfileRecord, event: &TraceEvent, site: Option<&Site>) -> Value {
    // Both ends are rounded in the same way, so that calls which follow each other do not overlap.
    let [start, end] = [event.start, event.start + event.seconds].map(|time| (1e9 * time).round() as u64);
    let name = match &event.layer {
        Some(layer) => format!("{layer} {}", event.operation),
        None => event.operation.to_string(),
    };
    let mut arguments = json!({"step": event.step, "flops": event.flops, "bytes": event.bytes});
    if let Some(layer) = &event.layer {
        arguments["layer"] = json!(layer.as_ref());
    }
    if let Some(site) = site {
        arguments["kind"] = json!(site.kind);
        if let Some(fraction) = fraction_of_roof(record, event, site) {
            arguments["roof"] = json!(site.roof);
            arguments["fraction_of_roof"] = json!(fraction);
        }
    }
    json!({
        "ph": "X",
        "pid": PROCESS,
        "tid": track(event.worker),
        "ts": start as f64 / 1e3,
        "dur": (end.saturating_sub(start)) as f64 / 1e3,
        "name": name,
        "cat": Family::of(&event.operation).name(),
        "args": arguments,
    })
}

/// The time at the site's roof over the time that it took. Roofs are those of all workers together.
fn fraction_of_roof(record: &ProfileRecord, event: &TraceEvent, site: &Site) -> Option<f64> {
    let workers = record.settings.threads.max(1) as f64;
    let least = if site.roof == "compute" {
        event.flops * workers / record.roofs.flops_per_second
    } else {
        let level = record.roofs.levels.iter().find(|level| level.name == site.roof)?;
        event.bytes * workers / level.bytes_per_second
    };
    let fraction = least / event.seconds;
    fraction.is_finite().then_some(fraction)
}
