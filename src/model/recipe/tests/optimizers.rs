//! Every update rule that a recipe may name, with all of its hyper-parameters.

use super::*;
use crate::optim::full_batch::{Formula, Method};
use crate::optim::global::GlobalMethod;
use crate::optim::{
    Adabelief, Adadelta, Adafactor, Adagrad, Adam, Adamax, Adan, FullBatch, Lamb, Lion, Muon, Nadam, Radam,
    Rmsprop, Rprop, ScheduleFree, Sgd, Yogi,
};

fn with(settings: &[String]) -> crate::Result<Recipe> {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Recipe::parse_with(SMALL, "small.toml", &overrides(&settings))
}

fn named(kind: &OptimizerKind, key: &str, value: &str) -> crate::Result<Recipe> {
    with(&[format!("optimizer.name={}", kind.name), format!("optimizer.{key}={value}")])
}

#[test]
fn names_and_keys_are_unique() {
    let names: Vec<&str> = optimizer_names().collect();
    for (index, kind) in OPTIMIZERS.iter().enumerate() {
        assert!(!names[..index].contains(&kind.name), "{}", kind.name);
        let keys: Vec<&str> = kind.hyper_parameters.iter().map(|parameter| parameter.key).collect();
        assert!(keys.iter().enumerate().all(|(at, key)| !keys[..at].contains(key)), "{}", kind.name);
    }
    assert_eq!(optimizer_kind("adam", "test").unwrap().name, "adam");
    let error = optimizer_kind("adem", "here").unwrap_err().to_string();
    assert_eq!(error, "here: unknown optimizer `adem`; did you mean `adam`?");
}

/// The defaults of the table are those of the rules, which are PyTorch's.
#[test]
fn each_name_is_its_rule() {
    let momentum = Sgd { momentum: 0.9, ..Sgd::default() };
    let adam = Adam::default();
    let cg = Method::ConjugateGradient { formula: Formula::PolakRibiere };
    let rules: [(&str, f64, Box<dyn crate::optim::Rule>); 26] = [
        ("sgd", 0.1, Box::new(Sgd::default())),
        ("momentum", 0.05, Box::new(momentum)),
        ("nesterov", 0.05, Box::new(Sgd { nesterov: true, ..momentum })),
        ("adagrad", 0.02, Box::new(Adagrad::default())),
        ("rmsprop", 1e-3, Box::new(Rmsprop::default())),
        ("adadelta", 1.0, Box::new(Adadelta::default())),
        ("adam", 1e-3, Box::new(adam)),
        ("amsgrad", 1e-3, Box::new(Adam { amsgrad: true, ..adam })),
        ("adamw", 1e-3, Box::new(Adam { decoupled: true, weight_decay: 0.01, ..adam })),
        ("adamax", 2e-3, Box::new(Adamax::default())),
        ("nadam", 2e-3, Box::new(Nadam::default())),
        ("radam", 1e-3, Box::new(Radam::default())),
        ("lion", 3e-4, Box::new(Lion::default())),
        ("yogi", 0.01, Box::new(Yogi::default())),
        ("adabelief", 1e-3, Box::new(Adabelief::default())),
        ("adan", 5e-3, Box::new(Adan::default())),
        ("schedule-free-adamw", 2.5e-3, Box::new(ScheduleFree::default())),
        ("lamb", 2e-3, Box::new(Lamb::default())),
        ("adafactor", 0.02, Box::new(Adafactor::default())),
        ("muon", 5e-3, Box::new(Muon::default())),
        ("rprop", 0.01, Box::new(Rprop::default())),
        ("lbfgs", 1.0, Box::new(FullBatch::new(Method::Lbfgs { history_size: 100 }))),
        ("cg", 1.0, Box::new(FullBatch::new(cg))),
        ("annealing", 0.1, Box::new(FullBatch::global(GlobalMethod::Annealing(Default::default())))),
        ("genetic", 0.1, Box::new(FullBatch::global(GlobalMethod::Genetic(Default::default())))),
        ("cma-es", 0.3, Box::new(FullBatch::global(GlobalMethod::CmaEs(Default::default())))),
    ];
    assert_eq!(rules.len(), OPTIMIZERS.len());
    for (name, rate, rule) in rules {
        let optimizer = with(&[format!("optimizer.name={name}")]).unwrap().optimizer;
        assert_eq!((optimizer.name(), optimizer.learning_rate), (name, rate));
        assert_eq!(format!("{:?}", optimizer.rule()), format!("{rule:?}"), "{name}");
    }
}

