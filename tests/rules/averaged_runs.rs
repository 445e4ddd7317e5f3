//! Lookahead, EMA and SWA in whole trainings: what is trained, what is tried and kept, and when.

use crate::common::compare::bits;
use crate::common::runs::{epoch, recorded, run};
use crate::common::small::{build, digits, noise, recipe};
use fallline::data::DataSet;
use fallline::engine::model::recipe::{AverageConfig, AverageMethod};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::optim::average::{blend, equal_weight, synchronise};
use fallline::engine::optim::{Ema, Lookahead};
use fallline::engine::team::Team;
use fallline::engine::train::{Session, TrainRecord};

/// Of an epoch.
const STEPS: usize = 10;

fn trained_on(recipe: &Recipe, data: &DataSet, threads: usize) -> (TrainRecord, Model, Vec<f64>) {
    let mut model = build(recipe);
    let (record, recorder) = recorded(&mut model, data, recipe, threads).unwrap();
    (record, model, recorder.losses)
}

fn trained(settings: &[&str]) -> (TrainRecord, Model, Vec<f64>) {
    trained_on(&recipe(settings), digits(), 2)
}

/// Bit by bit; a message with all of them would help nobody.
#[track_caller]
fn assert_same(found: &[f32], expected: &[f32], when: &str) {
    let wrong = bits(found).iter().zip(bits(expected)).filter(|(a, b)| *a != b).count();
    assert!(found.len() == expected.len() && wrong == 0, "{wrong} of {} parameters {when}", found.len());
}

/// The parameters before the first step and after each of so many, without any average.
fn trajectory(settings: &[&str], steps: usize) -> Vec<Vec<f32>> {
    let after = |step: usize| {
        let until = format!("stop.steps={step}");
        trained(&[settings, &[until.as_str()]].concat()).1.storage().to_vec()
    };
    [build(&recipe(&[])).storage().to_vec()].into_iter().chain((1..=steps).map(after)).collect()
}

/// The model that is left, and the losses of the steps, after so many steps.
fn left(settings: &[&str], steps: usize) -> (Vec<f32>, Vec<f64>) {
    let (_, model, losses) = trained(&[settings, &[format!("stop.steps={steps}").as_str()]].concat());
    (model.storage().to_vec(), losses)
}

#[test]
fn a_moving_average_is_that_of_the_parameters_after_each_step() {
    // With what comes before and after an update: penalty, clipping, a schedule, several batches a step.
    let others: [&[&str]; 3] = [
        &[],
        &["gradient.clip_norm=0.5", "gradient.l1=1e-5", "schedule.name=cosine"],
        &["train.batch=20", "train.accumulate=3", "optimizer.name=adam", "data.validation=60"],
    ];
    for other in others {
        let raw = trajectory(other, 3 * STEPS);
        let plain = trained(&[other, &["train.epochs=4"]].concat()).2;
        let per_epoch = if other.contains(&"data.validation=60") { 9 } else { STEPS };
        for (decay, debias) in [(0.9, true), (0.9, false)] {
            let ema = Ema { decay, debias };
            let settings = [
                other,
                &["average.method=ema", "average.decay=0.9", "average.start=2"],
                &[if debias { "average.debias=true" } else { "average.debias=false" }],
            ]
            .concat();
            let config = recipe(&settings).average;
            assert_eq!(config, Some(AverageConfig { method: AverageMethod::Ema(ema), start: 2 }));
            for steps in [5, per_epoch, per_epoch + 1, 2 * per_epoch + 5, 3 * STEPS] {
                let (model, losses) = left(&settings, steps);
                assert_eq!(losses, plain[..steps], "what is trained is not the average");
                let mut expected = raw[steps].clone();
                if steps > per_epoch {
                    for (count, raw) in (1..).zip(&raw[per_epoch + 1..=steps]) {
                        blend(&mut expected, raw, ema.weight(count));
                    }
                    assert_eq!(bits(&expected) == bits(&raw[steps]), steps == per_epoch + 1);
                }
                assert_same(&model, &expected, &format!("with {settings:?} after {steps} steps"));
            }
        }
    }
}

