//! The record of a reproduction of recipes. All tables and pages are made from these.

use serde::{Deserialize, Serialize};

use super::task::Task;
use crate::stats::{MeanEstimate, median};
use crate::train::record::TrainRecord;
use crate::train::record::machine::Machine;
use crate::train::record::metrics::ValueMetrics;

/// The schema that [`ReproduceRecord`] has as JSON.
pub const REPRODUCE_SCHEMA: &str = "fallline.reproduce/1";

/// How far below its target a mean may be by rounding: less than one sample in a thousand runs of 10^8.
const ROUNDING: f64 = 1e-12;

/// Some recipes, each trained from several seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReproduceRecord {
    /// The schema of the record, [`REPRODUCE_SCHEMA`].
    pub schema: String,
    /// The program's version.
    pub version: String,
    /// The command line that made it.
    pub command: String,
    pub machine: Machine,
    pub threads: usize,
    /// The validation accuracy that ended the trainings, as a fraction of 1; absent if they were to go
    /// on to their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_accuracy: Option<f64>,
    pub recipes: Vec<RecipeRecord>,
}

/// A recipe and its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecipeRecord {
    /// The recipe's name.
    pub recipe: String,
    pub summary: String,
    /// The recipe as TOML, with every value written out as it was trained with, but the seed.
    pub settings: String,
    /// The data set's name; "digits" may be generated.
    pub data: String,
    /// The mean test accuracy to reach, as a fraction of 1; absent if the recipe names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// The mean loss to come down to; absent if the recipe names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_loss: Option<f64>,
    /// All seeds that were asked for.
    pub seeds: Vec<u64>,
    /// The runs that are done, in the order of the seeds.
    pub runs: Vec<TrainRecord>,
    /// Mean of the test accuracies and its uncertainty; absent without runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<MeanEstimate>,
    /// The same of the tests' RMSE and R²; only where targets are values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValueEstimates>,
    /// The mean of the tests' losses, on the validation part of a data set that has one and no test part; only of a recipe
    /// with a loss to come down to, and of sequences with a class for each position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<MeanEstimate>,
    /// The median of the runs' training times; absent without runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_seconds: Option<f64>,
    /// Median training time to the validation accuracy that was asked for, a run that has not reached it
    /// counting as endless; absent if the median is endless, or none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_to_accuracy: Option<f64>,
    pub verdict: Verdict,
}

/// Means of the tests' metrics of values, and their uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueEstimates {
    /// In the units of the data.
    pub rmse: MeanEstimate,
    pub r_squared: MeanEstimate,
}

/// The verdict on a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The mean of all seeds is at least the target, or of losses at most; or all have reached the accuracy that was asked for.
    Met,
    Missed,
    /// All seeds are done, and there is nothing to compare with.
    NoTarget,
    /// Seeds are missing.
    Unfinished,
}

impl Verdict {
    /// The verdict in words.
    pub fn text(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::NoTarget => "no target",
            Verdict::Unfinished => "unfinished",
        }
    }
}

impl ReproduceRecord {
    /// The record of these tasks, of which nothing is done yet.
    pub fn new(tasks: &[Task], command: String, threads: usize, until_accuracy: Option<f64>) -> Self {
        ReproduceRecord {
            schema: REPRODUCE_SCHEMA.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            command,
            machine: Machine::current(),
            threads,
            until_accuracy,
            recipes: tasks.iter().map(RecipeRecord::new).collect(),
        }
    }

    /// Adds a run to the recipe with this index.
    pub fn add(&mut self, recipe: usize, run: TrainRecord) {
        let recipe = &mut self.recipes[recipe];
        recipe.runs.push(run);
        recipe.conclude(self.until_accuracy);
    }

    /// Whether all seeds of all recipes are done.
    pub fn is_complete(&self) -> bool {
        self.recipes.iter().all(|recipe| recipe.verdict != Verdict::Unfinished)
    }

    /// The runs that have diverged, each with its recipe's name.
    pub fn diverged(&self) -> Vec<(&str, &TrainRecord)> {
        let runs = self.recipes.iter().flat_map(|of| of.runs.iter().map(|run| (of.recipe.as_str(), run)));
        runs.filter(|(_, run)| run.diverged.is_some()).collect()
    }

    /// Whether a recipe has missed what it had to reach.
    pub fn has_missed(&self) -> bool {
        self.recipes.iter().any(|recipe| recipe.verdict == Verdict::Missed)
    }
}

