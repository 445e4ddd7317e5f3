//! The measurement of all cases of a plan in turn, so that whatever the machine goes through meets all alike.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use super::data_folders::DataFolders;
use super::peers::{Framework, Peer, Specification, Unavailable};
use super::plan::{BenchPlan, PlannedCase, ROUNDS};
use super::record::{BENCH_SCHEMA, BenchRecord, Calibration, CaseRecord, FALLLINE};
use super::resumed::{conclude, count, take_over, utc};
use super::throughput::{Case, Sample, peak_of};
use crate::data::{DataSet, Samples, Targets};
use crate::error::Result;
use crate::memory;
use crate::stats::Summary;
use crate::team::Team;
use crate::train::machine::Machine;

/// Training before a case is measured: pages are touched, caches and clocks warm up.
const WARM_UP: Duration = Duration::from_millis(50);

/// How long another framework may take to be ready: compiling takes a minute on a slow machine.
const PEER_TIMEOUT: Duration = Duration::from_secs(180);

/// Observes the suite and keeps its results.
pub trait Watcher {
    /// Called before each run, with the runs done and those of the whole suite.
    fn running(&mut self, case: &CaseRecord, done: usize, of: usize);

    /// Called before another framework is started, which may take a minute.
    fn starting(&mut self, case: &CaseRecord);

    /// Called after each run with all results so far.
    ///
    /// # Errors
    /// An error that is returned ends the suite.
    fn save(&mut self, record: &BenchRecord) -> Result<()>;
}

/// A case to be measured: our own, or that of another framework.
enum Runner<'a> {
    Own(Box<Case<'a>>),
    Peer(Peer),
}

/// A case that is measured in turn with others.
struct Turn<'a> {
    /// The team on which the peak is measured.
    team: &'a Team,
    /// The index of the case in the record.
    record: usize,
    runner: Runner<'a>,
}

/// Measures the cases of `plan`, or the rounds that `previous`, a record of the same plan, still lacks. Cases that have all
/// are not trained at all.
/// All cases run in turn; with other frameworks beside them, each case runs in turn with the same
/// case of those, since they take too much memory to wait for others. Ends early when `stop` is set;
/// the record then holds the runs that were made.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) or [`Error::Setting`](crate::Error::Setting) with the difference if
/// `previous` is of another plan, machine or version of the program; those of
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
        compared: plan.peers.iter().map(|framework| framework.name().to_string()).collect(),
        cases: cases(plan),
    };
    let own = record.cases.len();
    for framework in &plan.peers {
        for index in 0..own {
            record.cases.push(of_peer(&record.cases[index], framework.name()));
        }
    }
    if let Some(previous) = previous {
        take_over(&mut record, previous, own)?;
        derive_scaling(&mut record.cases);
    }
    let teams = teams(&plan.cases)?;
    // What is wrong with the last case is better known before the first.
    for planned in &mut plan.cases {
        let (set, team) = (&plan.data[planned.data], &teams[&planned.threads]);
        Case::new(&mut planned.model, &set.train, &planned.recipe, team)?;
    }
    let bare = bare_memory(plan);
    let mut turns = Vec::new();
    let mut specifications = Vec::new();
    let files = DataFolders::new(plan)?;
    for (described, planned) in record.cases.iter_mut().zip(&mut plan.cases) {
        let (set, team) = (&plan.data[planned.data], &teams[&planned.threads]);
        specifications.push(files.specification(planned, set));
        if is_done(described) {
            turns.push(None);
            continue;
        }
        let own = own_bytes(planned, set);
        let (mut case, added) = warmed_up(planned, set, team)?;
        described.waiting = Some(case.waiting(plan.slice)?);
        described.update_bytes_per_step = Some(case.update_bytes());
        described.peak_memory_bytes = bare.zip(added).map(|(bare, added)| bare + own + added);
        turns.push(Some(Turn { team, record: turns.len(), runner: Runner::Own(Box::new(case)) }));
    }
    let begun = utc(SystemTime::now());
    let mut measuring = Measuring { record: &mut record, slice: plan.slice, begun, stop, watcher };
    if plan.peers.is_empty() {
        measuring.rounds(&mut turns.into_iter().flatten().collect())?;
    } else {
        for (index, turn) in turns.into_iter().enumerate() {
            let Some(turn) = turn else { continue };
            let team = turn.team;
            let mut group = vec![turn];
            for (place, &framework) in (1..).zip(&plan.peers) {
                let places = [index, index + place * own];
                if let Some(runner) = measuring.start(framework, places, &specifications[index]) {
                    group.push(Turn { team, record: places[1], runner });
                }
            }
            measuring.rounds(&mut group)?;
        }
    }
    // Cases that could not be measured are in the notes.
    record.cases.retain(|case| case.framework == FALLLINE || !case.samples_per_second.runs.is_empty());
    Ok(record)
}

