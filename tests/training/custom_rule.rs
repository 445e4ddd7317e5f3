//! An update rule defined outside the crate trains as one of the crate's own, and recipes and saved models name it.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::compare::bits_of;
use crate::common::runs;
use fallline::engine::model::recipe::{
    AverageConfig, AverageMethod, OPTIMIZERS, Override, optimizer_kind, optimizer_names,
};
use fallline::engine::model::saved;
use fallline::engine::optim::schedule::{Anneal, OneCycle};
use fallline::engine::optim::{Ema, Lookahead, coefficients};
use fallline::engine::train;
use fallline::extend::{HyperParameter, HyperValues, divisor, non_negative, unit_open};
use fallline::testing::check_rule;
use fallline::{
    Activation, Coefficients, Curve, Model, Optimizer, OptimizerKind, Recipe, Rule, Samples, Schedule,
    StepSettings, Trainer,
};

/// Adam, written once more with plain loops.
#[derive(Debug)]
struct Copied {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
}

impl Rule for Copied {
    fn slots(&self) -> usize {
        2
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.beta1)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let beta1 = settings.momentum.unwrap_or(self.beta1);
        let step = settings.step as f64;
        coefficients([
            settings.learning_rate / (1.0 - beta1.powf(step)),
            1.0 / (1.0 - self.beta2.powf(step)).sqrt(),
            beta1,
            1.0 - beta1,
            self.beta2,
            1.0 - self.beta2,
            self.epsilon,
            self.weight_decay * settings.decay,
        ])
    }

    fn apply(&self, of_step: &Coefficients, p: &mut [f32], g: &mut [f32], slots: &mut [&mut [f32]]) {
        let [size, correction, keep1, new1, keep2, new2, epsilon, penalty, ..] = *of_step;
        let [means, squares] = slots else { panic!("two slots") };
        for (((p, g), mean), square) in p.iter_mut().zip(g).zip(means.iter_mut()).zip(squares.iter_mut()) {
            let g = penalty.mul_add(*p, *g);
            *mean = keep1.mul_add(*mean, new1 * g);
            *square = keep2.mul_add(*square, new2 * (g * g));
            *p -= size * *mean / square.sqrt().mul_add(correction, epsilon);
        }
    }
}

const HYPER_PARAMETERS: &[HyperParameter] = &[
    HyperParameter::number("beta1", 0.9, unit_open(), "the part of m that is kept in a step"),
    HyperParameter::number("beta2", 0.999, unit_open(), "the part of v that is kept in a step"),
    HyperParameter::number("epsilon", 1e-8, divisor(), "keeps the divisor away from 0"),
    HyperParameter::number("weight_decay", 0.0, non_negative(), "L2 penalty"),
];

fn copied(values: &HyperValues) -> Box<dyn Rule> {
    let [beta1, beta2, epsilon, weight_decay] =
        ["beta1", "beta2", "epsilon", "weight_decay"].map(|key| values.number(key));
    Box::new(Copied { beta1, beta2, epsilon, weight_decay })
}

/// Not registered by any test.
static COPIED: OptimizerKind =
    OptimizerKind::new("adam-copied", 1e-3, copied).hyper_parameters(HYPER_PARAMETERS);

static REGISTERED: OptimizerKind = OptimizerKind::new("adam-registered", 2e-3, copied)
    .hyper_parameters(HYPER_PARAMETERS)
    .formula("as adam")
    .source("this test");

fn samples() -> Samples {
    let x = runs::features(300 * 7);
    let classes = x.chunks(7).map(|row| u8::from(row[0] > 0.0) + u8::from(row[1] * row[2] > 0.0)).collect();
    Samples::from_rows(x, 7).classes(classes).unwrap()
}

fn model() -> Model {
    let layers = Model::sequential(7).dense(37, Activation::RELU).dense(3, Activation::IDENTITY);
    layers.seed(2).build().unwrap()
}

/// A schedule of the learning rate and of the momentum, and what else `change` does.
fn trained(optimizer: Optimizer, threads: usize, change: fn(&mut Recipe)) -> Vec<u32> {
    let cycle = OneCycle { anneal: Anneal::Linear, ..OneCycle::default() };
    let trainer = Trainer::new()
        .optimizer(optimizer)
        .schedule(Schedule::of(Curve::OneCycle(cycle)))
        .batch(32)
        .epochs(4)
        .threads(threads)
        .change(change);
    let mut model = model();
    trainer.fit(&mut model, &samples()).unwrap();
    bits_of(&model)
}

