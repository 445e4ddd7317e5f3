//! Checkpoints whose checksum is right and whose values cannot be, and those of another version.

use std::fs;

use fallline::engine::train::Every;
use fallline::exchange::weights::{Style, optimizer};
use serde_json::{Value, json};

use super::broken::{data, heard, recipe};
use super::{begun, outcome, path, resumed};
use crate::common::crafted::crafted;

/// A change of the values, the value that is refused, and what is expected of it.
type Case = (&'static str, fn(&mut Value), &'static str, &'static str);

/// They are set in the middle of the second epoch of three steps each, after the fourth step.
const CASES: [Case; 13] = [
    (
        "a slot that the rule has not",
        |values| values["session.averages.shown"] = json!({ "Slot": 7 }),
        "session.averages.shown",
        "expected what this training keeps, found Slot(7)",
    ),
    (
        "an average that is not kept",
        |values| values["session.averages.shown"] = json!("Average"),
        "session.averages.shown",
        "found Average",
    ),
    (
        "epochs of an average that is not kept",
        |values| values["session.averages.epochs"] = json!(1),
        "session.averages.epochs",
        "expected none without an average, found 1",
    ),
    (
        "steps of an average that is not kept",
        |values| values["session.averages.ema_after"] = json!(1),
        "session.averages.epochs",
        "expected none without an average",
    ),
    (
        "an epoch under way before the first",
        |values| (values["session.epochs"], values["session.steps"]) = (json!(0), json!(0)),
        "session.epochs",
        "expected an epoch that can be under way, found 0",
    ),
    (
        "more steps than its epochs have",
        |values| values["session.steps"] = json!(u64::MAX),
        "session.steps",
        "expected at most the 6 of its epochs, found 18446744073709551615",
    ),
    (
        "more steps of an epoch than of the run",
        |values| values["session.epoch.steps"] = json!(5),
        "session.epoch.steps",
        "expected at most the 4 of the run, found 5",
    ),
    (
        "more samples than an epoch has",
        |values| values["session.epoch.score.samples"] = json!(u64::MAX),
        "session.epoch.score.samples",
        "expected at most the 48 of an epoch",
    ),
    (
        "an epoch 0",
        |values| values["run.epochs.records"][0]["epoch"] = json!(0),
        "run.epochs.records",
        "expected epochs from 1 on, in their order",
    ),
    (
        "epochs that fall",
        |values| {
            let record = values["run.epochs.records"][0].clone();
            values["run.epochs.records"] = json!([record, record]);
            values["run.epochs.records"][0]["epoch"] = json!(2);
            values["run.epochs.validation_losses"] = json!([null, null]);
        },
        "run.epochs.records",
        "expected epochs from 1 on, in their order",
    ),
    (
        "a distance of 0 epochs",
        |values| values["run.epochs.every"] = json!(0),
        "run.epochs.every",
        "expected a power of 2, found 0",
    ),
    (
        "a best epoch that has not begun",
        |values| values["run.stop.best_epoch"] = json!(3),
        "run.stop.best_epoch",
        "expected at most 2, which have begun, found 3",
    ),
    (
        "a record of an epoch that has not begun",
        |values| values["run.epochs.records"][0]["epoch"] = json!(4),
        "run.epochs.records",
        "expected at most 2, which have begun, found 4",
    ),
];

#[test]
fn values_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let recipe = recipe(&["train.epochs=2", "data.validation=16", "stop.patience=5"]);
    outcome(&recipe, data(), 1, Some(&mut begun(&at("whole"), Every::Steps(2))), None);
    let bytes = fs::read(path(&at("whole"), 4)).unwrap();
    fs::create_dir(at("c")).unwrap();
    for (what, change, key, expected) in CASES {
        fs::write(path(&at("c"), 4), crafted(&bytes, |_, values| change(values))).unwrap();
        let text = match heard(&recipe, data(), &mut resumed(&at("c"))) {
            Ok(_) => panic!("{what}: it went on"),
            Err(error) => error.to_string(),
        };
        assert!(text.contains(&format!("{key}: ")) && text.contains(expected), "{what}: {text}");
    }
    // As it was, it is accepted.
    fs::write(path(&at("c"), 4), crafted(&bytes, |_, _| {})).unwrap();
    heard(&recipe, data(), &mut resumed(&at("c"))).unwrap();
}

#[test]
fn a_best_epoch_needs_patience() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(&["train.epochs=2"]);
    outcome(&recipe, data(), 1, Some(&mut begun(folder.path(), Every::Steps(3))), None);
    let place = path(folder.path(), 8);
    let best = |_: &mut String, values: &mut Value| {
        values["run.stop.best_epoch"] = json!(1);
        values["run.stop.best_value"] = json!("3ff0000000000000");
    };
    fs::write(&place, crafted(&fs::read(&place).unwrap(), best)).unwrap();
    let text = heard(&recipe, data(), &mut resumed(folder.path())).err().unwrap().to_string();
    assert!(text.contains("run.stop.best_epoch: expected none without patience, found 1"), "{text}");
}

#[test]
fn the_version_that_wrote_a_checkpoint_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(&["train.epochs=2"]);
    outcome(&recipe, data(), 1, Some(&mut begun(folder.path(), Every::Steps(3))), Some(3));
    let place = path(folder.path(), 3);
    let own = env!("CARGO_PKG_VERSION");
    let older = |about: &mut String, _: &mut Value| {
        let named = format!("\"program\":\"{own}\"");
        assert!(about.contains(&named), "{about}");
        *about = about.replace(&named, "\"program\":\"0.0.1\"");
    };
    fs::write(&place, crafted(&fs::read(&place).unwrap(), older)).unwrap();
    assert_eq!(heard(&recipe, data(), &mut resumed(folder.path())).unwrap().program, "0.0.1");
    // What was written then is this version's.
    assert_eq!(heard(&recipe, data(), &mut resumed(folder.path())).unwrap().program, own);
}

/// Of a state dict it is the checkpoint that says how large an input is.
#[test]
fn inputs_that_cannot_be_are_refused_where_a_checkpoint_becomes_a_state_dict() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(&[]);
    outcome(&recipe, data(), 1, Some(&mut begun(folder.path(), Every::Steps(3))), Some(3));
    let (place, to) = (path(folder.path(), 3), folder.path().join("state"));
    let whole = fs::read(&place).unwrap();
    let exported = |shape: &str| {
        let change = |about: &mut String, _: &mut Value| {
            assert!(about.contains("\"shape\":[28,28,1]"), "{about}");
            *about = about.replace("[28,28,1]", shape);
        };
        fs::write(&place, crafted(&whole, change)).unwrap();
        let checkpoint = optimizer::checkpoint_at(&place).unwrap().unwrap();
        optimizer::export_checkpoint(&checkpoint, &to, Style::Sequential)
    };
    for shape in ["[4294967296,4294967296,4]", "[18446744073709551615,2,1]", "[0,28,1]"] {
        let error = exported(shape).unwrap_err().to_string();
        assert!(error.contains("expected at least one feature"), "{shape}: {error}");
    }
    let error = exported("[280000,28,1]").unwrap_err().to_string();
    assert!(error.contains("parameters: expected 78400010 numbers, as its recipe has"), "{error}");
    assert!(!to.exists());
    exported("[28,28,1]").unwrap();
}
