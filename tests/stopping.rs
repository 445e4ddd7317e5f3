//! Samples set aside for validation, what ends a training, parameters that are taken back,
//! accumulated gradients, and runs that diverge.

#[path = "common/small.rs"]
mod small;

use std::sync::atomic::AtomicBool;

use fallline::data::{DataSet, Samples, split};
use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, FoldsRecord, Observer, Session, TrainRecord};

use small::{CLASSES, SAMPLES, build, digits, noise, recipe};

struct Quiet;
impl Observer for Quiet {}

fn trained(recipe: &Recipe, data: &DataSet, threads: usize) -> (TrainRecord, Model) {
    let mut model = build(recipe);
    let team = Team::new(threads).unwrap();
    let record = train::run(&mut model, data, recipe, &team, &AtomicBool::new(false), &mut Quiet).unwrap();
    (record, model)
}

fn bits(model: &Model) -> Vec<u32> {
    model.storage().iter().map(|x| x.to_bits()).collect()
}

/// How a training ended, after how many epochs, and with how many samples in the last one.
fn end(settings: &[&str]) -> (String, usize, usize, bool) {
    let (record, _) = trained(&recipe(settings), digits(), 2);
    let last = record.epochs.last().unwrap();
    (record.stop_reason.clone(), record.epochs.len(), last.samples.unwrap(), last.incomplete)
}

fn indices(part: &[u32]) -> Vec<usize> {
    part.iter().map(|&i| i as usize).collect()
}

#[test]
fn samples_set_aside_are_tried_and_never_trained_on() {
    let recipe = recipe(&["data.validation=0.15", "train.epochs=2"]);
    let (record, model) = trained(&recipe, digits(), 2);
    let split = train::split(&digits().train, &recipe).unwrap().unwrap();
    assert_eq!((split.subset.len(), split.held.len()), (510, 90));
    assert!(record.epochs.iter().all(|epoch| epoch.samples == Some(510) && !epoch.incomplete));

    let held = digits().train.take(&indices(&split.held)).unwrap();
    let seen = train::evaluate(&model, &held, &recipe.data, &Team::new(1).unwrap()).unwrap();
    let last = &record.epochs[1];
    assert_eq!((last.validation_loss, last.validation_accuracy), (Some(seen.loss), seen.accuracy));
    assert_eq!(record.validation, Some(seen));
    assert_ne!(record.epochs[0].validation_loss, last.validation_loss);

    // Other pixels in these samples change what is seen, and not what is learnt.
    let blackened = |black: &[u32]| {
        let train = &digits().train;
        let pixels = (0..SAMPLES as u32).flat_map(|i| match black.binary_search(&i) {
            Ok(_) => vec![0; 784],
            Err(_) => train.row_bytes(i as usize).unwrap().to_vec(),
        });
        let labels = train.labels().unwrap().to_vec();
        let train = Samples::images(pixels.collect(), train.shape(), labels, CLASSES).unwrap();
        trained(&recipe, &DataSet { train, ..digits().clone() }, 2)
    };
    let (other, same) = blackened(&split.held);
    assert_eq!(bits(&same), bits(&model));
    assert_ne!(other.epochs[1].validation_loss, last.validation_loss);
    let (_, different) = blackened(&split.subset[..1]);
    assert_ne!(bits(&different), bits(&model));
}

#[test]
fn rules_end_a_training() {
    let whole = |reason: &str, epochs| (reason.to_string(), epochs, SAMPLES, false);
    assert_eq!(end(&[]), whole("epochs", 4));
    assert_eq!(end(&["stop.steps=13"]), ("steps".into(), 2, 180, true));
    assert_eq!(end(&["stop.steps=20"]), whole("steps", 2));
    assert_eq!(end(&["stop.steps=41"]), whole("epochs", 4));
    assert_eq!(end(&["stop.seconds=1e-9"]), ("seconds".into(), 1, 60, true));
    assert_eq!(end(&["stop.seconds=1e9"]), whole("epochs", 4));
    assert_eq!(end(&["stop.loss=1e9"]), whole("loss", 1));
    assert_eq!(end(&["stop.accuracy=0"]), whole("accuracy", 1));
    assert_eq!(end(&["stop.accuracy=1", "stop.loss=0"]), whole("epochs", 4));
    assert_eq!(end(&["stop.tolerance=1e9", "stop.tolerance_epochs=2"]), whole("tolerance", 3));
    assert_eq!(end(&["stop.gradient_norm=1e9"]), ("gradient-norm".into(), 1, 60, true));
    assert_eq!(end(&["stop.gradient_norm=1e-9"]), whole("epochs", 4));
    // Without a step nothing gets better.
    let still = ["optimizer.learning_rate=0", "data.validation=100", "stop.patience=2"];
    assert_eq!(end(&still), ("patience".into(), 3, 500, false));
}

