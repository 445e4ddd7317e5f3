//! Numbers and words that several formats share.

use crate::bench::profile::ProfileRecord;
use crate::bench::profile::record::{LevelRoof, Site};
use crate::report::markup::printable;
use crate::report::numbers::{bytes, counted, rounded, thousands};

/// The name of the operation of waiting.
pub(super) const BARRIER: &str = "barrier";

/// Microseconds with one decimal below 100: 6.2, 118, 1,204.
pub(super) fn micros(seconds: f64) -> String {
    let time = 1e6 * seconds;
    if time < 99.95 { format!("{time:.1}") } else { rounded(time) }
}

/// A time in the unit that suits it: 3.4 µs, 118 µs, 12.3 ms.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 9.9995e-3 {
        format!("{} µs", micros(seconds))
    } else {
        crate::report::numbers::duration(seconds)
    }
}

/// A time as [`crate::report::numbers::duration`] writes it, but with decimals below a second: 12.3 ms, 118 ms, 1.2 s.
pub(super) fn step_time(seconds: f64) -> String {
    if (9.9995e-3..0.09995).contains(&seconds) { format!("{:.1} ms", 1e3 * seconds) } else { time(seconds) }
}

/// A fraction of 1 in percent, with one decimal: 67.3 %.
pub(super) fn percent(fraction: f64) -> String {
    // Adding 0 avoids "-0.0".
    format!("{:.1} %", (1000.0 * fraction).round() / 10.0 + 0.0)
}

/// The cost of the probes, and its interval; none if there were too few steps to tell.
pub(super) fn overhead(record: &ProfileRecord) -> Option<String> {
    let tenths = |fraction: f64| (1000.0 * fraction).round() / 10.0 + 0.0;
    let [low, high] = record.overhead_interval?.map(tenths);
    Some(format!("{} ({low:.1} to {high:.1})", percent(record.overhead)))
}

/// Billions, in three digits: 0.412, 6.25, 41.7, 498.
pub(super) fn billions(number: f64) -> String {
    digits(number / 1e9)
}

/// Millions, in which operations are counted: small layers have far less than a billion.
pub(super) fn millions(number: f64) -> String {
    digits(number / 1e6)
}

/// A number in three digits: 0.412, 6.25, 41.7, 498, 1,204.
pub(super) fn digits(number: f64) -> String {
    match number {
        0.0 => "0".into(),
        number if number < 0.9995 => format!("{number:.3}"),
        number if number < 9.995 => format!("{number:.2}"),
        number if number < 99.95 => format!("{number:.1}"),
        number => rounded(number),
    }
}

/// The rate of all workers together, during these seconds; 0 if there were none.
pub(super) fn rate(amount: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}

/// The name of a call site: "layer 0 weight-gradient", "gather".
pub(super) fn name(site: &Site) -> String {
    match &site.layer {
        Some(layer) => format!("layer {} {}", printable(layer), printable(&site.operation)),
        None => printable(&site.operation),
    }
}

/// The settings of a profile: "mnist-mlp", then batch, threads and so on.
pub(super) fn settings(record: &ProfileRecord) -> Vec<String> {
    let settings = &record.settings;
    let mode = if settings.mode == "predict" { "inference".to_string() } else { "training".to_string() };
    let mut facts = vec![
        mode,
        format!("data {}", printable(&settings.data)),
        format!("batch {}", thousands(settings.batch as u64)),
        counted(settings.threads, "thread"),
    ];
    if settings.mode != "predict" {
        facts.push(printable(&settings.optimizer));
    }
    facts.push(printable(&settings.precision));
    facts.push(format!("{} parameters", thousands(settings.parameters as u64)));
    facts
}

/// Seconds of a step without probes, or with them where it was not measured otherwise.
pub(super) fn plain_seconds(record: &ProfileRecord) -> f64 {
    if record.plain_step_seconds > 0.0 { record.plain_step_seconds } else { record.step_seconds }
}

/// A level in words: "L2 310 GB/s up to 1 MiB".
pub(super) fn level(level: &LevelRoof) -> String {
    let up_to =
        if level.capacity > 0 { format!(" up to {}", bytes(level.capacity as u64)) } else { String::new() };
    format!("{} {} GB/s{up_to}", printable(&level.name), billions(level.bytes_per_second))
}

/// The peak in words: "AVX-512 multiply-adds 480 GFLOP/s".
pub(super) fn peak(record: &ProfileRecord) -> String {
    let roofs = &record.roofs;
    let precision = printable(&record.settings.precision);
    format!("{} {precision} {} GFLOP/s", printable(&roofs.instruction_set), billions(roofs.flops_per_second))
}

/// Mean seconds per step of all call sites with this operation.
pub(super) fn seconds_of(record: &ProfileRecord, operation: &str) -> f64 {
    let sites = record.sites.iter().filter(|site| site.operation == operation);
    sites.map(|site| site.seconds_per_step).sum()
}

/// The part of a step's time; 0 if it took none.
pub(super) fn share(record: &ProfileRecord, seconds: f64) -> f64 {
    rate(seconds, record.step_seconds)
}
