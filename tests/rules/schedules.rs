//! The schedules against those of PyTorch and optax in f64, in `tests/golden/schedules.json`, which
//! `scripts/golden/schedules.py` made; and what a scheduled momentum and weight decay do to each rule.

use crate::common::compare::bits;
use crate::common::golden::{self, count, numbers, text};
use crate::common::splitmix;
use fallline::engine::model::Recipe;
use fallline::engine::model::recipe::Override;
use fallline::engine::optim::schedule::{PlateauState, Schedule, Span};
use fallline::engine::optim::{
    Adabelief, Adadelta, Adagrad, Adam, Adamax, Lion, Nadam, Radam, Rmsprop, Rprop, Rule, Sgd, StepSettings,
    Yogi,
};
use serde_json::{Value, json};

/// Relative to a factor or to [`FLOOR`], if that is more: some end at 0.
const TOLERANCE: f64 = 1e-6;
const FLOOR: f64 = 1e-7;

/// The schedule of a `[schedule]` table, read as part of a recipe.
fn schedule(table: &Value, run: Span) -> Result<Schedule, String> {
    let text = "name = 'golden'\n[data]\nset = 'folder'\n[model]\n[[model.layers]]\ntype = 'dense'\nunits = 2\n\
                [optimizer]\nname = 'momentum'\n";
    let table = Override::new("schedule", toml::Value::try_from(table).expect("a TOML value"));
    let epochs = Override::new("train.epochs", (run.steps / run.steps_per_epoch) as u32);
    let recipe = Recipe::parse_with(text, "golden recipe", &[table, epochs]).map_err(|e| e.to_string())?;
    recipe
        .schedule
        .check(recipe.train.epochs, Some(run.steps_per_epoch))
        .map_err(|misfit| format!("{misfit:?}"))?;
    Ok(recipe.schedule.learning_rate)
}

fn run_of(file: &Value) -> Span {
    Span { steps: count(&file["steps"]) as u64, steps_per_epoch: count(&file["steps_per_epoch"]) as u64 }
}

/// The factor of each step, or, of a plateau, after each epoch; then the momenta, if there are any.
fn course(schedule: &Schedule, case: &Value, run: Span) -> Vec<f64> {
    if let Some(plateau) = schedule.plateau() {
        let mut state = PlateauState::new(plateau);
        let after = |loss| {
            state.observe(loss);
            state.factor()
        };
        return numbers(&case["losses"]).into_iter().map(after).collect();
    }
    let factors = (1..=run.steps).map(|step| schedule.factor(step, run));
    factors.chain((1..=run.steps).filter_map(|step| schedule.momentum(step, run))).collect()
}

/// The largest deviation from what PyTorch or optax has.
fn deviation(table: &Value, case: &Value, run: Span) -> Result<f64, String> {
    let found = course(&schedule(table, run)?, case, run);
    let mut expected = numbers(&case["rates"]);
    assert!(expected.len() >= 50);
    expected.extend(case.get("momenta").map(numbers).unwrap_or_default());
    if found.len() != expected.len() {
        return Ok(f64::INFINITY);
    }
    let deviations =
        found.iter().zip(expected).map(|(found, exact)| (found - exact).abs() / exact.abs().max(FLOOR));
    Ok(deviations.fold(0.0, f64::max))
}

/// The table, with each of its parameters changed a little or, if it is a choice, to another one.
fn slightly_wrong(table: &Value) -> Vec<Value> {
    let mut wrong = Vec::new();
    for (key, value) in table.as_object().expect("a table") {
        let changed = match value {
            Value::Bool(choice) => vec![json!(!choice)],
            Value::Array(values) => values
                .iter()
                .enumerate()
                .flat_map(|(i, value)| {
                    let changed = match value {
                        Value::Object(_) => slightly_wrong(value),
                        number => vec![json!(number.as_u64().expect("steps") + 1)],
                    };
                    changed.into_iter().map(move |value| {
                        let mut values = values.clone();
                        values[i] = value;
                        json!(values)
                    })
                })
                .collect(),
            Value::String(name) => vec![json!(match &name[..] {
                "linear" if key == "anneal" => "cos",
                "abs" => "rel",
                "cosine" => "linear",
                "constant" => "exponential",
                _ => "constant",
            })],
            // One step.
            epochs if key.ends_with("_epochs") => vec![json!(epochs.as_f64().unwrap() + 0.2)],
            whole if whole.is_u64() && !key.ends_with("factor") && key != "power" => {
                vec![json!(whole.as_u64().unwrap() + 1)]
            }
            // Losses are few: it shows only where one lies between the two.
            number if key == "threshold" => vec![json!(number.as_f64().unwrap() * 2.0)],
            number => vec![json!(number.as_f64().unwrap() * 0.999)],
        };
        wrong.extend(changed.into_iter().map(|value| {
            let mut table = table.clone();
            table[key] = value;
            table
        }));
    }
    wrong
}

#[test]
fn schedules_agree_with_pytorch() {
    let file = golden::read("schedules.json");
    let run = run_of(&file);
    assert_eq!(golden::cases(&file).len(), 25);
    for case in golden::cases(&file) {
        let deviation = deviation(&case["schedule"], case, run).unwrap();
        println!("{}: {deviation:.1e}", text(&case["name"]));
        assert!(deviation <= TOLERANCE, "{}: {deviation:e}", case["name"]);
    }
}

