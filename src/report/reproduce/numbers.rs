//! Numbers over several seeds, as text.

use crate::report::numbers::percent;
use crate::stats::MeanEstimate;
use crate::train::reproduce::RecipeRecord;

/// "98.036 %": of a mean one digit more than of a single accuracy.
pub(super) fn mean(fraction: f64) -> String {
    format!("{:.3} %", 100.0 * fraction)
}

/// "± 0.071", in percent; empty if one run leaves it open.
pub(super) fn deviation(estimate: &MeanEstimate) -> String {
    estimate.deviation.map_or(String::new(), |deviation| format!("± {:.3}", 100.0 * deviation))
}

/// "97.985 to 98.087 %"; empty if one run leaves it open.
pub(super) fn interval(estimate: &MeanEstimate) -> String {
    let text = |[low, high]: [f64; 2]| format!("{:.3} to {}", 100.0 * low, mean(high));
    estimate.interval.map_or(String::new(), text)
}

/// What a recipe has to reach, in words.
pub(super) fn goal(recipe: &RecipeRecord, until: Option<f64>) -> String {
    match (until, recipe.target) {
        (Some(accuracy), _) => format!("{} validation accuracy", percent(accuracy)),
        (None, Some(target)) => percent(target),
        (None, None) => "none".into(),
    }
}
