//! A rate chosen by trials: a grid and random values, on one part of the samples and on folds.

use crate::data::small::{Generated, Part};
use crate::data::{DataSet, Origin};
use crate::error::Result;
use crate::model::{Model, Recipe};
use crate::search::{Search, SearchMethod, SearchRecord, TrialRecord};
use crate::tour::case::Setting;
use crate::tour::figure::{Figure, Layer, Listing, Named, Picture, Plane};
use crate::tour::record::Finding;
use crate::train::Trainer;

/// Samples to train on, and samples that no trial sees.
const SAMPLES: [usize; 2] = [400, 4000];
const NOISE: f64 = 0.25;
/// The rates and the widths of the hidden layer that are tried, and how many of each a grid has.
const RATES: [f64; 2] = [0.001, 10.0];
const UNITS: [usize; 2] = [4, 64];
const POINTS: usize = 4;
const TRIALS: usize = POINTS * POINTS;
const FOLDS: usize = 5;
/// Winners are trained anew with so many seeds.
const SEEDS: u64 = 5;

const RECIPE: &str = r#"
name = "moons"
summary = "Two moons that touch each other"
[data]
set = "moons"
[model]
loss = "cross-entropy"
[[model.layers]]
type = "dense"
units = 16
activation = "tanh"
[[model.layers]]
type = "dense"
units = 2
[optimizer]
name = "sgd"
learning_rate = 0.1
[schedule]
name = "cosine"
[train]
epochs = 30
batch = 32
"#;

/// A search and what has come of it.
struct Choice {
    name: &'static str,
    key: &'static str,
    record: SearchRecord,
    /// The winner's accuracy on the samples set aside, and the mean one on test samples.
    found: [f64; 2],
}

pub(super) fn add(finding: &mut Finding, setting: &Setting) -> Result<()> {
    let moons = moons()?;
    let ways = [
        ("grid", "grid", SearchMethod::Grid, None),
        ("random", "random", SearchMethod::Random, None),
        ("grid, folds", "grid_folds", SearchMethod::Grid, Some(FOLDS)),
        ("random, folds", "random_folds", SearchMethod::Random, Some(FOLDS)),
    ];
    let mut choices = Vec::new();
    for (name, key, method, folds) in ways {
        let record = searched(method, folds, &moons, setting)?;
        let held = record.winner().and_then(|trial| trial.accuracy);
        let found = [held.unwrap_or(f64::NAN), tested(&record, &moons, setting)?];
        for (what, value) in ["held", "test"].into_iter().zip(found) {
            finding.note(format!("{key}_{what}"), value);
        }
        finding.note(format!("{key}_rates"), different_rates(&record) as f64);
        finding.note(format!("{key}_tied"), tied(&record) as f64);
        choices.push(Choice { name, key, record, found });
    }
    let deviation = choices[3].record.winner().and_then(|trial| trial.deviation);
    finding.note("random_folds_deviation", deviation.unwrap_or(f64::NAN));
    for (name, key) in [("rate", "learning_rate"), ("units", "units")] {
        finding.note(format!("importance_{name}"), importance(&choices[3].record, key));
    }
    let text = text(finding);
    finding.text.extend(text);
    finding.tables.push(table(&choices));
    finding.figures.extend([scores(&choices), places(&choices)]);
    Ok(())
}

fn moons() -> Result<DataSet> {
    let moons = Generated { noise: NOISE, ..Generated::of("moons")? };
    let draw = |part, samples| moons.draw(part, samples, 1)?.samples();
    let [train, test] = [draw(Part::Train, SAMPLES[0])?, draw(Part::Test, SAMPLES[1])?];
    DataSet::new("moons", 2, train, test, Origin::Generated { seed: 1 })
}

