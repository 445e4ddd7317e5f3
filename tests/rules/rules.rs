//! The update rules against fifty steps of PyTorch's or optax's optimizers in f64, in `tests/golden/rules.json`,
//! which `scripts/golden/rules.py` made.

use crate::common::compare::{bits_of_all, largest_deviation, widened};
use crate::common::golden::{self, numbers, text};
use crate::common::isa::on_each;
use crate::common::splitmix;
use fallline::engine::model::recipe::{OPTIMIZERS, Optimizer};
use fallline::engine::optim::reference::{self, Memory};
use fallline::engine::optim::{
    Adabelief, Adadelta, Adagrad, Adam, Adamax, Adan, Lion, Nadam, Radam, Rmsprop, Rprop, Rule, ScheduleFree,
    Sgd, StepSettings, Yogi,
};
use serde_json::{Value, json};

/// Relative to a parameter or to [`FLOOR`], if that is more: fifty roundings of f32 to a parameter
/// of about 1 are up to 3e-6, and one that happens to be near 0 has just come from there.
const TOLERANCE: f64 = 1e-5;
const FLOOR: f64 = 0.1;
/// The same in f64, relative to the parameter itself. The files have 13 digits, but PyTorch's NAdam
/// keeps the product of its momenta in f32.
const EXACT_TOLERANCE: f64 = 1e-7;

/// Parameters; odd, so that every kernel has a remainder.
const COUNT: usize = 37;
const STEPS: usize = 50;

/// A rule in f64: parameter, gradient, step and learning rate to the new parameter.
type Twin = Box<dyn Fn(f64, f64, i32, f64, &mut Memory) -> f64>;

/// A rule, its twin in f64 and the learning rate.
struct Pair {
    rule: Box<dyn Rule>,
    twin: Twin,
    learning_rate: f64,
}

fn paired<R: Rule + Copy + 'static>(
    rule: R,
    twin: fn(&R, f64, f64, i32, f64, &mut Memory) -> f64,
) -> (Box<dyn Rule>, Twin) {
    (Box::new(rule), Box::new(move |p, g, t, rate, memory| twin(&rule, p, g, t, rate, memory)))
}

/// The rule of this name, options being named as `torch.optim` names them.
fn pair(name: &str, options: &Value) -> Pair {
    let option = |key: &str| options.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let flag = |key: &str| options.get(key).is_some_and(|flag| flag == true);
    let two = |key: &str| options.get(key).map_or([0.0; 2], |pair| [0, 1].map(|i| numbers(pair)[i]));
    let ([beta1, beta2], epsilon, weight_decay) = (two("betas"), option("eps"), option("weight_decay"));
    let (rule, twin) = match name {
        "sgd" | "momentum" | "nesterov" => {
            let (momentum, dampening) = (option("momentum"), option("dampening"));
            let nesterov = flag("nesterov");
            paired(Sgd { momentum, dampening, nesterov, weight_decay }, reference::sgd)
        }
        "adam" | "amsgrad" | "adamw" => {
            let (decoupled, amsgrad) = (name == "adamw", flag("amsgrad"));
            paired(Adam { beta1, beta2, epsilon, weight_decay, decoupled, amsgrad }, reference::adam)
        }
        "adagrad" => {
            let learning_rate_decay = option("lr_decay");
            let initial_accumulator = option("initial_accumulator_value");
            let rule = Adagrad { learning_rate_decay, initial_accumulator, epsilon, weight_decay };
            paired(rule, reference::adagrad)
        }
        "rmsprop" => {
            let (alpha, momentum, centered) = (option("alpha"), option("momentum"), flag("centered"));
            paired(Rmsprop { alpha, epsilon, momentum, centered, weight_decay }, reference::rmsprop)
        }
        "adadelta" => paired(Adadelta { rho: option("rho"), epsilon, weight_decay }, reference::adadelta),
        "adamax" => paired(Adamax { beta1, beta2, epsilon, weight_decay }, reference::adamax),
        "nadam" => {
            let momentum_decay = option("momentum_decay");
            paired(Nadam { beta1, beta2, epsilon, weight_decay, momentum_decay }, reference::nadam)
        }
        "radam" => paired(Radam { beta1, beta2, epsilon, weight_decay }, reference::radam),
        "lion" => paired(Lion { beta1, beta2, weight_decay }, reference::lion),
        "yogi" => {
            let initial_accumulator = option("initial");
            paired(Yogi { beta1, beta2, epsilon, initial_accumulator, weight_decay }, reference::yogi)
        }
        "adabelief" => paired(Adabelief { beta1, beta2, epsilon, weight_decay }, reference::adabelief),
        "adan" => {
            let [beta1, beta2, beta3] = [0, 1, 2].map(|i| numbers(&options["betas"])[i]);
            paired(Adan { beta1, beta2, beta3, epsilon, weight_decay }, reference::adan)
        }
        "schedule-free-adamw" => {
            let warmup_steps = option("warmup_steps") as u64;
            let rule = ScheduleFree { beta1, beta2, epsilon, weight_decay, warmup_steps };
            paired(rule, reference::schedule_free)
        }
        "rprop" => {
            let ([shrink, grow], [smallest, largest]) = (two("etas"), two("step_sizes"));
            paired(Rprop { shrink, grow, smallest, largest }, reference::rprop)
        }
        other => panic!("no rule {other}"),
    };
    Pair { rule, twin, learning_rate: option("lr") }
}