fn settings(optimizer: Optimizer) -> Optimizer {
    let with = |optimizer: Optimizer, key, value: f64| optimizer.with(key, value).unwrap();
    with(with(optimizer.rate(0.01), "beta2", 0.95), "weight_decay", 1e-3)
}

#[test]
fn a_copy_of_adam_trains_the_same_bits() {
    let around: [fn(&mut Recipe); 4] = [
        |recipe| {
            recipe.gradient.clip_norm = Some(0.2);
            let method = AverageMethod::Ema(Ema { decay: 0.9, debias: true });
            recipe.average = Some(AverageConfig { method, start: 1 });
        },
        |recipe| {
            recipe.lookahead = Some(Lookahead { steps: 3, alpha: 0.5 });
            recipe.average = Some(AverageConfig { method: AverageMethod::Swa, start: 2 });
            recipe.gradient.clip_value = Some(0.01);
        },
        |recipe| {
            recipe.gradient.clip_adaptive = Some(0.01);
            recipe.gradient.l1 = 1e-4;
            recipe.train.accumulate = 3;
        },
        |recipe| {
            recipe.constraint.max_norm = Some(0.5);
            recipe.schedule.weight_decay = Some(Schedule::of(Curve::Cosine { end_factor: 0.0 }));
        },
    ];
    let mut seen = Vec::new();
    for change in around {
        let expected = trained(settings(Optimizer::adam(0.0)), 1, change);
        for threads in [1, 2, 3] {
            assert_eq!(trained(settings(Optimizer::of(&COPIED)), threads, change), expected, "{threads}");
        }
        // It would be seen if it were another rule.
        let other = settings(Optimizer::of(&COPIED)).with("epsilon", 1e-3).unwrap();
        assert_ne!(trained(other, 1, change), expected);
        assert!(!seen.contains(&expected));
        seen.push(expected);
    }
}

#[test]
fn steps_of_the_callers_take_it_too() {
    let run = |optimizer: Optimizer| {
        let mut model = model();
        let mut steps =
            Trainer::new().optimizer(optimizer).clip_norm(0.5).threads(2).steps(&mut model).unwrap();
        let x: Vec<f32> = (0..70).map(|i| (i as f32).cos()).collect();
        for _ in 0..5 {
            steps.step(&x, &[0, 1, 2, 0, 1, 2, 0, 1, 2, 0]).unwrap();
        }
        drop(steps);
        bits_of(&model)
    };
    assert_eq!(run(settings(Optimizer::of(&COPIED))), run(settings(Optimizer::adam(0.0))));
}

const TEXT: &str = "name = \"own\"\n[data]\nset = \"digits\"\ntrain_samples = 200\ntest_samples = 50\n\
                    [[model.layers]]\ntype = \"dense\"\nunits = 10\n[train]\nepochs = 1\n";

#[test]
fn once_registered_it_has_a_name_in_recipes_and_saved_models() {
    let named = |name: &str| {
        Recipe::parse(&format!("{TEXT}[optimizer]\nname = \"{name}\"\nweight_decay = 0.25\n"), "own.toml")
    };
    let error = named("adam-registerd").unwrap_err().to_string();
    assert!(error.contains("own.toml: `optimizer.name`: unknown optimizer `adam-registerd`"), "{error}");

    REGISTERED.register().unwrap();
    REGISTERED.register().unwrap();
    assert_eq!(optimizer_names().filter(|name| *name == "adam-registered").count(), 1);
    assert_eq!(optimizer_kind("adam-registered", "test").unwrap().formula, "as adam");
    let error = named("adam-registerd").unwrap_err().to_string();
    assert!(error.ends_with("did you mean `adam-registered`?"), "{error}");

    let recipe = named("adam-registered").unwrap();
    assert_eq!(
        (recipe.optimizer.learning_rate, recipe.optimizer.values().number("weight_decay")),
        (2e-3, 0.25)
    );
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    // What `--optimizer` and `--set` do.
    let overrides =
        [Override::new("optimizer.name", "adam-registered"), Override::new("optimizer.beta1", 0.5)];
    assert_eq!(
        Recipe::parse_with(TEXT, "own.toml", &overrides).unwrap().optimizer.values().number("beta1"),
        0.5
    );
    let wrong = [Override::new("optimizer.name", "adam-registered"), Override::new("optimizer.beta1", 1.5)];
    let error = Recipe::parse_with(TEXT, "own.toml", &wrong).unwrap_err().to_string();
    assert_eq!(error, "command line: `optimizer.beta1`: expected a number in [0, 1), found 1.5");

    let data = train::dataset::load(&recipe.data, None).unwrap();
    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, 1).unwrap();
    runs::run(&mut model, &data, &recipe, 2).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    saved::save(&path, &model, &recipe, data.train.shape(), data.classes, data.train.element_type()).unwrap();
    let again = saved::load(&path).unwrap();
    assert_eq!((&again.recipe, bits_of(&again.model)), (&recipe, bits_of(&model)));
    assert_eq!(again.recipe.optimizer.kind().source, "this test");
}

