//! Small networks, of convolutions, also in groups, with windows whose sides differ and of sequences, of residual and
//! squeeze-excite blocks, of trained slopes and gates, and of transposed convolutions, against the numbers of PyTorch in `tests/golden`, which
//! `scripts/golden/convolutions.py`, `residual.py`, `grouped.py`, `windows.py`, `gated.py` and `transposed.py` made.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::close;
use crate::common::compare::largest_deviation;
use crate::common::observer::{Recorder, first_losses};
use crate::golden::{self, count, numbers, text};
use crate::splitmix;
use fallline::data::{Samples, Targets};
use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Session};
use serde_json::Value;

/// The golden files, of three networks each.
const FILES: [&str; 6] =
    ["convolutions.json", "residual.json", "grouped.json", "windows.json", "gated.json", "transposed.json"];

/// Of the largest number, or of 1.
const TOLERANCE: f64 = 2e-6;

/// Relative, of each of the losses of the first steps.
pub const LOSSES: f64 = 1e-4;

/// A recipe with the layers of a case and this optimizer.
fn recipe(case: &Value, optimizer: &str, batch: usize) -> Recipe {
    let layers: Value =
        serde_json::from_str(&case["layers"].to_string().replace("leaky_relu", "leaky-relu")).unwrap();
    let layers = toml::Value::try_from(layers).unwrap();
    let toml = format!(
        "name = \"golden\"\n[data]\nset = \"folder\"\n[model]\nlayers = {layers}\n\
         [optimizer]\n{optimizer}\n[train]\nbatch = {batch}\nshuffle = false\n"
    );
    Recipe::parse(&toml, "golden recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

/// The golden files' initial values, by PyTorch's names and shapes.
fn initial(case: &Value) -> Vec<NamedTensor> {
    let names = case["names"].as_array().unwrap().iter().map(text);
    let shapes = case["shapes"].as_array().unwrap().iter().map(golden::integers);
    let (mut modules, mut module) = (0, String::new());
    let tensor = |(name, shape): (&str, Vec<u64>)| {
        let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
        let own = name.rsplit_once('.').map_or(name, |(module, _)| module);
        modules += u64::from(own != module);
        module = own.into();
        let (layer, outputs) = (modules - 1, shape[0]);
        let values = if name.ends_with("weight") {
            splitmix::weights(layer, outputs, shape[1..].iter().product())
        } else {
            splitmix::biases(layer, outputs)
        };
        NamedTensor { name: name.into(), shape, values }
    };
    names.zip(shapes).map(tensor).collect()
}

struct Network {
    recipe: Recipe,
    model: Model,
    samples: Samples,
}

impl Network {
    fn new(file: &Value, case: &Value, optimizer: &str, batch: usize) -> Network {
        let input: Vec<usize> = golden::integers(&case["input"]).iter().map(|&size| size as usize).collect();
        let input: [usize; 3] = input.try_into().unwrap();
        let classes = count(&file["classes"]);
        let recipe = recipe(case, optimizer, batch);
        let mut model = Model::build(&recipe.model, input, classes, 1).unwrap();
        let expected = |model: &Model| {
            model.tensors().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect::<Vec<_>>()
        };
        let tensors = initial(case);
        let pytorch: Vec<_> =
            tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
        assert_eq!(expected(&model), pytorch);
        assert_eq!(recipe.model.parameters(input).unwrap(), model.parameters());
        model.load_tensors(Path::new("golden"), tensors.clone()).unwrap();
        assert_eq!(model.tensors(), tensors, "what was loaded comes back");
        let samples = count(&file["samples"]);
        let values = splitmix::uniform(splitmix::INPUTS, samples * input.iter().product::<usize>());
        let labels = splitmix::labels(samples, classes as u64);
        let samples = Samples::floats(values, input, Targets::Classes(labels), classes).unwrap();
        Network { recipe, model, samples }
    }
}

/// Loss, logits and, by one step of gradient descent with the rate 1, the gradients.
fn answer(file: &Value, case: &Value) -> [Vec<f32>; 3] {
    let samples = count(&file["samples"]);
    let mut network = Network::new(file, case, "name = \"sgd\"\nlearning_rate = 1.0", samples);
    let team = Team::new(3).unwrap();
    let Network { recipe, model, samples } = &mut network;
    let logits = train::outputs(model, samples, &recipe.data, &team).unwrap();
    let loss = train::evaluate(model, samples, &recipe.data, &team).unwrap().loss;
    let before = model.tensors();
    let mut session = Session::new(model, samples, recipe, &team).unwrap();
    session.epoch(&AtomicBool::new(false), &mut Recorder::default()).unwrap();
    drop(session);
    let after = model.tensors();
    let gradient = |(before, after): (&NamedTensor, &NamedTensor)| -> Vec<f32> {
        before.values.iter().zip(&after.values).map(|(before, after)| before - after).collect()
    };
    [vec![loss as f32], logits, before.iter().zip(&after).flat_map(gradient).collect()]
}

fn agrees(case: &Value, answer: &[Vec<f32>; 3]) -> bool {
    ["value", "logits", "gradients"]
        .iter()
        .zip(answer)
        .all(|(key, answer)| close(answer, &numbers(&Value::Array(vec![case[key].clone()])), TOLERANCE))
}

#[test]
fn networks_agree_with_pytorch() {
    for file in FILES.map(golden::read) {
        assert_eq!(golden::cases(&file).len(), 3);
        golden::cases(&file).iter().for_each(|case| agrees_and_breaks(&file, case));
    }
}

fn agrees_and_breaks(file: &Value, case: &Value) {
    let right = answer(file, case);
    assert!(agrees(case, &right), "{}", case["name"]);
    for part in 0..3 {
        let mut wrong = right.clone();
        wrong[part][0] += 1e-4;
        assert!(!agrees(case, &wrong), "{} {part}", case["name"]);
    }
    let mut transposed = right.clone();
    transposed[2].swap(0, 1);
    assert!(!agrees(case, &transposed), "{}", case["name"]);
}

/// The largest relative deviation of the losses of the first steps by this optimizer, which other tables
/// of a recipe may follow.
pub fn deviation(file: &Value, case: &Value, optimizer: &str, expected: &[f64]) -> f64 {
    let mut network = Network::new(file, case, optimizer, count(&file["batch"]));
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut network.model, &network.samples, &network.recipe, &team).unwrap();
    largest_deviation(&first_losses(&mut session, expected.len()), expected, 0.0)
}

#[test]
fn first_steps_are_pytorchs() {
    for file in FILES.map(golden::read) {
        for case in golden::cases(&file) {
            let expected = numbers(&case["losses"]);
            let with = |rate: f64| {
                let optimizer = format!("name = \"adam\"\nlearning_rate = {rate}");
                deviation(&file, case, &optimizer, &expected)
            };
            let rate = numbers(&file["learning_rate"])[0];
            let (right, wrong) = (with(rate), with(rate * 1.01));
            println!("{}: {right:.1e}; with a learning rate 1 % too high {wrong:.1e}", text(&case["name"]));
            assert!(right <= LOSSES, "{}: {right:e}", case["name"]);
            assert!(wrong > LOSSES, "{}: a wrong learning rate goes unnoticed: {wrong:e}", case["name"]);
        }
    }
}
