//! The numbers of a search in words.

use serde_json::Value;

use crate::report::metrics::part;
use crate::report::numbers::percent;
use crate::search::{SearchRecord, TrialRecord};

/// The most letters of a value.
const LONGEST: usize = 24;

/// Whether trials are ranked by the accuracy.
pub fn is_of_classes(record: &SearchRecord) -> bool {
    record.scored_by == "accuracy"
}

/// The name of the score: "accuracy", "R²".
pub fn score_name(record: &SearchRecord) -> &'static str {
    if is_of_classes(record) { "accuracy" } else { "R²" }
}

/// A score: 97.65 %, 0.8734.
pub fn score(record: &SearchRecord, value: f64) -> String {
    if is_of_classes(record) { percent(value) } else { part(value) }
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
    let deviation =
        trial.deviation.map_or(String::new(), |deviation| format!("± {}", score(record, deviation)));
    let interval = trial.interval.map_or(String::new(), |[low, high]| match is_of_classes(record) {
        true => format!("{:.2} to {}", 100.0 * low, percent(high)),
        false => format!("{} to {}", part(low), part(high)),
    });
    [deviation, interval]
}

/// Epochs, of folds in the mean: 5, 4.3.
pub fn epochs(trial: &TrialRecord) -> String {
    if trial.epochs.fract() == 0.0 { trial.epochs.to_string() } else { format!("{:.1}", trial.epochs) }
}
