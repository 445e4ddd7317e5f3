//! The record of a profile, from the tables of the probes.

use std::sync::Arc;

use super::findings::{self, Subject};
use super::record::{Counters, Event, PROFILE_SCHEMA, ProfileRecord, Roofs, Settings, Site, WorkerTime};
use super::roofs::{bound, level_of};
use super::sums::{SiteSum, Sums, ratio, typical_step};
use super::trace::TraceEvent;
use crate::bench::topology;
use crate::model::{Frozen, names_of};
use crate::probe::{Operation, Table};
use crate::team::counters::COUNTED;
use crate::train::Session;
use crate::train::machine::Machine;

/// The part of a roof from which a call site counts as bound by it.
const AT_ROOF: f64 = 0.8;

/// Calls of fewer seconds than this cost more to begin and to end than their work takes.
const SHORT_CALL: f64 = 1e-6;

/// A fraction of a roof above this exceeds it by more than the peak varies between measurements.
const ABOVE_ROOF: f64 = 1.05;

/// The record of the workers' tables of steps of `subject`.
pub fn record(tables: &[Table], seconds_per_tick: f64, roofs: Roofs, subject: &Subject) -> ProfileRecord {
    let sums = Sums::of(tables, seconds_per_tick);
    let workers = workers(tables, &sums, seconds_per_tick);
    let mut sites: Vec<Site> =
        sums.sites.iter().map(|sum| site(sum, &sums, &roofs, &workers, subject)).collect();
    sites.sort_by(|a, b| b.saving.total_cmp(&a.saving));
    let mut notes = Vec::new();
    if sums.disturbed > 0 {
        notes.push(format!(
            "{} of {} steps took more than 1.25 times the median and are left out of all times: something \
             else ran on this machine.",
            sums.disturbed, sums.steps
        ));
    }
    for site in sites.iter().filter(|site| site.fraction_of_roof.is_some_and(|part| part > ABOVE_ROOF)) {
        notes.push(format!(
            "{} reached {:.2} times its roof: the machine was slower while the roofs were measured, or what \
             it does is counted wrongly.",
            findings::title(site),
            site.fraction_of_roof.unwrap_or(0.0)
        ));
    }
    let mut record = ProfileRecord {
        schema: PROFILE_SCHEMA.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: subject.command.clone(),
        machine: Machine::current(),
        topology: topology::current(),
        settings: settings(subject),
        roofs,
        steps: sums.steps as usize,
        step_seconds: sums.step_seconds,
        plain_step_seconds: sums.plain_step_seconds,
        overhead: sums.overhead.median,
        overhead_interval: sums.overhead.interval.map(|(low, high)| [low, high]),
        uncovered: mean(&sums.uncovered),
        sites,
        workers,
        timeline: timeline(tables, seconds_per_tick, subject),
        findings: Vec::new(),
        notes,
        counters: None,
    };
    record.findings = findings::of(&record, subject);
    record
}

/// What the training leaves as it is, which was resolved before it was run.
fn frozen(subject: &Subject) -> Frozen {
    subject.model.frozen(subject.recipe).unwrap_or_default()
}

fn settings(subject: &Subject) -> Settings {
    let Subject { recipe, model, .. } = subject;
    let frozen = frozen(subject);
    let forward = model.layers().iter().map(|placed| placed.layer.flops().forward).sum();
    Settings {
        mode: if subject.predict { "predict" } else { "train" }.into(),
        recipe: recipe.name.clone(),
        data: subject.data.clone(),
        optimizer: recipe.optimizer.name().into(),
        batch: subject.batch,
        threads: subject.threads,
        precision: "f32".into(),
        parameters: model.parameters(),
        flops_per_sample: if subject.predict { forward } else { model.train_flops_per_sample_with(&frozen) },
        toml: recipe.to_toml(),
    }
}

/// The name of a call site's layer, and of what does the work.
fn names(operation: Operation, layer: Option<usize>, subject: &Subject) -> (Option<String>, String) {
    let placed = layer.and_then(|index| subject.model.layers().get(index));
    let rule = || subject.recipe.optimizer.name().to_string();
    let kind = match operation {
        Operation::Update | Operation::Orthogonalise | Operation::Search => rule(),
        Operation::Loss => subject.model.loss().name().to_string(),
        _ => placed.map_or(String::new(), |placed| placed.layer.kind()),
    };
    (layer.and_then(|index| names_of(subject.model.layers()).into_iter().nth(index)), kind)
}

