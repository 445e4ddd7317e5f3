//! The update rules against fifty steps of PyTorch's optimizers in f64, in `tests/golden/rules.json`,
//! which `scripts/golden/rules.py` made.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/splitmix.rs"]
mod splitmix;

use fallline::kernels::isa::{self, Isa};
use fallline::optim::{Adam, Moment, Rule, Sgd};
use golden::{numbers, text};
use serde_json::{Value, json};

/// Relative to a parameter or to [`FLOOR`], if that is more: fifty roundings of f32 to a parameter
/// of about 1 are up to 3e-6, and one that happens to be near 0 has just come from there.
const TOLERANCE: f64 = 1e-5;
const FLOOR: f64 = 0.1;

/// Parameters; odd, so that every kernel has a remainder.
const COUNT: usize = 37;
const STEPS: usize = 50;

/// The rule of a case with its learning rate, options being named as `torch.optim` names them.
fn rule(options: &Value) -> (Box<dyn Rule>, f64) {
    let option = |key: &str| options.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let rule: Box<dyn Rule> = match options.get("betas") {
        Some(betas) => Box::new(Adam {
            beta1: numbers(betas)[0],
            beta2: numbers(betas)[1],
            epsilon: option("eps"),
            weight_decay: option("weight_decay"),
        }),
        None => Box::new(Sgd {
            momentum: option("momentum"),
            dampening: option("dampening"),
            nesterov: options.get("nesterov").is_some_and(|nesterov| nesterov == true),
            weight_decay: option("weight_decay"),
        }),
    };
    (rule, option("lr"))
}

/// The parameters after each step, the slices cut at these places.
fn steps(rule: &dyn Rule, learning_rate: f64, cuts: &[usize]) -> Vec<Vec<f32>> {
    let mut parameters = splitmix::uniform(splitmix::PARAMETERS, COUNT);
    let mut gradients = splitmix::uniform(splitmix::GRADIENTS, STEPS * COUNT);
    let mut slots = vec![vec![0.0; COUNT]; rule.slots()];
    let mut snapshots = Vec::new();
    for (step, gradients) in (1..).zip(gradients.chunks_mut(COUNT)) {
        let ends = cuts.iter().copied().chain([COUNT]);
        for (start, end) in [0].into_iter().chain(cuts.iter().copied()).zip(ends) {
            let mut slots: Vec<&mut [f32]> = slots.iter_mut().map(|slot| &mut slot[start..end]).collect();
            let moment = Moment { step, learning_rate };
            rule.update(&mut parameters[start..end], &mut gradients[start..end], &mut slots, moment);
        }
        snapshots.push(parameters.clone());
    }
    snapshots
}

/// The largest deviation from PyTorch's parameters.
fn deviation(snapshots: &[Vec<f32>], case: &Value) -> f64 {
    let expected = case["parameters_after"].as_object().expect("snapshots by step");
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["1", "2", "10", "50"]);
    let mut largest = 0.0f64;
    for (step, values) in expected {
        let values = numbers(values);
        let fast = &snapshots[step.parse::<usize>().unwrap() - 1];
        assert_eq!((values.len(), fast.len()), (COUNT, COUNT));
        for (&fast, exact) in fast.iter().zip(values) {
            largest = largest.max((f64::from(fast) - exact).abs() / exact.abs().max(FLOOR));
        }
    }
    largest
}

fn deviation_with(options: &Value, case: &Value) -> f64 {
    let (rule, learning_rate) = rule(options);
    deviation(&steps(rule.as_ref(), learning_rate, &[]), case)
}

/// The options, each changed a little or, if it is a choice, reversed.
fn slightly_wrong(options: &Value) -> Vec<(String, Value)> {
    let mut wrong = Vec::new();
    for (key, value) in options.as_object().expect("options") {
        let changed = match value {
            Value::Bool(choice) => vec![json!(!choice)],
            Value::Array(betas) => {
                let [beta1, beta2] = [0, 1].map(|i| betas[i].as_f64().unwrap());
                vec![json!([beta1 + 0.001, beta2]), json!([beta1, beta2 - 0.001])]
            }
            // Too small an epsilon to show by a little.
            Value::Number(_) if key == "eps" && value.as_f64() < Some(1e-6) => vec![json!(1e-3)],
            number => vec![json!(number.as_f64().unwrap() * 1.001)],
        };
        wrong.extend(changed.into_iter().map(|value| {
            let mut options = options.clone();
            options[key] = value;
            (format!("{key} {}", options[key]), options)
        }));
    }
    wrong
}

fn bits(snapshots: &[Vec<f32>]) -> Vec<u32> {
    snapshots.iter().flatten().map(|x| x.to_bits()).collect()
}

#[test]
fn rules_agree_with_pytorch() {
    let file = golden::read("rules.json");
    assert_eq!((golden::count(&file["count"]), golden::count(&file["steps"])), (COUNT, STEPS));
    assert_eq!(golden::cases(&file).len(), 9);
    for case in golden::cases(&file) {
        let deviation = deviation_with(&case["options"], case);
        println!("{}: {deviation:.1e}", text(&case["name"]));
        assert!(deviation <= TOLERANCE, "{}: {deviation:e}", case["name"]);
    }
}

#[test]
fn a_wrong_constant_is_seen() {
    let file = golden::read("rules.json");
    for case in golden::cases(&file) {
        let wrong = slightly_wrong(&case["options"]);
        assert!(!wrong.is_empty());
        for (what, options) in wrong {
            let deviation = deviation_with(&options, case);
            assert!(deviation > TOLERANCE, "{} with {what}: only {deviation:e}", case["name"]);
        }
    }
}

#[test]
fn a_wrong_rule_is_seen() {
    let file = golden::read("rules.json");
    for case in golden::cases(&file) {
        let (rule, learning_rate) = rule(&case["options"]);
        let mut forgotten = steps(rule.as_ref(), learning_rate, &[]);
        // The remainder of a vector left out.
        forgotten[49][36] = splitmix::uniform(splitmix::PARAMETERS, COUNT)[36];
        assert!(deviation(&forgotten, case) > TOLERANCE, "{}", case["name"]);
    }
}

/// Who owns which parameters, and what the CPU can do, must not change a bit.
#[test]
fn pieces_and_instruction_sets_make_no_difference() {
    let file = golden::read("rules.json");
    for case in golden::cases(&file) {
        let (rule, learning_rate) = rule(&case["options"]);
        let whole = bits(&steps(rule.as_ref(), learning_rate, &[]));
        for cuts in [&[1][..], &[16, 32], &[5, 5, 6, 36], &[0, 31], &Vec::from_iter(1..COUNT)] {
            assert_eq!(bits(&steps(rule.as_ref(), learning_rate, cuts)), whole, "{} {cuts:?}", case["name"]);
        }
        for isa in Isa::available() {
            isa::force(isa);
            assert_eq!(bits(&steps(rule.as_ref(), learning_rate, &[])), whole, "{} {isa:?}", case["name"]);
        }
    }
}