/// Whether a case has all its runs.
fn is_done(case: &CaseRecord) -> bool {
    case.samples_per_second.runs.len() >= ROUNDS
}

/// The same case by another framework, neither measured yet.
fn of_peer(own: &CaseRecord, framework: &str) -> CaseRecord {
    CaseRecord { framework: framework.into(), settings: None, ..own.clone() }
}

/// The cases of a plan, not measured yet; without those of other frameworks.
pub fn cases(plan: &BenchPlan) -> Vec<CaseRecord> {
    plan.cases.iter().map(|planned| describe(planned, &plan.data[planned.data])).collect()
}

/// A case before it is measured.
fn describe(planned: &PlannedCase, set: &DataSet) -> CaseRecord {
    let PlannedCase { recipe, model, threads, .. } = planned;
    CaseRecord {
        framework: FALLLINE.into(),
        recipe: recipe.name.clone(),
        data: set.name.clone(),
        optimizer: recipe.optimizer.name().into(),
        batch: recipe.train.batch,
        threads: *threads,
        precision: "f32".into(),
        parameters: model.parameters(),
        // Names that are wrong are refused when the case is prepared.
        train_flops_per_sample: model.train_flops_per_sample_with(&model.frozen(recipe).unwrap_or_default()),
        settings: Some(recipe.to_toml()),
        samples_per_second: Summary::default(),
        tokens_per_sample: tokens_per_sample(&set.train),
        tokens_per_second: None,
        step_us: 0.0,
        gflops: 0.0,
        fraction_of_peak: Summary::default(),
        scaling_efficiency: None,
        update_bytes_per_step: None,
        peak_memory_bytes: None,
        waiting: None,
        measured: Vec::new(),
    }
}

/// Tokens of a sample that have a target and count, the mean of all; none where a sample has one target.
fn tokens_per_sample(samples: &Samples) -> Option<f64> {
    let Targets::Tokens(tokens) = samples.targets() else { return None };
    let counted: usize = (0..samples.len()).map(|sample| tokens.view().counted(sample)).sum();
    Some(counted as f64 / samples.len() as f64)
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

/// A case that has trained a little, and by how many bytes that has raised the highest memory.
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

/// The teams, one for each number of threads.
fn teams(cases: &[PlannedCase]) -> Result<BTreeMap<usize, Team>> {
    let mut teams = BTreeMap::new();
    for case in cases {
        if let Entry::Vacant(place) = teams.entry(case.threads) {
            place.insert(Team::new(case.threads)?);
        }
    }
    Ok(teams)
}

/// A suite under way.
struct Measuring<'a> {
    record: &'a mut BenchRecord,
    slice: Duration,
    /// When it was begun, in UTC.
    begun: String,
    stop: &'a AtomicBool,
    watcher: &'a mut dyn Watcher,
}