#[test]
fn a_wrong_constant_is_seen() {
    let file = golden::read("schedules.json");
    let run = run_of(&file);
    let mut seen = 0;
    for case in golden::cases(&file) {
        for table in slightly_wrong(&case["schedule"]) {
            // Some parameters mean nothing to a schedule of another name, and some lengths leave no room.
            if let Ok(deviation) = deviation(&table, case, run) {
                assert!(deviation > TOLERANCE, "{} as {table}: only {deviation:e}", case["name"]);
                seen += 1;
            }
        }
    }
    println!("{seen} wrong constants");
    assert!(seen >= 60, "{seen}");
}

#[test]
fn a_step_too_early_or_too_late_is_seen() {
    let file = golden::read("schedules.json");
    let run = run_of(&file);
    for case in golden::cases(&file).iter().filter(|case| case.get("losses").is_none()) {
        let schedule = schedule(&case["schedule"], run).unwrap();
        let expected = numbers(&case["rates"]);
        let off = |shift: u64| {
            let found = (1..=run.steps).map(|step| schedule.factor(step + shift - 1, run));
            found
                .zip(&expected)
                .map(|(found, exact)| (found - exact).abs() / exact.abs().max(FLOOR))
                .fold(0.0, f64::max)
        };
        assert!(off(1) <= TOLERANCE);
        if text(&case["name"]) != "constant" {
            assert!(off(0) > TOLERANCE && off(2) > TOLERANCE, "{}", case["name"]);
        }
    }
}

/// Every rule with this momentum, or β₁, and weight decay.
fn rules(momentum: f64, weight_decay: f64) -> Vec<Box<dyn Rule>> {
    let beta1 = momentum;
    vec![
        Box::new(Sgd { momentum, weight_decay, ..Sgd::default() }),
        Box::new(Sgd { momentum, weight_decay, nesterov: true, ..Sgd::default() }),
        Box::new(Rmsprop { momentum, weight_decay, ..Rmsprop::default() }),
        Box::new(Adam { beta1, weight_decay, ..Adam::default() }),
        Box::new(Adam { beta1, weight_decay, decoupled: true, ..Adam::default() }),
        Box::new(Adamax { beta1, weight_decay, ..Adamax::default() }),
        Box::new(Radam { beta1, weight_decay, ..Radam::default() }),
        Box::new(Lion { beta1, weight_decay, ..Lion::default() }),
        Box::new(Yogi { beta1, weight_decay, ..Yogi::default() }),
        Box::new(Adabelief { beta1, weight_decay, ..Adabelief::default() }),
        Box::new(Nadam { beta1, weight_decay, ..Nadam::default() }),
        Box::new(Adagrad { weight_decay, ..Adagrad::default() }),
        Box::new(Adadelta { weight_decay, ..Adadelta::default() }),
        Box::new(Rprop::default()),
    ]
}

/// How many of [`rules`], from the first, take a scheduled momentum, and how many a weight decay.
const WITH_MOMENTUM: usize = 10;
const WITH_DECAY: usize = 13;

/// The parameters after ten steps at this momentum and factor of the weight decay.
fn stepped(rule: &dyn Rule, momentum: Option<f64>, decay: f64) -> Vec<u32> {
    let mut parameters = splitmix::uniform(splitmix::PARAMETERS, 37);
    let mut gradients = splitmix::uniform(splitmix::GRADIENTS, 10 * 37);
    let mut slots = vec![vec![0.0; 37]; rule.slots()];
    for (step, gradients) in (1..).zip(gradients.chunks_mut(37)) {
        let mut slots: Vec<&mut [f32]> = slots.iter_mut().map(Vec::as_mut_slice).collect();
        rule.update(
            &mut parameters,
            gradients,
            &mut slots,
            StepSettings { momentum, decay, ..StepSettings::new(step, 0.05) },
        );
    }
    bits(&parameters)
}

/// A momentum or weight decay from a schedule does what the rule's own does, and each shows.
#[test]
fn rules_take_momentum_and_weight_decay_from_the_moment() {
    let (scheduled, own) = (rules(0.8, 0.25), rules(0.2, 0.125));
    for (index, (scheduled, own)) in scheduled.iter().zip(&own).enumerate() {
        assert_eq!(scheduled.momentum(), (index < WITH_MOMENTUM).then_some(0.8), "{scheduled:?}");
        let momentum = scheduled.momentum().map(|_| 0.2);
        let own = stepped(own.as_ref(), None, 1.0);
        if scheduled.momentum().is_some() {
            assert_eq!(stepped(scheduled.as_ref(), momentum, 0.5), own, "{scheduled:?}");
            assert_ne!(stepped(scheduled.as_ref(), None, 0.5), own, "{scheduled:?}");
        }
        if index < WITH_DECAY {
            assert_ne!(stepped(scheduled.as_ref(), momentum, 1.0), own, "{scheduled:?}");
        }
    }
    // Where only the decay is scheduled, it alone differs.
    for (scheduled, own) in rules(0.8, 0.25).iter().zip(rules(0.8, 0.125)) {
        assert_eq!(stepped(scheduled.as_ref(), None, 0.5), stepped(own.as_ref(), None, 1.0), "{scheduled:?}");
    }
}

/// Every example of the documentation is a part of a recipe that can be read.
#[test]
fn examples_of_the_documentation_are_read() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schedules.md");
    let documentation = std::fs::read_to_string(path).unwrap();
    let examples: Vec<&str> =
        documentation.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let optimizer = if example.contains("[optimizer]") { "" } else { "[optimizer]\nname = 'adam'\n" };
        let model =
            "name = 'x'\n[data]\nset = 'digits'\n[model]\n[[model.layers]]\ntype = 'dense'\nunits = 10\n";
        let recipe = Recipe::parse(&format!("{model}{optimizer}{example}"), "docs/schedules.md").unwrap();
        assert_ne!(recipe.schedule.learning_rate, Schedule::constant());
    }
}
