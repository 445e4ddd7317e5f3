use std::cell::Cell;

use super::*;
use crate::bench::profile::record::LevelRoof;
use crate::model::{Model, Recipe};
use crate::probe::{Cost, Probe, Traffic};

/// Roofs of 1000 multiply-adds and as many bytes a tick, of all workers together.
fn roofs() -> Roofs {
    Roofs {
        instruction_set: "baseline".into(),
        flops_per_second: 2000.0,
        levels: vec![
            LevelRoof { name: "L1".into(), capacity: 1 << 10, bytes_per_second: 4000.0 },
            LevelRoof { name: "DRAM".into(), capacity: 0, bytes_per_second: 1000.0 },
        ],
        barrier_seconds: 2.0,
    }
}

thread_local! { static TIME: Cell<u64> = const { Cell::new(0) } }

fn now() -> u64 {
    TIME.with(Cell::get)
}

/// A call: operation, layer, ticks, flops, bytes and their working set.
type Call = (Operation, Option<usize>, u64, u64, usize, usize);

/// A worker whose steps are all alike; a tick is a second.
fn worker(calls: &[Call], uncovered: u64, steps: u64) -> Table {
    TIME.with(|time| time.set(0));
    let pass = |ticks: u64| TIME.with(|time| time.set(time.get() + ticks));
    let mut probe = Probe::new(now, 1000, Table::default());
    for number in 0..2 * steps {
        let is_probed = number % 2 == 0;
        probe.begin_step(number, Some(is_probed), None);
        for &(operation, layer, ticks, flops, bytes, working_set) in calls {
            let begun = now();
            pass(ticks);
            if operation == Operation::Barrier && is_probed {
                probe.passed(begun, now(), false);
            } else if is_probed {
                let mut cost = Cost { nominal_flops: flops as f64 / 2.0, ..Cost::NONE };
                cost.streams[0] = Traffic { bytes, working_set };
                probe.record(operation, layer, || cost, [begun, now()], [ticks, flops]);
            }
        }
        pass(uncovered);
        probe.end_step();
    }
    probe.into_table()
}

fn recipe() -> Recipe {
    Recipe::built_in("digits-mlp").unwrap()
}

fn analysed(tables: &[Table]) -> ProfileRecord {
    let recipe = recipe();
    let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
    let subject = Subject {
        model: &model,
        recipe: &recipe,
        data: "digits".into(),
        batch: 64,
        samples: 1000,
        threads: tables.len(),
        predict: false,
        command: "fallline profile digits-mlp".into(),
    };
    record(tables, 1.0, roofs(), &subject)
}

const FORWARD: Operation = Operation::Forward;
const UPDATE: Operation = Operation::Update;

/// Calls at 90 % of the peak; at half of the bandwidth of memory; at the roof of L1; without a roof.
const CALLS: [Call; 5] = [
    (FORWARD, Some(0), 100, 180_000, 100, 100),
    (UPDATE, Some(0), 60, 0, 30_000, 1 << 20),
    (FORWARD, Some(1), 10, 0, 40_000, 2000),
    (Operation::Search, None, 5, 0, 0, 0),
    (Operation::Barrier, None, 20, 0, 0, 0),
];

fn of<'a>(record: &'a ProfileRecord, operation: &str, layer: Option<&str>) -> &'a Site {
    record.sites.iter().find(|site| site.operation == operation && site.layer.as_deref() == layer).unwrap()
}

#[test]
fn known_durations_and_amounts_come_back_exactly() {
    let record = analysed(&[worker(&CALLS, 5, 4)]);
    assert_eq!((record.steps, record.step_seconds, record.plain_step_seconds), (4, 200.0, 200.0));
    assert_eq!((record.overhead, record.uncovered), (0.0, 5.0));
    let forward = of(&record, "forward", Some("0"));
    assert_eq!((forward.seconds_per_step, forward.median_seconds, forward.share), (100.0, 100.0, 0.5));
    assert_eq!((forward.flops, forward.nominal_flops, forward.bytes), (180_000.0, 90_000.0, 100.0));
    assert_eq!((forward.intensity, forward.roof.as_str(), forward.roof_seconds), (1800.0, "compute", 90.0));
    assert_eq!((forward.fraction_of_roof, forward.saving), (Some(0.9), 10.0));
    assert_eq!((forward.verdict.as_str(), forward.calls), ("compute", 1.0));
    let update = of(&record, "update", Some("0"));
    assert_eq!((update.roof.as_str(), update.roof_seconds, update.saving), ("DRAM", 30.0, 30.0));
    assert_eq!((update.verdict.as_str(), update.kind.as_str()), ("latency", recipe().optimizer.name()));
    let near = of(&record, "forward", Some("2"));
    assert_eq!((near.verdict.as_str(), near.fraction_of_roof, near.saving), ("L1", Some(1.0), 0.0));
    let search = of(&record, "search", None);
    assert_eq!((search.verdict.as_str(), search.saving, search.fraction_of_roof), ("unknown", 0.0, None));
    let barrier = of(&record, "barrier", None);
    assert_eq!((barrier.roof_seconds, barrier.saving, barrier.verdict.as_str()), (2.0, 18.0, "waiting"));
    // The sums agree with the step.
    let covered: f64 = record.sites.iter().map(|site| site.seconds_per_step).sum();
    assert_eq!(covered + record.uncovered, record.step_seconds);
    let shares: f64 = record.sites.iter().map(|site| site.share).sum();
    assert!((shares - 195.0 / 200.0).abs() < 1e-12, "{shares}");
    let worker = &record.workers[0];
    assert_eq!((worker.busy, worker.waiting, worker.uncovered, worker.imbalance), (175.0, 20.0, 5.0, 0.0));
    assert_eq!(crate::bench::profile::check::check(&record), Ok(()));
}