impl Measuring<'_> {
    /// Starts a framework for one case, whose place in the record is that of ours and its own; None, with a note, if it
    /// cannot be had, or without one if it would train as another does.
    fn start<'r>(
        &mut self,
        framework: Framework,
        places: [usize; 2],
        specification: &Result<Specification, String>,
    ) -> Option<Runner<'r>> {
        let [own, case] = places.map(|place| &self.record.cases[place]);
        let same = specification.as_ref().is_ok_and(|task| !framework.differs_for(task));
        if same || self.stop.load(Relaxed) {
            return None;
        }
        if case.samples_per_second.runs.len() < own.samples_per_second.runs.len() {
            // Its runs would be of another time than the first ones of ours, which an earlier suite has made.
            self.note(format!("{} is left out of cases that were begun without it", framework.name()));
            return None;
        }
        self.watcher.starting(case);
        let started = match specification {
            Ok(specification) => Peer::start(framework, specification, PEER_TIMEOUT),
            Err(reason) => Err(framework.unavailable(reason.as_str())),
        };
        match started {
            Ok(peer) => {
                self.note(format!("{} is version {}", framework.name(), peer.version()));
                Some(Runner::Peer(peer))
            }
            Err(unavailable) => {
                self.note(unavailable.to_string());
                None
            }
        }
    }

    fn note(&mut self, note: String) {
        if !self.record.notes.contains(&note) {
            self.record.notes.push(note);
        }
    }

    /// Runs every case once a round, until all have been run [`ROUNDS`] times.
    fn rounds(&mut self, turns: &mut Vec<Turn>) -> Result<()> {
        for round in 0..ROUNDS {
            let mut lost = Vec::new();
            for (index, turn) in turns.iter_mut().enumerate() {
                // A resumed suite has made some of the rounds already.
                if self.record.cases[turn.record].samples_per_second.runs.len() > round {
                    continue;
                }
                if self.stop.load(Relaxed) {
                    return Ok(());
                }
                self.tell(turn.record);
                match self.run(turn)? {
                    Ok(sample) => {
                        let case = &mut self.record.cases[turn.record];
                        add(case, sample);
                        count(case, &self.begun);
                    }
                    Err(unavailable) => {
                        self.note(unavailable.to_string());
                        lost.push(index);
                    }
                }
                derive_scaling(&mut self.record.cases);
                self.watcher.save(self.record)?;
            }
            lost.iter().rev().for_each(|&index| _ = turns.remove(index));
        }
        Ok(())
    }

    fn tell(&mut self, record: usize) {
        let done = self.record.cases.iter().map(|case| case.samples_per_second.runs.len()).sum();
        self.watcher.running(&self.record.cases[record], done, ROUNDS * self.record.cases.len());
    }

    /// Makes one run; another framework may be lost on the way.
    fn run(&mut self, turn: &mut Turn) -> Result<Result<Sample, Unavailable>> {
        match &mut turn.runner {
            Runner::Own(case) => case.run(self.slice).map(Ok),
            Runner::Peer(peer) => {
                let case = &mut self.record.cases[turn.record];
                let peak = peak_of(turn.team);
                let sample = peer.run(self.slice).map(|sample| {
                    case.peak_memory_bytes = peer.peak_memory_bytes();
                    let flops_per_second = sample.samples_per_second * case.train_flops_per_sample;
                    Sample {
                        samples_per_second: sample.samples_per_second,
                        fraction_of_peak: flops_per_second / peak,
                    }
                });
                Ok(sample)
            }
        }
    }
}

/// Adds a run to a case.
fn add(case: &mut CaseRecord, sample: Sample) {
    let with = |summary: &Summary, value: f64| {
        let mut runs = summary.runs.clone();
        runs.push(value);
        Summary::of(&runs)
    };
    case.samples_per_second = with(&case.samples_per_second, sample.samples_per_second);
    case.fraction_of_peak = with(&case.fraction_of_peak, sample.fraction_of_peak);
    conclude(case);
}

/// Sets each case's throughput in relation to that of one thread.
fn derive_scaling(cases: &mut [CaseRecord]) {
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
