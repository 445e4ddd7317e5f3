//! Checks of a record that may come from anywhere, before it is shown.

use super::record::ProfileRecord;
use crate::team::MAX_THREADS;

/// The most call sites; no machine, network or file needs more.
const MOST_SITES: usize = 20_000;
const MOST_EVENTS: usize = 1_000_000;
const MOST_TEXTS: usize = 1000;
/// The largest seconds, floating-point operations, bytes and rates; sums of a million of them are finite.
const LARGEST: f64 = 1e30;

/// A contradiction: its place, what was expected, and what was found instead.
pub type Contradiction = (String, &'static str, String);

/// Checks that the record's numbers are quantities, and that its lists agree.
///
/// # Errors
/// The first [`Contradiction`].
pub fn check(record: &ProfileRecord) -> Result<(), Contradiction> {
    let settings = &record.settings;
    let workers = record.workers.len();
    amount("settings.threads", settings.threads, 1, MAX_THREADS)?;
    amount("settings.batch", settings.batch, 1, usize::MAX)?;
    amount("workers", workers, 0, MAX_THREADS)?;
    amount("sites", record.sites.len(), 0, MOST_SITES)?;
    amount("timeline", record.timeline.len(), 0, MOST_EVENTS)?;
    amount("findings", record.findings.len(), 0, MOST_TEXTS)?;
    amount("notes", record.notes.len(), 0, MOST_TEXTS)?;
    amount("roofs.levels", record.roofs.levels.len(), 0, 16)?;
    quantity("step_seconds", record.step_seconds)?;
    quantity("plain_step_seconds", record.plain_step_seconds)?;
    quantity("uncovered", record.uncovered)?;
    quantity("settings.flops_per_sample", settings.flops_per_sample)?;
    for number in record.overhead_interval.iter().flatten().chain([&record.overhead]) {
        if !is_below(*number) {
            return Err(wrong("overhead", "a finite number", *number));
        }
    }
    quantity("roofs.flops_per_second", record.roofs.flops_per_second)?;
    quantity("roofs.barrier_seconds", record.roofs.barrier_seconds)?;
    for (index, level) in record.roofs.levels.iter().enumerate() {
        quantity(&format!("roofs.levels.{index}.bytes_per_second"), level.bytes_per_second)?;
    }
    check_sites(record, workers)?;
    for (index, worker) in record.workers.iter().enumerate() {
        let numbers = [
            ("busy", worker.busy),
            ("waiting", worker.waiting),
            ("uncovered", worker.uncovered),
            ("taken", worker.taken.unwrap_or(0.0)),
            ("switches", worker.switches.unwrap_or(0.0)),
            ("last", worker.last),
        ];
        for (key, number) in numbers {
            quantity(&format!("workers.{index}.{key}"), number)?;
        }
        if !is_below(worker.imbalance) {
            return Err(wrong(&format!("workers.{index}.imbalance"), "a finite number", worker.imbalance));
        }
    }
    for (index, event) in record.timeline.iter().enumerate() {
        let place = |key: &str| format!("timeline.{index}.{key}");
        if event.worker >= workers {
            let found = format!("{} of {workers}", event.worker);
            return Err((key(&place("worker")), "one of the workers, counted from 0", found));
        }
        for (name, number) in [
            ("start", event.start),
            ("seconds", event.seconds),
            ("flops", event.flops),
            ("bytes", event.bytes),
        ] {
            quantity(&place(name), number)?;
        }
    }
    Ok(())
}

/// Whether a number of any sign has a possible size; false if it is NaN.
fn is_below(number: f64) -> bool {
    number.abs() < LARGEST
}

fn check_sites(record: &ProfileRecord, workers: usize) -> Result<(), Contradiction> {
    for (index, site) in record.sites.iter().enumerate() {
        let place = |key: &str| format!("sites.{index}.{key}");
        let counted = site.counters.map_or([0.0; 3], |c| [c.cycles, c.instructions, c.cache_misses]);
        let numbers = [
            ("calls", site.calls),
            ("seconds_per_step", site.seconds_per_step),
            ("median_seconds", site.median_seconds),
            ("share", site.share),
            ("flops", site.flops),
            ("nominal_flops", site.nominal_flops),
            ("bytes", site.bytes),
            ("intensity", site.intensity),
            ("roof_seconds", site.roof_seconds),
            ("fraction_of_roof", site.fraction_of_roof.unwrap_or(0.0)),
            ("saving", site.saving),
            ("counters.cycles", counted[0]),
            ("counters.instructions", counted[1]),
            ("counters.cache_misses", counted[2]),
        ];
        for (key, number) in numbers {
            quantity(&place(key), number)?;
        }
        if site.worker_seconds.len() != workers {
            let found = format!("{} for {workers}", site.worker_seconds.len());
            return Err((key(&place("worker_seconds")), "a number for each worker", found));
        }
        for &seconds in &site.worker_seconds {
            quantity(&place("worker_seconds"), seconds)?;
        }
    }
    Ok(())
}

fn key(place: &str) -> String {
    format!("key `{place}`")
}

fn wrong(place: &str, expected: &'static str, found: f64) -> Contradiction {
    (key(place), expected, found.to_string())
}

/// Checks that a measured number is neither negative nor infinite.
fn quantity(place: &str, number: f64) -> Result<(), Contradiction> {
    if (0.0..LARGEST).contains(&number) {
        Ok(())
    } else {
        Err(wrong(place, "a number from 0 to 1e30", number))
    }
}

fn amount(place: &str, number: usize, least: usize, most: usize) -> Result<(), Contradiction> {
    match () {
        () if number < least => Err((key(place), "at least 1", number.to_string())),
        () if number > most => Err((key(place), "less than that", number.to_string())),
        () => Ok(()),
    }
}
