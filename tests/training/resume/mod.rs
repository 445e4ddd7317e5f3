//! A training that goes on from a checkpoint ends with the bits of one that was never interrupted, and not with those of
//! one that begins again with the parameters alone.

mod begun;
mod broken;
mod cases;
mod crafted;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use fallline::data::DataSet;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Checkpoints, Every, Observer, TrainRecord};
use serde_json::Value;

use crate::common::compare::bits;
use crate::common::runs::build;

/// More than any of these trainings has.
const ALL: usize = 100_000;

/// Something that stops a training after a step.
#[derive(Default)]
struct Breaker {
    stop: AtomicBool,
    at: Option<u64>,
}

struct Hand<'a>(&'a Breaker);

impl Observer for Hand<'_> {
    fn step(&mut self, step: u64, _loss: f64) {
        if self.0.at == Some(step) {
            self.0.stop.store(true, Relaxed);
        }
    }

    fn checkpoint(&mut self, written: Result<&Path, &fallline::Error>) {
        assert!(written.is_ok(), "{written:?}");
    }
}

/// What a training comes to.
#[derive(Clone, PartialEq)]
struct Outcome {
    record: Value,
    parameters: Vec<u32>,
}

/// Trains, on so many threads, and stops after a step, if one is named.
fn trained(
    model: &mut Model,
    recipe: &Recipe,
    data: &DataSet,
    threads: usize,
    checkpoints: Option<&mut Checkpoints>,
    at: Option<u64>,
) -> TrainRecord {
    let (team, breaker) = (Team::new(threads).unwrap(), Breaker { at, ..Breaker::default() });
    let (stop, mut hand) = (&breaker.stop, Hand(&breaker));
    let record = match checkpoints {
        Some(checkpoints) => train::train_with(model, data, recipe, &team, checkpoints, stop, &mut hand),
        None => train::train(model, data, recipe, &team, stop, &mut hand),
    };
    let mut record = record.unwrap();
    train::test(&mut record, model, data, recipe, &team, &mut Hand(&breaker)).unwrap();
    record
}

fn outcome(
    recipe: &Recipe,
    data: &DataSet,
    threads: usize,
    checkpoints: Option<&mut Checkpoints>,
    at: Option<u64>,
) -> Outcome {
    let mut model = build(recipe, data);
    let record = trained(&mut model, recipe, data, threads, checkpoints, at);
    Outcome { record: timeless(&record), parameters: bits(model.storage()) }
}

/// The record without times, rates, threads and machine.
fn timeless(record: &TrainRecord) -> Value {
    let mut record = serde_json::to_value(record).unwrap();
    let all = record.as_object_mut().unwrap();
    for key in ["train_seconds", "threads", "machine"] {
        all.remove(key).unwrap();
    }
    for epoch in record["epochs"].as_array_mut().unwrap() {
        for key in ["seconds", "samples_per_second"] {
            epoch.as_object_mut().unwrap().remove(key).unwrap();
        }
    }
    record
}

fn begun(folder: &Path, every: Every) -> Checkpoints {
    Checkpoints::begin(folder, every, ALL).unwrap()
}

fn resumed(folder: &Path) -> Checkpoints {
    let checkpoints = Checkpoints::resume(folder, Every::Epochs(ALL as u64), 2).unwrap();
    assert!(checkpoints.goes_on());
    checkpoints
}

fn path(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("checkpoint-{step}.safetensors"))
}

/// The steps of which a folder has checkpoints, in order.
fn steps(folder: &Path) -> Vec<u64> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let step =
        |name: String| name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?.parse::<u64>().ok();
    let mut steps: Vec<u64> = names.filter_map(step).collect();
    steps.sort_unstable();
    steps
}

/// The arrays of a checkpoint: parameters, slots, averages, what a search knows.
fn arrays(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut arrays: Vec<_> =
        tensors.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect();
    arrays.retain(|(name, _)| name != "state.json");
    arrays.sort();
    assert!(arrays.iter().any(|(name, _)| name == "session.parameters"));
    arrays
}

fn same(what: &str, one: &Outcome, other: &Outcome) {
    let wrong = one.parameters.iter().zip(&other.parameters).filter(|(a, b)| a != b).count();
    assert!(wrong == 0, "{what}: {wrong} of {} parameters differ", one.parameters.len());
    assert_eq!(one.record, other.record, "{what}");
}

/// Up to so many of these, the first, the last and those between at equal distances.
fn some(all: &[u64], most: usize) -> Vec<u64> {
    let mut some: Vec<u64> =
        (0..most).map(|place| all[place * (all.len() - 1) / (most - 1).max(1)]).collect();
    some.dedup();
    some
}

/// Checks a training: it writes a checkpoint after each step, and goes on from up to so many of them on other numbers of
/// threads; it is stopped in the middle, and goes on.
fn check(name: &str, recipe: &Recipe, data: &DataSet, breaks: usize) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let plain = outcome(recipe, data, 2, None, None);
    let whole = outcome(recipe, data, 2, Some(&mut begun(&at("whole"), Every::Steps(1))), None);
    same(&format!("{name}, kept"), &plain, &whole);
    let all = steps(&at("whole"));
    let last = *all.last().unwrap();
    assert!(all.len() as u64 == last + 1 && last > 1, "{name}: {all:?}");
    let at_end = arrays(&path(&at("whole"), last));

    for (turn, step) in some(&all, breaks).into_iter().enumerate() {
        let (place, threads) = (at(&format!("from-{step}")), [1, 3, 2][turn % 3]);
        fs::create_dir(&place).unwrap();
        fs::copy(path(&at("whole"), step), path(&place, step)).unwrap();
        let what = format!("{name}, from step {step} of {last} on {threads} threads");
        same(&what, &outcome(recipe, data, threads, Some(&mut resumed(&place)), None), &whole);
        assert!(arrays(&path(&place, last)) == at_end, "{what}: arrays differ");
        fs::remove_dir_all(&place).unwrap();
    }

    // Stopped, and by then written only for that.
    let middle = (last / 2).max(1);
    let mut model = build(recipe, data);
    let mut checkpoints = begun(&at("stopped"), Every::Epochs(ALL as u64));
    let stopped = trained(&mut model, recipe, data, 3, Some(&mut checkpoints), Some(middle));
    assert_eq!(
        (stopped.stop_reason.as_str(), steps(&at("stopped"))),
        ("interrupted", vec![0, middle]),
        "{name}"
    );
    drop(checkpoints);
    let what = format!("{name}, stopped after step {middle} of {last}");
    same(&what, &outcome(recipe, data, 1, Some(&mut resumed(&at("stopped"))), None), &whole);

    // Whoever begins again with the parameters that there are comes to others.
    // Of a search that has found nothing better since, both come to what it has found.
    let is_found = bits(model.storage()) == whole.parameters;
    let cold = trained(&mut model, recipe, data, 2, None, Some(last - middle));
    assert!(cold.train_seconds >= 0.0);
    assert!(is_found || bits(model.storage()) != whole.parameters, "{name}: a cold start is no different");
}