#[test]
fn the_best_parameters_are_taken_back_whatever_ends_the_training() {
    let data = noise();
    for (settings, reason) in [
        (&["stop.patience=2", "train.epochs=50"][..], "patience"),
        (&["stop.patience=100"], "epochs"),
        (&["stop.patience=100", "stop.steps=30"], "steps"),
        (&["stop.patience=100", "stop.watch=accuracy"], "epochs"),
    ] {
        let recipe = recipe(&[&["data.validation=200", "train.epochs=6"], settings].concat());
        let (record, model) = trained(&recipe, &data, 2);
        assert_eq!(record.stop_reason, reason);
        let value = |epoch: usize| match recipe.stop.patience.unwrap().watched.name() {
            "loss" => record.epochs[epoch].validation_loss.unwrap(),
            _ => -record.epochs[epoch].validation_accuracy.unwrap(),
        };
        let count = record.epochs.len();
        // The first of the best.
        let best = (0..count).rev().min_by(|&a, &b| value(a).total_cmp(&value(b)).then(a.cmp(&b))).unwrap();
        assert_eq!(record.best_epoch, Some(best + 1));
        assert!(best + 1 < count, "the last epoch is the best: nothing is shown");

        // As many epochs without patience come to the same parameters.
        let until = format!("train.epochs={}", best + 1);
        let plain = self::recipe(&["data.validation=200", &until]);
        let (plain, expected) = trained(&plain, &data, 2);
        assert_eq!(bits(&model), bits(&expected), "{settings:?}");
        assert_eq!((record.validation, record.test), (plain.validation, plain.test));
        assert_eq!(plain.best_epoch, None);
    }
}

#[test]
fn nothing_depends_on_the_number_of_threads() {
    let settings = [
        &["data.validation=0.3", "stop.patience=2", "gradient.clip_norm=0.5"][..],
        &["gradient.clip_value=0.01", "gradient.l1=1e-4", "train.batch=300"],
        &["gradient.clip_norm=0.1", "gradient.l1=1e-4", "train.batch=450", "optimizer.name=adam"],
        &["stop.gradient_norm=0.7", "train.accumulate=3", "train.batch=50"],
    ];
    let data = noise();
    for settings in settings {
        let recipe = recipe(settings);
        let (one, model) = trained(&recipe, &data, 1);
        for threads in [2, 3] {
            let (other, same) = trained(&recipe, &data, threads);
            assert_eq!(bits(&same), bits(&model), "{settings:?}, {threads} threads");
            assert_eq!((&other.validation, &other.test), (&one.validation, &one.test));
            assert_eq!((other.best_epoch, other.stop_reason), (one.best_epoch, one.stop_reason.clone()));
        }
        // The setting does something.
        let (_, plain) = trained(&self::recipe(&["train.batch=300"]), &data, 1);
        assert_ne!(bits(&plain), bits(&model));
    }
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    for (batch, accumulate) in [(1, 7), (50, 4), (130, 3), (60, 1000)] {
        let small = recipe(&[&format!("train.batch={batch}"), &format!("train.accumulate={accumulate}")]);
        let large = recipe(&[&format!("train.batch={}", batch * accumulate)]);
        let (record, model) = trained(&small, digits(), 2);
        let (expected, same) = trained(&large, digits(), 2);
        assert_eq!(bits(&model), bits(&same), "{batch} x {accumulate}");
        assert_eq!(record.batch, expected.batch);
        let (_, alone) = trained(&recipe(&[&format!("train.batch={batch}")]), digits(), 2);
        assert_ne!(bits(&model), bits(&alone), "{batch} x {accumulate}");
    }
}

/// The error of one epoch of steps, and of a look at all parameters after it.
fn divergence(settings: &[&str], spoil: &dyn Fn(&mut NamedTensor)) -> Result<(), String> {
    let recipe = recipe(settings);
    let mut model = build(&recipe);
    let mut tensors = model.tensors();
    tensors.iter_mut().for_each(spoil);
    model.load_tensors("spoilt".as_ref(), tensors).unwrap();
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &digits().train, &recipe, &team).unwrap();
    session
        .epoch(&AtomicBool::new(false), &mut Quiet)
        .and_then(|_| session.check_parameters())
        .map_err(|error| error.to_string())
}

