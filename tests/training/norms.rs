//! The norms of each layer in the last step of an epoch, and the warnings that follow from them.

use crate::common::compare::largest_deviation;
use crate::common::program;
use crate::common::runs::{self, build, epoch, recorded};
use fallline::data::DataSet;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{LayerNorms, Session, TrainRecord, Trouble, Warning};

const CLASSES: usize = 10;
const SAMPLES: usize = 300;

fn digits() -> &'static DataSet {
    runs::digits(SAMPLES, 50)
}

/// A network of these layers, each of them so many units and an activation; `settings` as on the command
/// line.
fn recipe(layers: &[(usize, &str)], settings: &[&str]) -> Recipe {
    let layers: String = layers
        .iter()
        .map(|(units, activation)| {
            format!("[[model.layers]]\ntype = \"dense\"\nunits = {units}\nactivation = \"{activation}\"\n")
        })
        .collect();
    let text = format!(
        "name = \"norms\"\n[data]\nset = \"digits\"\nmean = 0.13\ndeviation = 0.31\n[model]\n{layers}\
         [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
         [optimizer]\nname = \"sgd\"\nlearning_rate = 0.05\n[train]\nepochs = 3\nbatch = 60\n"
    );
    let overrides: Vec<_> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
    Recipe::parse_with(&text, "norms", &overrides).unwrap()
}

const SMALL: &[(usize, &str)] = &[(130, "relu"), (33, "tanh")];

