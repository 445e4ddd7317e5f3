//! Global methods in whole runs: small networks that they train, what they report, and what is refused.

use crate::common::runs;
use fallline::engine::model::Model;
use fallline::{Activation, Loss, Optimizer, Samples, TrainRecord, Trainer};

const RULES: [(&str, &[(&str, &str)]); 4] =
    [("annealing", &[]), ("genetic", &[]), ("cma-es", &[]), ("cma-es", &[("covariance", "diagonal")])];

fn xor() -> Samples {
    Samples::from_rows(vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], 2).classes(vec![0, 1, 1, 0]).unwrap()
}

/// 2-4-1 with the logistic loss: 17 parameters, stored with more numbers than that.
fn network() -> Model {
    let layers = Model::sequential(2).dense(4, Activation::TANH).dense(1, Activation::IDENTITY);
    layers.loss(Loss::BINARY_CROSS_ENTROPY).build().unwrap()
}

fn rule(name: &str, names: &[(&str, &'static str)]) -> Optimizer {
    let rule = Optimizer::named(name).unwrap();
    names.iter().fold(rule, |rule, &(key, value)| rule.with(key, value).unwrap())
}

fn fitted(rule: Optimizer, epochs: usize, threads: usize) -> (TrainRecord, Model) {
    let mut model = network();
    // Class 1 or not: one output.
    let values = Samples::from_rows(vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], 2);
    let samples = values.values(vec![0.0, 1.0, 1.0, 0.0]).unwrap();
    let trainer = Trainer::new().optimizer(rule).epochs(epochs).threads(threads);
    let record = trainer.fit(&mut model, &samples).unwrap();
    (record, model)
}

#[test]
fn every_method_learns_xor_and_the_model_is_the_best_point() {
    for (name, names) in RULES {
        let (record, model) = fitted(rule(name, names).rate(0.3), 200, 1);
        let losses: Vec<f64> = record.epochs.iter().map(|epoch| epoch.train_loss).collect();
        let last = *losses.last().unwrap();
        println!("{name} {names:?}: {:.4} to {last:.4} in {} epochs", losses[0], losses.len());
        assert!(last < 0.35, "{name} {names:?}: {last}");
        assert!(losses.is_sorted_by(|a, b| a >= b), "{name}: the best is not kept");
        let evaluations = record.epochs[1].evaluations.unwrap();
        let expected = if name == "annealing" {
            100
        } else if name == "genetic" {
            38
        } else {
            12
        };
        assert_eq!(evaluations, expected, "{name}");
        // What pads the parameters in storage is still 0: only what files hold counts.
        let held: f64 = model.tensors().iter().flat_map(|t| &t.values).map(|&p| f64::from(p).abs()).sum();
        let stored: f64 = model.storage().iter().map(|&p| f64::from(p).abs()).sum();
        assert!((held - stored).abs() < 1e-9 * stored, "{name}: {held} {stored}");
        assert!(model.storage().len() > model.parameters());
    }
    // Without mutation or parents nothing is learnt.
    let lame = rule("genetic", &[]).rate(0.3).with("mutation_rate", 0.0).unwrap();
    let lame = lame.with("crossover_rate", 0.0).unwrap().with("spread", 0.0).unwrap();
    let (record, _) = fitted(lame, 200, 1);
    assert!(record.epochs.last().unwrap().train_loss > 0.5);
}

#[test]
fn the_bits_are_those_of_any_number_of_threads() {
    for (name, names) in RULES {
        for local in ["none", "lbfgs", "cg"] {
            let rule = rule(name, names).with("local", local).unwrap();
            let rule = rule.with("restarts", 1).unwrap().with("local_iterations", 2).unwrap();
            let bits = |threads| {
                let (record, model) = fitted(rule.clone(), 6, threads);
                let losses: Vec<u64> = record.epochs.iter().map(|epoch| epoch.train_loss.to_bits()).collect();
                let parameters: Vec<u32> = model.storage().iter().map(|p| p.to_bits()).collect();
                (losses, parameters)
            };
            let alone = bits(1);
            for threads in [2, 3] {
                assert_eq!(alone, bits(threads), "{name} {local}, {threads} threads");
            }
        }
    }
}

#[test]
fn descents_begin_anew_and_keep_the_best() {
    let lbfgs = || Optimizer::named("lbfgs").unwrap();
    let (once, _) = fitted(lbfgs(), 240, 1);
    let (often, _) = fitted(lbfgs().with("restarts", 5).unwrap().with("spread", 1.0).unwrap(), 240, 1);
    let losses: Vec<f64> = often.epochs.iter().map(|epoch| epoch.train_loss).collect();
    assert!(losses.is_sorted_by(|a, b| a >= b), "{losses:?}");
    assert!(*losses.last().unwrap() <= once.epochs.last().unwrap().train_loss + 1e-3, "{losses:?}");
    // The first share of the epochs is the descent from the model's own weights.
    let mut share = once.epochs.iter().zip(&often.epochs).take(9);
    assert!(share.all(|(one, other)| (one.train_loss - other.train_loss).abs() < 1e-6));
}

#[test]
fn what_a_global_method_has_no_place_for_is_refused() {
    let recipe = |settings: &[&str]| {
        let text = "name = \"small\"\n[data]\nset = \"digits\"\n[model]\n\
            [[model.layers]]\ntype = \"dense\"\nunits = 10\n[optimizer]\nname = \"cma-es\"\n[train]\nepochs = 2\n";
        let overrides: Vec<_> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
        fallline::engine::model::Recipe::parse_with(text, "small", &overrides)
    };
    let error = |settings: &[&str]| recipe(settings).unwrap_err().to_string();
    let found = error(&["lookahead.steps=2"]);
    assert!(
        found.contains("`lookahead`: expected none with the optimizer `cma-es`, which keeps the best point"),
        "{found}"
    );
    let found = error(&["optimizer.name=lbfgs", "optimizer.restarts=2", "lookahead.steps=2"]);
    assert!(found.contains("with the optimizer `lbfgs` and `restarts`"), "{found}");
    assert!(recipe(&["optimizer.name=lbfgs", "lookahead.steps=2"]).is_ok());
    let found = error(&["schedule.name=cosine"]);
    assert!(
        found.contains("with the optimizer `cma-es`, whose search finds each step, found cosine"),
        "{found}"
    );
    let found = error(&["optimizer.population=3"]);
    assert!(
        found.contains("`optimizer.population`: expected 0 or an integer from 4 to 10000, found 3"),
        "{found}"
    );
    let found = error(&["optimizer.name=annealing", "optimizer.final_temperature=1"]);
    assert!(
        found
            .contains("`optimizer.final_temperature`: expected at most `initial_temperature` (0.1), found 1"),
        "{found}"
    );
    let found = error(&["optimizer.name=genetic", "optimizer.tournament=50"]);
    assert!(
        found.contains("`optimizer.tournament`: expected at most `population` (40), found 50"),
        "{found}"
    );
    assert!(error(&["optimizer.local=sgd"]).contains("unknown local `sgd`"));

    // 7,850 parameters are too many for a full covariance, not for a diagonal one.
    let data = runs::digits(40, 20);
    let run = |settings: &[&str]| {
        let recipe = recipe(settings).unwrap();
        runs::run(&mut runs::build(&recipe, data), data, &recipe, 1)
    };
    let found = run(&[]).unwrap_err().to_string();
    let expected = "number of parameters for a global search: expected at most 1000 (with `covariance = \"diagonal\"` \
                    at most 100000), found 7850";
    assert_eq!(found, expected);
    let record = run(&["optimizer.covariance=diagonal"]).unwrap();
    assert!(record.epochs[1].train_loss <= record.epochs[0].train_loss);
}

#[test]
fn classes_are_learnt_too() {
    let samples = xor();
    for (name, names) in RULES {
        let layers = Model::sequential(2).dense(4, Activation::TANH).dense(2, Activation::IDENTITY);
        let mut model = layers.build().unwrap();
        let rule =
            rule(name, names).rate(0.3).with("local", "lbfgs").unwrap().with("local_iterations", 40).unwrap();
        let trainer = Trainer::new().optimizer(rule).epochs(40).threads(1);
        trainer.fit(&mut model, &samples).unwrap();
        let seen = trainer.evaluate(&model, &samples).unwrap();
        println!("{name} {names:?} with descent: {:.6}", seen.loss);
        assert!(seen.accuracy == Some(1.0) && seen.loss < 0.05, "{name}: {seen:?}");
    }
}