#[test]
fn an_equal_average_is_that_of_the_ends_of_epochs() {
    let raw = trajectory(&[], 4 * STEPS);
    let plain = trained(&[]).2;
    let settings = ["average.method=swa", "average.start=2"];
    for (steps, epochs) in [(15, &[][..]), (20, &[20]), (25, &[20]), (35, &[20, 30]), (40, &[20, 30, 40])] {
        let (model, losses) = left(&settings, steps);
        assert_eq!(losses, plain[..steps]);
        let mut expected = raw[steps].clone();
        for (count, &end) in (1..).zip(epochs) {
            blend(&mut expected, &raw[end], equal_weight(count));
        }
        assert_same(&model, &expected, &format!("after {steps} steps"));
    }
}

/// Every epoch is one step, and a step of this rule depends on the parameters alone.
#[test]
fn lookahead_goes_back_and_on_from_there() {
    let settings = [
        "optimizer.name=sgd",
        "optimizer.learning_rate=0.3",
        "train.batch=600",
        "train.epochs=13",
        // Sums over the samples are taken in their order.
        "train.shuffle=false",
    ];
    let plain = recipe(&settings);
    let team = Team::new(2).unwrap();
    let step = |from: &[f32]| {
        let mut model = build(&plain);
        model.parts_mut().1.copy_from_slice(from);
        let mut session = Session::new(&mut model, &digits().train, &plain, &team).unwrap();
        epoch(&mut session).unwrap();
        session.model().storage().to_vec()
    };
    for (k, alpha) in [(5, 0.5), (1, 0.3), (3, 1.0)] {
        let lookahead = Lookahead { steps: k, alpha };
        for averaged in [false, true] {
            let mut fast = build(&plain).storage().to_vec();
            let mut slow = fast.clone();
            let ema = if averaged { &["average.method=ema"][..] } else { &[] };
            let [k, alpha] = [format!("lookahead.steps={k}"), format!("lookahead.alpha={alpha}")];
            let recipe = recipe(&[&settings[..], &[k.as_str(), alpha.as_str()], ema].concat());
            assert_eq!(recipe.lookahead, Some(lookahead));
            let mut average = fast.clone();
            let mut model = build(&recipe);
            let mut session = Session::new(&mut model, &digits().train, &recipe, &team).unwrap();
            for number in 1..=13 {
                epoch(&mut session).unwrap();
                fast = step(&fast);
                if let Some(alpha) = lookahead.due(number) {
                    synchronise(&mut fast, &mut slow, alpha);
                }
                blend(&mut average, &fast, Ema { decay: 0.999, debias: true }.weight(number));
                let expected = if averaged { &average } else { &slow };
                assert_same(session.model().storage(), expected, &format!("{lookahead:?}, step {number}"));
            }
        }
    }
}

/// All samples in each step, in their order.
const SEARCH: [&str; 3] = ["train.batch=all", "optimizer.learning_rate=1", "train.epochs=9"];

#[test]
fn a_search_is_averaged_over_its_iterations() {
    for optimizer in ["optimizer.name=lbfgs", "optimizer.name=cg"] {
        let search = [&SEARCH[..], &[optimizer]].concat();
        let raw = trajectory(&search, 9);
        for (settings, weight) in [
            (
                &["average.method=ema", "average.decay=0.7", "average.start=3"][..],
                &(|n| Ema { decay: 0.7, debias: true }.weight(n)) as &dyn Fn(u64) -> f32,
            ),
            (&["average.method=swa", "average.start=3"], &equal_weight),
        ] {
            let (record, model, _) = trained(&[&search[..], settings].concat());
            let mut expected = raw[3].clone();
            for (count, raw) in (1..).zip(&raw[3..]) {
                blend(&mut expected, raw, weight(count));
            }
            assert_same(model.storage(), &expected, &format!("with {settings:?} and {optimizer}"));
            let plain = trained(&search).0;
            let losses = |record: &TrainRecord| -> Vec<f64> {
                record.epochs.iter().map(|epoch| epoch.train_loss).collect()
            };
            assert_eq!(losses(&record), losses(&plain), "what is searched is not the average");
        }
    }
}