/// No hyper-parameter is ignored: another value makes another rule, and is written back.
#[test]
fn every_hyper_parameter_reaches_its_rule_and_is_written_back() {
    for kind in &OPTIMIZERS {
        let default = Optimizer::of(kind);
        for parameter in kind.hyper_parameters {
            let values: &[&str] = match parameter.default() {
                HyperValue::Number(_) => &["0.125", "1.75", "0.03125"],
                HyperValue::Integer(_) => &["7"],
                HyperValue::Choice(choice) => &[if choice { "false" } else { "true" }],
                HyperValue::Name(_) => &["match-rms-adamw", "hestenes-stiefel", "linear", "diagonal", "cg"],
                other => panic!("no rule has {other:?}"),
            };
            let tried = values.iter().find_map(|value| named(kind, parameter.key, value).ok());
            let recipe = tried.unwrap_or_else(|| panic!("{} takes none of {values:?}", parameter.key));
            let what = format!("{} of {}", parameter.key, kind.name);
            assert_ne!(recipe.optimizer, default, "{what}");
            let [one, other] = [&recipe.optimizer, &default].map(|config| format!("{:?}", config.rule()));
            assert_ne!(one, other, "{what}");
            assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe, "{what}");
        }
        let recipe = named(kind, "learning_rate", "0.375").unwrap();
        assert_eq!(recipe.optimizer.learning_rate, 0.375);
        assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    }
}

#[test]
fn numbers_out_of_range_are_refused_with_key_value_and_range() {
    for kind in &OPTIMIZERS {
        let numbers = kind.hyper_parameters.iter().filter_map(|parameter| match parameter.default() {
            HyperValue::Number(_) => Some((parameter.key, parameter.range())),
            _ => None,
        });
        for (key, range) in numbers.chain([("learning_rate", kind.learning_rate_range().to_string())]) {
            for (value, found) in [("nan", "NaN"), ("-0.5", "-0.5"), ("inf", "inf"), ("-inf", "-inf")] {
                // The coefficients of a polynomial.
                if range == "a finite number" && value == "-0.5" {
                    assert!(named(kind, key, value).is_ok(), "{key}");
                    continue;
                }
                let error = named(kind, key, value).unwrap_err().to_string();
                let expected = format!("command line: `optimizer.{key}`: expected {range}, found {found}");
                assert_eq!(error, expected, "{}", kind.name);
            }
            // A part that is kept in a step.
            if range == "a number in [0, 1)" {
                assert!(named(kind, key, "1").is_err() && named(kind, key, "0.0001").is_ok(), "{key}");
            }
        }
        let unknown = named(kind, "alhpa", "0.5").unwrap_err().to_string();
        assert!(unknown.starts_with("command line: unknown key `optimizer.alhpa`; "), "{unknown}");
    }
}

#[test]
fn parts_that_must_be_below_1_are() {
    let mut parts = 0;
    for kind in &OPTIMIZERS {
        for parameter in kind.hyper_parameters {
            if [
                "beta1",
                "beta2",
                "beta3",
                "adam_beta1",
                "adam_beta2",
                "rho",
                "alpha",
                "momentum",
                "dampening",
            ]
            .contains(&parameter.key)
            {
                assert_eq!(parameter.range(), "a number in [0, 1)", "{} of {}", parameter.key, kind.name);
                parts += 1;
            }
        }
    }
    assert_eq!(parts, 13 * 2 + 8);
}

