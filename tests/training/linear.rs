//! Linear fits against scikit-learn's, in `tests/golden/linear.json`, which `scripts/golden/linear.py` made: exact
//! solutions, and descent.

use std::sync::atomic::AtomicBool;

use crate::common::golden::{self, count, numbers, text};
use crate::common::observer::Recorder;
use fallline::data::{DataSet, Origin, Samples, Targets};
use fallline::engine::linear::{self, Coefficients, Linear, LinearKind, Problem};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, ExactRecord};
use fallline::settings::ModelConfig;
use serde_json::Value;

/// Of an objective that descent comes to, relative to the least.
const DESCENT: f64 = 1e-4;

fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|number| number as f32).collect()
}

fn samples(set: &Value) -> Samples {
    let (features, x) = (count(&set["features"]), singles(&set["x"]));
    let rows = x.len() / features;
    let targets = match set.get("labels") {
        Some(labels) => Targets::Classes(golden::integers(labels).iter().map(|&label| label as u8).collect()),
        None => {
            let values = singles(&set["values"]);
            Targets::Values { width: values.len() / rows, values }
        }
    };
    Samples::floats(x, [1, 1, features], targets, 256).unwrap()
}

/// The recipe of a case, by way of a text.
fn recipe(case: &Value, rest: &str) -> Recipe {
    let model: toml::Table = serde_json::from_value(case["model"].clone()).unwrap();
    let text = format!("name = \"fit\"\n[data]\nset = \"folder\"\n[model]\n{model}\n{rest}");
    Recipe::parse(&text, "test recipe").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn fit(case: &Value) -> Linear {
    recipe(case, "[optimizer]\nname = \"sgd\"\n").model.linear.unwrap()
}

fn problem(set: &Value, outputs: usize) -> Problem {
    let (features, x) = (count(&set["features"]), singles(&set["x"]));
    let labels = set.get("labels").map(golden::integers);
    let values = set.get("values").map(singles);
    Problem::new([x.len() / features, features, outputs], &[], |sample, row, targets| {
        row.copy_from_slice(&x[sample * features..(sample + 1) * features]);
        match (&labels, &values) {
            (Some(labels), _) => {
                targets.fill(0.0);
                targets[labels[sample] as usize] = 1.0;
            }
            (None, Some(values)) => {
                targets.copy_from_slice(&values[sample * outputs..(sample + 1) * outputs])
            }
            (None, None) => unreachable!("samples have targets"),
        }
    })
    .unwrap()
}

/// Those of scikit-learn.
fn golden_coefficients(case: &Value, features: usize) -> Coefficients {
    let (weights, bias) = (numbers(&case["weights"]), numbers(&case["bias"]));
    let mut coefficients = linear_zeros(features, bias.len());
    for (place, weight) in weights.into_iter().enumerate() {
        coefficients.weights[(place % features, place / features)] = weight;
    }
    Coefficients { bias, ..coefficients }
}

fn linear_zeros(features: usize, outputs: usize) -> Coefficients {
    let problem = Problem::new([1, features, outputs], &[], |_, _, _| {}).unwrap();
    let zero = linear::exact(&Linear::new(LinearKind::Linear, outputs), &problem).unwrap().unwrap();
    zero.coefficients
}

/// The largest difference of weights and biases, relative to the largest of them; of softmax regression of the
/// differences from their means over the classes.
fn difference(kind: LinearKind, one: &Coefficients, other: &Coefficients) -> f64 {
    let rows = |of: &Coefficients| {
        let (features, outputs) = (of.weights.nrows(), of.bias.len());
        let mut rows: Vec<Vec<f64>> =
            (0..features).map(|j| (0..outputs).map(|output| of.weights[(j, output)]).collect()).collect();
        rows.push(of.bias.clone());
        if kind == LinearKind::Logistic {
            for row in &mut rows {
                let mean = row.iter().sum::<f64>() / outputs as f64;
                row.iter_mut().for_each(|value| *value -= mean);
            }
        }
        rows.concat()
    };
    let (one, other) = (rows(one), rows(other));
    let largest = one.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    one.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest
}

/// By how much the coefficients of a case may differ: as far as scikit-learn's solver goes.
fn tolerance(case: &Value) -> f64 {
    if text(&case["name"]) == "huber" { 1e-4 } else { 1e-6 }
}

#[test]
fn exact_solutions_are_those_of_scikit_learn() {
    let file = golden::read("linear.json");
    let mut seen = 0;
    for set in file["sets"].as_array().unwrap() {
        for case in golden::cases(set) {
            let linear = fit(case);
            let problem = problem(set, linear.outputs);
            let expected = golden_coefficients(case, problem.features());
            let least = case["objective"].as_f64().unwrap();
            let name = format!("{}, {}", text(&set["name"]), text(&case["name"]));
            let objective = linear::objective(&linear, &problem, &expected);
            assert!((objective - least).abs() < 1e-12 * least, "{name}: {objective} {least}");
            let Some(found) = linear::exact(&linear, &problem).unwrap() else {
                assert_eq!(text(&case["name"]), "hinge");
                continue;
            };
            let excess = (found.objective - least) / least;
            let far = difference(linear.kind, &found.coefficients, &expected);
            println!("{name}: objective {excess:.1e}, coefficients {far:.1e}");
            assert!(found.converged && excess.abs() < 1e-6, "{name}: {excess:.1e}");
            // Nothing is below the least.
            assert!(excess < 1e-12, "{name}: {excess:.1e}");
            assert!(far < tolerance(case), "{name}: {far:.1e}");
            // Another penalty would be seen.
            let other =
                Linear { penalty: linear.penalty * 1.01 + 1e-3, delta: linear.delta * 1.01, ..linear };
            if linear.kind != LinearKind::Linear {
                let other = linear::exact(&other, &problem).unwrap().unwrap();
                assert!(difference(linear.kind, &other.coefficients, &expected) > tolerance(case), "{name}");
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 10);
}

/// What trains a case: a search where the objective is smooth, its own steps elsewhere.
fn training(case: &Value) -> &'static str {
    match text(&case["name"]) {
        "lasso" => {
            "[optimizer]\nname = \"nesterov\"\nlearning_rate = 0.05\nmomentum = 0.95\n\
             [train]\nbatch = \"all\"\nepochs = 1500\n"
        }
        "hinge" => {
            "[optimizer]\nname = \"sgd\"\nlearning_rate = 5\n[schedule]\nname = \"exponential\"\ngamma = 0.998\n\
             [train]\nbatch = \"all\"\nepochs = 6000\n"
        }
        _ => "[optimizer]\nname = \"lbfgs\"\n[train]\nepochs = 200\n",
    }
}

/// What training leaves behind, beside the exact solution; and the objective that it has come to.
fn trained(set: &Value, case: &Value, rest: &str) -> (Option<ExactRecord>, f64) {
    let (samples, recipe) = (samples(set), recipe(case, rest));
    let linear = recipe.model.linear.unwrap();
    let mut model = Model::build(&recipe.model, samples.shape(), linear.outputs, 1).unwrap();
    let origin = Origin::Generated { seed: 1 };
    let data = DataSet::new("golden", linear.outputs, samples.clone(), samples.clone(), origin).unwrap();
    let team = Team::new(1).unwrap();
    let halt = AtomicBool::new(false);
    train::train(&mut model, &data, &recipe, &team, &halt, &mut Recorder::default()).unwrap();
    let record = train::exact(&model, &samples, &recipe).unwrap();
    let problem = problem(set, linear.outputs);
    let mut coefficients = linear_zeros(problem.features(), linear.outputs);
    for tensor in model.tensors() {
        for (place, &value) in tensor.values.iter().enumerate() {
            match tensor.shape[..] {
                [_, features] => {
                    coefficients.weights[(place % features, place / features)] = f64::from(value);
                }
                _ => coefficients.bias[place] = f64::from(value),
            }
        }
    }
    (record, linear::objective(&linear, &problem, &coefficients))
}

#[test]
fn descent_comes_to_the_same_objective() {
    let file = golden::read("linear.json");
    for set in file["sets"].as_array().unwrap() {
        for case in golden::cases(set) {
            let least = case["objective"].as_f64().unwrap();
            let (record, objective) = trained(set, case, training(case));
            let name = format!("{}, {}", text(&set["name"]), text(&case["name"]));
            let excess = (objective - least) / least;
            println!("{name}: {excess:.1e}");
            assert!(excess.abs() < DESCENT, "{name}: {objective} {least}");
            let Some(record) = record else {
                assert_eq!(text(&case["name"]), "hinge");
                continue;
            };
            assert!((record.objective - objective).abs() < 1e-12 * objective, "{name}");
            assert!((record.excess.unwrap() - excess).abs() < 1e-5, "{name}: {record:?}");
            assert!(record.distance.unwrap() < 0.05, "{name}: {:?}", record.distance);
            if text(&case["name"]) == "lasso" {
                let [exact, descent] = record.not_zero.unwrap();
                assert!(exact == descent && exact < record.numbers, "{name}: {exact} {descent}");
            }
        }
    }
}

/// A few steps are not enough, and it is seen.
#[test]
fn a_training_that_ends_early_is_far_from_the_exact_solution() {
    let file = golden::read("linear.json");
    let set = &file["sets"][0];
    let case = &golden::cases(set)[1];
    let few = "[optimizer]\nname = \"sgd\"\nlearning_rate = 0.01\n[train]\nepochs = 2\n";
    let record = trained(set, case, few).0.unwrap();
    assert!(record.excess.unwrap() > 0.01 && record.distance.unwrap() > 0.1, "{record:?}");
    assert!(record.coefficients.len() == record.numbers && record.numbers == 11, "{record:?}");
}

/// Weights that have no penalty of their own are trained as a network's are: the fit is its layer and its loss.
#[test]
fn a_fit_without_a_penalty_is_its_layer_and_its_loss() {
    let file = golden::read("linear.json");
    let (set, rest) = (&file["sets"][0], "[optimizer]\nname = \"adam\"\n[train]\nepochs = 3\n");
    let case = &golden::cases(set)[0];
    let fit = recipe(case, rest);
    let network = Recipe {
        model: ModelConfig::of_layers(fit.model.layers.clone(), fit.model.loss.clone()),
        ..fit.clone()
    };
    let samples = samples(set);
    let weights = |recipe: &Recipe| {
        let mut model = Model::build(&recipe.model, samples.shape(), 1, 1).unwrap();
        let origin = Origin::Generated { seed: 1 };
        let data = DataSet::new("golden", 1, samples.clone(), samples.clone(), origin).unwrap();
        let (team, halt) = (Team::new(1).unwrap(), AtomicBool::new(false));
        train::run(&mut model, &data, recipe, &team, &halt, &mut Recorder::default()).unwrap();
        model.tensors().into_iter().flat_map(|tensor| tensor.values).collect::<Vec<f32>>()
    };
    assert_eq!(weights(&fit), weights(&network));
}
