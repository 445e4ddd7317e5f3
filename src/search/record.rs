//! The record of a search. All tables and pages are made from it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::importance::Importance;
use super::kind::SearchMethod;
use super::method::Cost;
use super::range::Over;
use super::rates::RangeTest;
use super::space::Space;
use crate::data::{DataSet, Targets};
use crate::model::Recipe;
use crate::stats::MeanEstimate;
use crate::train::record::machine::Machine;

/// The schema that [`SearchRecord`] has as JSON.
pub const SEARCH_SCHEMA: &str = "fallline.search/1";

/// A search for the best settings of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchRecord {
    /// The schema of the record, [`SEARCH_SCHEMA`].
    pub schema: String,
    /// The program's version.
    pub version: String,
    /// The command line that made it; empty if it was no command.
    pub command: String,
    pub machine: Machine,
    pub threads: usize,
    /// The recipe's name.
    pub recipe: String,
    /// The recipe as TOML, every value written out, before the search.
    pub base: String,
    /// The data set's name.
    pub data: String,
    /// The method's name.
    pub method: String,
    pub seed: u64,
    /// How many trials were asked for; of successive halving and Hyperband the budget in whole trainings.
    pub asked: usize,
    /// How many folds each trial is tried on; absent if it is one part of the training samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// What trials are ranked by, the higher the better.
    pub scored_by: ScoredBy,
    /// The keys, each with what it may be.
    pub over: Vec<Searched>,
    /// All trials that are done, in the order of their numbers.
    pub trials: Vec<TrialRecord>,
    /// The number of the best trial, the winner; absent if none has come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<usize>,
    /// The winner as a recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<String>,
    /// How much each key has to do with the score; absent with fewer than six trials that have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub importance: Vec<Importance>,
    /// The learning-rate range test, if it is one; there are no trials then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range_test: Option<RangeTest>,
    /// Whether trials are missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub incomplete: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What trials are ranked by, the higher the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoredBy {
    /// The accuracy, where samples have classes.
    Accuracy,
    /// R², where targets are values.
    RSquared,
    /// The loss with the other sign, where sequences have a class for each position: language models are compared by it.
    NegativeLoss,
}

impl ScoredBy {
    /// What goes with these targets.
    pub fn of(targets: &Targets) -> ScoredBy {
        match targets {
            Targets::Classes(_) => ScoredBy::Accuracy,
            Targets::Tokens(_) => ScoredBy::NegativeLoss,
            Targets::Values { .. } | Targets::None => ScoredBy::RSquared,
        }
    }

    /// A score as it is shown: of a loss without the sign that makes the higher the better.
    pub fn shown(self, score: f64) -> f64 {
        if self == ScoredBy::NegativeLoss { -score } else { score }
    }
}

/// A key and what it may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searched {
    /// The dotted key.
    pub key: String,
    /// The range or the list, as it was given.
    pub range: String,
    /// Whether values are numbers in an order, and not names or a list.
    pub ordered: bool,
    /// Whether places between two numbers go by logarithms.
    pub log: bool,
}

/// What has become of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialState {
    /// Trained as long as the recipe says, or until one of its own rules ended it.
    Finished,
    /// Ended early, for others were better.
    Stopped,
    Diverged,
    /// It could not be trained.
    Failed,
}

impl TrialState {
    /// The state in words.
    pub fn text(self) -> &'static str {
        match self {
            TrialState::Finished => "finished",
            TrialState::Stopped => "stopped",
            TrialState::Diverged => "diverged",
            TrialState::Failed => "failed",
        }
    }
}

/// A trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Its number, from 1.
    pub trial: usize,
    /// The value of each key.
    pub settings: Map<String, Value>,
    pub state: TrialState,
    /// The mean score on the samples set aside, of all folds; absent if it has diverged or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The standard deviation of the folds' scores; absent without folds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// The 95 % interval of the mean of the folds' scores by Student's t; absent without folds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The accuracy on the samples set aside, a fraction of 1, of all folds; absent where targets are values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The loss on the samples set aside, of all folds; absent if it is not finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Seconds of training, on one thread unless there were fewer trials than threads.
    pub seconds: f64,
    /// Epochs of its last training, in the mean of the folds.
    pub epochs: f64,
    /// The score of each fold.
    pub scores: Vec<f64>,
    /// Why it has failed or diverged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The score after so many epochs, where it was tried before its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<Rung>,
}

/// A trial as it was after some epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    pub epochs: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

impl TrialRecord {
    /// What it has come to, for comparisons.
    pub fn cost(&self) -> Cost {
        let loss = self.loss.unwrap_or(f64::INFINITY);
        self.score.map_or(Cost::FAILED, |score| Cost { score: -score, loss })
    }

