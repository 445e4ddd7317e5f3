//! Lookahead and averages of the parameters against fifty steps of optax and torch in f64, in
//! `tests/golden/averages.json`, which `scripts/golden/averages.py` made.

use crate::common::compare::{bits_of_all, largest_deviation, widened};
use crate::common::golden::{self, numbers, text};
use crate::common::isa::on_each;
use crate::common::splitmix;
use fallline::engine::optim::average::{blend, equal_weight, synchronise};
use fallline::engine::optim::reference::{self, Memory};
use fallline::engine::optim::{Adam, Ema, Lookahead, Rule, Sgd, StepSettings};
use serde_json::{Value, json};

/// As in `rules.rs`.
const TOLERANCE: f64 = 1e-5;
const FLOOR: f64 = 0.1;
/// In f64, relative to the parameter itself; the file has 13 digits.
const EXACT_TOLERANCE: f64 = 1e-9;

const COUNT: usize = 37;
const STEPS: usize = 50;

/// What is averaged how.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Lookahead(Lookahead),
    Ema(Ema),
    /// After every so many steps.
    Swa(u64),
}

fn kind(case: &Value) -> Kind {
    let method = &case["method"];
    let number = |key: &str| method[key].as_f64().unwrap();
    match text(&case["kind"]) {
        "lookahead" => Kind::Lookahead(Lookahead { steps: number("steps") as u64, alpha: number("alpha") }),
        "ema" => Kind::Ema(Ema { decay: number("decay"), debias: method["debias"] == true }),
        "swa" => Kind::Swa(number("every") as u64),
        other => panic!("no average {other}"),
    }
}

enum Beneath {
    Sgd(Sgd),
    Adam(Adam),
}

impl Beneath {
    fn of(case: &Value) -> (Beneath, f64) {
        let options = &case["options"];
        let rate = options["lr"].as_f64().unwrap();
        if text(&case["rule"]) != "adam" {
            let momentum = options["momentum"].as_f64().unwrap_or(0.0);
            return (Beneath::Sgd(Sgd { momentum, ..Sgd::default() }), rate);
        }
        let [beta1, beta2] = [0, 1].map(|i| numbers(&options["betas"])[i]);
        let epsilon = options["eps"].as_f64().unwrap();
        let adam = Adam { beta1, beta2, epsilon, weight_decay: 0.0, decoupled: false, amsgrad: false };
        (Beneath::Adam(adam), rate)
    }

    fn rule(&self) -> &dyn Rule {
        match self {
            Beneath::Sgd(rule) => rule,
            Beneath::Adam(rule) => rule,
        }
    }

    fn exact(&self, p: f64, g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
        match self {
            Beneath::Sgd(rule) => reference::sgd(rule, p, g, t, rate, memory),
            Beneath::Adam(rule) => reference::adam(rule, p, g, t, rate, memory),
        }
    }
}

/// Parameters and average after each step, the slices cut at these places.
fn steps(case: &Value, kind: Kind, count: usize, cuts: &[usize]) -> Vec<[Vec<f32>; 2]> {
    let (beneath, rate) = Beneath::of(case);
    let rule = beneath.rule();
    let mut parameters = splitmix::uniform(splitmix::PARAMETERS, count);
    let mut gradients = splitmix::uniform(splitmix::GRADIENTS, STEPS * count);
    let mut slots = vec![vec![0.0; count]; rule.slots()];
    let mut average = parameters.clone();
    let mut snapshots = Vec::new();
    for (step, gradients) in (1..).zip(gradients.chunks_mut(count)) {
        let ends = cuts.iter().copied().chain([count]);
        for (start, end) in [0].into_iter().chain(cuts.iter().copied()).zip(ends) {
            let mut slots: Vec<&mut [f32]> = slots.iter_mut().map(|slot| &mut slot[start..end]).collect();
            let parameters = &mut parameters[start..end];
            rule.update(parameters, &mut gradients[start..end], &mut slots, StepSettings::new(step, rate));
            let average = &mut average[start..end];
            match kind {
                Kind::Lookahead(lookahead) => {
                    if let Some(alpha) = lookahead.due(step) {
                        synchronise(parameters, average, alpha);
                    }
                }
                Kind::Ema(ema) => blend(average, parameters, ema.weight(step)),
                Kind::Swa(every) => {
                    if step.is_multiple_of(every) {
                        blend(average, parameters, equal_weight(step / every));
                    }
                }
            }
        }
        snapshots.push([parameters.clone(), average.clone()]);
    }
    snapshots
}

/// The same in f64.
fn exact_steps(case: &Value, kind: Kind, count: usize) -> Vec<[Vec<f64>; 2]> {
    let (beneath, rate) = Beneath::of(case);
    let mut parameters = widened(&splitmix::uniform(splitmix::PARAMETERS, count));
    let gradients = splitmix::uniform(splitmix::GRADIENTS, STEPS * count);
    let mut memories = vec![Memory::default(); count];
    let mut average = parameters.clone();
    let mut biased = vec![0.0; count];
    let mut snapshots = Vec::new();
    for (step, gradients) in (1..).zip(gradients.chunks(count)) {
        for i in 0..count {
            let p = beneath.exact(parameters[i], f64::from(gradients[i]), step, rate, &mut memories[i]);
            parameters[i] = p;
            match kind {
                Kind::Lookahead(rule) => {
                    parameters[i] = reference::lookahead(&rule, p, step as u64, &mut average[i]);
                }
                Kind::Ema(rule) => average[i] = reference::ema(&rule, average[i], p, step, &mut biased[i]),
                Kind::Swa(every) if (step as u64).is_multiple_of(every) => {
                    average[i] = reference::swa(average[i], p, step / every as i32);
                }
                Kind::Swa(_) => {}
            }
        }
        snapshots.push([parameters.clone(), average.clone()]);
    }
    snapshots
}