#[test]
fn hyper_parameters_that_do_not_go_together_are_refused() {
    for (settings, message) in [
        (
            &["optimizer.name=rprop", "optimizer.smallest=2", "optimizer.largest=1"][..],
            "`optimizer.largest`: expected a number of at least `smallest` (2), found 1",
        ),
        (
            &["optimizer.name=momentum", "optimizer.nesterov=true", "optimizer.momentum=0"],
            "`optimizer.momentum`: expected a number above 0 for Nesterov's step, found 0",
        ),
        (&["optimizer.name=rprop", "optimizer.grow=1"], "expected a number above 1, found 1"),
        (&["optimizer.name=rprop", "optimizer.shrink=1"], "expected a number in (0, 1), found 1"),
        (&["optimizer.name=rmsprop", "optimizer.centered=1"], "expected true or false, found the integer 1"),
        (
            &["optimizer.name=muon", "optimizer.newton_schulz_steps=0"],
            "`optimizer.newton_schulz_steps`: expected an integer from 1 to 99, found 0",
        ),
        (
            &["optimizer.name=muon", "optimizer.newton_schulz_steps=2.5"],
            "expected an integer from 1 to 99, found the number 2.5",
        ),
        (
            &["optimizer.name=muon", "optimizer.adjust_learning_rate=match-rms"],
            "`optimizer.adjust_learning_rate`: unknown adjust_learning_rate `match-rms`; \
             did you mean `match-rms-adamw`?",
        ),
        (
            &["optimizer.name=lbfgs", "optimizer.history_size=0"],
            "`optimizer.history_size`: expected an integer from 1 to 10000, found 0",
        ),
        (&["optimizer.name=cg", "optimizer.max_eval=0"], "expected an integer from 1 to 10000, found 0"),
        (
            &["optimizer.name=cg", "optimizer.formula=polak-ribier"],
            "`optimizer.formula`: unknown formula `polak-ribier`; did you mean `polak-ribiere`?",
        ),
        (
            &["optimizer.name=lbfgs", "optimizer.learning_rate=0"],
            "`optimizer.learning_rate`: expected a number above 0, found 0",
        ),
        (
            &["optimizer.name=lbfgs", "schedule.name=cosine"],
            "command line: `schedule.name`: expected `constant` with the optimizer `lbfgs`, whose line \
             search finds each step, found cosine",
        ),
        (&["optimizer.name=cg", "schedule.warmup_steps=3"], "`schedule`: expected `constant` with"),
        (
            &["optimizer.name=cg", "optimizer.weight_decay=1", "schedule.weight_decay.name=cosine"],
            "`schedule.weight_decay`: expected none with the optimizer `cg`",
        ),
        (
            &["optimizer.name=lbfgs", "schedule.momentum.name=cosine"],
            "`schedule.momentum`: expected none with the optimizer `lbfgs`, which has no momentum",
        ),
        (
            &["optimizer.name=lbfgs", "gradient.l1=0.1"],
            "command line: `gradient.l1`: expected 0 with the optimizer `lbfgs`, which needs a smooth loss \
             (`optimizer.weight_decay` is smooth), found 0.1",
        ),
        (&["optimizer.name=cg", "gradient.clip_norm=1"], "`gradient.clip_norm`: expected none with"),
        (&["optimizer.name=cg", "gradient.clip_value=1"], "`gradient.clip_value`: expected none with"),
        (&["optimizer.name=cg", "gradient.clip_adaptive=1"], "`gradient.clip_adaptive`: expected none with"),
        (&["optimizer.name=lbfgs", "constraint.max_norm=1"], "`constraint.max_norm`: expected none with"),
        (
            &["train.batch=all", "train.accumulate=2"],
            "`train.accumulate`: expected 1 with `batch = \"all\"`, found 2",
        ),
        (
            &["train.batch=most"],
            "`train.batch`: expected an integer from 1 to 100000000, or \"all\", found the text \"most\"",
        ),
        (
            &["optimizer.name=schedule-free-adamw", "schedule.name=cosine"],
            "command line: `schedule.name`: expected `constant` with the optimizer `schedule-free-adamw`, which \
             averages instead, and has a warm-up of its own, found cosine",
        ),
        (
            &["optimizer.name=schedule-free-adamw", "schedule.warmup_steps=3"],
            "`schedule`: expected `constant` with the optimizer `schedule-free-adamw`",
        ),
        (
            &["optimizer.name=schedule-free-adamw", "schedule.momentum.name=cosine"],
            "`schedule.momentum`: expected none with the optimizer `schedule-free-adamw`, which has no momentum",
        ),
        (
            &["optimizer.name=schedule-free-adamw", "average.method=swa"],
            "command line: `average`: expected none with the optimizer `schedule-free-adamw`, which averages by \
             itself, found swa",
        ),
        (
            &["optimizer.name=schedule-free-adamw", "lookahead.steps=5"],
            "command line: `lookahead`: expected none with the optimizer `schedule-free-adamw`",
        ),
        (
            &["optimizer.name=schedule-free-adamw", "constraint.max_norm=2"],
            "command line: `constraint.max_norm`: expected none with the optimizer `schedule-free-adamw`, whose average",
        ),
        (
            &["optimizer.name=schedule-free-adamw", "optimizer.warmup_steps=-1"],
            "`optimizer.warmup_steps`: expected an integer from 0 to 1000000000, found -1",
        ),
        // It would be 0 in the kernel.
        (
            &["optimizer.epsilon=1e-60"],
            "`optimizer.epsilon`: expected a number of at least 1.2e-38, found 0.0",
        ),
    ] {
        assert!(refusal(settings).contains(message), "{}", refusal(settings));
    }
    assert!(
        with(&["optimizer.name=rprop", "optimizer.smallest=2", "optimizer.largest=2"].map(String::from))
            .is_ok()
    );
}