fn site(sum: &SiteSum, sums: &Sums, roofs: &Roofs, workers: &[WorkerTime], subject: &Subject) -> Site {
    let (layer, kind) = names(sum.operation, sum.layer, subject);
    let mut of_levels = vec![0.0; roofs.levels.len()];
    for &(bytes, working_set) in &sum.streams {
        if let Some(level) = level_of(&roofs.levels, working_set) {
            of_levels[level] += bytes;
        }
    }
    let bytes: f64 = sum.streams.iter().map(|(bytes, _)| bytes).sum();
    let seconds = mean(&sum.seconds);
    let is_barrier = sum.operation == Operation::Barrier;
    let (roof_seconds, roof) = match is_barrier {
        true => (sum.calls / workers.len().max(1) as f64 * roofs.barrier_seconds, "none".into()),
        false => bound(roofs, sum.flops, &of_levels),
    };
    let has_roof = roof != "none";
    let fraction = (has_roof && seconds > 0.0).then(|| roof_seconds / seconds);
    // Without a roof, no saving is known.
    let saving = if has_roof || is_barrier { (seconds - roof_seconds).max(0.0) } else { 0.0 };
    let of_call = seconds * workers.len() as f64 / sum.calls.max(f64::MIN_POSITIVE);
    let verdict = match fraction {
        _ if is_barrier => if is_uneven(seconds, workers) { "imbalance" } else { "waiting" }.to_string(),
        None => "unknown".to_string(),
        Some(fraction) if fraction >= AT_ROOF => roof.clone(),
        Some(_) if of_call < SHORT_CALL => "small calls".into(),
        Some(_) => "latency".into(),
    };
    let kernel = layer.iter().map(String::as_str).chain([sum.operation.name()]).collect::<Vec<_>>().join(" ");
    let is_alone =
        !subject.predict && Session::runs_alone(subject.model, &frozen(subject), sum.operation, sum.layer);
    let command = if is_alone { findings::kernel_command(&subject.command, &kernel) } else { None };
    Site {
        layer,
        kind,
        operation: sum.operation.name().into(),
        calls: sum.calls,
        seconds_per_step: seconds,
        median_seconds: sum.median_seconds,
        share: ratio(seconds, sums.step_seconds),
        flops: sum.flops,
        nominal_flops: sum.nominal_flops,
        bytes,
        intensity: ratio(sum.flops, bytes),
        roof,
        roof_seconds,
        fraction_of_roof: fraction,
        saving,
        verdict,
        worker_seconds: sum.seconds.clone(),
        command,
        counters: None,
    }
}

/// Whether the workers' unequal loads explain most of their waiting.
fn is_uneven(waiting: f64, workers: &[WorkerTime]) -> bool {
    let busiest = workers.iter().map(|worker| worker.busy).fold(0.0, f64::max);
    let idle: Vec<f64> = workers.iter().map(|worker| busiest - worker.busy).collect();
    waiting > 0.0 && mean(&idle) >= 0.5 * waiting
}

fn workers(tables: &[Table], sums: &Sums, seconds_per_tick: f64) -> Vec<WorkerTime> {
    let is_waiting = |site: &&SiteSum| site.operation == Operation::Barrier;
    let busy = |worker: usize| -> f64 {
        sums.sites.iter().filter(|site| !is_waiting(site)).map(|site| site.seconds[worker]).sum()
    };
    let all: Vec<f64> = (0..tables.len()).map(busy).collect();
    let of = |(worker, table): (usize, &Table)| {
        let steps = table.steps_begun.max(1) as f64;
        // The time of all steps that the system counted: more was taken in the steps that are left out.
        let all_seconds = table.ticks_seen.iter().sum::<u64>() as f64 * seconds_per_tick;
        let part = |nanoseconds: u64| ratio(nanoseconds as f64 * 1e-9, all_seconds).min(1.0);
        WorkerTime {
            worker,
            busy: all[worker],
            waiting: sums.sites.iter().filter(is_waiting).map(|site| site.seconds[worker]).sum(),
            uncovered: sums.uncovered[worker],
            imbalance: if mean(&all) > 0.0 { all[worker] / mean(&all) - 1.0 } else { 0.0 },
            taken: table.system.map(|system| part(system.taken) * sums.step_seconds),
            switches: table.system.map(|system| system.switches as f64 / steps),
            last: ratio(table.last as f64, table.barriers as f64),
        }
    };
    tables.iter().enumerate().map(of).collect()
}

