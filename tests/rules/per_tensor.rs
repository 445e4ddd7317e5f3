//! The update rules for whole parameters, through the training step, against fifty steps of optax's or
//! PyTorch's in f64, in `tests/golden/per_tensor.json`, which `scripts/golden/per_tensor.py` made.

use std::path::Path;

use crate::common::compare::{bits_of_all, largest_deviation, widened};
use crate::common::golden::{self, count, numbers, text};
use crate::common::runs::epoch;
use crate::common::splitmix;
use fallline::data::{Samples, Targets};
use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::engine::optim::reference::{self, Memory};
use fallline::engine::optim::{
    Adafactor, Adjustment, Factored, Lamb, Muon, Orthogonal, PerTensor, ScheduleFree,
};
use fallline::engine::team::Team;
use fallline::engine::train::Session;
use serde_json::{Value, json};

/// As in `rules.rs`: relative to a parameter or to [`FLOOR`], if that is more.
const TOLERANCE: f64 = 1e-5;
const FLOOR: f64 = 0.1;
/// The same in f64, relative to the parameter itself.
const EXACT_TOLERANCE: f64 = 1e-6;
/// Relative, of each loss of a network.
const LOSS_TOLERANCE: f64 = 1e-4;

const STEPS: usize = 50;
/// Samples of a step.
const ROWS: usize = 5;
/// Of the weight, the file has every so manieth element.
const SPARSE: usize = 7;
const CLASSES: usize = 10;

#[derive(Clone, Copy, Debug)]
enum Rule {
    Lamb(Lamb),
    Muon(Muon),
    Adafactor(Adafactor),
}

/// The rule of a case, its learning rate, and the table of a recipe that says the same.
fn rule(case: &Value) -> (Rule, f64, String) {
    let options = &case["options"];
    let number = |key: &str| options[key].as_f64().unwrap();
    if case["rule"] == "adafactor" {
        let (rate, weight_decay, power) = (number("lr"), number("weight_decay"), -number("beta2_decay"));
        let [epsilon, smallest] = [0, 1].map(|i| numbers(&options["eps"])[i]);
        let factored = Factored { epsilon, smallest, threshold: number("d") };
        let table = format!(
            "name = \"adafactor\"\nlearning_rate = {rate}\nweight_decay = {weight_decay}\npower = {power}\n\
             epsilon1 = {epsilon}\nepsilon2 = {smallest}\nthreshold = {:?}\n",
            factored.threshold
        );
        return (Rule::Adafactor(Adafactor { power, weight_decay, factored }), rate, table);
    }
    let (rate, weight_decay, epsilon) = (number("lr"), number("weight_decay"), number("eps"));
    let head = format!("learning_rate = {rate}\nweight_decay = {weight_decay}\nepsilon = {epsilon}\n");
    if case["rule"] == "lamb" {
        let rule = Lamb { beta1: number("b1"), beta2: number("b2"), epsilon, weight_decay };
        let betas = format!("beta1 = {}\nbeta2 = {}\n", rule.beta1, rule.beta2);
        return (Rule::Lamb(rule), rate, format!("name = \"lamb\"\n{head}{betas}"));
    }
    let (adamw, coefficients) = (&options["adamw"], numbers(&options["ns_coefficients"]));
    let [adam_beta1, adam_beta2] = [0, 1].map(|i| numbers(&adamw["betas"])[i]);
    let adjust = text(&options["adjust_lr_fn"]).replace('_', "-");
    let rule = Muon {
        momentum: number("momentum"),
        nesterov: options["nesterov"] == true,
        weight_decay,
        orthogonal: Orthogonal {
            steps: count(&options["ns_steps"]),
            coefficients: [0, 1, 2].map(|i| coefficients[i]),
            epsilon,
            adjustment: match &adjust[..] {
                "original" => Adjustment::Original,
                "match-rms-adamw" => Adjustment::MatchRmsAdamw,
                _ => Adjustment::SpectralUnclamped,
            },
            spare_last_layer: options.get("last_layer").is_some_and(|rule| rule == "adamw"),
        },
        adam_factor: adamw["lr"].as_f64().unwrap() / rate,
        adam_beta1,
        adam_beta2,
        adam_epsilon: adamw["eps"].as_f64().unwrap(),
        adam_weight_decay: adamw["weight_decay"].as_f64().unwrap(),
    };
    let Muon { momentum, nesterov, orthogonal, .. } = rule;
    let Orthogonal { steps, coefficients: [a, b, c], spare_last_layer, .. } = orthogonal;
    let table = format!(
        "name = \"muon\"\n{head}momentum = {momentum}\nnesterov = {nesterov}\nnewton_schulz_steps = {steps}\n\
         newton_schulz_a = {a}\nnewton_schulz_b = {b}\nnewton_schulz_c = {c}\n\
         adjust_learning_rate = \"{adjust}\"\nadam_last_layer = {spare_last_layer}\n\
         adam_factor = {}\nadam_beta1 = {adam_beta1}\nadam_beta2 = {adam_beta2}\nadam_epsilon = {}\n\
         adam_weight_decay = {}\n",
        rule.adam_factor, rule.adam_epsilon, rule.adam_weight_decay
    );
    (Rule::Muon(rule), rate, table)
}

