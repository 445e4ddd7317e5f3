//! Numbers over several seeds, as text.

use crate::report::metrics::part;
use crate::report::numbers::{percent, significant};
use crate::stats::MeanEstimate;
use crate::train::reproduce::RecipeRecord;

/// A metric of the tests of all seeds.
pub(super) struct Score {
    /// The metric: "test accuracy".
    pub name: &'static str,
    pub estimate: MeanEstimate,
    /// The mean: "98.036 %", with one digit more than a single accuracy.
    pub mean: String,
    /// The deviation, in percent of an accuracy: "± 0.071"; empty if there is one run only.
    pub deviation: String,
    /// The interval of the mean: "97.985 to 98.087 %"; empty if there is one run only.
    pub interval: String,
}

impl Score {
    fn new(name: &'static str, estimate: MeanEstimate, number: fn(f64) -> String, unit: &str) -> Score {
        let deviation = estimate.deviation.map(|deviation| format!("± {}", number(deviation)));
        let interval =
            estimate.interval.map(|[low, high]| format!("{} to {}{unit}", number(low), number(high)));
        Score {
            name,
            estimate,
            mean: number(estimate.mean) + unit,
            deviation: deviation.unwrap_or_default(),
            interval: interval.unwrap_or_default(),
        }
    }
}

/// The metrics of a recipe: the accuracy, or of values RMSE and R²; none without tests.
pub(super) fn scores(recipe: &RecipeRecord) -> Vec<Score> {
    let accuracy = recipe.accuracy.map(|accuracy| {
        Score::new("test accuracy", accuracy, |fraction| format!("{:.3}", 100.0 * fraction), " %")
    });
    let values = recipe.values.iter().flat_map(|values| {
        let rmse = Score::new("test RMSE", values.rmse, significant, "");
        [rmse, Score::new("test R²", values.r_squared, part, "")]
    });
    accuracy.into_iter().chain(values).collect()
}

/// The metric that stands for a recipe in a table, and its mean there: of values "R² 0.8734", which compares.
pub(super) fn told(recipe: &RecipeRecord) -> Option<(Score, String)> {
    let score = scores(recipe).pop()?;
    let mean = if recipe.accuracy.is_some() { score.mean.clone() } else { format!("R² {}", score.mean) };
    Some((score, mean))
}

/// The goal of a recipe, in words.
pub(super) fn goal(recipe: &RecipeRecord, until: Option<f64>) -> String {
    match (until, recipe.target) {
        (Some(accuracy), _) => format!("{} validation accuracy", percent(accuracy)),
        (None, Some(target)) => percent(target),
        (None, None) => "none".into(),
    }
}
