//! Numbers over several seeds, as text.

use crate::report::metrics::part;
use crate::report::numbers::{loss, percent, significant};
use crate::stats::MeanEstimate;
use crate::train::reproduce::RecipeRecord;

/// The name of the loss as a metric: of a test, or of the validation part of a data set that has no test part.
const LOSS: &str = "loss";

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

/// The metrics of a recipe: the accuracy, or of values RMSE and R², then the loss where the record has its mean; none
/// without tests.
pub(super) fn scores(recipe: &RecipeRecord) -> Vec<Score> {
    let accuracy = recipe.accuracy.map(|accuracy| {
        Score::new("test accuracy", accuracy, |fraction| format!("{:.3}", 100.0 * fraction), " %")
    });
    let values = recipe.values.iter().flat_map(|values| {
        let rmse = Score::new("test RMSE", values.rmse, significant, "");
        [rmse, Score::new("test R²", values.r_squared, part, "")]
    });
    // With one digit more than a single loss.
    let of_loss = recipe.loss.map(|estimate| Score::new(LOSS, estimate, |value| format!("{value:.5}"), ""));
    accuracy.into_iter().chain(values).chain(of_loss).collect()
}

/// The metric that stands for a recipe in a table, and its mean there: of values "R² 0.8734", which compares; the loss
/// where the target is one, or where language models are compared by it.
pub(super) fn told(recipe: &RecipeRecord) -> Option<(Score, String)> {
    let by_loss = recipe.loss.is_some() && recipe.target.is_none();
    let score = scores(recipe).into_iter().rfind(|score| by_loss || score.name != LOSS)?;
    let mean = match score.name {
        LOSS => format!("loss {}", score.mean),
        _ if recipe.accuracy.is_some() => score.mean.clone(),
        _ => format!("R² {}", score.mean),
    };
    Some((score, mean))
}

/// The goal of a recipe, in words.
pub(super) fn goal(recipe: &RecipeRecord, until: Option<f64>) -> String {
    match (until, recipe.target) {
        (Some(accuracy), _) => format!("{} validation accuracy", percent(accuracy)),
        (None, Some(target)) => percent(target),
        (None, None) => recipe.target_loss.map_or("none".into(), |target| format!("loss {}", loss(target))),
    }
}