/// Outputs and inputs.
fn shape(case: &Value) -> [usize; 2] {
    [count(&case["out"]), count(&case["in"])]
}

/// The weight `[out * in]` and the bias `[out]` before the first step.
fn initial(case: &Value) -> [Vec<f32>; 2] {
    let [outputs, inputs] = shape(case);
    let is_zero = case.get("zero_bias").is_some_and(|zero| zero == true);
    let bias = if is_zero { vec![0.0; outputs] } else { splitmix::biases(0, outputs) };
    [splitmix::weights(0, outputs, inputs), bias]
}

/// Features `[STEPS * ROWS * in]` and targets `[STEPS * ROWS * out]`.
fn data(case: &Value) -> [Vec<f32>; 2] {
    let [outputs, inputs] = shape(case);
    let targets = splitmix::uniform(splitmix::GRADIENTS, STEPS * ROWS * outputs);
    let far = |u: f32| if u < 0.0 { -1000.0 } else { 1000.0 };
    [splitmix::uniform(splitmix::INPUTS, STEPS * ROWS * inputs), targets.into_iter().map(far).collect()]
}

fn recipe(optimizer: &str, outputs: usize, rest: &str) -> Recipe {
    let toml = format!(
        "name = \"linear\"\n[data]\nset = \"folder\"\n[model]\nloss = \"mean-absolute-error\"\n\
         [[model.layers]]\ntype = \"dense\"\nunits = {outputs}\n\
         [optimizer]\n{optimizer}{rest}\n"
    );
    Recipe::parse(&toml, "test recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

/// Weight and bias after an epoch of the training that this recipe describes.
fn trained(case: &Value, recipe: &Recipe, threads: usize) -> [Vec<f32>; 2] {
    trained_for(1, case, recipe, threads)
}

/// The same after so many epochs.
fn trained_for(epochs: usize, case: &Value, recipe: &Recipe, threads: usize) -> [Vec<f32>; 2] {
    let [outputs, inputs] = shape(case);
    let [features, values] = data(case);
    let targets = Targets::Values { values, width: outputs };
    let samples = Samples::floats(features, [1, 1, inputs], targets, outputs).unwrap();
    let mut model = Model::build(&recipe.model, [1, 1, inputs], outputs, 1).unwrap();
    let [weight, bias] = initial(case);
    let tensors = vec![
        NamedTensor { name: "0.weight".into(), shape: vec![outputs, inputs], values: weight },
        NamedTensor { name: "0.bias".into(), shape: vec![outputs], values: bias },
    ];
    model.load_tensors(Path::new("golden"), tensors).unwrap();
    let team = Team::new(threads).unwrap();
    let mut session = Session::new(&mut model, &samples, recipe, &team).unwrap();
    for _ in 0..epochs {
        epoch(&mut session).unwrap();
    }
    let mut tensors = model.tensors().into_iter().map(|tensor| tensor.values);
    [0, 1].map(|_| tensors.next().unwrap())
}

/// The same of a case after `steps` steps.
fn fast(case: &Value, steps: usize, threads: usize) -> [Vec<f32>; 2] {
    let (_, _, optimizer) = rule(case);
    let rest = format!("[train]\nbatch = {ROWS}\nshuffle = false\n[stop]\nsteps = {steps}\n");
    trained(case, &recipe(&optimizer, shape(case)[0], &rest), threads)
}

/// Those of weight and bias in a step, from 0.
fn gradients(case: &Value, step: usize, features: &[f32], targets: &[f32]) -> [Vec<f64>; 2] {
    let [outputs, inputs] = shape(case);
    let (mut of_weight, mut of_bias) = (vec![0.0; outputs * inputs], vec![0.0; outputs]);
    for row in step * ROWS..(step + 1) * ROWS {
        for output in 0..outputs {
            let dy = -f64::from(targets[row * outputs + output]).signum() / (ROWS * outputs) as f64;
            of_bias[output] += dy;
            for input in 0..inputs {
                of_weight[output * inputs + input] += dy * f64::from(features[row * inputs + input]);
            }
        }
    }
    [of_weight, of_bias]
}

/// In f64, after each step.
fn exact(case: &Value) -> Vec<[Vec<f64>; 2]> {
    let (rule, rate, _) = rule(case);
    let [outputs, inputs] = shape(case);
    let [features, targets] = data(case);
    let [mut weight, mut bias] = initial(case).map(|values| widened(&values));
    let mut memories = [weight.len(), bias.len()].map(|len| vec![Memory::default(); len]);
    let mut snapshots = Vec::new();
    for step in 0..STEPS {
        let [of_weight, of_bias] = gradients(case, step, &features, &targets);
        let t = step as i32 + 1;
        let [of_matrix, of_rest] = &mut memories;
        match rule {
            Rule::Lamb(rule) => {
                reference::lamb(&rule, &mut weight, &of_weight, t, rate, of_matrix);
                reference::lamb(&rule, &mut bias, &of_bias, t, rate, of_rest);
            }
            Rule::Adafactor(rule) => {
                let (shape, at) = ([outputs, inputs], [f64::from(t), rate]);
                reference::adafactor(&rule, &mut weight, Some(shape), &of_weight, at, of_matrix);
                reference::adafactor(&rule, &mut bias, None, &of_bias, at, of_rest);
            }
            Rule::Muon(rule) => {
                let rest = |p: &mut [f64], g: &[f64], memories: &mut [Memory]| {
                    for ((p, &g), memory) in p.iter_mut().zip(g).zip(memories) {
                        *p = reference::muon_rest(&rule, *p, g, t, rate, memory);
                    }
                };
                if rule.orthogonal.spare_last_layer {
                    rest(&mut weight, &of_weight, of_matrix);
                } else {
                    reference::muon(&rule, &mut weight, [outputs, inputs], &of_weight, rate, of_matrix);
                }
                rest(&mut bias, &of_bias, of_rest);
            }
        }
        snapshots.push([weight.clone(), bias.clone()]);
    }
    snapshots
}

/// The largest deviation of weight and bias after a step from the golden ones, relative to these or to
/// `floor`.
fn deviation(case: &Value, step: &str, [weight, bias]: &[Vec<f64>; 2], floor: f64) -> f64 {
    let golden = &case["parameters_after"][step];
    let (of_weight, of_bias) = (numbers(&golden["weight"]), numbers(&golden["bias"]));
    assert_eq!((of_weight.len(), of_bias.len()), (weight.len().div_ceil(SPARSE), bias.len()));
    let found: Vec<f64> = weight.iter().step_by(SPARSE).chain(bias).copied().collect();
    largest_deviation(&found, &[of_weight, of_bias].concat(), floor)
}

/// The largest deviations, over all golden steps, of the training step and of the twin.
fn deviations(case: &Value, as_if: &Value) -> [f64; 2] {
    let exact = exact(as_if);
    let mut largest: [f64; 2] = [0.0; 2];
    for (step, _) in case["parameters_after"].as_object().unwrap() {
        let steps: usize = step.parse().unwrap();
        let fast = fast(as_if, steps, 1).map(|values| widened(&values));
        largest[0] = largest[0].max(deviation(case, step, &fast, FLOOR));
        largest[1] = largest[1].max(deviation(case, step, &exact[steps - 1], 0.0));
    }
    largest
}

/// Each option of a case, changed.
fn slightly_wrong(case: &Value) -> Vec<(String, Value)> {
    let changed = |key: &str, value: &Value| match (key, value) {
        (_, Value::Bool(choice)) => vec![json!(!choice)],
        ("adjust_lr_fn", name) => {
            vec![json!(if name == "original" { "match_rms_adamw" } else { "original" })]
        }
        ("last_layer", _) => vec![json!("muon")],
        // More than what it stands beside, or than what it bounds.
        ("eps", pair) if case["rule"] == "adafactor" => {
            let [first, second] = [0, 1].map(|i| numbers(pair)[i]);
            vec![json!([first.max(0.02) * 2.0, second]), json!([first, second.max(0.2) * 2.0])]
        }
        // With the other constants updates stay below any limit that there may be.
        ("d", limit) if limit.as_f64() != Some(1.0) => Vec::new(),
        ("d", _) => vec![json!(1.6)],
        ("beta2_decay", decay) => vec![json!(decay.as_f64().unwrap() * 0.99)],
        ("ns_steps", steps) => vec![json!(steps.as_u64().unwrap() + 1)],
        (_, Value::Array(numbers)) => {
            let wrong = |place: usize| {
                let mut numbers: Vec<Value> = numbers.clone();
                numbers[place] = json!(numbers[place].as_f64().unwrap() * 0.99);
                json!(numbers)
            };
            (0..numbers.len()).map(wrong).collect()
        }
        // Where it is what is divided by: more than any norm here.
        ("eps", _) if case["rule"] == "muon" => vec![json!(100.0)],
        (_, number) if number.as_f64() < Some(5e-3) => vec![json!(0.05)],
        (_, number) => vec![json!(number.as_f64().unwrap() * 0.99)],
    };
    let mut wrong = Vec::new();
    for (key, value) in case["options"].as_object().unwrap() {
        if let Value::Object(inner) = value {
            for (inner_key, value) in inner {
                let values = match &inner_key[..] {
                    "eps" | "weight_decay" => vec![json!(value.as_f64().unwrap() + 0.1)],
                    _ => changed(inner_key, value),
                };
                wrong.extend(
                    values.into_iter().map(|value| (format!("{key}.{inner_key} {value}"), value)).map(
                        |(what, value)| {
                            let mut case = case.clone();
                            case["options"][key][inner_key] = value;
                            (what, case)
                        },
                    ),
                );
            }
            continue;
        }
        wrong.extend(changed(key, value).into_iter().map(|value| {
            let mut case = case.clone();
            let what = format!("{key} {value}");
            case["options"][key] = value;
            (what, case)
        }));
    }
    wrong
}

#[test]
fn rules_agree_with_optax_and_pytorch() {
    let file = golden::read("per_tensor.json");
    assert_eq!([count(&file["steps"]), count(&file["rows"]), count(&file["sparse"])], [STEPS, ROWS, SPARSE]);
    assert_eq!(golden::cases(&file).len(), 14);
    for case in golden::cases(&file) {
        assert_eq!(case["parameters_after"].as_object().unwrap().len(), 4);
        let [fast, exact] = deviations(case, case);
        println!("{}: {fast:.1e}, in f64 {exact:.1e}", text(&case["name"]));
        assert!(fast <= TOLERANCE, "{}: {fast:e}", case["name"]);
        assert!(exact <= EXACT_TOLERANCE, "{} in f64: {exact:e}", case["name"]);
    }
}

#[test]
fn a_recipe_says_all_that_a_rule_has() {
    let file = golden::read("per_tensor.json");
    for case in golden::cases(&file) {
        let (rule, rate, optimizer) = rule(case);
        let optimizer = recipe(&optimizer, 1, "").optimizer;
        let expected = match rule {
            Rule::Lamb(rule) => format!("{rule:?}"),
            Rule::Muon(rule) => format!("{rule:?}"),
            Rule::Adafactor(rule) => format!("{rule:?}"),
        };
        assert_eq!((format!("{:?}", optimizer.rule()), optimizer.learning_rate), (expected, rate));
        let is_ratio = optimizer.rule().per_tensor() == Some(PerTensor::TrustRatio);
        assert_eq!(is_ratio, case["rule"] == "lamb");
    }
}

#[test]
fn a_wrong_constant_is_seen() {
    let file = golden::read("per_tensor.json");
    for case in golden::cases(&file) {
        let wrong = slightly_wrong(case);
        assert!(wrong.len() >= 5, "{wrong:?}");
        for (what, wrong) in wrong {
            // Nothing is left for Muon's own options to do.
            let spared = case["options"].get("last_layer").is_some();
            if spared && !what.starts_with("adamw") && !what.starts_with("last_layer") {
                continue;
            }
            let [fast, exact] = deviations(case, &wrong);
            assert!(fast > TOLERANCE, "{} with {what}: only {fast:e}", case["name"]);
            assert!(exact > EXACT_TOLERANCE, "{} with {what} in f64: only {exact:e}", case["name"]);
        }
    }
}

#[test]
fn the_number_of_threads_makes_no_difference() {
    let file = golden::read("per_tensor.json");
    for case in golden::cases(&file) {
        let one = bits_of_all(&fast(case, STEPS, 1));
        for threads in [2, 3, 8] {
            assert_eq!(bits_of_all(&fast(case, STEPS, threads)), one, "{} on {threads}", case["name"]);
        }
        assert_ne!(bits_of_all(&fast(case, STEPS - 1, 1)), one);
    }
}

/// The losses of as many steps of a network as PyTorch took.
fn losses(case: &Value, optimizer: &str, threads: usize) -> Vec<f64> {
    let samples = count(&case["samples"]);
    let (pixels, labels) = splitmix::made_up_data(samples);
    let samples = Samples::images(pixels, [28, 28, 1], labels, CLASSES).unwrap();
    let recipe = golden::recipe(case, &golden::activations(case), optimizer, count(&case["batch"]));
    golden::losses(case, &samples, &recipe, threads)
}

/// Several layers, each of whose parameters has a norm or a matrix of its own, and the last one spared.
#[test]
fn networks_agree_with_optax_and_pytorch() {
    let file = golden::read("per_tensor.json");
    let cases = file["networks"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let (_, _, optimizer) = rule(case);
        assert_eq!(numbers(&case["losses"]).len(), 20);
        let deviation = |losses: &[f64]| golden::loss_deviation(losses, case);
        let one = losses(case, &optimizer, 1);
        let right = deviation(&one);
        let other = match case["rule"] == "lamb" {
            true => optimizer.replace("weight_decay = 0", "weight_decay = 0.01"),
            false if case["rule"] == "adafactor" => optimizer.replace("power = 0.8", "power = 0.7"),
            false if optimizer.contains("adam_last_layer = true") => {
                optimizer.replace("adam_last_layer = true", "adam_last_layer = false")
            }
            false => optimizer.replace("adam_last_layer = false", "adam_last_layer = true"),
        };
        assert_ne!(other, optimizer);
        let wrong = deviation(&losses(case, &other, 1));
        println!("{}: {right:.1e}; with another setting {wrong:.1e}", text(&case["name"]));
        assert!(right <= LOSS_TOLERANCE && wrong > LOSS_TOLERANCE, "{}: {right:e}, {wrong:e}", case["name"]);
        assert_eq!(losses(case, &optimizer, 3), one, "{} on 3 threads", case["name"]);
    }
}

/// What else a recipe can ask for works with these rules as with others.
#[test]
fn what_is_around_a_rule() {
    let case = |rule: &str| {
        let file = golden::read("per_tensor.json");
        let name = format!("{rule}_other_constants");
        golden::cases(&file).iter().find(|case| case["name"] == name[..]).unwrap().clone()
    };
    for name in ["lamb", "muon", "adafactor"] {
        let case = case(name);
        let outputs = shape(&case)[0];
        let (_, _, optimizer) = rule(&case);
        let train = format!("[train]\nbatch = {ROWS}\nshuffle = false\n");
        let of =
            |optimizer: &str, rest: &str| bits_of_all(&trained(&case, &recipe(optimizer, outputs, rest), 2));
        let plain = of(&optimizer, &train);

        // A limit far above the norm takes another way to the same bits; one below it does not.
        let limit = |limit: &str| of(&optimizer, &format!("{train}[gradient]\nclip_norm = {limit}\n"));
        assert_eq!(limit("1e6"), plain, "{name}");
        assert_ne!(limit("0.1"), plain, "{name}");

        // Batches that make one step.
        let accumulated = "[train]\nbatch = 1\naccumulate = 5\nshuffle = false\n";
        assert_eq!(of(&optimizer, accumulated), plain, "{name}");

        // A step whose rate schedules halve is one of half the rate.
        let halved = format!("{train}[schedule]\nname = \"constant\"\nscale = 0.5\n");
        let rate = optimizer.lines().find(|line| line.starts_with("learning_rate")).unwrap();
        let half = format!("learning_rate = {}", rate[16..].parse::<f64>().unwrap() / 2.0);
        assert_eq!(of(&optimizer, &halved), of(&optimizer.replace(rate, &half), &train), "{name}");
        assert_ne!(of(&optimizer, &halved), plain, "{name}");
        if name == "adafactor" {
            continue;
        }

        // Half the momentum and half the decay, by a schedule and by themselves.
        let momentum = if name == "lamb" { "beta1 = 0.7" } else { "\nmomentum = 0.8" };
        let half = if name == "lamb" { "beta1 = 0.35" } else { "\nmomentum = 0.4" };
        let scheduled = |key: &str| format!("{train}[schedule.{key}]\nname = \"constant\"\nscale = 0.5\n");
        assert!(optimizer.contains(momentum));
        assert_eq!(of(&optimizer, &scheduled("momentum")), of(&optimizer.replace(momentum, half), &train));
        assert_ne!(of(&optimizer, &scheduled("momentum")), plain, "{name}");
        let mut decayed = optimizer.clone();
        for decay in ["weight_decay = 0.2", "weight_decay = 0.3"] {
            decayed = decayed.replace(decay, &format!("{decay}/2"));
        }
        let decayed = decayed.replace("0.2/2", "0.1").replace("0.3/2", "0.15");
        assert_ne!(decayed, optimizer);
        assert_eq!(of(&optimizer, &scheduled("weight_decay")), of(&decayed, &train), "{name}");
        assert_ne!(of(&optimizer, &scheduled("weight_decay")), plain, "{name}");
    }
}

/// A rule that is evaluated elsewhere than where it trains: the model has that point between epochs, and the other in
/// them.
#[test]
fn schedule_free_leaves_its_average_in_the_model() {
    let file = golden::read("per_tensor.json");
    let case = &golden::cases(&file)[0];
    let (rate, [features, targets]) = (0.01, data(case));
    let rule =
        ScheduleFree { beta1: 0.7, beta2: 0.9, weight_decay: 0.1, warmup_steps: 9, ..Default::default() };
    let optimizer = format!(
        "name = \"schedule-free-adamw\"\nlearning_rate = {rate}\nbeta1 = 0.7\nbeta2 = 0.9\n\
         weight_decay = 0.1\nwarmup_steps = 9\n"
    );
    let train = format!("[train]\nbatch = {ROWS}\nshuffle = false\nepochs = 2\n");
    let recipe = recipe(&optimizer, shape(case)[0], &train);
    let [mut weight, mut bias] = initial(case).map(|values| widened(&values));
    let mut memories = [weight.len(), bias.len()].map(|len| vec![Memory::default(); len]);
    for epoch in 0..2 {
        for step in 0..STEPS {
            let of_step = gradients(case, step, &features, &targets);
            for ((parameters, gradients), memories) in
                [&mut weight, &mut bias].into_iter().zip(&of_step).zip(&mut memories)
            {
                let t = (epoch * STEPS + step + 1) as i32;
                for ((p, &g), memory) in parameters.iter_mut().zip(gradients).zip(memories) {
                    *p = reference::schedule_free(&rule, *p, g, t, rate, memory);
                }
            }
        }
        let exact: Vec<f64> = memories.iter().flatten().map(|memory| memory.mean).collect();
        let trained = [&weight[..], &bias].concat();
        let [one, three] = [1, 3].map(|threads| trained_for(epoch + 1, case, &recipe, threads));
        assert_eq!(bits_of_all(&one), bits_of_all(&three));
        let far = |from: &[f64]| largest_deviation(&widened(&one.concat()), from, FLOOR);
        let (right, wrong) = (far(&exact), far(&trained));
        assert!(right <= TOLERANCE && wrong > TOLERANCE, "{right:e} {wrong:e}");
    }
}

/// Without a gradient there is no direction to make orthogonal or to measure by, and nothing moves.
#[test]
fn no_gradient_is_no_step() {
    let [outputs, inputs] = [19, 121];
    let targets = |value| Targets::Values { values: vec![value; outputs * ROWS], width: outputs };
    let samples =
        |value| Samples::floats(vec![0.0; inputs * ROWS], [1, 1, inputs], targets(value), outputs).unwrap();
    for optimizer in [
        "name = \"lamb\"\n",
        "name = \"adafactor\"\n",
        "name = \"muon\"\nadam_last_layer = false\nweight_decay = 0\n",
    ] {
        let recipe = recipe(optimizer, outputs, &format!("[train]\nbatch = {ROWS}\n"));
        // Outputs of 0: that is what is wanted, and then it is not.
        for (samples, still) in [(samples(0.0), true), (samples(1.0), false)] {
            let mut model = Model::build(&recipe.model, [1, 1, inputs], outputs, 1).unwrap();
            let mut before = model.tensors();
            before[1].values.fill(0.0);
            model.load_tensors(Path::new("test"), before.clone()).unwrap();
            let team = Team::new(2).unwrap();
            let mut session = Session::new(&mut model, &samples, &recipe, &team).unwrap();
            epoch(&mut session).unwrap();
            let after = model.tensors();
            assert_eq!(after[0].values, before[0].values, "{optimizer}");
            assert_eq!(after[1].values == before[1].values, still, "{optimizer}");
        }
    }
}
