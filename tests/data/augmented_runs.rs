//! Trainings with augmentation: what is changed, and what must not be.

use std::sync::atomic::AtomicBool;

use crate::common::observer::Recorder;
use crate::common::program;
use crate::common::small::{self, CLASSES, SAMPLES, build, digits, recipe};
use fallline::data::augment::{Mixing, blend};
use fallline::data::{Samples, Targets, batches};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Session, TrainRecord};

fn trained(recipe: &Recipe, threads: usize) -> (TrainRecord, Model) {
    small::trained(recipe, digits(), threads)
}

const STILL: &str = "optimizer.learning_rate=0";

/// Machinery that changes nothing: all rows are made by it, and come out as they are.
const NOTHING: &str = "augment.erase.probability=0";

#[test]
fn augmentation_that_changes_nothing_changes_no_bit() {
    for batch in ["train.batch=60", "train.batch=300"] {
        let (plain, before) = trained(&recipe(&[batch]), 2);
        let (record, after) = trained(&recipe(&[batch, NOTHING]), 2);
        assert_eq!(before.storage(), after.storage());
        assert_eq!(plain.test, record.test);
        assert_eq!(plain.epochs[3].train_loss.to_bits(), record.epochs[3].train_loss.to_bits());
        let (_, moved) = trained(&recipe(&[batch, "augment.shift=1"]), 2);
        assert_ne!(before.storage(), moved.storage());
    }
}

#[test]
fn what_is_tested_is_never_changed() {
    let strong = ["augment.rotation=90", "augment.noise=0.5", "augment.elastic.alpha=100", "augment.mixup=1"];
    let still = [STILL, "data.validation=100"];
    let (plain, _) = trained(&recipe(&still), 2);
    let (changed, _) = trained(&recipe(&[&still[..], &strong].concat()), 2);
    assert_eq!(plain.test, changed.test);
    assert_eq!(plain.validation, changed.validation);
    let losses =
        |record: &TrainRecord| -> Vec<f64> { record.epochs.iter().map(|epoch| epoch.train_loss).collect() };
    // Of the same parameters: each epoch sees other versions, none that of the samples.
    let (plain, changed) = (losses(&plain), losses(&changed));
    assert!(plain.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 1e-6), "{plain:?}");
    for (epoch, loss) in changed.iter().enumerate() {
        assert!((loss - plain[0]).abs() > 1e-3, "{changed:?}");
        assert!(changed[..epoch].iter().all(|other| (loss - other).abs() > 1e-6), "{changed:?}");
    }
}

/// One step over all samples, mixed by hand and given as values.
#[test]
fn mixtures_are_of_samples_and_of_targets() {
    let cases = [
        "model.loss=\"cross-entropy\"",
        "model.loss=\"kl-divergence\"",
        "model.loss=\"binary-cross-entropy\"",
        "model.loss={type=\"cross-entropy\",label_smoothing=0.2,class_weights=[1,2,0.5,1,1,1,3,1,0,1]}",
    ];
    for loss in cases {
        let recipe = recipe(&[loss, STILL, "train.batch=600", "train.epochs=1", "augment.mixup=0.7"]);
        let (record, model) = trained(&recipe, 3);

        let mut order = Vec::new();
        batches::order(SAMPLES, recipe.train.seed, 0, true, &mut order);
        let mut mixing = Mixing::new(0.7, SAMPLES, SAMPLES).unwrap();
        mixing.draw(&order, recipe.train.seed, 0);
        let share = mixing.share(0);
        assert!((0.02..0.98).contains(&share), "a share that tells: {share}");
        let train = &digits().train;
        let (mut features, mut targets, mut larger) = (Vec::new(), Vec::new(), Vec::new());
        for (&own, &partner) in order.iter().zip(mixing.partners()) {
            let floats = |sample: u32| -> Vec<f32> {
                train
                    .row_bytes(sample as usize)
                    .unwrap()
                    .iter()
                    .map(|&byte| f32::from(byte) / 255.0)
                    .collect()
            };
            let mut row = floats(own);
            blend(&mut row, &floats(partner), share);
            features.extend(row);
            let labels = [own, partner].map(|sample| usize::from(train.label(sample as usize).unwrap()));
            let mut target = [0.0; CLASSES];
            target[labels[0]] += share;
            target[labels[1]] += 1.0 - share;
            targets.extend(target);
            larger.push(labels[usize::from(share < 0.5)]);
        }
        let values = Targets::Values { values: targets, width: CLASSES };
        let mixed = Samples::floats(features, train.shape(), values, CLASSES).unwrap();
        let team = Team::new(1).unwrap();
        let expected = train::evaluate(&model, &mixed, &recipe.data, &team).unwrap().loss;
        // Values count one each; classes as much as their weights say, those of the partners being the same.
        let labels = fallline::engine::losses::Targets::Classes(train.labels().unwrap());
        let weight = model.loss().function().weight(labels, 0..SAMPLES) / SAMPLES as f64;
        let found = record.epochs[0].train_loss * weight;
        assert!((found - expected).abs() < 2e-6, "{loss}: {found} {expected}");

        let answers = train::outputs(&model, &mixed, &recipe.data, &team).unwrap();
        let found_class =
            |row: &[f32]| (0..CLASSES).fold(0, |best, i| if row[i] > row[best] { i } else { best });
        let hits =
            answers.chunks(CLASSES).zip(&larger).filter(|(row, label)| found_class(row) == **label).count();
        let accuracy = hits as f64 / SAMPLES as f64;
        assert!((record.epochs[0].train_accuracy.unwrap() - accuracy).abs() < 2.5 / SAMPLES as f64, "{loss}");
    }
}

