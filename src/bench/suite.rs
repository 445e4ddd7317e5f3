//! Measuring all cases of a plan in turn, so that whatever the machine goes through meets all alike.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::plan::{BenchPlan, PlannedCase, ROUNDS};
use super::record::{BENCH_SCHEMA, BenchRecord, Calibration, CaseRecord, FALLLINE};
use super::throughput::{Case, Sample};
use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::memory;
use crate::stats::Summary;
use crate::team::Team;
use crate::train::machine::Machine;

/// What the workers do before a case is measured: pages are touched, caches and clocks warm up.
const WARM_UP: Duration = Duration::from_millis(50);

/// How the suite tells what it does and has its results kept.
pub trait Watcher {
    /// Called before each run, with the runs done and those of the whole suite.
    fn running(&mut self, case: &CaseRecord, done: usize, of: usize);

    /// Called after each run with all results so far.
    ///
    /// # Errors
    /// Ends the suite.
    fn save(&mut self, record: &BenchRecord) -> Result<()>;
}

/// Measures the cases of `plan`, or those that `previous`, a record of the same plan, still lacks.
/// Ends early when `stop` is set; the record then holds the runs that were made.
///
/// # Errors
/// [`Error::Mismatch`] if `previous` is of another plan or machine; those of
/// [`Session::new`](crate::train::Session::new) and of `watcher`.
pub fn run(
    plan: &mut BenchPlan,
    calibration: Option<Calibration>,
    previous: Option<&BenchRecord>,
    stop: &AtomicBool,
    watcher: &mut dyn Watcher,
) -> Result<BenchRecord> {
    let mut record = BenchRecord {
        schema: BENCH_SCHEMA.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        machine: Machine::current(),
        calibration,
        notes: plan.notes.clone(),
        seconds_per_case: (plan.slice * ROUNDS as u32).as_secs_f64(),
        cases: Vec::new(),
    };
    let bare = bare_memory(plan);
    let teams = teams(&plan.cases)?;
    let mut cases = Vec::new();
    for planned in &mut plan.cases {
        let (set, team) = (&plan.data[planned.data], &teams[&planned.threads]);
        let mut described = describe(planned, &set.name);
        let own = own_bytes(planned, set);
        let (case, added) = warmed_up(planned, set, team)?;
        described.update_bytes_per_step = Some(case.update_bytes());
        described.peak_memory_bytes = bare.zip(added).map(|(bare, added)| bare + own + added);
        record.cases.push(described);
        cases.push(case);
    }
    for (case, described) in cases.iter_mut().zip(&mut record.cases) {
        described.waiting = Some(case.waiting(plan.slice)?);
    }
    if let Some(previous) = previous {
        take_over(&mut record, previous)?;
    }
    measure(&mut cases, &mut record, plan.slice, stop, watcher)?;
    Ok(record)
}

/// A case before it is measured.
fn describe(planned: &PlannedCase, data: &str) -> CaseRecord {
    let PlannedCase { recipe, model, threads, .. } = planned;
    CaseRecord {
        framework: FALLLINE.into(),
        recipe: recipe.name.clone(),
        data: data.into(),
        optimizer: recipe.optimizer.name.clone(),
        batch: recipe.train.batch,
        threads: *threads,
        precision: "f32".into(),
        parameters: model.parameters(),
        train_flops_per_sample: model.train_flops_per_sample(),
        samples_per_second: Summary::default(),
        step_us: 0.0,
        gflops: 0.0,
        fraction_of_peak: Summary::default(),
        scaling_efficiency: None,
        update_bytes_per_step: None,
        peak_memory_bytes: None,
        waiting: None,
    }
}

/// Resident memory without the models and data of the cases, of which each would need its own only.
fn bare_memory(plan: &BenchPlan) -> Option<u64> {
    let models: usize = plan.cases.iter().map(|case| size_of_val(case.model.storage())).sum();
    let data: usize = plan.data.iter().map(data_bytes).sum();
    memory::resident().map(|[now, _]| now.saturating_sub((models + data) as u64))
}

/// Bytes of a case's parameters and data.
fn own_bytes(planned: &PlannedCase, set: &DataSet) -> u64 {
    (size_of_val(planned.model.storage()) + data_bytes(set)) as u64
}

fn data_bytes(set: &DataSet) -> usize {
    [&set.train, &set.test].map(|samples| samples.bytes()).iter().sum()
}

