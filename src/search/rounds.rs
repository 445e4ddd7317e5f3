//! The rounds of a search, and the threads that train their trials side by side.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::journal::{Journal, Outcome};
use super::method::Proposal;
use super::plan::Plan;
use super::record::{SearchRecord, TrialRecord, TrialState};
use crate::team::{Team, not_started};
use crate::{Error, Result};

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchProgress {
    /// Trainings that are done, those of an earlier command among them.
    pub done: usize,
    /// All trainings; of successive halving and Hyperband if none diverges.
    pub of: usize,
    /// The best score so far, of trials that were trained to their end.
    pub best: Option<f64>,
}

/// Watches a search.
pub trait SearchWatcher {
    /// Called before the first training of this command.
    fn begin(&mut self, _done: SearchProgress) {}

    /// Called after each training, by the thread that has done it, with all of its trial so far.
    fn trial(&mut self, _done: SearchProgress, _trial: &TrialRecord) {}
}

/// The name of a training: its trial, from 0, and the epochs after which it ends, of which a whole one has the most.
type Name = (usize, usize);

fn name(proposal: &Proposal) -> Name {
    (proposal.trial, proposal.epochs.unwrap_or(usize::MAX))
}

/// What the threads share.
struct Shared<'a> {
    outcomes: BTreeMap<Name, Outcome>,
    journal: Option<Journal>,
    watcher: &'a mut (dyn SearchWatcher + Send),
    progress: SearchProgress,
    /// Why a trial could not be kept, which ends the search.
    failure: Option<Error>,
}

impl Shared<'_> {
    fn all_of(&self, trial: usize) -> Option<TrialRecord> {
        let of: Vec<&Outcome> =
            self.outcomes.range((trial, 0)..=(trial, usize::MAX)).map(|(_, of)| of).collect();
        TrialRecord::of(&of)
    }

    /// Counts a training that is done, on the disk too.
    fn add(&mut self, name: Name, outcome: Outcome) {
        if let Some(Err(failure)) = self.journal.as_mut().map(|journal| journal.add(&outcome)) {
            self.failure.get_or_insert(failure);
            return;
        }
        self.outcomes.insert(name, outcome);
        self.count(name.0);
        if let Some(record) = self.all_of(name.0) {
            self.watcher.trial(self.progress, &record);
        }
    }

    fn count(&mut self, trial: usize) {
        self.progress.done += 1;
        if let Some(record) = self.all_of(trial).filter(|record| record.state == TrialState::Finished) {
            let best = self.progress.best.into_iter().chain(record.score).reduce(f64::max);
            self.progress.best = best;
        }
    }
}

impl Plan<'_> {
    /// Does the search, but for the trainings that are `known`, and keeps each that is done in `journal` if there is one. If
    /// `stop` is set meanwhile, the trainings under way are dropped.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if what is known is of other settings; [`Error::Io`] if a trial cannot be kept; an error if threads
    /// cannot be started.
    pub fn run(
        &self,
        journal: Option<Journal>,
        known: Vec<Outcome>,
        stop: &AtomicBool,
        watcher: &mut (dyn SearchWatcher + Send),
    ) -> Result<SearchRecord> {
        let mut before: BTreeMap<Name, Outcome> = BTreeMap::new();
        for outcome in known {
            let number = outcome.trial.saturating_sub(1);
            before.entry((number, outcome.until.unwrap_or(usize::MAX))).or_insert(outcome);
        }
        let progress = SearchProgress { done: 0, of: self.trainings(), best: None };
        let outcomes = BTreeMap::new();
        let shared = Mutex::new(Shared { outcomes, journal, watcher, progress, failure: None });
        let mut proposer = self.proposer();
        let mut places: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        let (mut last, mut has_begun, mut incomplete) = (Vec::new(), false, false);
        loop {
            let round = proposer.next(&last);
            if round.is_empty() {
                break;
            }
            let mut missing = Vec::new();
            for proposal in &round {
                places.insert(proposal.trial, proposal.place.clone());
                let Some(outcome) = before.remove(&name(proposal)) else {
                    missing.push(proposal);
                    continue;
                };
                self.check_known(proposal, &outcome)?;
                let mut shared = locked(&shared);
                shared.outcomes.insert(name(proposal), outcome);
                shared.count(proposal.trial);
            }
            if !missing.is_empty() {
                if !std::mem::replace(&mut has_begun, true) {
                    let mut shared = locked(&shared);
                    let progress = shared.progress;
                    shared.watcher.begin(progress);
                }
                self.side_by_side(&missing, &shared, stop)?;
            }
            let shared = locked(&shared);
            let cost = |proposal: &Proposal| Some(shared.outcomes.get(&name(proposal))?.cost());
            let Some(costs) = round.iter().map(cost).collect::<Option<Vec<_>>>() else {
                incomplete = true;
                break;
            };
            last = costs;
        }
        let mut shared = locked(&shared);
        let numbers: Vec<usize> = places.keys().copied().collect();
        let done =
            numbers.into_iter().filter_map(|trial| Some((shared.all_of(trial)?, places.remove(&trial)?)));
        let (trials, places): (Vec<TrialRecord>, Vec<Vec<f64>>) = done.collect();
        if !incomplete && let Some(journal) = &mut shared.journal {
            journal.end()?;
        }
        Ok(self.record(trials, &places, incomplete))
    }

    /// Refuses a training of other settings than those that are to be tried.
    fn check_known(&self, proposal: &Proposal, outcome: &Outcome) -> Result<()> {
        let settings = self.settings_at(&proposal.place);
        if settings == outcome.settings {
            return Ok(());
        }
        let text = |settings| serde_json::to_string(settings).unwrap_or_default();
        Err(Error::Mismatch {
            what: format!("settings of trial {} to go on with", proposal.trial + 1),
            expected: crate::foreign::shortened(&text(&settings)),
            found: crate::foreign::shortened(&text(&outcome.settings)),
        })
    }

    /// Trains some trials: each on a thread of its own, as many at a time as there are threads. Fewer trials than threads share
    /// them evenly.
    fn side_by_side(&self, missing: &[&Proposal], shared: &Mutex<Shared>, stop: &AtomicBool) -> Result<()> {
        let workers = self.threads.min(missing.len());
        let teams: Vec<Team> =
            (0..workers).map(|_| Team::new(self.threads / workers)).collect::<Result<_>>()?;
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = |team: &Team| {
            while let Some(proposal) = missing.get(next.fetch_add(1, Relaxed)) {
                if stop.load(Relaxed) || locked(shared).failure.is_some() {
                    break;
                }
                let Some(outcome) = self.train(proposal, team, stop) else { break };
                // Beside others memory may have been short.
                match outcome.state == TrialState::Failed && workers > 1 {
                    true => locked(&failed).push(*proposal),
                    false => locked(shared).add(name(proposal), outcome),
                }
            }
        };
        thread::scope(|scope| {
            for team in &teams {
                let builder = thread::Builder::new().name("fallline-trial".into());
                if let Err(refused) = builder.spawn_scoped(scope, || work(team)) {
                    locked(shared).failure.get_or_insert(not_started("one for each trial", &refused));
                    break;
                }
            }
        });
        drop(teams);
        let mut again = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        again.sort_by_key(|proposal| proposal.trial);
        if !again.is_empty() && locked(shared).failure.is_none() {
            let team = Team::new(self.threads)?;
            for proposal in again {
                let Some(outcome) = self.train(proposal, &team, stop) else { break };
                locked(shared).add(name(proposal), outcome);
            }
        }
        locked(shared).failure.take().map_or(Ok(()), Err)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