/// A program that trains with a rule need not register it; to read a text that names it, it must.
#[test]
fn a_rule_that_is_not_registered_is_not_known_by_name() {
    let recipe = Recipe { optimizer: Optimizer::of(&COPIED), ..Recipe::built_in("digits-mlp").unwrap() };
    recipe.check("program").unwrap();
    let error = Recipe::parse(&recipe.to_toml(), "text").unwrap_err().to_string();
    assert!(error.contains("text: `optimizer.name`: unknown optimizer `adam-copied`"), "{error}");
}

#[test]
fn what_cannot_be_registered_is_refused() {
    macro_rules! refused {
        ($kind:expr) => {{
            static KIND: OptimizerKind = $kind;
            let error = KIND.register().unwrap_err().to_string();
            assert!(
                !optimizer_names().any(|name| name == KIND.name && OPTIMIZERS.iter().all(|k| k.name != name))
            );
            let mut model = model();
            let trainer = Trainer::new().optimizer(Optimizer::of(&KIND));
            assert_eq!(trainer.fit(&mut model, &samples()).unwrap_err().to_string(), error);
            error
        }};
    }
    const NUMBER: HyperParameter = HyperParameter::number("part", 0.5, unit_open(), "a part");
    let name = "expected 1 to 40 of a-z, 0-9 and -, a letter first, found";
    for (error, expected) in [
        (refused!(OptimizerKind::new("", 0.1, copied)), format!("update rule ``: `name`: {name} \"\"")),
        (
            refused!(OptimizerKind::new("My Rule", 0.1, copied)),
            format!("update rule `My Rule`: `name`: {name} \"My Rule\""),
        ),
        (
            refused!(OptimizerKind::new("adam", 0.1, copied).hyper_parameters(HYPER_PARAMETERS)),
            "update rule `adam`: `name`: expected a name that no other update rule has, found adam".into(),
        ),
        (
            refused!(OptimizerKind::new("twice", 0.1, copied).hyper_parameters(&[NUMBER, NUMBER])),
            "update rule `twice`: `hyper_parameters`: expected keys that differ, found `part` twice".into(),
        ),
        (
            refused!(OptimizerKind::new("rate", 0.1, copied).hyper_parameters(&[HyperParameter::number(
                "learning_rate",
                0.5,
                unit_open(),
                "a part"
            )])),
            "expected keys that differ, found `learning_rate` twice".into(),
        ),
        (
            refused!(OptimizerKind::new("key", 0.1, copied).hyper_parameters(&[HyperParameter::number(
                "Part",
                0.5,
                unit_open(),
                "a part"
            )])),
            "expected keys of 1 to 40 of a-z, 0-9 and _, a letter first, found \"Part\"".into(),
        ),
        (
            refused!(OptimizerKind::new("default", 0.1, copied).hyper_parameters(&[HyperParameter::number(
                "part",
                1.0,
                unit_open(),
                "a part"
            )])),
            "update rule `default`: `part`: expected by default a number in [0, 1), found 1".into(),
        ),
        (
            refused!(OptimizerKind::new("panics", 0.1, copied)),
            "update rule `panics`: `make`: expected a rule of the defaults, found a panic (internal error"
                .into(),
        ),
        (
            refused!(
                OptimizerKind::new("conflict", 0.1, |_| Box::new(Odd(OddKind::Fine)))
                    .conflict(|_| Some(("part", "another number".into())))
                    .hyper_parameters(&[NUMBER])
            ),
            "update rule `conflict`: `part`: expected by default another number, found 0.5".into(),
        ),
        (
            refused!(OptimizerKind::new("slots", 0.1, |_| Box::new(Odd(OddKind::ManySlots)))),
            "update rule `slots`: `slots`: expected at most 4, found 5".into(),
        ),
        (
            refused!(OptimizerKind::new("backwards", -0.1, |_| Box::new(Odd(OddKind::Fine)))),
            "`learning_rate`: expected by default a number of at least 0, found -0.1".into(),
        ),
    ] {
        assert!(error.contains(&expected), "{error}\n{expected}");
    }
}

