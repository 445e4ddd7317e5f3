//! A search, checked against its data.

use super::importance::{self, Importance};
use super::journal::{Identity, TRIALS_SCHEMA};
use super::kind::{MOST_TRIALS, SearchMethod, TRIALS};
use super::method::{Grid, Halving, Proposer, Random, Tpe, check_grid, least_trials};
use super::range::Over;
use super::record::{SearchRecord, TrialRecord, TrialState};
use super::request::Search;
use super::space::Space;
use crate::data::{DataSet, Split};
use crate::model::Recipe;
use crate::model::recipe::Held;
use crate::team::Team;
use crate::train::machine::usable_cores;
use crate::train::reproduce::HELD;
use crate::train::trial;
use crate::{Error, Result, error};

/// How far from the recipe's learning rate it is searched where no key is named: down and up.
const AROUND: f64 = 100.0;

/// Points of a grid over it.
const POINTS: usize = 9;

/// Corners of the ranges whose training is planned before the search begins, to the last buffer.
const PLANNED: usize = 8;

/// A search that can be done: its keys are in the recipe, its ranges fit, and there are samples.
pub struct Plan<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) data: &'a DataSet,
    pub(super) space: Space,
    /// None: the validation part of the data set is what trials are tried on.
    pub(super) splits: Vec<Option<Split>>,
    pub(super) threads: usize,
    method: SearchMethod,
    seed: u64,
    folds: Option<usize>,
    trials: usize,
    command: String,
}

impl<'a> Plan<'a> {
    /// Checks a search; nothing is trained yet.
    ///
    /// # Errors
    /// Those of [`Search::run`].
    pub fn new(search: &'a Search, data: &'a DataSet) -> Result<Plan<'a>> {
        let Search { recipe, method, seed, folds, .. } = search;
        let (method, folds) = (*method, *folds);
        if recipe.stop.seconds.is_some() {
            let expected = "none in a search, whose result should not depend on the clock";
            return Err(refused("stop.seconds", expected, "some"));
        }
        let overs =
            if search.overs.is_empty() { vec![around(recipe, method)?] } else { search.overs.clone() };
        let space = Space::new(recipe, overs)?;
        let trials = trials(search, &space)?;
        let splits = trial::splits(data, recipe, folds)?;
        let threads = search.threads.unwrap_or_else(usable_cores);
        let team = Team::new(threads)?;
        if let Some(split) = splits.first() {
            for corner in space.corners().iter().take(PLANNED) {
                trial::check(data, &space.recipe(recipe, corner)?, split.as_ref(), &team)?;
            }
        }
        let (seed, command) = (*seed, String::new());
        Ok(Plan { recipe, data, space, splits, threads, method, seed, folds, trials, command })
    }

    /// With the command line that has made it, which the record tells.
    pub fn of_command(self, command: String) -> Plan<'a> {
        Plan { command, ..self }
    }

    /// What decides its trials.
    pub fn identity(&self) -> Identity {
        let over = |over: &Over| format!("{}={}", over.key, over.text);
        Identity {
            schema: TRIALS_SCHEMA.into(),
            method: self.method.name().into(),
            trials: self.trials,
            seed: self.seed,
            folds: self.folds,
            over: self.space.overs.iter().map(over).collect(),
            data: self.data.name.clone(),
            samples: self.data.train.len(),
            checksum: self.data.train.checksum(),
            recipe: self.recipe.to_toml(),
        }
    }

    /// The method, from its beginning.
    pub(super) fn proposer(&self) -> Box<dyn Proposer> {
        let (space, seed, trials) = (&self.space, self.seed, self.trials);
        match self.method {
            SearchMethod::Grid => Box::new(Grid::new(space)),
            SearchMethod::Random => Box::new(Random::new(space, seed, trials)),
            SearchMethod::Tpe => Box::new(Tpe::new(space, seed, trials)),
            SearchMethod::Halving | SearchMethod::Hyperband => {
                let is_hyperband = self.method == SearchMethod::Hyperband;
                Box::new(Halving::new(space, seed, self.recipe.train.epochs, trials, is_hyperband))
            }
        }
    }

    /// How many trainings there are; of successive halving and Hyperband if none of them diverges.
    pub fn trainings(&self) -> usize {
        match self.method {
            SearchMethod::Halving | SearchMethod::Hyperband => Halving::trainings(
                self.recipe.train.epochs,
                self.trials,
                self.method == SearchMethod::Hyperband,
            ),
            _ => self.trials,
        }
    }

    /// How many different settings are tried.
    pub fn settings(&self) -> usize {
        match self.method {
            SearchMethod::Halving | SearchMethod::Hyperband => Halving::settings(
                self.recipe.train.epochs,
                self.trials,
                self.method == SearchMethod::Hyperband,
            ),
            _ => self.trials,
        }
    }

    /// The keys with their ranges.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The samples to learn from and those to try on, of the first of the folds.
    pub fn samples(&self) -> [usize; 2] {
        match self.splits.first() {
            Some(Some(split)) => [split.subset.len(), split.held.len()],
            _ => [self.data.train.len(), self.data.test.len()],
        }
    }

    /// Whether trials are tried on a validation part that the data set has.
    pub fn has_validation_part(&self) -> bool {
        self.data.validates
    }

    pub fn folds(&self) -> Option<usize> {
        self.folds
    }

    pub fn method(&self) -> SearchMethod {
        self.method
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The record of trials that are done, with their places `[trials][keys]`.
    pub(super) fn record(
        &self,
        trials: Vec<TrialRecord>,
        places: &[Vec<f64>],
        incomplete: bool,
    ) -> SearchRecord {
        let mut record = SearchRecord {
            command: self.command.clone(),
            method: self.method.name().into(),
            seed: self.seed,
            asked: self.trials,
            folds: self.folds,
            trials,
            incomplete,
            ..SearchRecord::begun(self.recipe, self.data, &self.space, self.threads)
        };
        let best = record.ranked().first().copied().filter(|_| record.winner().is_some());
        record.best = best.map(|index| record.trials[index].trial);
        record.winner = best.and_then(|index| self.winner(&places[index]));
        record.importance = self.importance(&record, places);
        record
    }

    /// The recipe with these values, as TOML.
    fn winner(&self, place: &[f64]) -> Option<String> {
        let mut recipe = self.space.recipe(self.recipe, place).ok()?;
        if recipe.stop.patience.is_some() && recipe.data.validation.is_none() && !self.data.validates {
            // Patience has been waiting by samples that the search set aside.
            recipe.data.validation = Some(Held::Part(HELD));
        }
        Some(recipe.to_toml())
    }

    fn importance(&self, record: &SearchRecord, places: &[Vec<f64>]) -> Vec<Importance> {
        // What could not be trained says nothing of the score; what has diverged is the worst of all.
        let tried: Vec<usize> = record
            .ranked()
            .into_iter()
            .filter(|&index| record.trials[index].state != TrialState::Failed)
            .collect();
        if tried.len() < importance::LEAST_TRIALS {
            return Vec::new();
        }
        let ranks: Vec<f64> = (0..tried.len()).map(|rank| rank as f64).collect();
        let of_key = |(key, over): (usize, &Over)| {
            let places: Vec<f64> = tried.iter().map(|&index| places[index][key]).collect();
            let groups = match over.range.count().filter(|_| !over.range.is_ordered()) {
                Some(count) => places.iter().map(|place| (place * count as f64) as usize).collect(),
                None => importance::parts(&places),
            };
            Importance { key: over.key.clone(), part: importance::explained(&ranks, &groups) }
        };
        let mut all: Vec<Importance> = self.space.overs.iter().enumerate().map(of_key).collect();
        all.sort_by(|a, b| b.part.total_cmp(&a.part));
        all
    }
}

