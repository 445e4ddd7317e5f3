//! Small recurrent networks against the numbers of PyTorch in `tests/golden/recurrent.json`, which
//! `scripts/golden/recurrent.py` made; and networks of sequences of different lengths in `tests/golden/padded.json`, by
//! `scripts/golden/padded.py`.

use crate::common::compare::{close, largest_deviation};
use crate::common::golden::{self, count, numbers, text};
use crate::common::golden_network::{self, Network, tensors};
use crate::common::splitmix::{WEIGHTS, uniform};
use fallline::engine::model::{Model, NamedTensor};
use fallline::engine::team::Team;
use fallline::engine::train;
use serde_json::Value;

/// Of the largest number, or of 1.
const TOLERANCE: f64 = 3e-6;

/// Relative, of each of the losses of the first steps.
const LOSSES: f64 = 1e-4;

/// The network of a case, which has its tensors in another order than PyTorch.
fn network(file: &Value, case: &Value, optimizer: &str, batch: usize) -> Network {
    let layers = toml::Value::try_from(case["layers"].clone()).unwrap();
    let recipe = golden_network::recipe(&format!("layers = {layers}"), optimizer, batch);
    let input: Vec<usize> = golden::integers(&case["input"]).iter().map(|&size| size as usize).collect();
    let model = Model::build(&recipe.model, input.try_into().unwrap(), count(&file["classes"]), 1).unwrap();
    let drawn = (WEIGHTS..).zip(tensors(case)).map(|(seed, (name, shape))| {
        let values = uniform(seed, shape.iter().product()).into_iter().map(|value| 0.5 * value).collect();
        NamedTensor { name: name.into(), shape, values }
    });
    let drawn: Vec<NamedTensor> = drawn.collect();
    let own = model.tensors();
    assert_eq!(own.len(), drawn.len());
    let ordered = own.iter().map(|own| drawn[place(case, &own.name)].clone()).collect();
    Network::of(file, case, recipe, ordered)
}

/// The number of a tensor in PyTorch's order.
fn place(case: &Value, name: &str) -> usize {
    tensors(case).position(|(own, _)| own == name).unwrap_or_else(|| panic!("PyTorch has no {name}"))
}

/// PyTorch's loss, logits and gradients, the last in the order of the network's tensors.
fn expected(case: &Value, network: &Network) -> [Vec<f64>; 3] {
    let tensors = network.model.tensors();
    let gradients = tensors.iter().flat_map(|own| numbers(&case["gradients"][place(case, &own.name)]));
    [numbers(&case["value"]), numbers(&case["logits"]), gradients.collect()]
}

/// Loss, logits and, by one step of gradient descent with the rate 1, the gradients.
fn answer(network: &mut Network) -> [Vec<f32>; 3] {
    let team = Team::new(3).unwrap();
    let Network { recipe, model, samples } = &*network;
    let logits = train::outputs(model, samples, &recipe.data, &team).unwrap();
    let loss = train::evaluate(model, samples, &recipe.data, &team).unwrap().loss;
    let (_, gradients) = network.gradients(&team);
    [vec![loss as f32], logits, gradients]
}

fn agree(found: &[Vec<f32>; 3], expected: &[Vec<f64>; 3]) -> bool {
    found.iter().zip(expected).all(|(found, expected)| close(found, expected, TOLERANCE))
}

#[test]
fn recurrent_networks_agree_with_pytorch() {
    agree_with("recurrent.json");
}

/// With `pack_padded_sequence` and `key_padding_mask`.
#[test]
fn sequences_of_different_lengths_agree_with_pytorch() {
    agree_with("padded.json");
}

fn agree_with(name: &str) {
    let file = golden::read(name);
    for case in golden::cases(&file) {
        let sgd = "name = \"sgd\"\nlearning_rate = 1.0";
        let mut network = network(&file, case, sgd, count(&file["samples"]));
        let expected = expected(case, &network);
        let right = answer(&mut network);
        assert!(agree(&right, &expected), "{}", case["name"]);
        for part in 0..3 {
            let mut wrong = right.clone();
            wrong[part][0] += 1e-4;
            assert!(!agree(&wrong, &expected), "{} {part}", case["name"]);
        }
    }
}

#[test]
fn first_steps_of_recurrent_networks_are_pytorchs() {
    let file = golden::read("recurrent.json");
    for case in golden::cases(&file) {
        let expected = numbers(&case["losses"]);
        let with = |rate: f64| {
            let optimizer = format!("name = \"adam\"\nlearning_rate = {rate}");
            let mut network = network(&file, case, &optimizer, count(&file["batch"]));
            largest_deviation(&network.first_losses(expected.len()), &expected, 0.0)
        };
        let rate = numbers(&file["learning_rate"])[0];
        let (right, wrong) = (with(rate), with(rate * 1.01));
        println!("{}: {right:.1e}; with a learning rate 1 % too high {wrong:.1e}", text(&case["name"]));
        assert!(right <= LOSSES, "{}: {right:e}", case["name"]);
        assert!(wrong > LOSSES, "{}: a wrong learning rate goes unnoticed: {wrong:e}", case["name"]);
    }
}
