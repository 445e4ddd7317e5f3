//! Small networks with normalisations against the numbers of PyTorch in `tests/golden/normalisation.json`,
//! which `scripts/golden/normalisation.py` made.

use crate::common::compare::close;
use crate::common::golden::{self, count, numbers, text};
use crate::common::golden_network::{self, Network};
use crate::common::splitmix;
use fallline::engine::model::{NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train;
use serde_json::Value;

/// Of the largest number, or of 1.
const TOLERANCE: f64 = 3e-6;

/// After the first steps, where single precision has made its way: relative for losses, for statistics and
/// answers as above.
const TRAINED: f64 = 2e-3;

/// A recipe with the layers of a case and this optimizer.
fn recipe(case: &Value, optimizer: &str, batch: usize) -> Recipe {
    let mut layers = String::new();
    for layer in case["layers"].as_array().unwrap() {
        layers += "[[model.layers]]\n";
        for (key, value) in layer.as_object().unwrap() {
            layers += &format!("{key} = {}\n", value.to_string().replace('_', "-"));
        }
    }
    golden_network::recipe(&layers, optimizer, batch)
}

/// The golden files' initial values, by PyTorch's names and shapes.
fn initial(case: &Value) -> Vec<NamedTensor> {
    let norms = golden::integers(&case["norms"]);
    let mut modules: Vec<u64> = Vec::new();
    let mut tensors = Vec::new();
    for (name, shape) in golden_network::tensors(case) {
        let (module, tensor) = name.split_once('.').unwrap();
        let module: u64 = module.parse().unwrap();
        if modules.last() != Some(&module) {
            modules.push(module);
        }
        let number = modules.len() as u64 - 1;
        let len = shape.iter().product();
        let values = match tensor {
            "weight" if norms.contains(&module) => {
                splitmix::uniform(splitmix::WEIGHTS + number, len).iter().map(|x| 1.0 + x / 2.0).collect()
            }
            "weight" => splitmix::weights(number, shape[0], shape[1..].iter().product()),
            "bias" => splitmix::biases(number, len),
            "running_mean" => vec![0.0; len],
            "running_var" => vec![1.0; len],
            other => panic!("{other}"),
        };
        tensors.push(NamedTensor { name: name.into(), shape, values });
    }
    tensors
}

fn network(file: &Value, case: &Value, optimizer: &str, batch: usize) -> Network {
    Network::of(file, case, recipe(case, optimizer, batch), initial(case))
}

fn logits(network: &Network, team: &Team) -> Vec<f32> {
    train::outputs(&network.model, &network.samples, &network.recipe.data, team).unwrap()
}

fn statistics(network: &Network) -> Vec<f32> {
    let tensors = network.model.tensors().into_iter();
    tensors.filter(|tensor| tensor.name.contains("running")).flat_map(|tensor| tensor.values).collect()
}

const PARTS: [&str; 4] = ["value", "logits", "gradients", "statistics"];

/// The loss in training, the logits outside of it, and by one step of gradient descent with the rate 1 the
/// gradients and the running statistics.
fn answer(file: &Value, case: &Value) -> [Vec<f32>; 4] {
    let samples = count(&file["samples"]);
    let mut network = network(file, case, "name = \"sgd\"\nlearning_rate = 1.0", samples);
    let team = Team::new(3).unwrap();
    let logits = logits(&network, &team);
    let (loss, gradients) = network.gradients(&team);
    [vec![loss as f32], logits, gradients, statistics(&network)]
}

fn agrees(case: &Value, key: &str, answer: &[f32], tolerance: f64) -> bool {
    close(answer, &numbers(&Value::Array(vec![case[key].clone()])), tolerance)
}

#[test]
fn normalised_networks_agree_with_pytorch() {
    let file = golden::read("normalisation.json");
    assert_eq!(golden::cases(&file).len(), 4);
    for case in golden::cases(&file) {
        let right = answer(&file, case);
        for (key, right) in PARTS.into_iter().zip(&right) {
            assert!(agrees(case, key, right, TOLERANCE), "{} {key}", case["name"]);
            if !right.is_empty() {
                let mut wrong = right.clone();
                wrong[0] += 1e-4;
                assert!(!agrees(case, key, &wrong, TOLERANCE), "{} {key}", case["name"]);
            }
        }
    }
}

#[test]
fn first_steps_and_what_they_leave_are_pytorchs() {
    let file = golden::read("normalisation.json");
    for case in golden::cases(&file) {
        let outcome = |learning_rate: f64| {
            let optimizer = format!("name = \"adam\"\nlearning_rate = {learning_rate}");
            let mut network = network(&file, case, &optimizer, count(&file["batch"]));
            let losses = network.first_losses(numbers(&case["losses"]).len());
            let team = Team::new(2).unwrap();
            (golden::loss_deviation(&losses, case), statistics(&network), logits(&network, &team))
        };
        let rate = numbers(&file["learning_rate"])[0];
        let (right, statistics, logits) = outcome(rate);
        let (wrong, ..) = outcome(rate * 1.01);
        println!("{}: {right:.1e}; with a learning rate 1 % too high {wrong:.1e}", text(&case["name"]));
        assert!(right <= TRAINED, "{}: {right:e}", case["name"]);
        assert!(wrong > 3.0 * right, "{}: a wrong learning rate goes unnoticed: {wrong:e}", case["name"]);
        assert!(agrees(case, "trained_statistics", &statistics, TRAINED), "{}", case["name"]);
        assert!(agrees(case, "trained_logits", &logits, TRAINED), "{}", case["name"]);
    }
}