#[test]
fn all_samples_are_the_batch_of_rules_for_the_full_batch() {
    for kind in &OPTIMIZERS {
        let recipe = with(&[format!("optimizer.name={}", kind.name)]).unwrap();
        assert_eq!(recipe.train.takes_all(), kind.full_batch, "{}", kind.name);
        assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
        let all = with(&[format!("optimizer.name={}", kind.name), "train.batch=all".into()]).unwrap();
        assert!(all.train.takes_all() && check_samples(&all, 1_000_000).is_ok(), "{}", kind.name);
        assert_eq!(Recipe::parse(&all.to_toml(), "copy").unwrap(), all);

        let refused = |settings: &[&str], samples| {
            let name = format!("optimizer.name={}", kind.name);
            let settings: Vec<String> = settings.iter().map(|s| s.to_string()).chain([name]).collect();
            check_samples(&with(&settings).unwrap(), samples).err().map(|error| error.to_string())
        };
        assert_eq!(refused(&["train.batch=100"], 100), None);
        assert_eq!(refused(&["train.batch=50", "train.accumulate=2"], 100), None);
        let expected = format!(
            "recipe small: `train.batch`: expected \"all\", or at least the 101 samples that are trained on, \
             with the optimizer `{}`, found ",
            kind.name
        );
        let found = |found: &str| kind.full_batch.then(|| format!("{expected}{found}"));
        assert_eq!(refused(&["train.batch=100"], 101), found("100"));
        assert_eq!(refused(&["train.batch=50", "train.accumulate=2"], 101), found("2 x 50"));
    }
}

/// A recipe that a program made is checked as one that was read.
#[test]
fn what_a_search_has_no_place_for_is_refused_without_a_text() {
    let good = with(&["optimizer.name=lbfgs".into()]).unwrap();
    assert!(check_samples(&good, 10).is_ok());
    let refused = |change: fn(&mut Recipe)| {
        let mut recipe = good.clone();
        change(&mut recipe);
        check_samples(&recipe, 10).unwrap_err().to_string()
    };
    assert!(refused(|recipe| recipe.optimizer.learning_rate = 0.0).contains("`optimizer.learning_rate`"));
    assert!(refused(|recipe| recipe.gradient.l1 = 1.0).contains("`gradient.l1`"));
    assert!(refused(|recipe| recipe.gradient.clip_norm = Some(1.0)).contains("`gradient.clip_norm`"));
    assert!(refused(|recipe| recipe.train.batch = 9).contains("`train.batch`"));
    assert!(refused(|recipe| recipe.train.accumulate = 2).contains("`train.accumulate`"));
}