fn searched(
    method: SearchMethod,
    folds: Option<usize>,
    moons: &DataSet,
    setting: &Setting,
) -> Result<SearchRecord> {
    let recipe = Recipe::parse(RECIPE, "the tour")?;
    let points = if method == SearchMethod::Grid { format!(":{POINTS}") } else { String::new() };
    let [[low, high], [narrow, wide]] =
        [RATES.map(|rate| rate.to_string()), UNITS.map(|units| units.to_string())];
    let search = Search::new(&recipe)
        .method(method)
        .over(&format!("optimizer.learning_rate={low}..{high}:log{points}"))?
        .over(&format!("model.layers.0.units={narrow}..{wide}:log{points}"))?
        .trials(TRIALS)
        .threads(setting.threads);
    folds.map_or(search.clone(), |folds| search.folds(folds)).run(moons)
}

/// The mean accuracy of the winner on test samples, trained anew on all samples with some seeds.
fn tested(record: &SearchRecord, moons: &DataSet, setting: &Setting) -> Result<f64> {
    let Some(winner) = &record.winner else { return Ok(f64::NAN) };
    let mut sum = 0.0;
    for seed in 1..=SEEDS {
        let mut recipe = Recipe::parse(winner, "the winner")?;
        recipe.train.seed = seed;
        let mut model = Model::build(&recipe.model, moons.train.shape(), moons.classes, seed)?;
        let trainer = Trainer::from_recipe(&recipe).threads(setting.threads);
        trainer.fit(&mut model, &moons.train)?;
        sum += trainer.evaluate(&model, &moons.test)?.accuracy.unwrap_or(f64::NAN);
    }
    Ok(sum / SEEDS as f64)
}

fn setting_of(trial: &TrialRecord, key: &str) -> f64 {
    trial.settings.get(key).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN)
}

fn rate(trial: &TrialRecord) -> f64 {
    setting_of(trial, "optimizer.learning_rate")
}

fn units(trial: &TrialRecord) -> f64 {
    setting_of(trial, "model.layers.0.units")
}