fn all_widened(snapshots: &[[Vec<f32>; 2]]) -> Vec<[Vec<f64>; 2]> {
    snapshots.iter().map(|pair| pair.each_ref().map(|values| widened(values))).collect()
}

/// The largest deviation from the golden parameters and averages.
fn deviation(snapshots: &[[Vec<f64>; 2]], case: &Value, floor: f64) -> f64 {
    let expected = case["after"].as_object().expect("snapshots by step");
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["1", "2", "10", "50"]);
    let of = |(step, both): (&String, &Value)| {
        let found = &snapshots[step.parse::<usize>().unwrap() - 1];
        let fast = largest_deviation(&found[0], &numbers(&both["fast"]), floor);
        fast.max(largest_deviation(&found[1], &numbers(&both["average"]), floor))
    };
    expected.iter().map(of).fold(0.0, f64::max)
}

/// Those of the fast kernels and of their twins.
fn deviations(case: &Value) -> [f64; 2] {
    let kind = kind(case);
    let fast = all_widened(&steps(case, kind, COUNT, &[]));
    [deviation(&fast, case, FLOOR), deviation(&exact_steps(case, kind, COUNT), case, 0.0)]
}

#[test]
fn averages_agree_with_optax_and_torch() {
    let file = golden::read("averages.json");
    assert_eq!((golden::count(&file["count"]), golden::count(&file["steps"])), (COUNT, STEPS));
    assert_eq!(golden::cases(&file).len(), 10);
    for case in golden::cases(&file) {
        let [fast, exact] = deviations(case);
        println!("{}: {fast:.1e}, in f64 {exact:.1e}", text(&case["name"]));
        assert!(fast <= TOLERANCE, "{}: {fast:e}", case["name"]);
        assert!(exact <= EXACT_TOLERANCE, "{} in f64: {exact:e}", case["name"]);
    }
}

#[test]
fn a_wrong_constant_is_seen() {
    let file = golden::read("averages.json");
    for case in golden::cases(&file) {
        for (key, value) in case["method"].as_object().unwrap() {
            let mut wrong = case.clone();
            wrong["method"][key] = match value {
                Value::Bool(choice) => json!(!choice),
                number if number.is_u64() => json!(number.as_u64().unwrap() + 1),
                number => json!(number.as_f64().unwrap() * 0.999),
            };
            let [fast, exact] = deviations(&wrong);
            println!("{} with another {key}: {fast:.1e}, in f64 {exact:.1e}", text(&case["name"]));
            assert!(fast > TOLERANCE, "{} with another {key}: only {fast:e}", case["name"]);
            assert!(exact > EXACT_TOLERANCE, "{} with another {key} in f64: only {exact:e}", case["name"]);
        }
    }
}

/// Fewer parameters than a vector has, as many, and one or a few more.
#[test]
fn any_number_of_parameters_agrees_with_f64() {
    let file = golden::read("averages.json");
    for case in golden::cases(&file) {
        let kind = kind(case);
        for count in [1, 2, 3, 7, 15, 16, 17, 31, 33, 65, 257] {
            let fast = all_widened(&steps(case, kind, count, &[]));
            for (fast, exact) in fast.iter().zip(exact_steps(case, kind, count)) {
                for (fast, exact) in fast.iter().zip(&exact) {
                    let deviation = largest_deviation(fast, exact, FLOOR);
                    assert!(deviation <= TOLERANCE, "{}, {count} parameters: {deviation:e}", case["name"]);
                }
            }
        }
    }
}

/// Who owns which parameters, and what the CPU can do, must not change a bit.
#[test]
fn pieces_and_instruction_sets_make_no_difference() {
    let bits = |snapshots: &[[Vec<f32>; 2]]| bits_of_all(snapshots.as_flattened());
    let file = golden::read("averages.json");
    for case in golden::cases(&file) {
        let kind = kind(case);
        let whole = bits(&steps(case, kind, COUNT, &[]));
        for cuts in [&[1][..], &[16, 32], &[5, 5, 6, 36], &Vec::from_iter(1..COUNT)] {
            assert_eq!(bits(&steps(case, kind, COUNT, cuts)), whole, "{} {cuts:?}", case["name"]);
        }
        on_each(|isa| assert_eq!(bits(&steps(case, kind, COUNT, &[])), whole, "{} {isa:?}", case["name"]));
    }
}

/// The weights of a long run: no power of a decay is lost.
#[test]
fn the_weights_of_an_average_settle() {
    for decay in [0.0, 0.5, 0.999, 0.999_999_9] {
        let (plain, debiased) = (Ema { decay, debias: false }, Ema { decay, debias: true });
        assert_eq!((plain.weight(1), debiased.weight(1)), (1.0, 1.0));
        let settled = (1.0 - decay) as f32;
        assert_eq!((plain.weight(2), plain.weight(u64::MAX)), (settled, settled));
        assert_eq!(debiased.weight(1 << 40), settled);
        // Beforehand it is an equal average, nearly.
        let early = debiased.weight(3);
        let exact = (1.0 - decay) / (1.0 - decay.powi(3));
        assert!((f64::from(early) / exact - 1.0).abs() < 1e-6, "{decay}: {early} {exact}");
    }
    assert_eq!((equal_weight(1), equal_weight(4)), (1.0, 0.25));
    let lookahead = Lookahead { steps: 5, alpha: 0.5 };
    let due: Vec<u64> = (1..=11).filter(|&step| lookahead.due(step).is_some()).collect();
    assert_eq!(due, [5, 10]);
}
