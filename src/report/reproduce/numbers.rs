//! Numbers over several seeds, as text.

use crate::report::numbers::percent;
use crate::stats::MeanEstimate;
use crate::train::reproduce::RecipeRecord;

/// A mean in percent, with one digit more than a single accuracy: "98.036 %".
pub(super) fn mean(fraction: f64) -> String {
    format!("{:.3} %", 100.0 * fraction)
}

/// A deviation in percent: "± 0.071"; empty if there is one run only.
pub(super) fn deviation(estimate: &MeanEstimate) -> String {
    estimate.deviation.map_or(String::new(), |deviation| format!("± {:.3}", 100.0 * deviation))
}

/// An interval in percent: "97.985 to 98.087 %"; empty if there is one run only.
pub(super) fn interval(estimate: &MeanEstimate) -> String {
    let text = |[low, high]: [f64; 2]| format!("{:.3} to {}", 100.0 * low, mean(high));
    estimate.interval.map_or(String::new(), text)
}

/// The goal of a recipe, in words.
pub(super) fn goal(recipe: &RecipeRecord, until: Option<f64>) -> String {
    match (until, recipe.target) {
        (Some(accuracy), _) => format!("{} validation accuracy", percent(accuracy)),
        (None, Some(target)) => percent(target),
        (None, None) => "none".into(),
    }
}
