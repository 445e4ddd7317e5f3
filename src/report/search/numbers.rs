//! The numbers of a search in words.

use serde_json::Value;

use crate::report::metrics::part;
use crate::report::numbers::{loss, percent};
use crate::search::{ScoredBy, SearchRecord, TrialRecord};

/// The most letters of a value.
const LONGEST: usize = 24;

/// The name of what trials are ranked by: "accuracy", "R²", "loss".
pub fn score_name(by: ScoredBy) -> &'static str {
    match by {
        ScoredBy::Accuracy => "accuracy",
        ScoredBy::RSquared => "R²",
        ScoredBy::NegativeLoss => "loss",
    }
}

/// A score: 97.65 %, 0.8734; of a loss the loss itself.
pub fn score(by: ScoredBy, value: f64) -> String {
    match by {
        ScoredBy::Accuracy => percent(value),
        ScoredBy::RSquared => part(value),
        ScoredBy::NegativeLoss => loss(by.shown(value)),
    }
}

/// A score with its name: "accuracy 97.65 %".
pub fn named(by: ScoredBy, value: f64) -> String {
    format!("{} {}", score_name(by), score(by, value))
}

/// A value of a key as people write it.
pub fn value(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64().filter(|_| !number.is_i64()) {
            Some(number) => crate::error::rate(number),
            None => number.to_string(),
        },
        other => other.to_string(),
    };
    match text.chars().count() > LONGEST {
        true => text.chars().take(LONGEST - 1).chain(['…']).collect(),
        false => text,
    }
}

/// Standard deviation of the folds and interval of their mean: "± 0.12 %", "97.4 … 97.8 %"; empty without folds.
pub fn spread(record: &SearchRecord, trial: &TrialRecord) -> [String; 2] {
    let by = record.scored_by;
    // A deviation has no sign to change.
    let deviation =
        trial.deviation.map_or(String::new(), |deviation| format!("± {}", score(by, by.shown(deviation))));
    let interval = trial.interval.map_or(String::new(), |[low, high]| match by {
        ScoredBy::Accuracy => format!("{:.2} to {}", 100.0 * low, percent(high)),
        ScoredBy::RSquared => format!("{} to {}", part(low), part(high)),
        ScoredBy::NegativeLoss => format!("{} to {}", score(by, high), score(by, low)),
    });
    [deviation, interval]
}

/// Epochs, of folds in the mean: 5, 4.3.
pub fn epochs(trial: &TrialRecord) -> String {
    if trial.epochs.fract() == 0.0 { trial.epochs.to_string() } else { format!("{:.1}", trial.epochs) }
}