/// The rule of a case.
fn pair_of(case: &Value) -> Pair {
    pair(text(&case["rule"]), &case["options"])
}

/// So many parameters after each step, the slices cut at these places.
fn steps(pair: &Pair, count: usize, cuts: &[usize]) -> Vec<Vec<f32>> {
    trained_and_evaluated(pair, count, cuts)[0].clone()
}

/// The same, and what the model is evaluated with, if that is another point.
fn trained_and_evaluated(pair: &Pair, count: usize, cuts: &[usize]) -> [Vec<Vec<f32>>; 2] {
    let Pair { rule, learning_rate, .. } = pair;
    let mut parameters = splitmix::uniform(splitmix::PARAMETERS, count);
    let mut gradients = splitmix::uniform(splitmix::GRADIENTS, STEPS * count);
    let mut slots = vec![vec![0.0; count]; rule.slots()];
    if let Some(slot) = rule.evaluated() {
        slots[slot].clone_from(&parameters);
    }
    let mut snapshots = [Vec::new(), Vec::new()];
    for (step, gradients) in (1..).zip(gradients.chunks_mut(count)) {
        let ends = cuts.iter().copied().chain([count]);
        for (start, end) in [0].into_iter().chain(cuts.iter().copied()).zip(ends) {
            let mut slots: Vec<&mut [f32]> = slots.iter_mut().map(|slot| &mut slot[start..end]).collect();
            let settings = StepSettings::new(step, *learning_rate);
            rule.update(&mut parameters[start..end], &mut gradients[start..end], &mut slots, settings);
        }
        snapshots[0].push(parameters.clone());
        snapshots[1].extend(rule.evaluated().map(|slot| slots[slot].clone()));
    }
    snapshots
}

/// The same in f64.
fn exact_steps(pair: &Pair, count: usize) -> Vec<Vec<f64>> {
    let mut parameters: Vec<f64> = widened(&splitmix::uniform(splitmix::PARAMETERS, count));
    let gradients = splitmix::uniform(splitmix::GRADIENTS, STEPS * count);
    let mut memories = vec![Memory::default(); count];
    let mut snapshots = Vec::new();
    for (step, gradients) in (1..).zip(gradients.chunks(count)) {
        for ((p, &g), memory) in parameters.iter_mut().zip(gradients).zip(&mut memories) {
            *p = (pair.twin)(*p, f64::from(g), step, pair.learning_rate, memory);
        }
        snapshots.push(parameters.clone());
    }
    snapshots
}

/// The largest deviation from the golden parameters.
fn deviation(snapshots: &[Vec<f64>], case: &Value, floor: f64) -> f64 {
    deviation_of("parameters_after", snapshots, case, floor)
}

fn deviation_of(key: &str, snapshots: &[Vec<f64>], case: &Value, floor: f64) -> f64 {
    let expected = case[key].as_object().expect("snapshots by step");
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["1", "2", "10", "50"]);
    let of = |(step, values): (&String, &Value)| {
        largest_deviation(&snapshots[step.parse::<usize>().unwrap() - 1], &numbers(values), floor)
    };
    expected.iter().map(of).fold(0.0, f64::max)
}

/// Those of the fast rule and of its twin.
fn deviations(pair: &Pair, case: &Value) -> [f64; 2] {
    let fast: Vec<Vec<f64>> = steps(pair, COUNT, &[]).iter().map(|values| widened(values)).collect();
    [deviation(&fast, case, FLOOR), deviation(&exact_steps(pair, COUNT), case, 0.0)]
}

