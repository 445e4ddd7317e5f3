//! Call sites as comma-separated values (RFC 4180), one in a line.

use super::facts::rate;
use crate::bench::profile::ProfileRecord;
use crate::bench::profile::record::Site;
use crate::report::markup::quoted;

const COLUMNS: [&str; 29] = [
    "recipe",
    "mode",
    "optimizer",
    "batch",
    "threads",
    "precision",
    "layer",
    "operation",
    "kind",
    "calls",
    "seconds_per_step",
    "median_seconds",
    "share",
    "flops",
    "nominal_flops",
    "bytes",
    "gflops_per_second",
    "gigabytes_per_second",
    "intensity",
    "roof",
    "roof_seconds",
    "fraction_of_roof",
    "saving",
    "verdict",
    "cycles",
    "instructions",
    "cache_misses",
    "command",
    "step_seconds",
];

/// The profile as a line of titles, one for each call site, the largest saving first, and one for the time that no
/// probe covers. Numbers are exact; absent ones are empty.
pub fn csv(record: &ProfileRecord) -> String {
    let mut text = COLUMNS.join(",");
    let of_workers = (0..record.workers.len()).map(|worker| format!(",worker_{worker}_seconds"));
    text += &of_workers.collect::<String>();
    text.push('\n');
    for site in &record.sites {
        text += &line(record, site);
    }
    text += &line(record, &uncovered(record));
    text
}

/// The time that no probe covers, as if it were a call site.
fn uncovered(record: &ProfileRecord) -> Site {
    Site {
        layer: None,
        kind: String::new(),
        operation: "uncovered".into(),
        calls: 0.0,
        seconds_per_step: record.uncovered,
        median_seconds: record.uncovered,
        share: rate(record.uncovered, record.step_seconds),
        flops: 0.0,
        nominal_flops: 0.0,
        bytes: 0.0,
        intensity: 0.0,
        roof: "none".into(),
        roof_seconds: 0.0,
        fraction_of_roof: None,
        saving: 0.0,
        verdict: "unknown".into(),
        worker_seconds: record.workers.iter().map(|worker| worker.uncovered).collect(),
        command: None,
        counters: None,
    }
}

fn line(record: &ProfileRecord, site: &Site) -> String {
    let settings = &record.settings;
    let counted = |value: fn(&crate::bench::profile::record::Counters) -> f64| {
        site.counters.as_ref().map(|counters| value(counters).to_string()).unwrap_or_default()
    };
    let values: [String; COLUMNS.len()] = [
        settings.recipe.clone(),
        settings.mode.clone(),
        settings.optimizer.clone(),
        settings.batch.to_string(),
        settings.threads.to_string(),
        settings.precision.clone(),
        site.layer.clone().unwrap_or_default(),
        site.operation.clone(),
        site.kind.clone(),
        site.calls.to_string(),
        site.seconds_per_step.to_string(),
        site.median_seconds.to_string(),
        site.share.to_string(),
        site.flops.to_string(),
        site.nominal_flops.to_string(),
        site.bytes.to_string(),
        (rate(site.flops, site.seconds_per_step) / 1e9).to_string(),
        (rate(site.bytes, site.seconds_per_step) / 1e9).to_string(),
        site.intensity.to_string(),
        site.roof.clone(),
        site.roof_seconds.to_string(),
        site.fraction_of_roof.map(|fraction| fraction.to_string()).unwrap_or_default(),
        site.saving.to_string(),
        site.verdict.clone(),
        counted(|counters| counters.cycles),
        counted(|counters| counters.instructions),
        counted(|counters| counters.cache_misses),
        site.command.clone().unwrap_or_default(),
        record.step_seconds.to_string(),
    ];
    let workers = site.worker_seconds.iter().map(f64::to_string);
    let fields: Vec<String> = values.into_iter().chain(workers).map(|value| quoted(&value)).collect();
    fields.join(",") + "\n"
}
