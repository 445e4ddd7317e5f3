//! The load of each worker, and which one the others wait for.

use super::facts::{micros, percent};
use crate::bench::profile::ProfileRecord;
use crate::bench::profile::record::WorkerTime;

/// How many times as often as by chance a worker is the last, for the others to be waiting for it.
const OFTEN: f64 = 1.2;
/// More work than this part of the mean is a reason to be late...
const UNEVEN: f64 = 0.02;
/// ...and so is less processor than this part of the step.
const TAKEN: f64 = 0.01;

/// A column of the workers' table: its title, its meaning, the number, and its text.
pub(super) struct Column {
    pub title: &'static str,
    pub hint: &'static str,
    pub value: fn(&WorkerTime) -> Option<f64>,
    pub text: fn(f64) -> String,
}

pub(super) const COLUMNS: [Column; 8] = [
    Column {
        title: "worker",
        hint: "counted from 0",
        value: |worker| Some(worker.worker as f64),
        text: |number| format!("{number:.0}"),
    },
    Column {
        title: "busy µs",
        hint: "microseconds of a step in the probes",
        value: |worker| Some(worker.busy),
        text: micros,
    },
    Column {
        title: "waiting µs",
        hint: "microseconds of a step at barriers",
        value: |worker| Some(worker.waiting),
        text: micros,
    },
    Column {
        title: "uncovered µs",
        hint: "microseconds of a step in neither",
        value: |worker| Some(worker.uncovered),
        text: micros,
    },
    Column {
        title: "imbalance",
        hint: "its busy time over the mean of all workers, less 1",
        value: |worker| Some(worker.imbalance),
        text: |part| format!("{:+.1} %", 100.0 * part),
    },
    Column {
        title: "taken µs",
        hint: "microseconds of a step ready to run, but without a processor",
        value: |worker| worker.taken,
        text: micros,
    },
    Column {
        title: "switches",
        hint: "involuntary context switches in a step",
        value: |worker| worker.switches,
        text: |number| format!("{number:.3}"),
    },
    Column {
        title: "last",
        hint: "part of the barriers to which it came as the last",
        value: |worker| Some(worker.last),
        text: percent,
    },
];

/// Which worker the others wait for and why; `None` for a worker that is alone.
pub(super) fn sentence(record: &ProfileRecord) -> Option<String> {
    let workers = &record.workers;
    if workers.len() < 2 {
        return None;
    }
    let latest = workers.iter().max_by(|a, b| a.last.total_cmp(&b.last))?;
    if latest.last * workers.len() as f64 <= OFTEN {
        return Some("No worker is waited for more than others.".into());
    }
    let taken = latest.taken.unwrap_or(0.0);
    let why = match () {
        () if latest.imbalance > UNEVEN => {
            format!("it is busy for {} longer than the mean", percent(latest.imbalance))
        }
        () if taken > TAKEN * record.step_seconds => {
            format!("the system takes its processor away for {} µs of a step", micros(taken))
        }
        () => "its work is no more than that of others".into(),
    };
    let (worker, last) = (latest.worker, percent(latest.last));
    Some(format!("The others wait for worker {worker}: it comes last to {last} of the barriers; {why}."))
}