/// The timeline is one step, and the trace all of them.
#[test]
fn calls_lie_where_they_happened() {
    let table = worker(&CALLS, 5, 4);
    let record = analysed(std::slice::from_ref(&table));
    let starts: Vec<f64> = record.timeline.iter().map(|event| event.start).collect();
    assert_eq!(starts, [0.0, 100.0, 160.0, 170.0, 175.0]);
    assert_eq!(record.timeline[1].operation, "update");
    assert_eq!((record.timeline[0].flops, record.timeline[1].bytes), (180_000.0, 30_000.0));
    let recipe = recipe();
    let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
    let (data, command) = (String::new(), String::new());
    let subject = Subject {
        model: &model,
        recipe: &recipe,
        data,
        batch: 1,
        samples: 1,
        threads: 1,
        predict: false,
        command,
    };
    let (traced, left_out) = events(&[table], 1.0, &subject);
    assert_eq!((traced.len(), left_out), (4 * CALLS.len(), 0));
    let steps: Vec<u64> = traced.iter().step_by(CALLS.len()).map(|event| event.step).collect();
    assert_eq!(steps, [0, 2, 4, 6]);
    assert_eq!((traced[5].start, traced[5].layer.as_deref()), (400.0, Some("0")));
}

#[test]
fn what_was_slowed_down_is_found_first() {
    let before = analysed(&[worker(&CALLS, 5, 4)]);
    assert_eq!(before.sites[0].operation, "update");
    let slowed = |index: usize| {
        let mut calls = CALLS;
        calls[index].2 += 70;
        analysed(&[worker(&calls, 5, 4)])
    };
    for (index, saving) in [(0, 80.0), (1, 100.0), (2, 70.0)] {
        let record = slowed(index);
        let (operation, layer, ..) = CALLS[index];
        let first = &record.sites[0];
        assert_eq!((first.operation.as_str(), first.saving), (operation.name(), saving));
        // Between the two layers is an activation, which is part of the first.
        assert_eq!(first.layer.as_deref(), layer.map(|layer| ["0", "2"][layer]));
        let gain = format!("{:.2} times as fast at best", 270.0 / (270.0 - saving));
        assert!(record.findings.iter().any(|finding| finding.text.contains(&gain)), "{:?}", record.findings);
    }
}

#[test]
fn findings_are_sentences_with_what_to_try() {
    let record = analysed(&[worker(&CALLS, 5, 4)]);
    let texts: Vec<&str> = record.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(
        texts[0],
        "layer 0 (dense + relu), forward: 50 % of the step at 90 % of the compute roof: nothing to gain."
    );
    let expected = "on layer 0: 30 % of the step at 50 % of the DRAM roof: 1.18 times as fast at best; a larger \
                    batch would spread it.";
    assert!(texts[1].ends_with(expected), "{texts:?}");
    assert_eq!(record.findings[1].command.as_deref(), Some("fallline profile digits-mlp --batch 128"));
    assert!(texts[2].starts_with("waiting at barriers: 10 % of the step: 1.10 times"), "{texts:?}");
}

#[test]
fn unequal_workers_are_told_apart() {
    let mut late = CALLS;
    (late[0].2, late[4].2) = (60, 60);
    let record = analysed(&[worker(&CALLS, 5, 4), worker(&late, 5, 4)]);
    assert_eq!(of(&record, "barrier", None).verdict, "imbalance");
    assert_eq!(of(&record, "forward", Some("0")).worker_seconds, [100.0, 60.0]);
    assert_eq!(of(&record, "forward", Some("0")).seconds_per_step, 80.0);
    let imbalances: Vec<f64> =
        record.workers.iter().map(|worker| (worker.imbalance * 1000.0).round()).collect();
    assert_eq!(imbalances, [129.0, -129.0]);
    assert_eq!(record.step_seconds, 200.0);
}

/// A site above its roof is a fault in the counting or a roof measured too low: the reader is told.
#[test]
fn above_its_roof_is_said() {
    let mut calls = CALLS;
    calls[0].3 *= 2;
    let record = analysed(&[worker(&calls, 5, 4)]);
    assert!(
        record.notes.iter().any(|note| note.contains("reached 1.80 times its roof")),
        "{:?}",
        record.notes
    );
    assert!(analysed(&[worker(&CALLS, 5, 4)]).notes.is_empty());
}