/// The options, each changed a little or, if it is a choice, reversed.
fn slightly_wrong(options: &Value) -> Vec<(String, Value)> {
    let mut wrong = Vec::new();
    for (key, value) in options.as_object().expect("options") {
        let changed = match value {
            Value::Bool(choice) => vec![json!(!choice)],
            Value::Array(several) => {
                let wrong = |place: usize| {
                    let mut several = numbers(value);
                    several[place] = match several[place] {
                        first if place == 0 => first + 0.001,
                        // The usual bounds of Rprop's step sizes are never reached.
                        bound if bound > 1.5 => 0.01,
                        part => part - 0.001,
                    };
                    json!(several)
                };
                (0..several.len()).map(wrong).collect()
            }
            number if key == "warmup_steps" => vec![json!(number.as_u64().unwrap() + 2)],
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

#[test]
fn rules_agree_with_pytorch() {
    let file = golden::read("rules.json");
    assert_eq!((golden::count(&file["count"]), golden::count(&file["steps"])), (COUNT, STEPS));
    assert_eq!(golden::cases(&file).len(), 38);
    for case in golden::cases(&file) {
        let [fast, exact] = deviations(&pair_of(case), case);
        println!("{}: {fast:.1e}, in f64 {exact:.1e}", text(&case["name"]));
        assert!(fast <= TOLERANCE, "{}: {fast:e}", case["name"]);
        assert!(exact <= EXACT_TOLERANCE, "{} in f64: {exact:e}", case["name"]);
    }
}

/// The average that the model is evaluated and saved with.
#[test]
fn what_is_evaluated_agrees_too() {
    let file = golden::read("rules.json");
    let mut compared = 0;
    for case in golden::cases(&file) {
        let pair = pair_of(case);
        assert_eq!(
            pair.rule.evaluated().is_some(),
            case.get("evaluated_after").is_some(),
            "{}",
            case["name"]
        );
        if pair.rule.evaluated().is_some() {
            let [trained, evaluated] = trained_and_evaluated(&pair, COUNT, &[])
                .map(|steps| steps.iter().map(|values| widened(values)).collect::<Vec<_>>());
            let right = deviation_of("evaluated_after", &evaluated, case, FLOOR);
            let wrong = deviation_of("evaluated_after", &trained, case, FLOOR);
            assert!(right <= TOLERANCE && wrong > TOLERANCE, "{}: {right:e}, {wrong:e}", case["name"]);
            compared += 1;
        }
    }
    assert_eq!(compared, 2);
}

/// Every name of a recipe is a rule that was held against golden numbers: those for whole parameters
/// in `per_tensor.rs`, those that search along lines in `full_batch.rs`.
#[test]
fn every_rule_of_a_recipe_has_golden_numbers() {
    let file = golden::read("rules.json");
    for kind in OPTIMIZERS.iter().filter(|kind| !kind.searches()) {
        if Optimizer::of(kind).rule().per_tensor().is_some() {
            continue;
        }
        let rule = format!("{:?}", Optimizer::of(kind).rule());
        let family = rule.split_whitespace().next().unwrap().to_string();
        let same = |case: &&Value| text(&case["rule"]) == kind.name;
        let case = golden::cases(&file).iter().find(same).unwrap_or_else(|| panic!("{}", kind.name));
        assert!(format!("{:?}", pair_of(case).rule).starts_with(&family), "{}: {rule}", kind.name);
    }
}

#[test]
fn a_wrong_constant_is_seen() {
    let file = golden::read("rules.json");
    for case in golden::cases(&file) {
        let wrong = slightly_wrong(&case["options"]);
        assert!(!wrong.is_empty());
        for (what, options) in wrong {
            let [fast, exact] = deviations(&pair(text(&case["rule"]), &options), case);
            assert!(fast > TOLERANCE, "{} with {what}: only {fast:e}", case["name"]);
            assert!(exact > EXACT_TOLERANCE, "{} with {what} in f64: only {exact:e}", case["name"]);
        }
    }
}

#[test]
fn a_wrong_rule_is_seen() {
    let file = golden::read("rules.json");
    for case in golden::cases(&file) {
        let pair = pair_of(case);
        // The remainder of a vector left out.
        let forgotten = f64::from(splitmix::uniform(splitmix::PARAMETERS, COUNT)[36]);
        let mut exact = exact_steps(&pair, COUNT);
        exact[49][36] = forgotten;
        assert!(deviation(&exact, case, FLOOR) > TOLERANCE, "{}", case["name"]);
    }
}

/// Fewer parameters than a vector has, as many, and one or a few more.
#[test]
fn any_number_of_parameters_agrees_with_f64() {
    let file = golden::read("rules.json");
    for case in golden::cases(&file) {
        let pair = pair_of(case);
        for count in [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65, 257] {
            let (fast, exact) = (steps(&pair, count, &[]), exact_steps(&pair, count));
            for (fast, exact) in fast.iter().zip(&exact) {
                let deviation = largest_deviation(&widened(fast), exact, FLOOR);
                assert!(deviation <= TOLERANCE, "{}, {count} parameters: {deviation:e}", case["name"]);
            }
        }
    }
}

/// Who owns which parameters, and what the CPU can do, must not change a bit.
#[test]
fn pieces_and_instruction_sets_make_no_difference() {
    let file = golden::read("rules.json");
    for case in golden::cases(&file) {
        let pair = pair_of(case);
        let whole = bits_of_all(&steps(&pair, COUNT, &[]));
        for cuts in [&[1][..], &[16, 32], &[5, 5, 6, 36], &[0, 31], &Vec::from_iter(1..COUNT)] {
            assert_eq!(bits_of_all(&steps(&pair, COUNT, cuts)), whole, "{} {cuts:?}", case["name"]);
        }
        on_each(|isa| assert_eq!(bits_of_all(&steps(&pair, COUNT, &[])), whole, "{} {isa:?}", case["name"]));
    }
}