fn trained(recipe: &Recipe, data: &DataSet) -> (TrainRecord, Vec<Warning>) {
    let mut model = build(recipe, data);
    let (record, recorder) = recorded(&mut model, data, recipe, 2).unwrap();
    assert_eq!(record.warnings, recorder.warnings, "the observer hears what the record has");
    (record, recorder.warnings)
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

/// Each epoch is one step of plain gradient descent, whose update is the gradient times the rate.
#[test]
fn norms_are_those_of_the_last_step() {
    let whole: [&[&str]; 4] = [
        &["train.batch=300"],
        &["train.batch=300", "gradient.clip_norm=0.2"],
        &["train.batch=50", "train.accumulate=6"],
        // Lookahead's way back is no part of an update.
        &["train.batch=300", "lookahead.steps=1", "lookahead.alpha=0.5"],
    ];
    for settings in whole {
        let recipe = recipe(SMALL, settings);
        let mut model = Model::build(&recipe.model, [28, 28, 1], CLASSES, 1).unwrap();
        let team = Team::new(3).unwrap();
        let places: Vec<_> = model.layers().iter().map(|placed| placed.storage.clone()).collect();
        let mut session = Session::new(&mut model, &digits().train, &recipe, &team).unwrap();
        let rate = recipe.optimizer.learning_rate;
        for _ in 0..3 {
            let before = session.model().storage().to_vec();
            let record = epoch(&mut session).unwrap();
            let after = session.model().storage();
            let names: Vec<&str> = record.layers.iter().map(|norms| norms.layer.as_str()).collect();
            assert_eq!(names, ["0", "2", "4"]);
            for (norms, place) in record.layers.iter().zip(&places) {
                let (before, after) = (&before[place.clone()], &after[place.clone()]);
                let pairs = before.iter().zip(after);
                let change = norm(pairs.map(|(before, after)| f64::from(*after) - f64::from(*before)));
                let change = if recipe.lookahead.is_some() { 2.0 * change } else { change };
                assert!(
                    largest_deviation(
                        &[norms.parameters],
                        &[norm(before.iter().map(|&p| f64::from(p)))],
                        0.0
                    ) <= 1e-5,
                    "{norms:?}"
                );
                // The difference of rounded numbers.
                assert!((norms.update - change).abs() <= 1e-3 * change, "{norms:?} {change}");
                assert!(
                    (norms.gradient - change / rate).abs() <= 1e-3 * norms.gradient,
                    "{norms:?} {change}"
                );
            }
            let total = norm(record.layers.iter().map(|norms| norms.gradient));
            let is_clipped = recipe.gradient.clip_norm.is_some();
            assert_eq!((total - 0.2).abs() < 1e-5, is_clipped, "{total}");
        }
    }
}

/// In an iteration of a search they are those of where it begins, and of the way that it goes.
#[test]
fn a_search_has_norms_of_each_iteration() {
    for name in ["optimizer.name=lbfgs", "optimizer.name=cg"] {
        let search = ["train.batch=all", name, "optimizer.learning_rate=1"];
        let recipe_of_search = recipe(SMALL, &search);
        let descent = recipe(SMALL, &["train.batch=300"]);
        let mut model = Model::build(&recipe_of_search.model, [28, 28, 1], CLASSES, 1).unwrap();
        let team = Team::new(2).unwrap();
        let places: Vec<_> = model.layers().iter().map(|placed| placed.storage.clone()).collect();
        let mut session = Session::new(&mut model, &digits().train, &recipe_of_search, &team).unwrap();
        for _ in 0..4 {
            let before = session.model().storage().to_vec();
            let record = epoch(&mut session).unwrap();
            // The gradient there, as a step of plain gradient descent sees it.
            let mut other = Model::build(&descent.model, [28, 28, 1], CLASSES, 1).unwrap();
            other.parts_mut().1.copy_from_slice(&before);
            let mut step = Session::new(&mut other, &digits().train, &descent, &team).unwrap();
            let expected = epoch(&mut step).unwrap().layers;
            assert_eq!((record.layers.len(), expected.len()), (3, 3));
            let after = session.model().storage();
            for ((norms, expected), place) in record.layers.iter().zip(&expected).zip(&places) {
                let pairs = before[place.clone()].iter().zip(&after[place.clone()]);
                let change = norm(pairs.map(|(before, after)| f64::from(*after) - f64::from(*before)));
                assert_eq!(norms.layer, expected.layer);
                assert!((norms.gradient - expected.gradient).abs() <= 1e-4 * expected.gradient, "{norms:?}");
                assert!(
                    largest_deviation(&[norms.parameters], &[expected.parameters], 0.0) <= 1e-5,
                    "{norms:?} {expected:?}"
                );
                assert!(change > 0.0 && (norms.update - change).abs() <= 1e-3 * change, "{norms:?} {change}");
            }
        }
    }
}

#[test]
fn an_epoch_that_is_cut_short_has_no_norms() {
    let (record, _) = trained(&recipe(SMALL, &["stop.steps=8"]), digits());
    assert_eq!(record.epochs.iter().map(|epoch| epoch.layers.len()).collect::<Vec<_>>(), [3, 0]);
    let (record, _) = trained(&recipe(SMALL, &["stop.steps=10"]), digits());
    assert_eq!(record.epochs.iter().map(|epoch| epoch.layers.len()).collect::<Vec<_>>(), [3, 3]);
}

/// Layers without parameters have no norms, and the others the names of their parameters.
#[test]
fn layers_are_named_as_their_parameters_are() {
    let settings =
        ["model.layers=[{type='sigmoid'},{type='dense',units=20},{type='tanh'},{type='dense',units=10}]"];
    let (record, _) = trained(&recipe(&[], &settings), digits());
    let names: Vec<&str> = record.epochs[0].layers.iter().map(|norms| norms.layer.as_str()).collect();
    assert_eq!(names, ["1", "3"]);
}

fn deep(activation: &'static str) -> Vec<(usize, &'static str)> {
    vec![(24, activation); 12]
}

/// Each sigmoid passes at most a quarter of the gradient back.
#[test]
fn gradients_of_a_deep_network_of_sigmoids_vanish() {
    let (record, warnings) = trained(&recipe(&deep("sigmoid"), &[]), digits());
    let gradients: Vec<f64> = record.epochs[2].layers.iter().map(|norms| norms.gradient).collect();
    println!("{gradients:?}");
    let first = warnings.first().expect("a warning");
    assert_eq!((first.trouble, first.layer.as_str(), first.epoch), (Trouble::Vanishing, "0", 1));
    assert!(first.ratio < 1e-5 && first.other.is_some(), "{first:?}");
    // Once a layer, and not for the last ones.
    let layers: Vec<&str> = warnings.iter().map(|warning| warning.layer.as_str()).collect();
    assert_eq!(layers, Vec::from_iter([0, 2, 4, 6, 8].map(|layer| layer.to_string()))[..layers.len()]);

    // Whatever the rule makes of them.
    let (_, adam) = trained(&recipe(&deep("sigmoid"), &["optimizer.name=adam"]), digits());
    assert!(adam.iter().any(|warning| warning.trouble == Trouble::Vanishing && warning.layer == "0"));
    for activation in ["relu", "tanh"] {
        assert_eq!(trained(&recipe(&deep(activation), &[]), digits()).1, []);
    }
}

/// On squared errors, a rate beyond twice the reciprocal of the curvature makes each step longer than the
/// one before.
#[test]
fn steps_at_a_huge_rate_explode() {
    let settings = |rate: &'static str| ["model.loss=mean-squared-error", rate, "train.epochs=1"];
    let (record, warnings) = trained(&recipe(&[], &settings("optimizer.learning_rate=1")), digits());
    println!("{:?}", record.epochs[0].layers);
    assert_eq!(warnings.len(), 1);
    let first = &warnings[0];
    assert_eq!((first.trouble, first.layer.as_str(), &first.other), (Trouble::Exploding, "0", &None));
    let LayerNorms { update, parameters, .. } = record.epochs[0].layers[0];
    assert_eq!(first.ratio, update / parameters);
    assert!(first.ratio > 1.0);
    assert_eq!(trained(&recipe(&[], &settings("optimizer.learning_rate=0.005")), digits()).1, []);
}

#[test]
fn healthy_trainings_are_not_warned_of() {
    for name in Recipe::built_in_names() {
        // The same layers as in mnist-mlp-512, but minutes of work.
        if name == "mnist-mlp-2048" {
            continue;
        }
        let mut recipe = Recipe::built_in(name).unwrap();
        recipe.train.epochs = 3;
        let (recipe, data) = runs::small(&recipe, 2000, 50);
        let (record, warnings) = trained(&recipe, &data);
        assert_eq!(warnings, [], "{name}");
        assert!(record.epochs.iter().all(|epoch| !epoch.layers.is_empty()));
    }
    // Nothing is learnt, but nothing vanishes either.
    assert_eq!(trained(&recipe(SMALL, &["optimizer.learning_rate=0"]), digits()).1, []);
    // Layers that begin with zeros, in full batches: the first step is all there is of them.
    let zeros = "model.layers=[{type='dense',units=20,activation='tanh'},{type='dense',units=10,weight_init='zeros'}]";
    assert_eq!(trained(&recipe(&[], &[zeros, "train.batch=300"]), digits()).1, []);
}

/// Samples that are all told apart with the margin of a hinge loss have no gradient at all.
#[test]
fn a_perfect_fit_is_no_vanishing_gradient() {
    let settings = [
        "data.train_samples=40",
        "model.loss=hinge",
        "optimizer.name=adam",
        "train.epochs=150",
        "train.batch=40",
    ];
    let data = runs::digits(40, 50);
    let (record, warnings) = trained(&recipe(SMALL, &settings), data);
    let last = record.epochs.last().unwrap();
    assert!(last.layers.iter().all(|norms| norms.gradient == 0.0), "{:?}", last.layers);
    assert_eq!(warnings, []);
}

#[test]
fn the_program_warns_once_and_writes_it_down() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("deep.toml"), recipe(&deep("sigmoid"), &[]).to_toml()).unwrap();
    let options = ["--set=data.train_samples=300", "--set=data.test_samples=50", "--threads=2"];
    let run = |more: &[&str]| {
        let output =
            program::fallline(folder.path(), &[&["train", "deep.toml"], &options[..], more].concat());
        assert!(output.status.success());
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap())
    };
    let [_, errors] = run(&["--json=run.json", "--report=report"]);
    let line = "warning: the gradient of layer 0 vanishes: in epoch 1, relative to its parameters, it is ";
    assert_eq!(errors.matches(line).count(), 1, "{errors}");
    let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
    let record: serde_json::Value = serde_json::from_str(&read("run.json")).unwrap();
    assert_eq!(record["warnings"][0]["trouble"], "vanishing");
    assert_eq!(record["warnings"].as_array().unwrap().len(), errors.matches("warning: ").count());
    assert_eq!(record["epochs"][0]["layers"].as_array().unwrap().len(), 13);
    let page = read("report/report.html");
    for text in ["the gradient of layer 0 vanishes", "Gradient of each layer", "Update of each layer"] {
        assert!(page.contains(text), "{text}");
    }
    let [output, errors] = run(&["--quiet"]);
    assert!(errors.is_empty() && output.starts_with("trained "), "{output} {errors}");
}
