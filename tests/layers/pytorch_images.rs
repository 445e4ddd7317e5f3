//! Small networks, of convolutions, also in groups, with windows whose sides differ and of sequences, of residual and
//! squeeze-excite blocks, of trained slopes and gates, of
//! transposed and causal convolutions, of attention, of blocks of a Transformer and of encoders with decoders, against the numbers of PyTorch in
//! `tests/golden`, which `scripts/golden/convolutions.py`, `residual.py`, `grouped.py`, `windows.py`, `gated.py`,
//! `transposed.py`, `causal.py`, `attention.py`, `transformer.py` and `decoder.py` made.

use crate::common::compare::close;
use crate::common::golden::{self, count, numbers, text};
use crate::common::golden_network::{Network, deviation};
use fallline::engine::team::Team;
use fallline::engine::train;
use serde_json::Value;

/// The golden files, of three networks each.
const FILES: [&str; 10] = [
    "convolutions.json",
    "residual.json",
    "grouped.json",
    "windows.json",
    "gated.json",
    "transposed.json",
    "causal.json",
    "attention.json",
    "transformer.json",
    "decoder.json",
];

/// Of the largest number, or of 1.
const TOLERANCE: f64 = 2e-6;

/// Relative, of each of the losses of the first steps.
const LOSSES: f64 = 1e-4;

/// Loss, logits and, by one step of gradient descent with the rate 1, the gradients.
fn answer(file: &Value, case: &Value) -> [Vec<f32>; 3] {
    let samples = count(&file["samples"]);
    let mut network = Network::new(file, case, "name = \"sgd\"\nlearning_rate = 1.0", samples);
    let team = Team::new(3).unwrap();
    let Network { recipe, model, samples } = &network;
    let logits = train::outputs(model, samples, &recipe.data, &team).unwrap();
    let loss = train::evaluate(model, samples, &recipe.data, &team).unwrap().loss;
    let (_, gradients) = network.gradients(&team);
    [vec![loss as f32], logits, gradients]
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