    /// The mean of the folds' scores, with its uncertainty.
    pub fn estimate(&self) -> Option<MeanEstimate> {
        self.score.map(|mean| MeanEstimate { mean, deviation: self.deviation, interval: self.interval })
    }
}

impl SearchRecord {
    /// The record of a search of these keys, of which nothing is done yet: one random trial.
    pub(super) fn begun(recipe: &Recipe, data: &DataSet, space: &Space, threads: usize) -> SearchRecord {
        let searched = |over: &Over| Searched {
            key: over.key.clone(),
            range: over.text.clone(),
            ordered: over.range.is_ordered(),
            log: over.range.is_log(),
        };
        SearchRecord {
            schema: SEARCH_SCHEMA.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            command: String::new(),
            machine: Machine::current(),
            threads,
            recipe: recipe.name.clone(),
            base: recipe.to_toml(),
            data: data.name.clone(),
            method: SearchMethod::default().name().into(),
            seed: 1,
            asked: 1,
            folds: None,
            scored_by: ScoredBy::of(data.train.targets()),
            over: space.overs.iter().map(searched).collect(),
            trials: Vec::new(),
            best: None,
            winner: None,
            importance: Vec::new(),
            range_test: None,
            incomplete: false,
        }
    }

    /// The indices of the trials, the best first: those that were trained to their end, then those that were stopped, the
    /// longest trained first, then the rest.
    pub fn ranked(&self) -> Vec<usize> {
        let rank = |trial: &TrialRecord| match (trial.score, trial.state) {
            (Some(_), TrialState::Finished) => 0,
            (Some(_), _) => 1,
            (None, _) => 2,
        };
        let mut order: Vec<usize> = (0..self.trials.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (&self.trials[a], &self.trials[b]);
            let longer = if rank(a) == 1 { b.epochs.total_cmp(&a.epochs) } else { std::cmp::Ordering::Equal };
            rank(a).cmp(&rank(b)).then(longer).then(a.cost().order(&b.cost())).then(a.trial.cmp(&b.trial))
        });
        order
    }

    /// The winner: the best of the trials that were trained to their end.
    pub fn winner(&self) -> Option<&TrialRecord> {
        let best = &self.trials[*self.ranked().first()?];
        (best.state == TrialState::Finished && best.score.is_some()).then_some(best)
    }

    /// How many trials are in this state.
    pub fn count(&self, state: TrialState) -> usize {
        self.trials.iter().filter(|trial| trial.state == state).count()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn trial(number: usize, state: TrialState, score: Option<f64>, epochs: f64) -> TrialRecord {
        TrialRecord {
            trial: number,
            settings: Map::new(),
            state,
            score,
            deviation: None,
            interval: None,
            accuracy: score,
            loss: Some(0.5),
            seconds: 1.0,
            epochs,
            scores: score.into_iter().collect(),
            reason: None,
            rungs: Vec::new(),
        }
    }

    pub fn record(trials: Vec<TrialRecord>) -> SearchRecord {
        SearchRecord {
            schema: SEARCH_SCHEMA.into(),
            version: "0".into(),
            command: String::new(),
            machine: Machine::current(),
            threads: 2,
            recipe: "digits-mlp".into(),
            base: String::new(),
            data: "digits".into(),
            method: "random".into(),
            seed: 1,
            asked: trials.len(),
            folds: None,
            scored_by: ScoredBy::Accuracy,
            over: Vec::new(),
            trials,
            best: None,
            winner: None,
            importance: Vec::new(),
            range_test: None,
            incomplete: false,
        }
    }

    #[test]
    fn whole_trainings_come_first_and_what_has_failed_last() {
        let trials = vec![
            trial(1, TrialState::Diverged, None, 5.0),
            trial(2, TrialState::Stopped, Some(0.99), 1.0),
            trial(3, TrialState::Stopped, Some(0.9), 2.0),
            trial(4, TrialState::Finished, Some(0.95), 5.0),
            trial(5, TrialState::Finished, Some(0.97), 5.0),
            trial(6, TrialState::Failed, None, 0.0),
        ];
        let record = record(trials);
        assert_eq!(record.ranked(), [4, 3, 2, 1, 0, 5]);
        assert_eq!(record.winner().unwrap().trial, 5);
        assert!(super::tests::record(vec![trial(1, TrialState::Stopped, Some(0.9), 1.0)]).winner().is_none());
        let json = serde_json::to_string(&record).unwrap();
        assert!(json.contains(r#""state":"finished""#), "{json}");
        assert_eq!(serde_json::from_str::<SearchRecord>(&json).unwrap(), record);
    }
}