/// A case that has trained a little, and by how much memory that was more at its highest.
fn warmed_up<'a>(
    planned: &'a mut PlannedCase,
    set: &'a DataSet,
    team: &'a Team,
) -> Result<(Case<'a>, Option<u64>)> {
    let before = memory::resident().map(|[now, _]| now);
    memory::forget_peak();
    let mut case = Case::new(&mut planned.model, &set.train, &planned.recipe, team)?;
    case.run(WARM_UP)?;
    let highest = memory::resident().map(|[_, highest]| highest);
    Ok((case, highest.zip(before).map(|(highest, before)| highest.saturating_sub(before))))
}

/// One team for each number of threads.
fn teams(cases: &[PlannedCase]) -> Result<BTreeMap<usize, Team>> {
    let mut teams = BTreeMap::new();
    for case in cases {
        if !teams.contains_key(&case.threads) {
            teams.insert(case.threads, Team::new(case.threads)?);
        }
    }
    Ok(teams)
}

/// The runs of an interrupted suite.
fn take_over(record: &mut BenchRecord, previous: &BenchRecord) -> Result<()> {
    let mismatch = |what: &str, expected: String, found: String| {
        Err(Error::Mismatch { what: format!("{what} of the results to resume"), expected, found })
    };
    if previous.machine != record.machine {
        return mismatch("machine", format!("{:?}", record.machine), format!("{:?}", previous.machine));
    }
    let seconds = |record: &BenchRecord| format!("{} s", record.seconds_per_case);
    if seconds(previous) != seconds(record) {
        return mismatch("measuring time of a case", seconds(record), seconds(previous));
    }
    for old in &previous.cases {
        let Some(case) = record.cases.iter_mut().find(|case| case.is_same_case(old)) else {
            return mismatch("cases", "only those chosen now".into(), old.title());
        };
        case.samples_per_second = old.samples_per_second.clone();
        case.fraction_of_peak = old.fraction_of_peak.clone();
    }
    Ok(())
}

/// Runs every case once a round, until all have been run [`ROUNDS`] times.
fn measure(
    cases: &mut [Case],
    record: &mut BenchRecord,
    slice: Duration,
    stop: &AtomicBool,
    watcher: &mut dyn Watcher,
) -> Result<()> {
    let done = |record: &BenchRecord| {
        record.cases.iter().map(|case| case.samples_per_second.runs.len()).sum::<usize>()
    };
    let of = ROUNDS * cases.len();
    for round in 0..ROUNDS {
        for (index, case) in cases.iter_mut().enumerate() {
            // A resumed suite has made some of the rounds already.
            if record.cases[index].samples_per_second.runs.len() > round {
                continue;
            }
            if stop.load(Relaxed) {
                return Ok(());
            }
            watcher.running(&record.cases[index], done(record), of);
            let sample = case.run(slice)?;
            add(&mut record.cases[index], sample);
            derive_scaling(&mut record.cases);
            watcher.save(record)?;
        }
    }
    Ok(())
}

/// Adds a run to a case.
pub fn add(case: &mut CaseRecord, sample: Sample) {
    let with = |summary: &Summary, value: f64| {
        let mut runs = summary.runs.clone();
        runs.push(value);
        Summary::of(&runs)
    };
    case.samples_per_second = with(&case.samples_per_second, sample.samples_per_second);
    case.fraction_of_peak = with(&case.fraction_of_peak, sample.fraction_of_peak);
    let rate = case.samples_per_second.median;
    case.step_us = case.batch as f64 / rate * 1e6;
    case.gflops = rate * case.train_flops_per_sample / 1e9;
}

/// Sets each case's throughput in relation to that of one thread.
pub fn derive_scaling(cases: &mut [CaseRecord]) {
    let ones: Vec<CaseRecord> = cases.iter().filter(|case| case.threads == 1).cloned().collect();
    for case in cases {
        let alone = |one: &&CaseRecord| {
            one.is_same_case(&CaseRecord { threads: 1, ..case.clone() })
                && one.samples_per_second.median > 0.0
        };
        let rate = case.samples_per_second.median;
        case.scaling_efficiency = ones
            .iter()
            .find(alone)
            .map(|one| rate / (one.samples_per_second.median * case.threads as f64))
            .filter(|_| rate > 0.0);
    }
}
