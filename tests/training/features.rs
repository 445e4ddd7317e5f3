//! Fits on fixed features, and that nothing in training touches what is fixed.

use std::sync::atomic::AtomicBool;

use crate::common::compare::bits;
use crate::common::golden::{self, count, numbers, text};
use crate::common::observer::Recorder;
use fallline::data::{DataSet, Origin, Samples, Targets};
use fallline::engine::model::recipe::OPTIMIZERS;
use fallline::engine::model::{NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, ExactRecord};
use fallline::settings::{Linear, LinearKind};
use fallline::{Activation, LayerConfig, Model, Predictor};
use serde_json::Value;

fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|number| number as f32).collect()
}

/// The diabetes set of `linear.json`.
fn diabetes() -> Samples {
    let file = golden::read("linear.json");
    let set = &file["sets"][0];
    assert_eq!(text(&set["name"]), "diabetes");
    let targets = Targets::Values { width: 1, values: singles(&set["values"]) };
    Samples::floats(singles(&set["x"]), [1, 1, count(&set["features"])], targets, 256).unwrap()
}

fn recipe(model: &str, rest: &str) -> Recipe {
    let text = format!("name = \"fit\"\n[data]\nset = \"folder\"\n[model]\n{model}\n{rest}");
    Recipe::parse(&text, "test recipe").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Trains a model, of which `change` makes another one before.
fn trained(recipe: &Recipe, samples: &Samples, outputs: usize, change: impl Fn(&mut Model)) -> Model {
    let mut model = Model::build(&recipe.model, samples.shape(), outputs, recipe.train.seed).unwrap();
    change(&mut model);
    let origin = Origin::Generated { seed: 1 };
    let data = DataSet::new("golden", outputs, samples.clone(), samples.clone(), origin).unwrap();
    let (team, halt) = (Team::new(2).unwrap(), AtomicBool::new(false));
    train::run(&mut model, &data, recipe, &team, &halt, &mut Recorder::default()).unwrap();
    model
}

const DESCENT: &str = "[optimizer]\nname = \"lbfgs\"\n[train]\nepochs = 300\n";

/// Scikit-learn's random numbers, where a case has some.
fn drawn(case: &Value, model: &mut Model) {
    if case.get("weight").is_none() {
        return;
    }
    let mut tensors = model.tensors();
    tensors[0].values = singles(&case["weight"]);
    tensors[1].values = singles(&case["bias"]);
    model.load_tensors("golden".as_ref(), tensors).unwrap();
}

/// The weights, the bias and the features as the record and the model have them.
fn fitted(case: &Value) -> (Model, ExactRecord) {
    let (samples, model) =
        (diabetes(), serde_json::from_value::<toml::Table>(case["model"].clone()).unwrap());
    let recipe = recipe(&model.to_string(), DESCENT);
    let model = trained(&recipe, &samples, 1, |model| drawn(case, model));
    let record = train::exact(&model, &samples, &recipe).unwrap().unwrap();
    (model, record)
}

#[test]
fn fits_on_features_are_those_of_scikit_learn() {
    let file = golden::read("features.json");
    for case in file["fits"].as_array().unwrap() {
        let (model, record) = fitted(case);
        let name = text(&case["name"]);
        let (weights, bias) = (numbers(&case["weights"]), numbers(&case["intercept"])[0]);
        let least = case["objective"].as_f64().unwrap();
        println!("{name}: {:.2e} {:.2e}", record.least / least - 1.0, record.excess.unwrap());
        // The features are rounded to f32.
        assert!((record.least / least - 1.0).abs() < 1e-6, "{name}: {} {least}", record.least);
        assert!(record.excess.unwrap() < 1e-4 && record.converged, "{name}: {record:?}");
        assert!(record.numbers == weights.len() + 1 && record.coefficients.len() <= 50, "{name}");
        let largest = weights.iter().fold(0.0f64, |largest, weight| largest.max(weight.abs()));
        let mut seen = 0;
        for coefficient in &record.coefficients {
            let expected = coefficient.feature.map_or(bias, |feature| weights[feature]);
            assert!(
                (coefficient.exact - expected).abs() < 1e-4 * largest,
                "{name}: {coefficient:?} {expected}"
            );
            let Some(feature) = coefficient.feature else { continue };
            let names = case["names"].as_array().unwrap();
            let expected = names.get(feature).map_or(format!("cosine {feature}"), |name| text(name).into());
            assert_eq!(coefficient.name.as_ref(), Some(&expected));
            seen += usize::from(expected.contains('^') || expected.contains(' '));
        }
        assert!(seen > 0, "{name}");
        // What the model holds is what descent has come to.
        let last = model.tensors().into_iter().nth_back(1).unwrap();
        let of_model = |feature: usize| f64::from(last.values[feature]);
        let mut pairs = record.coefficients.iter().filter_map(|own| Some((own.feature?, own.descent)));
        assert!(pairs.all(|(feature, descent)| of_model(feature) == descent), "{name}");
    }
}

/// The features of one fit are not those of another.
#[test]
fn other_random_numbers_are_another_fit() {
    let file = golden::read("features.json");
    let mut case = file["fits"][2].clone();
    let least = case["objective"].as_f64().unwrap();
    case["weight"][0] = 2.5.into();
    assert!((fitted(&case).1.least / least - 1.0).abs() > 1e-6);
}

/// Samples of eight features and three classes.
fn samples() -> Samples {
    let x: Vec<f32> = (0..61 * 8).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    Samples::from_rows(x, 8).classes((0..61).map(|i| (i * 5 % 3) as u8).collect::<Vec<_>>()).unwrap()
}

/// What the layer behind a dense one and its activation, which are two modules, has drawn.
fn fixed(model: &Model) -> Vec<u32> {
    let tensors = model.tensors();
    let of_layer = |tensor: &&NamedTensor| tensor.name.starts_with("2.");
    let found: Vec<f32> = tensors.iter().filter(of_layer).flat_map(|tensor| tensor.values.clone()).collect();
    assert_eq!(found.len(), 20 * 6 + 20);
    bits(&found)
}

/// Between trained layers, under every rule, penalty, clipping and average.
#[test]
fn what_is_fixed_stays_as_it_was_drawn() {
    let layers = "layers = [{ type = \"dense\", units = 6, activation = \"tanh\" }, \
                  { type = \"random-fourier-features\", components = 20, gamma = 0.3 }, { type = \"dense\", units = 3 }]";
    let samples = samples();
    let with = |rest: &str| {
        let recipe = recipe(layers, &format!("{rest}\n[train]\nepochs = 3\nbatch = 16\n"));
        let new = Model::build(&recipe.model, samples.shape(), 3, recipe.train.seed).unwrap();
        assert_eq!((new.parameters(), new.tensors().len()), (8 * 6 + 6 + 20 * 3 + 3, 6));
        let model = trained(&recipe, &samples, 3, |_| {});
        assert_eq!(fixed(&model), fixed(&new), "{rest}");
        // All else is trained.
        let others = |model: &Model| {
            let mut tensors = model.tensors();
            tensors.retain(|tensor| !tensor.name.starts_with("2."));
            tensors
        };
        for (one, other) in others(&model).iter().zip(others(&new)) {
            assert_ne!(bits(&one.values), bits(&other.values), "{rest}: {}", one.name);
        }
    };
    for kind in &OPTIMIZERS {
        let rule = kind.name;
        let decay = if rule == "rprop" { "" } else { "weight_decay = 0.1" };
        // What a search does, it does with all samples.
        let text = format!("[optimizer]\nname = \"{rule}\"\n{decay}\n");
        if kind.full_batch {
            let recipe = recipe(layers, &format!("{text}[train]\nepochs = 3\n"));
            let new = Model::build(&recipe.model, samples.shape(), 3, recipe.train.seed).unwrap();
            assert_eq!(fixed(&trained(&recipe, &samples, 3, |_| {})), fixed(&new), "{rule}");
        } else {
            with(&text);
        }
    }
    let sgd = "[optimizer]\nname = \"sgd\"\nweight_decay = 0.1\n";
    for more in [
        "[average]\nmethod = \"ema\"\ndecay = 0.9",
        "[average]\nmethod = \"ema\"\ndecay = 0.9\nstart = 2",
        "[average]\nmethod = \"swa\"\nstart = 1",
        "[lookahead]\nsteps = 2",
        "[lookahead]\nsteps = 2\n[average]\nmethod = \"swa\"\nstart = 2",
        "[gradient]\nl1 = 0.1\nclip_norm = 0.5",
        "[gradient]\nclip_adaptive = 0.1\n[constraint]\nmax_norm = 0.5",
    ] {
        with(&format!("{sgd}{more}"));
    }
}

#[test]
fn a_saved_model_predicts_with_what_was_drawn() {
    let samples = samples();
    let text = "kind = \"logistic\"\noutputs = 3\nfeatures = \"random-fourier\"\ncomponents = 40\n";
    let fit = |seed: usize| {
        let rest = format!("[optimizer]\nname = \"lbfgs\"\n[train]\nepochs = 5\nseed = {seed}\n");
        trained(&recipe(text, &rest), &samples, 3, |_| {})
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fit.safetensors");
    let answers = |model: Model| {
        let mut answers = [0.0; 3];
        Predictor::new(model).unwrap().predict(&[0.5f32; 8][..], &mut answers).unwrap();
        answers
    };
    let model = fit(3);
    model.save(&path).unwrap();
    let again = Model::load(&path).unwrap();
    assert_eq!(bits(again.storage()), bits(model.storage()));
    assert_eq!(again.config(), model.config());
    assert_eq!(answers(again), answers(model));
    // By the seed of the run, and by no other.
    assert_eq!(bits(fit(3).storage()), bits(Model::load(&path).unwrap().storage()));
    assert_ne!(bits(&fit(4).tensors()[0].values), bits(&fit(3).tensors()[0].values));
}

#[test]
fn a_program_makes_the_same_fit() {
    let linear = Linear { penalty: 0.5, ..Linear::new(LinearKind::Ridge, 1) };
    let map = || LayerConfig::polynomial_features(3).with("interactions_only", true).unwrap();
    let model = Model::linear_on(5, map(), linear).unwrap();
    let text =
        "kind = \"ridge\"\npenalty = 0.5\nfeatures = \"polynomial\"\ndegree = 3\ninteractions_only = true";
    assert_eq!(*model.config(), recipe(text, "[optimizer]\nname = \"sgd\"").model);
    assert_eq!((model.parameters(), model.config().feature_map()), (5 + 10 + 10 + 1, Some(&map())));
    let refused = Model::linear_on(5, LayerConfig::dense(3, Activation::RELU), linear);
    let expected =
        "model: `features`: expected a layer of polynomial or random Fourier features, found `dense`";
    assert_eq!(refused.err().unwrap().to_string(), expected);
}

#[test]
fn too_many_features_are_refused_before_they_are_made() {
    let text = "kind = \"ridge\"\nfeatures = \"polynomial\"\ndegree = 6";
    let recipe = recipe(text, "[optimizer]\nname = \"sgd\"");
    let refused = Model::build(&recipe.model, [28, 28, 1], 1, 1).err().unwrap().to_string();
    let expected = "layer 0 (polynomial-features): expected at most 1048576 features, by a smaller `degree` or fewer features of \
                    x, found 331256760734004, of degree 6 of 784 features";
    assert_eq!(refused, expected);
}