/// The range of the learning rate where no key is named.
fn around(recipe: &Recipe, method: SearchMethod) -> Result<Over> {
    let rate = recipe.optimizer.learning_rate;
    let [low, high] = [rate / AROUND, rate * AROUND];
    if !(low > 0.0 && high.is_finite()) {
        let expected = "a key to search, such as --over optimizer.learning_rate=1e-4..1e-1:log";
        return Err(refused("--over", expected, "none"));
    }
    let points = if method == SearchMethod::Grid { format!(":{POINTS}") } else { String::new() };
    let [low, high] = [low, high].map(error::rate);
    format!("optimizer.learning_rate={low}..{high}:log{points}").parse()
}

/// How many trials there are, if that is a sound number for the method.
fn trials(search: &Search, space: &Space) -> Result<usize> {
    let Search { recipe, method, trials, .. } = search;
    if let Some(found) = trials.filter(|trials| !(1..=MOST_TRIALS).contains(trials)) {
        return Err(refused("--trials", &format!("1 to {MOST_TRIALS}"), &found.to_string()));
    }
    if *method == SearchMethod::Grid {
        return check_grid(space, MOST_TRIALS, *trials);
    }
    let count = trials.unwrap_or(TRIALS);
    if method.is_by_epochs() {
        let epochs = recipe.train.epochs;
        if let Some(over) = space.overs.iter().find(|over| over.key == "train.epochs") {
            let expected =
                format!("another key with {}, which decides itself for how many epochs", method.name());
            return Err(super::range::refused(&over.key, &expected, &over.text));
        }
        let is_hyperband = *method == SearchMethod::Hyperband;
        let least = least_trials(epochs, is_hyperband);
        if epochs < 2 {
            let expected =
                format!("at least 2 epochs with {}, which compares trials before their end", method.name());
            return Err(refused("train.epochs", &expected, &epochs.to_string()));
        }
        if count < least {
            let expected = format!(
                "a budget of at least {least} whole trainings with {}, with which one trial comes to its end",
                method.name()
            );
            return Err(refused("--trials", &expected, &count.to_string()));
        }
        let settings = Halving::settings(epochs, count, is_hyperband);
        if settings > MOST_TRIALS {
            let expected = format!("a budget for at most {MOST_TRIALS} settings");
            return Err(refused("--trials", &expected, &format!("{count}, which is enough for {settings}")));
        }
    }
    Ok(count)
}

fn refused(key: &str, expected: &str, found: &str) -> Error {
    let place = "search".to_string();
    Error::Setting { place, key: key.into(), expected: expected.into(), found: found.into() }
}