/// Conjugate gradients begin anew where Lookahead puts them.
#[test]
fn a_search_goes_on_from_where_lookahead_puts_it() {
    let search = [&SEARCH[..], &["optimizer.name=cg"]].concat();
    for (k, alpha) in [(3, 0.5), (1, 0.8), (2, 1.0)] {
        let mut slow = build(&recipe(&[])).storage().to_vec();
        for _ in 0..3 {
            let plain = recipe(&search);
            let mut model = build(&plain);
            model.parts_mut().1.copy_from_slice(&slow);
            let team = Team::new(2).unwrap();
            let mut session = Session::new(&mut model, &digits().train, &plain, &team).unwrap();
            for _ in 0..k {
                epoch(&mut session).unwrap();
            }
            let mut fast = session.model().storage().to_vec();
            synchronise(&mut fast, &mut slow, alpha);
        }
        let lookahead = [format!("lookahead.steps={k}"), format!("lookahead.alpha={alpha}")];
        let settings = [&search[..], &lookahead.each_ref().map(String::as_str)].concat();
        let (model, _) = left(&settings, 3 * k + k / 2);
        assert_same(&model, &slow, &format!("with {settings:?}"));
    }
}

/// The end of a search is that of the training only where Lookahead has no way back to go.
#[test]
fn lookahead_outlives_the_end_of_a_search() {
    let settings = [
        "model.layers=[{type='dense',units=10}]",
        "train.batch=all",
        "optimizer.name=lbfgs",
        "optimizer.learning_rate=1",
        "optimizer.weight_decay=0.1",
        "optimizer.tolerance_grad=1e-4",
        "train.epochs=400",
    ];
    let (plain, exact, _) = trained(&settings);
    assert_eq!(plain.stop_reason, "tolerance-grad");
    let ends_at = plain.epochs.len();
    let k = format!("lookahead.steps={}", ends_at + 2);
    let (record, model, _) = trained(&[&settings[..], &[k.as_str()]].concat());
    assert_eq!(record.stop_reason, "tolerance-grad");
    assert!(record.epochs.len() > ends_at + 2, "{} of {ends_at}", record.epochs.len());
    let waited = &record.epochs[ends_at];
    assert_eq!((waited.evaluations, waited.train_loss), (Some(0), plain.epochs[ends_at - 1].train_loss));
    // Both are as near to the one minimum as was asked for.
    let apart = exact.storage().iter().zip(model.storage()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 2e-3, "{apart}");
}

/// An equal average takes what would be tried: the slow parameters.
#[test]
fn an_equal_average_over_lookahead_is_that_of_the_slow_parameters() {
    let lookahead = ["lookahead.steps=7", "train.epochs=3"];
    let end = |epochs: usize| {
        let steps = epochs * STEPS;
        trained(&[&lookahead[..], &[format!("stop.steps={steps}").as_str()]].concat()).1.storage().to_vec()
    };
    let mut expected = end(1);
    for count in [2, 3] {
        blend(&mut expected, &end(count), equal_weight(count as u64));
    }
    let (_, model, _) = trained(&[&lookahead[..], &["average.method=swa", "average.start=1"]].concat());
    assert_same(model.storage(), &expected, "after three epochs");
}

const AVERAGES: [&[&str]; 4] = [
    &["average.method=ema", "average.decay=0.8"],
    &["average.method=swa", "average.start=2"],
    &["lookahead.steps=7"],
    &["lookahead.steps=7", "average.method=ema", "average.start=2"],
];

/// So slow that noise is not learnt by heart in the first epoch.
const COMMON: [&str; 2] = ["data.validation=240", "optimizer.learning_rate=0.02"];