/// The calls of one step, that whose time is the median.
fn timeline(tables: &[Table], seconds_per_tick: f64, subject: &Subject) -> Vec<Event> {
    let Some(step) = typical_step(tables) else { return Vec::new() };
    let begun = tables.iter().map(|table| table.steps[step].begun).min().unwrap_or(0);
    let mut events = Vec::new();
    for (worker, table) in tables.iter().enumerate() {
        let names: Vec<_> =
            table.sites.iter().map(|site| names(site.operation, site.layer, subject).0).collect();
        let span = &table.steps[step];
        let inside = table.calls.iter().filter(|call| call.begun >= span.begun && call.ended <= span.ended);
        events.extend(inside.map(|call| Event {
            worker,
            layer: names[call.site].clone(),
            operation: table.sites[call.site].operation.name().into(),
            start: call.begun.saturating_sub(begun) as f64 * seconds_per_tick,
            seconds: call.ended.saturating_sub(call.begun) as f64 * seconds_per_tick,
            flops: call.flops as f64,
            bytes: call.bytes as f64,
        }));
    }
    events.sort_by(|a, b| a.start.total_cmp(&b.start));
    events
}

/// All calls that were kept, in the order of each worker, and how many were not.
pub fn events(tables: &[Table], seconds_per_tick: f64, subject: &Subject) -> (Vec<TraceEvent>, u64) {
    let first = tables.iter().filter_map(|table| table.steps.iter().find(|step| step.is_probed));
    let begun = first.map(|step| step.begun).min().unwrap_or(0);
    let mut events = Vec::new();
    for (worker, table) in tables.iter().enumerate() {
        let names: Vec<(Option<Arc<str>>, Arc<str>)> = table
            .sites
            .iter()
            .map(|site| {
                let (layer, _) = names(site.operation, site.layer, subject);
                (layer.map(Arc::from), Arc::from(site.operation.name()))
            })
            .collect();
        for call in &table.calls {
            // The steps are in order of time.
            let step = table.steps.partition_point(|step| step.ended < call.ended);
            let (layer, operation) = names[call.site].clone();
            events.push(TraceEvent {
                worker,
                layer,
                operation,
                start: call.begun.saturating_sub(begun) as f64 * seconds_per_tick,
                seconds: call.ended.saturating_sub(call.begun) as f64 * seconds_per_tick,
                flops: call.flops as f64,
                bytes: call.bytes as f64,
                step: table.steps.get(step).map_or(0, |step| step.number),
            });
        }
    }
    (events, tables.iter().map(|table| table.calls_left_out).sum())
}

/// Adds the counts of other steps of the same kind to the sites of a record; returns what was counted, in words.
pub fn add_counters(record: &mut ProfileRecord, tables: &[Table], subject: &Subject) -> String {
    let steps = tables.first().map_or(0, |table| table.steps_seen[1]).max(1) as f64;
    for site in &mut record.sites {
        let mut sums = [0.0; 3];
        for counted in tables.iter().flat_map(|table| &table.sites) {
            let (layer, _) = names(counted.operation, counted.layer, subject);
            if counted.operation.name() == site.operation && layer == site.layer {
                sums.iter_mut().zip(counted.counted).for_each(|(sum, one)| *sum += one as f64 / steps);
            }
        }
        let [cycles, instructions, cache_misses] = sums;
        // Barriers have no counters.
        if cycles > 0.0 {
            site.counters = Some(Counters { cycles, instructions, cache_misses });
        }
    }
    format!("{} of the program itself, in {steps:.0} steps of their own", COUNTED.join(", "))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
#[path = "analyse/tests.rs"]
mod tests;