impl RecipeRecord {
    fn new(task: &Task) -> RecipeRecord {
        let recipe = &task.recipe;
        RecipeRecord {
            recipe: recipe.name.clone(),
            summary: recipe.summary.clone(),
            settings: recipe.to_toml(),
            data: task.data.name.clone(),
            target: recipe.target,
            target_loss: recipe.target_loss,
            seeds: task.seeds.clone(),
            runs: Vec::new(),
            accuracy: None,
            values: None,
            loss: None,
            train_seconds: None,
            seconds_to_accuracy: None,
            verdict: Verdict::Unfinished,
        }
    }

    /// The test accuracies of all runs, as fractions of 1.
    pub fn accuracies(&self) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.test.as_ref()?.accuracy).collect()
    }

    /// The seeds that are not done.
    pub fn missing(&self) -> Vec<u64> {
        let is_done = |seed: &u64| self.runs.iter().any(|run| run.seed == *seed);
        self.seeds.iter().copied().filter(|seed| !is_done(seed)).collect()
    }

    /// The mean of a metric over the runs that were tested; none if one of them is not finite, for the others would
    /// stand for all.
    fn estimate(&self, metric: fn(&ValueMetrics) -> f64) -> Option<MeanEstimate> {
        let tested = self.runs.iter().filter_map(|run| run.test.as_ref()?.values.as_ref());
        let found: Vec<f64> = tested.map(metric).collect();
        // The sum of numbers of any size may not be finite either.
        MeanEstimate::of(&found).filter(|estimate| estimate.mean.is_finite())
    }

    /// The mean loss of the runs that were tested, where the recipe is judged by it or it is what such models are compared
    /// by; none if one of them is not finite.
    fn loss_estimate(&self) -> Option<MeanEstimate> {
        let tests = || self.runs.iter().filter_map(|run| run.test.as_ref());
        let is_told = self.target_loss.is_some() || tests().any(|test| test.tokens.is_some());
        let found: Vec<f64> = tests().map(|test| test.loss).collect();
        MeanEstimate::of(&found).filter(|estimate| is_told && estimate.mean.is_finite())
    }

    /// Whether the mean has come to the target; none without a target.
    fn has_met(&self) -> Option<bool> {
        if let Some(target) = self.target_loss {
            return Some(self.loss.is_some_and(|loss| loss.mean <= target + ROUNDING));
        }
        let target = self.target?;
        Some(self.accuracy.is_some_and(|accuracy| accuracy.mean >= target - ROUNDING))
    }

    /// Computes all that follows from the runs.
    fn conclude(&mut self, until: Option<f64>) {
        self.accuracy = MeanEstimate::of(&self.accuracies());
        let rmse = self.estimate(|values| values.rmse);
        let r_squared = self.estimate(|values| values.r_squared);
        self.values = rmse.zip(r_squared).map(|(rmse, r_squared)| ValueEstimates { rmse, r_squared });
        self.loss = self.loss_estimate();
        let seconds: Vec<f64> = self.runs.iter().map(|run| run.train_seconds).collect();
        self.train_seconds = (!seconds.is_empty()).then(|| median(&seconds));
        let times = until.map(|accuracy| {
            let time = |run| time_to(run, accuracy).map_or(f64::INFINITY, |time| time.seconds);
            self.runs.iter().map(time).collect::<Vec<_>>()
        });
        self.seconds_to_accuracy =
            times.as_deref().map(median).filter(|time| time.is_finite() && !self.runs.is_empty());
        self.verdict = match (&times, self.has_met()) {
            _ if !self.missing().is_empty() => Verdict::Unfinished,
            (Some(times), _) => met(times.iter().all(|time| time.is_finite())),
            (None, None) => Verdict::NoTarget,
            // A network that cannot be tested meets nothing.
            (None, Some(_)) if self.runs.iter().any(|run| run.test.is_none()) => Verdict::Missed,
            (None, Some(is_met)) => met(is_met),
        };
    }
}

fn met(is_met: bool) -> Verdict {
    if is_met { Verdict::Met } else { Verdict::Missed }
}

/// The moment at which a run reached an accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// Seconds of training, up to the end of the epoch; validation is not counted.
    pub seconds: f64,
    pub epochs: usize,
    pub accuracy: f64,
}

/// The end of the first epoch whose validation accuracy is at least this, if there is one.
pub fn time_to(run: &TrainRecord, accuracy: f64) -> Option<Reached> {
    let (mut seconds, mut before) = (0.0, 0);
    run.epochs.iter().find_map(|epoch| {
        // The time of epochs that the record of a long run leaves out.
        seconds += epoch.seconds * epoch.epoch.saturating_sub(before) as f64;
        before = epoch.epoch;
        let accuracy = epoch.validation_accuracy.filter(|found| *found >= accuracy)?;
        Some(Reached { seconds, epochs: epoch.epoch, accuracy })
    })
}

#[cfg(test)]
mod tests;