/// Validation and test see the averages, and the best of them are taken back.
#[test]
fn the_best_averages_are_taken_back_whatever_ends_the_training() {
    let data = noise();
    for average in AVERAGES {
        for (stop, reason) in [
            (&["stop.patience=2", "train.epochs=50"][..], "patience"),
            (&["stop.patience=100"], "epochs"),
            (&["stop.patience=100", "stop.steps=113"], "steps"),
        ] {
            let settings = [&COMMON, &["train.epochs=20"][..], average, stop].concat();
            let (record, model, _) = trained_on(&recipe(&settings), &data, 2);
            assert_eq!(record.stop_reason, reason, "{settings:?}");
            let best = record.best_epoch.unwrap();
            println!("{settings:?}: best epoch {best} of {}", record.epochs.len());
            // An average has begun, and goes on after it.
            assert!(1 < best && best < record.epochs.len(), "nothing is shown");
            let until = format!("stop.steps={}", 6 * best);
            let without = [&COMMON, &["train.epochs=50", until.as_str()][..], average].concat();
            let (plain, expected, _) = trained_on(&recipe(&without), &data, 2);
            assert_same(model.storage(), expected.storage(), &format!("with {settings:?}"));
            assert_eq!((&record.validation, &record.test), (&plain.validation, &plain.test));
            let seen = record.validation.unwrap();
            assert_eq!(record.epochs[best - 1].validation_loss, Some(seen.loss));
            // Without the average, something else is seen.
            let (raw, _, _) =
                trained_on(&recipe(&[&COMMON, &["train.epochs=50", until.as_str()][..]].concat()), &data, 2);
            assert_ne!(raw.test, record.test);
        }
    }
}

#[test]
fn the_record_names_the_averages() {
    assert_eq!(trained(&["train.epochs=1"]).0.averages, Vec::<String>::new());
    assert_eq!(trained(&["train.epochs=1", "lookahead={}", "average.method=ema"]).0.averages, {
        ["lookahead", "ema"]
    });
}

/// After an error the model holds what was trained.
#[test]
fn a_training_that_diverges_leaves_the_parameters_themselves() {
    let diverged = |settings: &[&str]| {
        let recipe = recipe(&[&["optimizer.learning_rate=1e4"], settings].concat());
        let mut model = build(&recipe);
        let error = run(&mut model, digits(), &recipe, 2);
        (error.unwrap_err().to_string(), bits(model.storage()))
    };
    let loss = ["model.loss=mean-squared-error"];
    let plain = diverged(&loss);
    assert!(plain.0.starts_with("training diverged: "), "{}", plain.0);
    for &average in &AVERAGES[..2] {
        assert_eq!(diverged(&[&loss[..], average].concat()), plain);
    }
}

/// Parameters that are not finite are seen behind an average that is.
#[test]
fn what_is_trained_is_looked_at_too() {
    let recipe = recipe(&["optimizer.learning_rate=1e39", "train.batch=600", "lookahead.steps=2"]);
    let mut model = build(&recipe);
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &digits().train, &recipe, &team).unwrap();
    epoch(&mut session).unwrap();
    assert_eq!(session.model().first_not_finite(), None);
    let error = session.check_parameters().unwrap_err().to_string();
    assert!(error.starts_with("training diverged: an element of 0.weight is "), "{error}");
}

#[test]
fn a_run_that_never_comes_back_to_the_slow_parameters_is_refused() {
    let refused = |steps: usize| {
        let recipe = recipe(&[&format!("lookahead.steps={steps}")]);
        let mut model = build(&recipe);
        Session::new(&mut model, &digits().train, &recipe, &Team::new(1).unwrap()).err()
    };
    assert!(refused(4 * STEPS).is_none());
    assert_eq!(
        refused(4 * STEPS + 1).unwrap().to_string(),
        "recipe small: `lookahead.steps`: expected at most the 40 steps of the run, found 41"
    );
}
