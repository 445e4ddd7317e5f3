//! One trial: trainings on each split, and what they come to.

use std::sync::atomic::AtomicBool;

use serde_json::{Map, Value};

use super::journal::Outcome;
use super::method::{Cost, Proposal};
use super::plan::Plan;
use super::record::{Rung, ScoredBy, TrialRecord, TrialState};
use crate::stats::MeanEstimate;
use crate::team::Team;
use crate::train::{Divergence, Ending, TrainRecord, trial};

impl Plan<'_> {
    /// Trains a trial; nothing if `stop` has ended it. What goes wrong is its state.
    pub(super) fn train(&self, proposal: &Proposal, team: &Team, stop: &AtomicBool) -> Option<Outcome> {
        let mut outcome = Outcome {
            trial: proposal.trial + 1,
            until: proposal.epochs,
            settings: self.settings_at(&proposal.place),
            state: TrialState::Finished,
            scores: Vec::new(),
            accuracy: None,
            loss: None,
            seconds: 0.0,
            epochs: 0.0,
            reason: None,
        };
        let recipe = match self.space.recipe(self.recipe, &proposal.place) {
            Ok(recipe) => recipe,
            Err(error) => return Some(failed(outcome, error.to_string())),
        };
        let until = proposal.epochs.unwrap_or(recipe.train.epochs);
        let mut runs = Vec::new();
        for split in &self.splits {
            match trial::validated(self.data, &recipe, split.as_ref(), until, team, stop) {
                Ok(Some(run)) => runs.push(run),
                Ok(None) => return None,
                Err(error) => return Some(failed(outcome, error.to_string())),
            }
            if let Some(divergence) = runs.last().and_then(|run| run.diverged.as_ref()) {
                (outcome.state, outcome.reason) = (TrialState::Diverged, Some(told(divergence)));
                break;
            }
        }
        let count = runs.len().max(1) as f64;
        outcome.seconds = runs.iter().map(|run| run.train_seconds).sum();
        outcome.epochs = runs.iter().map(|run| run.epochs_begun() as f64).sum::<f64>() / count;
        if outcome.state == TrialState::Finished {
            let is_cut = |run: &TrainRecord| {
                until < recipe.train.epochs && run.stop_reason == Ending::Interrupted.name()
            };
            if runs.iter().any(is_cut) {
                outcome.state = TrialState::Stopped;
            }
            score(&mut outcome, &runs, ScoredBy::of(self.data.train.targets()));
        }
        Some(outcome)
    }

    /// The value of each key at a place `[keys]`, as JSON.
    pub(super) fn settings_at(&self, place: &[f64]) -> Map<String, Value> {
        let keys = self.space.overs.iter().map(|over| over.key.clone());
        let value = |value| serde_json::to_value(value).unwrap_or(Value::Null);
        keys.zip(self.space.values(place).into_iter().map(value)).collect()
    }
}

fn failed(outcome: Outcome, reason: String) -> Outcome {
    Outcome { state: TrialState::Failed, reason: Some(reason), ..outcome }
}

/// How a training has diverged.
fn told(divergence: &Divergence) -> String {
    match divergence.error() {
        Some(error) => error.to_string(),
        None => {
            let first = divergence
                .first
                .map_or(String::new(), |first| format!(", after {first:.4} in the first step"));
            format!("{} was {:.4} at the end{first}", divergence.what, divergence.value)
        }
    }
}

/// Puts in what the trainings have come to on the samples set aside.
fn score(outcome: &mut Outcome, runs: &[TrainRecord], by: ScoredBy) {
    let seen: Vec<_> = runs.iter().filter_map(|run| run.validation.as_ref()).collect();
    let score = |index: usize| {
        let seen = seen.get(index)?;
        let score = match by {
            ScoredBy::Accuracy => seen.accuracy,
            ScoredBy::RSquared => seen.values.as_ref().map(|values| values.r_squared),
            ScoredBy::NegativeLoss => Some(-seen.loss),
        };
        score.filter(|score| score.is_finite())
    };
    let mean = |values: Vec<f64>| {
        let all = (values.len() == runs.len() && !values.is_empty()).then_some(values);
        all.and_then(|values| MeanEstimate::of(&values)).map(|of| of.mean).filter(|mean| mean.is_finite())
    };
    let scores: Vec<f64> = (0..runs.len()).filter_map(score).collect();
    outcome.accuracy = mean(seen.iter().filter_map(|seen| seen.accuracy).collect());
    outcome.loss = mean(seen.iter().map(|seen| seen.loss).collect());
    match scores.len() == runs.len() {
        true => outcome.scores = scores,
        false => {
            outcome.reason = Some("its score on the samples set aside is no finite number".into());
            outcome.state = TrialState::Failed;
        }
    }
}

impl Outcome {
    /// The mean score, with its uncertainty where there are folds.
    fn estimate(&self) -> Option<MeanEstimate> {
        MeanEstimate::of(&self.scores)
    }

    /// What it has come to, for the method.
    pub(super) fn cost(&self) -> Cost {
        let loss = self.loss.unwrap_or(f64::INFINITY);
        self.estimate().map_or(Cost::FAILED, |of| Cost { score: -of.mean, loss })
    }
}

impl TrialRecord {
    /// The record of a trial of these trainings, of which the last has the most epochs.
    pub(super) fn of(outcomes: &[&Outcome]) -> Option<TrialRecord> {
        let last = outcomes.last()?;
        let estimate = last.estimate();
        let rung = |outcome: &&Outcome| {
            let score = outcome.estimate().map(|of| of.mean);
            Rung { epochs: outcome.until.unwrap_or(outcome.epochs.round() as usize), score }
        };
        let is_by_epochs = outcomes.iter().any(|outcome| outcome.until.is_some());
        Some(TrialRecord {
            trial: last.trial,
            settings: last.settings.clone(),
            state: last.state,
            score: estimate.map(|of| of.mean),
            deviation: estimate.and_then(|of| of.deviation),
            interval: estimate.and_then(|of| of.interval),
            accuracy: last.accuracy,
            loss: last.loss,
            seconds: outcomes.iter().map(|outcome| outcome.seconds).sum(),
            epochs: last.epochs,
            scores: last.scores.clone(),
            reason: last.reason.clone(),
            rungs: if is_by_epochs { outcomes.iter().map(rung).collect() } else { Vec::new() },
        })
    }
}