#[test]
fn folds_are_augmented_as_well() {
    let run = |settings: &[&str]| {
        let stop = AtomicBool::new(false);
        let team = Team::new(2).unwrap();
        train::cross_validate(digits(), &recipe(settings), 3, &team, &stop, &mut Recorder::default()).unwrap()
    };
    let [plain, nothing, moved] =
        [&["train.epochs=2"][..], &["train.epochs=2", NOTHING], &["train.epochs=2", "augment.shift=2"]]
            .map(run);
    assert_eq!(plain.accuracy, nothing.accuracy);
    assert_eq!(plain.loss, nothing.loss);
    assert_ne!(plain.loss, moved.loss);
}

#[test]
fn what_cannot_be_augmented_is_refused_before_training() {
    let team = Team::new(1).unwrap();
    let values = Targets::Values { values: vec![0.1; CLASSES], width: CLASSES };
    let bytes = digits().train.row_bytes(0).unwrap().iter().map(|&byte| byte.into()).collect();
    let floats = Samples::floats(bytes, [28, 28, 1], values, CLASSES).unwrap();
    let moved = recipe(&["augment.shift=1"]);
    let refused = |recipe: &Recipe| {
        let mut model = build(recipe);
        Session::new(&mut model, &floats, recipe, &team).err().unwrap().to_string()
    };
    let message = refused(&moved);
    assert!(message.ends_with("pixels, found samples of floating-point numbers"), "{message}");

    let folder = tempfile::tempdir().unwrap();
    for (setting, message) in [
        ("augment.zoom=1", "error: command line: `augment.zoom`: expected a number in [0, 1), found 1"),
        (
            "augment.elastic.sigma=-1",
            "`augment.elastic.sigma`: expected a number above 0 and at most 1000, found -1",
        ),
        ("augment.shft=1", "unknown key `augment.shft`; did you mean `augment.shift`?"),
    ] {
        for command in [&["train", "digits-mlp"][..], &["data", "show", "digits-mlp"]] {
            let output = program::fallline(folder.path(), &[command, &["--set", setting]].concat());
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{error}");
            assert!(error.contains(message), "{error}");
        }
    }
    let searched =
        ["train", "digits-mlp", "--optimizer", "lbfgs", "--batch", "all", "--set", "augment.shift=1"];
    let output = program::fallline(folder.path(), &searched);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("`augment`: expected none with the optimizer `lbfgs`"), "{error}");
}

#[test]
fn samples_are_shown_beside_their_versions() {
    let folder = tempfile::tempdir().unwrap();
    let few = ["--set", "data.train_samples=20", "--set", "data.test_samples=1"];
    let show = |more: &[&str]| {
        let output =
            program::fallline(folder.path(), &[&["data", "show", "digits-mlp"], &few[..], more].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let plain = show(&["--samples", "2"]);
    assert_eq!((plain.matches("sample ").count(), plain.matches("epoch ").count()), (2, 0), "{plain}");
    let turned = show(&["--samples", "2", "--set", "augment.rotation=20"]);
    assert_eq!((turned.matches("sample ").count(), turned.matches("epoch ").count()), (2, 14), "{turned}");
    assert!(turned.contains("epoch 7"));

    let sheet = folder.path().join("x.png");
    let path = sheet.to_str().unwrap();
    let said = show(&["--set", "augment.rotation=20", "--sheet", path]);
    assert_eq!(said, format!("wrote {path}\n"));
    assert!(std::fs::read(&sheet).unwrap().starts_with(b"\x89PNG"));
    // A folder that is not there is known before anything is drawn.
    let nowhere = ["data", "show", "digits-mlp", "--sheet", "none/x.png"];
    let output = program::fallline(folder.path(), &nowhere);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
