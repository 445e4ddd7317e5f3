//! The update rules against fifty steps of PyTorch's or optax's optimizers in f64, in `tests/golden/rules.json`,
//! which `scripts/golden/rules.py` made.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/splitmix.rs"]
mod splitmix;

use fallline::kernels::isa::{self, Isa};
use fallline::optim::{
    Adabelief, Adadelta, Adagrad, Adam, Adamax, Lion, Moment, Nadam, Radam, Rmsprop, Rprop, Rule, Sgd, Yogi,
};
use golden::{numbers, text};
use serde_json::{Value, json};

/// Relative to a parameter or to [`FLOOR`], if that is more: fifty roundings of f32 to a parameter
/// of about 1 are up to 3e-6, and one that happens to be near 0 has just come from there.
const TOLERANCE: f64 = 1e-5;
const FLOOR: f64 = 0.1;

/// Parameters; odd, so that every kernel has a remainder.
const COUNT: usize = 37;
const STEPS: usize = 50;

/// The rule of this name with its learning rate, options being named as `torch.optim` names them.
fn rule(name: &str, options: &Value) -> (Box<dyn Rule>, f64) {
    let option = |key: &str| options.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let flag = |key: &str| options.get(key).is_some_and(|flag| flag == true);
    let pair = |key: &str| options.get(key).map_or([0.0; 2], |pair| [0, 1].map(|i| numbers(pair)[i]));
    let ([beta1, beta2], epsilon, weight_decay) = (pair("betas"), option("eps"), option("weight_decay"));
    let rule: Box<dyn Rule> = match name {
        "sgd" | "momentum" | "nesterov" => Box::new(Sgd {
            momentum: option("momentum"),
            dampening: option("dampening"),
            nesterov: flag("nesterov"),
            weight_decay,
        }),
        "adam" | "amsgrad" | "adamw" => {
            let (decoupled, amsgrad) = (name == "adamw", flag("amsgrad"));
            Box::new(Adam { beta1, beta2, epsilon, weight_decay, decoupled, amsgrad })
        }
        "adagrad" => Box::new(Adagrad {
            learning_rate_decay: option("lr_decay"),
            initial_accumulator: option("initial_accumulator_value"),
            epsilon,
            weight_decay,
        }),
        "rmsprop" => Box::new(Rmsprop {
            alpha: option("alpha"),
            epsilon,
            momentum: option("momentum"),
            centered: flag("centered"),
            weight_decay,
        }),
        "adadelta" => Box::new(Adadelta { rho: option("rho"), epsilon, weight_decay }),
        "adamax" => Box::new(Adamax { beta1, beta2, epsilon, weight_decay }),
        "nadam" => {
            let momentum_decay = option("momentum_decay");
            Box::new(Nadam { beta1, beta2, epsilon, weight_decay, momentum_decay })
        }
        "radam" => Box::new(Radam { beta1, beta2, epsilon, weight_decay }),
        "lion" => Box::new(Lion { beta1, beta2, weight_decay }),
        "yogi" => {
            let initial_accumulator = option("initial");
            Box::new(Yogi { beta1, beta2, epsilon, initial_accumulator, weight_decay })
        }
        "adabelief" => Box::new(Adabelief { beta1, beta2, epsilon, weight_decay }),
        "rprop" => {
            let ([shrink, grow], [smallest, largest]) = (pair("etas"), pair("step_sizes"));
            Box::new(Rprop { shrink, grow, smallest, largest })
        }
        other => panic!("no rule {other}"),
    };
    (rule, option("lr"))
}

/// The rule of a case.
fn rule_of(case: &Value) -> (Box<dyn Rule>, f64) {
    rule(text(&case["rule"]), &case["options"])
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
            let moment = Moment::new(step, learning_rate);
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
    let (rule, learning_rate) = rule(text(&case["rule"]), options);
    deviation(&steps(rule.as_ref(), learning_rate, &[]), case)
}

/// The options, each changed a little or, if it is a choice, reversed.
fn slightly_wrong(options: &Value) -> Vec<(String, Value)> {
    let mut wrong = Vec::new();
    for (key, value) in options.as_object().expect("options") {
        let changed = match value {
            Value::Bool(choice) => vec![json!(!choice)],
            Value::Array(pair) => {
                let [first, second] = [0, 1].map(|i| pair[i].as_f64().unwrap());
                // The usual bounds of Rprop's step sizes are never reached.
                let second_wrong = if second > 1.5 { 0.01 } else { second - 0.001 };
                vec![json!([first + 0.001, second]), json!([first, second_wrong])]
            }
            // Too small an epsilon, initial value or decay of the momentum to show by a little.
            number if number.as_f64() < Some(5e-3) => vec![json!(0.01)],
            // It stands beside roots that are larger.
            number if key == "eps" => vec![json!(number.as_f64().unwrap() * 1.1)],
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
    assert_eq!(golden::cases(&file).len(), 34);
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
        let (rule, learning_rate) = rule_of(case);
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
        let (rule, learning_rate) = rule_of(case);
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
