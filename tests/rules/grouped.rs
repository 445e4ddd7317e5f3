//! What acts on whole parameters, or on all incoming weights of an output, in networks with convolutions
//! in groups: losses against those of optax and PyTorch in `tests/golden/grouped.json`, which
//! `scripts/golden/grouped.py` made.

use crate::common::golden::{self, numbers};
use crate::common::golden_network::deviation;
use serde_json::Value;

/// Relative, of each of the losses of the first steps.
const LOSSES: f64 = 1e-4;

/// The optimizer of a rule and the tables after it, with what the rule is named for multiplied by a
/// factor.
fn optimizer(file: &Value, rule: &str, factor: f64) -> String {
    let number = |key: &str| file[key].as_f64().unwrap() * factor;
    let descent = format!("name = \"sgd\"\nlearning_rate = {}\n", file["sgd"]["lr"]);
    match rule {
        "lamb" => {
            let of = |key: &str| &file["lamb"][key];
            format!(
                "name = \"lamb\"\nlearning_rate = {}\nbeta1 = {}\nbeta2 = {}\nepsilon = {}\nweight_decay = {}",
                of("lr").as_f64().unwrap() * factor,
                of("b1"),
                of("b2"),
                of("eps"),
                of("weight_decay"),
            )
        }
        "clip_adaptive" => format!("{descent}[gradient]\nclip_adaptive = {}", number(rule)),
        _ => format!("{descent}[constraint]\nmax_norm = {}", number(rule)),
    }
}

#[test]
fn rules_treat_grouped_weights_as_other_frameworks_do() {
    let file = golden::read("grouped.json");
    for case in golden::cases(&file) {
        for (rule, losses) in case["rules"].as_object().unwrap() {
            let expected = numbers(losses);
            let with = |factor| deviation(&file, case, &optimizer(&file, rule, factor), &expected);
            let (right, wrong) = (with(1.0), with(1.01));
            println!("{} {rule}: {right:.1e}; 1 % beside it {wrong:.1e}", case["name"]);
            assert!(right <= LOSSES, "{} {rule}: {right:e}", case["name"]);
            assert!(wrong > 2.0 * right.max(1e-6), "{} {rule}: {wrong:e} goes unnoticed", case["name"]);
        }
    }
}