#[test]
fn every_rule_for_elements_keeps_its_word() {
    let mut checked = 0;
    for kind in &OPTIMIZERS {
        let config = Optimizer::of(kind);
        let is_for_elements = config.rule().per_tensor().is_none() && !kind.searches();
        match check_rule(&config) {
            Ok(()) => checked += 1,
            Err(error) => {
                assert!(!is_for_elements, "{error}");
                assert!(
                    error.to_string().contains("expected a rule that works element by element"),
                    "{error}"
                );
            }
        }
    }
    assert!(checked >= 17, "{checked}");
    let more = [("momentum", "nesterov"), ("rmsprop", "centered"), ("adamw", "amsgrad")];
    for (name, choice) in more {
        check_rule(&Optimizer::named(name).unwrap().with(choice, true).unwrap()).unwrap();
    }
    check_rule(&settings(Optimizer::of(&COPIED))).unwrap();
}

/// Rules that break their word, each in one way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum OddKind {
    Fine,
    ManySlots,
    IdleSlot,
    MissingSlot,
    NormOfSlice,
    ByIndex,
    WithoutRest,
    Counting,
    DividesByGradient,
    WithoutRate,
    WithoutMomentum,
    Still,
    NotFinite,
}

#[derive(Debug)]
struct Odd(OddKind);

/// What a rule must not have.
static CALLS: AtomicU32 = AtomicU32::new(0);

impl Rule for Odd {
    fn slots(&self) -> usize {
        match self.0 {
            OddKind::ManySlots => 5,
            OddKind::IdleSlot => 1,
            _ => 0,
        }
    }

    fn momentum(&self) -> Option<f64> {
        (self.0 == OddKind::WithoutMomentum).then_some(0.9)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        match self.0 {
            OddKind::WithoutRate => coefficients([0.1]),
            OddKind::NotFinite => coefficients([1.0 / (settings.step as f64 - 10.0)]),
            _ => coefficients([settings.learning_rate]),
        }
    }

    fn apply(&self, &[rate, ..]: &Coefficients, p: &mut [f32], g: &mut [f32], slots: &mut [&mut [f32]]) {
        let factor = match self.0 {
            OddKind::Still => return,
            OddKind::NormOfSlice => 1.0 / g.iter().map(|g| g * g).sum::<f32>().max(1e-3),
            OddKind::Counting => 1.0 + CALLS.fetch_add(1, Ordering::Relaxed) as f32,
            OddKind::MissingSlot => slots[0][0],
            _ => 1.0,
        };
        let most = if self.0 == OddKind::WithoutRest { p.len() / 8 * 8 } else { p.len() };
        for (index, (p, g)) in p.iter_mut().zip(g).take(most).enumerate() {
            *p -= match self.0 {
                OddKind::ByIndex => rate * *g * (1 + index % 2) as f32,
                OddKind::DividesByGradient => rate * *g * *g / (*g + f32::from(*g == 0.0 && *p != 0.0)),
                _ => rate * factor * *g,
            };
        }
    }
}

#[test]
fn a_rule_that_breaks_its_word_is_found() {
    macro_rules! found {
        ($kind:ident) => {{
            static KIND: OptimizerKind = OptimizerKind::new("odd", 0.1, |_| Box::new(Odd(OddKind::$kind)));
            check_rule(&Optimizer::of(&KIND)).map_err(|error| error.to_string())
        }};
    }
    assert_eq!(found!(Fine), Ok(()));
    for (found, expected) in [
        (found!(ManySlots), "`slots`: expected at most 4, found 5"),
        (found!(IdleSlot), "expected slots that are written to, 1 of them, found slot 0 still 0"),
        (
            found!(MissingSlot),
            "its work of the update rule `odd`: expected no panic, found a panic (index out of",
        ),
        (found!(NormOfSlice), "parameter 0 after 20 steps of the update rule `odd`: expected"),
        (found!(ByIndex), "with slices cut at [1]"),
        (found!(WithoutRest), "with slices cut at [1]"),
        (found!(Counting), "with slices not cut"),
        (found!(DividesByGradient), "expected finite, of zeros and a gradient of 0, found NaN"),
        (found!(WithoutRate), "expected another step with learning rate 0.05 than with 0.1, found the same"),
        (
            found!(WithoutMomentum),
            "another step with the scheduled momentum 0.45 than with 0.9, found the same",
        ),
        (found!(Still), "parameters of the update rule `odd`: expected moved by 20 steps"),
        (
            found!(NotFinite),
            "coefficients of step 10 of the update rule `odd`: expected finite numbers, found inf",
        ),
    ] {
        let error = found.expect_err(expected);
        assert!(error.contains(expected), "{error}\n{expected}");
    }
}
