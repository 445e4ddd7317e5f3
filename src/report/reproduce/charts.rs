//! The charts of reproduced recipes.

use crate::report::chart::{Axis, Chart, LineChart, Point, Series, Unit};
use crate::report::markup::Stems;
use crate::stats::MeanEstimate;
use crate::train::TrainRecord;
use crate::train::metrics::ValueMetrics;
use crate::train::reproduce::{RecipeRecord, ReproduceRecord, time_to};

/// The points of a level line: so many that it has no marks, and a band in place of whiskers.
const LEVEL_POINTS: usize = 32;

/// The charts of each recipe, each with the stem of its file's name, all different. A recipe without
/// runs has none.
pub fn all(record: &ReproduceRecord) -> Vec<Vec<(String, Chart)>> {
    let mut stems = Stems::default();
    let of_recipe = |(index, recipe): (usize, &RecipeRecord)| {
        // Two recipes may have one name.
        let is_first = record.recipes[..index].iter().all(|other| other.recipe != recipe.recipe);
        let name =
            if is_first { recipe.recipe.clone() } else { format!("{} ({})", recipe.recipe, index + 1) };
        let charts =
            if recipe.runs.is_empty() { Vec::new() } else { charts(recipe, &name, record.until_accuracy) };
        charts.into_iter().map(|chart| (stems.of(chart.title()), chart)).collect()
    };
    record.recipes.iter().enumerate().map(of_recipe).collect()
}

fn charts(recipe: &RecipeRecord, name: &str, until: Option<f64>) -> Vec<Chart> {
    let accuracy = |run: &TrainRecord| run.test.as_ref()?.accuracy;
    let with_mean = |seeds: Series, estimate: Option<&MeanEstimate>| {
        let mean = estimate.map(|estimate| {
            let [low, high] = estimate.interval.unwrap_or([estimate.mean; 2]);
            level(recipe, "mean, 95 % interval", estimate.mean, low, high)
        });
        [seeds].into_iter().chain(mean).collect::<Vec<Series>>()
    };
    let mut accuracies = with_mean(scatter("a seed", recipe, accuracy), recipe.accuracy.as_ref());
    // Trainings that end early are not meant to reach the target.
    if let Some(target) = recipe.target.filter(|_| until.is_none()) {
        accuracies.push(level(recipe, "target", target, target, target));
    }
    let chart = |title: &str, y: Axis, series: Vec<Series>| {
        let x = Axis::new("seed").in_unit(Unit::Whole);
        Chart::Lines(LineChart { title: format!("{name}: {title}"), x, y, series })
    };
    let seconds = || Axis::new("seconds of training").from_zero();
    let mut charts = match &recipe.values {
        Some(values) if recipe.accuracy.is_none() => {
            let metric = |of: fn(&ValueMetrics) -> f64| {
                scatter("a seed", recipe, move |run| run.test.as_ref()?.values.as_ref().map(of))
            };
            let rmse = with_mean(metric(|values| values.rmse), Some(&values.rmse));
            let r_squared = with_mean(metric(|values| values.r_squared), Some(&values.r_squared));
            vec![
                chart("test RMSE", Axis::new("test RMSE"), rmse),
                chart("test R²", Axis::new("test R²"), r_squared),
            ]
        }
        _ => vec![chart("test accuracy", Axis::new("test accuracy").in_unit(Unit::Percent), accuracies)],
    };
    if let Some(loss) = &recipe.loss {
        let of_run = |run: &TrainRecord| Some(run.test.as_ref()?.loss);
        let mut losses = with_mean(scatter("a seed", recipe, of_run), Some(loss));
        if let Some(target) = recipe.target_loss.filter(|_| until.is_none()) {
            losses.push(level(recipe, "target", target, target, target));
        }
        charts.push(chart("loss", Axis::new("loss"), losses));
    }
    let times = with_median(recipe, |run| Some(run.train_seconds), recipe.train_seconds);
    charts.push(chart("training time", seconds(), times));
    if let Some(accuracy) = until {
        let time = move |run: &TrainRecord| Some(time_to(run, accuracy)?.seconds);
        let title = format!("time to {} % validation accuracy", 100.0 * accuracy);
        charts.push(chart(&title, seconds(), with_median(recipe, time, recipe.seconds_to_accuracy)));
    }
    charts
}

fn with_median(
    recipe: &RecipeRecord,
    value: impl Fn(&TrainRecord) -> Option<f64>,
    median: Option<f64>,
) -> Vec<Series> {
    let median = median.map(|median| level(recipe, "median", median, median, median));
    [scatter("a seed", recipe, value)].into_iter().chain(median).collect()
}

/// A series with a mark for each run, and no line through them: a point without a place stands between two of them.
fn scatter(name: &str, recipe: &RecipeRecord, value: impl Fn(&TrainRecord) -> Option<f64>) -> Series {
    let points = recipe.runs.iter().flat_map(|run| {
        let seed = run.seed as f64;
        [Point::new(seed, value(run).unwrap_or(f64::NAN)), Point::new(seed, f64::NAN)]
    });
    Series { name: name.into(), points: points.collect() }
}

/// A line at one height over all seeds that are done.
fn level(recipe: &RecipeRecord, name: &str, y: f64, low: f64, high: f64) -> Series {
    let seeds = || recipe.runs.iter().map(|run| run.seed as f64);
    let (first, last) = (seeds().fold(f64::INFINITY, f64::min), seeds().fold(0.0, f64::max));
    let place = |index: usize| first + (last - first) * index as f64 / (LEVEL_POINTS - 1) as f64;
    let points = (0..LEVEL_POINTS).map(|index| Point { x: place(index), y, low, high }).collect();
    Series { name: name.into(), points }
}