#[test]
fn what_is_not_finite_is_named_with_layer_and_step() {
    let hint = "; the learning rate was 0.05: try a smaller one";
    let error = |settings: &[&str], spoil: &dyn Fn(&mut NamedTensor)| {
        divergence(settings, spoil).expect_err("it diverges")
    };
    assert_eq!(divergence(&[], &|_| {}), Ok(()));
    let layer = |layer: &str| {
        format!(
            "training diverged: the output of layer {layer}, and with it the loss, is NaN at step 1 of epoch 1{hint}"
        )
    };
    let spoilt = |name, value| {
        move |tensor: &mut NamedTensor| {
            if tensor.name == name {
                tensor.values[3] = value;
            }
        }
    };
    assert_eq!(error(&[], &spoilt("0.bias", f32::INFINITY)), layer("0 (dense + relu)"));
    assert_eq!(error(&[], &spoilt("2.bias", f32::NAN)), layer("2 (dense)"));
    // The loss of the only step is that before the update.
    let once = error(&["optimizer.learning_rate=1e39", "train.batch=600"], &|_| {});
    assert!(once.starts_with("training diverged: an element of 0.weight is "), "{once}");
    let named = "; the learning rate was 1e39: try a smaller one";
    assert!(once.ends_with(&format!(" at step 1 of epoch 1{named}")), "{once}");

    // Every hidden number is 0.01; the loss is 2e38, and the gradient of the first bias the sum of 60
    // rows of up to 1e37.
    let steep = |tensor: &mut NamedTensor| match tensor.name.as_str() {
        "0.weight" => tensor.values.fill(0.0),
        "0.bias" => tensor.values.fill(0.01),
        "2.weight" => {
            let (first, others) = tensor.values.split_at_mut(33);
            first.fill(3e38);
            others.fill(-3e38);
        }
        _ => {}
    };
    assert_eq!(
        error(&["gradient.clip_norm=1"], &steep),
        format!(
            "training diverged: the norm of the gradient of layer 0 (dense + relu) is inf at step 1 of epoch 1{hint}"
        )
    );
}

#[test]
fn cross_validation_tries_each_sample_once() {
    let recipe = recipe(&["train.epochs=2"]);
    let team = Team::new(2).unwrap();
    #[derive(Default)]
    struct Folds(Vec<(usize, usize, Option<f64>)>);
    impl Observer for Folds {
        fn fold(&mut self, done: &FoldsRecord) {
            let last = done.folds.last().unwrap().validation.as_ref().unwrap();
            self.0.push((done.folds.len(), done.asked(), last.accuracy));
        }
    }
    let mut watched = Folds::default();
    let stop = AtomicBool::new(false);
    let record = train::cross_validate(digits(), &recipe, 4, &team, &stop, &mut watched).unwrap();
    assert_eq!((record.folds.len(), record.incomplete_of), (4, None));
    let splits = split::folds(&digits().train, 4, true, recipe.train.seed).unwrap();
    for (index, (fold, split)) in record.folds.iter().zip(&splits).enumerate() {
        assert!(fold.test.is_none() && fold.epochs.iter().all(|epoch| epoch.samples == Some(450)));
        let mut model = build(&recipe);
        let mut session =
            Session::on_part(&mut model, &digits().train, Some(split.subset.clone()), &recipe, &team)
                .unwrap();
        for _ in 0..2 {
            session.epoch(&stop, &mut Quiet).unwrap();
        }
        let held = digits().train.take(&indices(&split.held)).unwrap();
        let seen = session.evaluate(&held).unwrap();
        assert_eq!(fold.validation.as_ref(), Some(&seen));
        assert_eq!(watched.0[index], (index + 1, 4, seen.accuracy));
    }
    let mean = watched.0.iter().map(|(_, _, accuracy)| accuracy.unwrap()).sum::<f64>() / 4.0;
    assert!((record.accuracy.unwrap().mean - mean).abs() < 1e-12 && record.accuracy.unwrap().deviation > 0.0);

    let refusal = |recipe: &Recipe, folds| {
        train::cross_validate(digits(), recipe, folds, &team, &stop, &mut Quiet).unwrap_err().to_string()
    };
    assert!(refusal(&recipe, 1).starts_with("folds: expected 2 to 600, "));
    let message = refusal(&self::recipe(&["data.validation=10"]), 2);
    assert!(message.starts_with("recipe small: `data.validation`: expected none with folds"), "{message}");
    let stopped = AtomicBool::new(true);
    let none = train::cross_validate(digits(), &recipe, 2, &team, &stopped, &mut Quiet).unwrap();
    assert_eq!((none.folds.len(), none.incomplete_of), (0, Some(2)));
}

#[test]
fn splits_and_patience_that_make_no_sense_are_refused() {
    let refusal = |settings: &[&str]| {
        let recipe = recipe(settings);
        let team = Team::new(1).unwrap();
        let mut model = build(&recipe);
        let run = train::run(&mut model, digits(), &recipe, &team, &AtomicBool::new(false), &mut Quiet);
        run.unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&["stop.patience=3"]),
        "recipe small: `stop.patience`: expected samples for validation, such as `data.validation = 0.1`, found none"
    );
    assert_eq!(
        refusal(&["data.validation=600"]),
        "samples set aside for validation: expected at least 1 and fewer than the 600 training samples, found 600"
    );
    let team = Team::new(1).unwrap();
    let recipe = recipe(&[]);
    for (kept, found) in [(vec![], "found none"), (vec![0, 600], "found 600")] {
        let mut model = build(&recipe);
        let session = Session::on_part(&mut model, &digits().train, Some(kept), &recipe, &team);
        assert!(session.err().unwrap().to_string().ends_with(found));
    }
}
