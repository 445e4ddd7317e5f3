//! `profile` and `report` on records of profiles, as their users meet them.

use std::fs;
use std::path::Path;

use crate::common::profile_record::{convolutions, hostile, perceptron};
use crate::common::program::{fails, fallline, succeeds};
use fallline::engine::bench::profile::ProfileRecord;
use serde_json::Value;

fn store(folder: &Path, name: &str, record: &ProfileRecord) {
    fs::write(folder.join(name), serde_json::to_string(record).unwrap()).unwrap();
}

#[test]
fn a_profile_is_shown_again_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), "p.json", &convolutions());
    let options = [
        "--csv",
        "s.csv",
        "--folded",
        "f.txt",
        "--trace",
        "t.json.gz",
        "--json",
        "copy.json",
        "--out",
        "a/b",
    ];
    let text = succeeds(folder.path(), &[&["profile", "p.json"], &options[..]].concat());
    assert!(text.contains("could save µs") && text.contains("bound by"), "{text}");
    for name in ["s.csv", "f.txt", "t.json.gz: ", "copy.json", "a/b/report.html and the files beside it"] {
        assert!(text.contains(&format!("wrote {name}")), "{name} in {text}");
    }
    let copy: ProfileRecord =
        serde_json::from_slice(&fs::read(folder.path().join("copy.json")).unwrap()).unwrap();
    assert_eq!(copy, convolutions());
    let layer = succeeds(folder.path(), &["profile", "p.json", "--layer", "3"]);
    assert!(layer.contains("these sites") && layer.lines().count() < text.lines().count());
    fails(folder.path(), &["profile", "p.json", "--layer", "77"], "unknown layer `77`; known: 0, ");
    fails(folder.path(), &["profile", "p.json", "--batch", "64"], "--batch: expected a recipe to measure");
    fails(folder.path(), &["profile", "p.json", "--json", "./p.json"], "p.json, which is read");
    fails(folder.path(), &["profile", "none.json"], "none.json: cannot open");
}

#[test]
fn report_makes_the_page() {
    let folder = tempfile::tempdir().unwrap();
    for record in [perceptron(), hostile()] {
        store(folder.path(), "p.json", &record);
        succeeds(folder.path(), &["report", "p.json", "--out", "page.html"]);
        let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
        assert!(page.contains("Where the time goes") && page.contains("data-tip"));
    }
    store(folder.path(), "q.json", &perceptron());
    fails(
        folder.path(),
        &["report", "p.json", "q.json"],
        "the results of `fallline profile` take a page of their own",
    );
    fails(folder.path(), &["bench", "--baseline", "p.json"], "expected \"fallline.bench/1\"");
}

#[test]
fn a_slower_step_ends_with_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let (before, mut after) = (perceptron(), perceptron());
    after.plain_step_seconds *= 1.2;
    store(folder.path(), "before.json", &before);
    store(folder.path(), "after.json", &after);
    let compare = |more: &[&str]| {
        fallline(folder.path(), &[&["profile", "after.json", "--compare", "before.json"], more].concat())
    };
    let output = compare(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("1.200 times as long: slower"), "{text}");
    assert_eq!(compare(&["--tolerance", "0.3"]).status.code(), Some(0));
    let output = compare(&["--out", "out"]);
    assert_eq!(output.status.code(), Some(3), "everything is written all the same");
    let page = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("Compared with the other profile"));
    fails(folder.path(), &["profile", "after.json", "--compare", "none.json"], "none.json: cannot open");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, message) in [
        (["--seconds", "0"], "expected seconds above 0"),
        (["--seconds", "1e9"], "at most 3600"),
        (["--steps", "5..5"], "such as 100..200"),
        (["--threads", "0"], "from 1 to 1024"),
        (["--tolerance", "2"], "from 0 to below 1"),
        (["--batch", "0"], "batch"),
        (["--optimizer", "adamm"], "did you mean `adam`?"),
        (["--json", "no/such/p.json"], "no/such"),
        (["--compare", "none.json"], "none.json: cannot open"),
    ] {
        fails(folder.path(), &[&["profile"], &arguments[..]].concat(), message);
    }
    fails(folder.path(), &["profile", "mnist-mpl"], "did you mean `mnist-mlp`?");
    fails(folder.path(), &["profile", "--seconds", "1", "--steps", "1..2"], "cannot be used with");
}

/// The record with one value replaced.
fn with(pointer: &str, value: Value) -> String {
    let mut record = serde_json::to_value(perceptron()).unwrap();
    *record.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    record.to_string()
}

#[test]
fn files_that_contradict_themselves_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (pointer, value, message) in [
        ("/settings/threads", 0.into(), "key `settings.threads`: expected at least 1, found 0"),
        ("/settings/batch", 0.into(), "key `settings.batch`: expected at least 1, found 0"),
        ("/step_seconds", (-1.0).into(), "key `step_seconds`: expected a number from 0"),
        ("/step_seconds", Value::Null, "a record of results, found invalid type: null"),
        ("/sites/3/flops", 1e300.into(), "key `sites.3.flops`: expected a number from 0"),
        (
            "/sites/2/worker_seconds",
            vec![1.0].into(),
            "`sites.2.worker_seconds`: expected a number for each worker",
        ),
        (
            "/timeline/5/worker",
            9.into(),
            "`timeline.5.worker`: expected one of the workers, counted from 0, found 9 of 2",
        ),
        ("/workers/0/imbalance", 1e40.into(), "`workers.0.imbalance`: expected a finite number"),
        ("/roofs/levels/1/bytes_per_second", (-5.0).into(), "`roofs.levels.1.bytes_per_second`"),
        (
            "/schema",
            "fallline.profile/2".into(),
            "\"fallline.reproduce/1\", \"fallline.search/1\" or \"fallline.profile/1\"",
        ),
    ] {
        fs::write(folder.path().join("p.json"), with(pointer, value)).unwrap();
        fails(folder.path(), &["profile", "p.json"], message);
        fails(folder.path(), &["report", "p.json"], message);
    }
    let huge = with("/sites/0/bytes", 1.into()).replace("\"overhead\":0.004", "\"overhead\":1e999");
    fs::write(folder.path().join("p.json"), huge).unwrap();
    fails(folder.path(), &["profile", "p.json"], "number out of range");
}