fn different_rates(record: &SearchRecord) -> usize {
    let mut rates: Vec<f64> = record.trials.iter().map(rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    rates.len()
}

/// How many trials have the winner's score.
fn tied(record: &SearchRecord) -> usize {
    let best = record.winner().and_then(|trial| trial.score);
    record.trials.iter().filter(|trial| trial.score.is_some() && trial.score == best).count()
}

/// How much of the trials' ranks a key explains.
fn importance(record: &SearchRecord, key: &str) -> f64 {
    record.importance.iter().find(|of| of.key.ends_with(key)).map_or(f64::NAN, |of| of.part)
}

fn percent(value: f64) -> String {
    format!("{:.1} %", 100.0 * value)
}

fn text(found: &Finding) -> [String; 2] {
    let of = |name: &str| found.number(name);
    [
        format!(
            "Nobody computes the best rate of a network; one tries. Here the rate and the width of the hidden layer of a small \
             network on two noisy moons, {TRIALS} trials each: a grid of {POINTS} by {POINTS}, and random pairs. The rate matters \
             more: it explains {} of how the random trials rank, the width {}. The grid spends its trials on {} different rates, \
             each of them {POINTS} times; random pairs have {}. So the random dots draw the whole curve over the rate, and the \
             grid a few places of it (Bergstra and Bengio 2012).",
            percent(of("importance_rate")),
            percent(of("importance_units").max(0.0)),
            of("grid_rates"),
            of("random_rates"),
        ),
        format!(
            "A tenth of {} samples are set aside to compare trials, so that scores go in steps of {:.1} points. The best of the \
             random search is {}, and {} of its {TRIALS} trials have it; on {} test samples, which no trial has seen, its winner \
             reaches {} in the mean of {SEEDS} seeds. With {FOLDS} folds every sample is set aside once. That takes {FOLDS} times \
             as long, but scores are finer and have a deviation: the winner's is {}, give or take {:.1} points from fold to fold, \
             and {} on test samples. The best of many is partly the luckiest: believe the test samples, and take no difference \
             below the deviation for a reason.",
            SAMPLES[0],
            1000.0 / SAMPLES[0] as f64,
            percent(of("random_held")),
            of("random_tied"),
            SAMPLES[1],
            percent(of("random_test")),
            percent(of("random_folds_held")),
            100.0 * of("random_folds_deviation"),
            percent(of("random_folds_test")),
        ),
    ]
}

fn table(choices: &[Choice]) -> Listing {
    let row = |choice: &Choice| {
        let winner = choice.record.winner();
        let held = match winner.and_then(|trial| trial.deviation) {
            Some(deviation) => format!("{} ± {:.1}", percent(choice.found[0]), 100.0 * deviation),
            None => percent(choice.found[0]),
        };
        let of = |value: fn(&TrialRecord) -> f64| winner.map_or(f64::NAN, value);
        vec![
            choice.name.into(),
            format!("{:.3}", of(rate)),
            of(units).to_string(),
            held,
            percent(choice.found[1]),
        ]
    };
    let columns =
        ["search", "rate", "units", "on samples set aside", "on test samples"].map(String::from).to_vec();
    let caption = format!("The winners of {TRIALS} trials each");
    Listing { caption, columns, rows: choices.iter().map(row).collect() }
}

/// The logarithm to the base of ten: planes have no logarithmic sides.
fn power(trial: &TrialRecord) -> f64 {
    rate(trial).log10()
}

fn dots(choices: &[Choice], keys: [&str; 2], y: impl Fn(&TrialRecord) -> f64) -> Vec<Layer> {
    let place = |trial: &TrialRecord| [power(trial), y(trial)];
    // Trials that have diverged have no score.
    let places = |choice: &Choice| -> Vec<[f64; 2]> {
        choice.record.trials.iter().map(place).filter(|[_, y]| y.is_finite()).collect()
    };
    let chosen = choices.iter().filter(|choice| keys.contains(&choice.key));
    chosen.map(|choice| Layer::Dots(Named::new(choice.name, places(choice)))).collect()
}

fn plane(name: &str, title: &str, y_label: &str, of_y: [f64; 2], layers: Vec<Layer>) -> Figure {
    let [low, high] = RATES.map(f64::log10);
    let picture = Picture::Plane(Plane {
        x_label: "learning rate, as a power of ten".into(),
        y_label: y_label.into(),
        window: [[low - 0.2, high + 0.2], of_y],
        is_square: false,
        animated: false,
        layers,
    });
    Figure { name: name.into(), title: title.into(), picture }
}

fn scores(choices: &[Choice]) -> Figure {
    let score = |trial: &TrialRecord| trial.score.map_or(f64::NAN, |score| 100.0 * score);
    let layers = dots(choices, ["grid_folds", "random_folds"], score);
    let label = format!("accuracy on {FOLDS} folds, percent");
    plane("scores", "The trials' scores over the rate", &label, [40.0, 100.0], layers)
}

fn places(choices: &[Choice]) -> Figure {
    let [narrow, wide] = UNITS.map(|units| (units as f64).log2());
    let layers = dots(choices, ["grid_folds", "random_folds"], |trial| units(trial).log2());
    plane(
        "places",
        "Where a grid and random trials look",
        "units, as a power of two",
        [narrow - 0.5, wide + 0.5],
        layers,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_trials_see_more_rates_and_the_rate_matters_more() {
        let mut found = Finding::default();
        add(&mut found, &Setting { threads: 2 }).unwrap();
        let of = |name: &str| found.number(name);
        assert_eq!((of("grid_rates"), of("random_rates")), (POINTS as f64, TRIALS as f64));
        assert!(of("importance_rate") > of("importance_units"));
        for key in ["grid", "random", "grid_folds", "random_folds"] {
            let test = of(&format!("{key}_test"));
            assert!((0.86..0.96).contains(&test), "{key}: {test}");
        }
        for key in ["grid_folds", "random_folds"] {
            let [held, test] = ["held", "test"].map(|what| of(&format!("{key}_{what}")));
            assert!((held - test).abs() < 0.04, "{key}: {held} {test}");
        }
    }

    #[test]
    fn a_score_is_the_mean_of_the_folds() {
        let setting = Setting { threads: 2 };
        let record = searched(SearchMethod::Random, Some(FOLDS), &moons().unwrap(), &setting).unwrap();
        for trial in &record.trials {
            let mean = trial.scores.iter().sum::<f64>() / trial.scores.len() as f64;
            assert!(
                trial.score.is_none_or(|score| (score - mean).abs() < 1e-12 && trial.scores.len() == FOLDS)
            );
        }
    }
}
