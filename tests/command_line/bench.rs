//! `bench`, as its users meet it.

#[path = "../common/mod.rs"]
pub mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::common::program::{command, fails, fallline, json, printed};
use serde_json::Value;

/// Options of a small benchmark: two cases, some milliseconds a run.
const SMALL: [&str; 8] = ["bench", "digits-mlp", "--batch", "32,64", "--threads", "1", "--seconds", "0.06"];

fn small(folder: &Path, more: &[&str]) -> Output {
    fallline(folder, &[&SMALL[..], more].concat())
}

fn runs(case: &Value) -> usize {
    case["samples_per_second"]["runs"].as_array().unwrap().len()
}

/// The record with every fraction of the peak multiplied.
fn scaled(record: &Value, factor: f64) -> Value {
    let mut record = record.clone();
    for case in record["cases"].as_array_mut().unwrap() {
        for run in case["fraction_of_peak"]["runs"].as_array_mut().unwrap() {
            *run = (run.as_f64().unwrap() * factor).into();
        }
    }
    record
}

#[test]
fn results_are_printed_and_written_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = printed(small(folder.path(), &["--json", "r.json", "--csv", "r.csv", "--out", "page"]));
    assert!(text.contains("digits-mlp") && text.contains("wrote r.json"), "{text}");

    let record = json(&at("r.json"));
    assert_eq!(record["schema"], "fallline.bench/1");
    assert_eq!(record, json(&at("page/bench.json")));
    let cases = record["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for (case, batch) in cases.iter().zip([32, 64]) {
        assert_eq!((&case["recipe"], &case["batch"]), (&"digits-mlp".into(), &batch.into()));
        assert_eq!((&case["framework"], &case["precision"]), (&"fallline".into(), &"f32".into()));
        assert_eq!(runs(case), 30);
        let number = |key: &str| case[key].as_f64().unwrap();
        let rate = case["samples_per_second"]["median"].as_f64().unwrap();
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
        assert!(close(number("step_us"), f64::from(batch) / rate * 1e6));
        assert!(close(number("gflops"), rate * number("train_flops_per_sample") / 1e9));
        // More than the peak is impossible.
        let fraction = case["fraction_of_peak"]["median"].as_f64().unwrap();
        assert!(fraction > 0.0 && fraction <= 1.0, "{fraction}");
        assert_eq!(number("scaling_efficiency"), 1.0);
        assert!((0.0..=1.0).contains(&number("waiting")));
        if cfg!(target_os = "linux") {
            // The digits alone are 55 MB.
            assert!((50e6..500e6).contains(&number("peak_memory_bytes")), "{}", number("peak_memory_bytes"));
        }
    }
    assert_eq!(fs::read_to_string(at("r.csv")).unwrap().lines().count(), 3);
    assert!(fs::read_to_string(at("page/report.html")).unwrap().contains("digits-mlp"));
    assert!(
        fs::read_dir(at("page"))
            .unwrap()
            .any(|file| file.unwrap().path().extension() == Some("png".as_ref()))
    );
}

#[test]
fn a_baseline_is_judged_and_a_slower_case_is_exit_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    printed(small(folder.path(), &["--json", "now.json"]));
    let record = json(&at("now.json"));
    // Factors that no noise of a busy machine hides.
    for (factor, code, word) in [(1000.0, 3, "slower"), (0.001, 0, "faster")] {
        fs::write(at("then.json"), scaled(&record, factor).to_string()).unwrap();
        let output = small(folder.path(), &["--baseline", "then.json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert_eq!(text.lines().filter(|line| line.ends_with(word)).count(), 3, "two cases and all: {text}");
    }
    // The same difference within the tolerance.
    fs::write(at("then.json"), scaled(&record, 1000.0).to_string()).unwrap();
    printed(small(folder.path(), &["--baseline", "then.json", "--tolerance", "0.9999"]));

    // Without a common case nothing can be judged, and nothing is measured.
    let mut foreign = record.clone();
    for (case, batch) in foreign["cases"].as_array_mut().unwrap().iter_mut().zip([16, 128]) {
        case["batch"] = batch.into();
    }
    fs::write(at("foreign.json"), foreign.to_string()).unwrap();
    let message = "foreign.json: key `cases`: expected a case that is measured now (digits-mlp adam, batch 32, \
                   1 thread and 1 more), found digits-mlp adam, batch 16, 1 thread and 1 more";
    fails(folder.path(), &[&SMALL[..], &["--baseline", "foreign.json"]].concat(), message);

    let mut other = record.clone();
    other["machine"]["cpu"] = "another".into();
    other["cases"][0]["batch"] = 16.into();
    fs::write(at("other.json"), other.to_string()).unwrap();
    let text = String::from_utf8(small(folder.path(), &["--baseline", "other.json"]).stdout).unwrap();
    assert!(text.contains("warning: the baseline is of another machine (another, "), "{text}");
    assert!(text.contains("warning: 1 of the cases are not in the baseline"), "{text}");
}

#[test]
fn an_interrupted_suite_keeps_its_results_and_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let slow =
        ["bench", "digits-mlp", "--batch", "64", "--threads", "1", "--seconds", "6", "--json", "r.json"];
    // The results of an earlier benchmark.
    fs::write(at("r.json"), "whole").unwrap();
    let child = command(folder.path(), &slow).stdout(Stdio::piped()).spawn().unwrap();
    // The first results are there: the suite is under way.
    while !at("r.json.partial").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("interrupted after ") && text.contains("--resume goes on"), "{text}");
    assert!(text.contains("kept in r.json.partial\n"), "{text}");
    assert_eq!(fs::read_to_string(at("r.json")).unwrap(), "whole");
    let before = json(&at("r.json.partial"))["cases"][0]["samples_per_second"]["runs"].clone();
    let made = before.as_array().unwrap().len();
    assert!((1..30).contains(&made), "{made} runs");

    printed(fallline(folder.path(), &[&slow[..], &["--resume"]].concat()));
    assert!(!at("r.json.partial").exists());
    let after = json(&at("r.json"));
    let after = after["cases"][0]["samples_per_second"]["runs"].as_array().unwrap();
    assert_eq!(after.len(), 30);
    assert_eq!(after[..made], before.as_array().unwrap()[..], "the runs made before are kept");
    let case = json(&at("r.json"))["cases"][0].clone();
    let parts = case["measured"].as_array().unwrap();
    let runs: Vec<Option<u64>> = parts.iter().map(|part| part["runs"].as_u64()).collect();
    assert_eq!(runs, [made, 30 - made].map(|runs| Some(runs as u64)), "{parts:?}");
    let moment = |part: &Value, key: &str| part[key].as_str().unwrap().to_string();
    assert!(moment(&parts[0], "ended") <= moment(&parts[1], "begun"), "{parts:?}");
    assert!(moment(&parts[1], "begun") <= moment(&parts[1], "ended"), "{parts:?}");
    assert!(parts[0]["begun"].as_str().is_some_and(|text| text.len() == 20 && text.ends_with('Z')));

    // Another plan is not mixed with it.
    let other =
        ["bench", "digits-mlp", "--batch", "64", "--threads", "1", "--seconds", "5", "--json", "r.json"];
    fails(folder.path(), &[&other[..], &["--resume"]].concat(), "measuring time of a case");
    let other =
        ["bench", "digits-mlp", "--batch", "32", "--threads", "1", "--seconds", "6", "--json", "r.json"];
    fails(folder.path(), &[&other[..], &["--resume"]].concat(), "cases of the results to resume");
}

/// What is whole is not measured again, and what was measured elsewhere is not mixed with it.
#[test]
fn whole_rounds_are_kept_and_only_of_the_same_measurement() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let plain = fallline(folder.path(), &["recipes", "show", "digits-mlp"]);
    fs::write(at("r.toml"), plain.stdout).unwrap();
    let bench = ["bench", "r.toml", "--batch=32,64", "--threads=1", "--seconds=0.06", "--json=r.json"];
    let resume = [&bench[..], &["--resume"]].concat();
    printed(fallline(folder.path(), &bench));
    let whole = json(&at("r.json"));
    assert_eq!(whole["cases"][0]["measured"].as_array().unwrap().len(), 1, "{whole}");
    let text = printed(fallline(folder.path(), &resume));
    assert!(!text.contains("measured in "), "{text}");
    assert_eq!(json(&at("r.json"))["cases"], whole["cases"], "nothing is measured again, and nothing lost");

    // Broken off in the sixth round: the first case was run, the second was not.
    let mut partial = whole.clone();
    for (case, runs) in partial["cases"].as_array_mut().unwrap().iter_mut().zip([6, 5]) {
        for key in ["samples_per_second", "fraction_of_peak"] {
            case[key]["runs"].as_array_mut().unwrap().truncate(runs);
        }
        case["measured"][0]["runs"] = runs.into();
        case["measured"][0]["begun"] = "2020-01-01T00:00:00Z".into();
    }
    fs::write(at("r.json.partial"), partial.to_string()).unwrap();
    let text = printed(fallline(folder.path(), &resume));
    assert!(
        text.contains("note: measured in 2 parts on this machine, the first begun at 2020-01-01T00:00:00Z, ")
    );
    let after = json(&at("r.json"));
    for (case, old) in after["cases"].as_array().unwrap().iter().zip(whole["cases"].as_array().unwrap()) {
        let runs = |case: &Value| case["samples_per_second"]["runs"].as_array().unwrap().clone();
        assert_eq!((runs(case).len(), &runs(case)[..5]), (30, &runs(old)[..5]));
        assert_ne!(runs(case)[5..], runs(old)[5..]);
        let parts = case["measured"].as_array().unwrap();
        let runs: Vec<Option<u64>> = parts.iter().map(|part| part["runs"].as_u64()).collect();
        assert_eq!(runs, [Some(5), Some(25)]);
    }

    let refused = |change: &dyn Fn(&mut Value), message: &str| {
        let mut other = partial.clone();
        change(&mut other);
        fs::write(at("r.json.partial"), other.to_string()).unwrap();
        fails(folder.path(), &resume, message);
    };
    refused(
        &|other| other["machine"]["cpu"] = "another".into(),
        "processor of the results to resume: expected ",
    );
    refused(
        &|other| other["machine"]["instruction_set"] = "none".into(),
        "instruction set of the results to resume: expected ",
    );
    refused(
        &|other| other["version"] = "0.0.0".into(),
        "program of the results to resume: expected fallline ",
    );
    refused(
        &|other| _ = other["cases"].as_array_mut().unwrap().pop(),
        "cases of the results to resume: expected all of those chosen now, which are measured in turn, found none of ",
    );
    fs::write(at("r.json.partial"), partial.to_string()).unwrap();
    let compared = [&resume[..], &["--compare=jax"]].concat();
    fails(folder.path(), &compared, "other frameworks of the results to resume: expected jax, found none");
    let text = fs::read_to_string(at("r.toml")).unwrap().replacen("units = ", "units = 1", 1);
    fs::write(at("r.toml"), text).unwrap();
    fails(folder.path(), &resume, "digits-mlp adam, batch 32, 1 thread: `model.layers.0.units`: expected 1");
    assert_eq!(json(&at("r.json")), after, "results that are whole stay");
}

#[test]
fn a_framework_that_is_not_there_is_a_note() {
    let folder = tempfile::tempdir().unwrap();
    printed(small(folder.path(), &["--compare", "jax", "--json", "r.json"]));
    let record = json(&folder.path().join("r.json"));
    assert_eq!(record["cases"].as_array().unwrap().len(), 2);
    let notes = record["notes"].to_string();
    assert!(notes.contains("jax is left out: there is no Python for it"), "{notes}");
}

#[test]
fn a_missing_data_set_is_replaced_with_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--batch", "64", "--threads", "1", "--seconds", "0.06", "--json", "r.json"];
    printed(fallline(folder.path(), &[&["bench", "mnist-mlp"][..], &arguments].concat()));
    let record = json(&folder.path().join("r.json"));
    assert_eq!(record["cases"][0]["data"], "digits in place of mnist");
    assert!(record["notes"].to_string().contains("generated digits stand in"), "{}", record["notes"]);
    // Who names a folder means it.
    fails(
        folder.path(),
        &[&["bench", "mnist-mlp", "--data", "."][..], &arguments].concat(),
        "`mnist` not found",
    );
}

/// What is frozen has no gradient, and is no part of the work that is counted.
#[test]
fn the_step_of_a_network_that_is_frozen_in_part_is_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let list = |more: &[&str]| {
        let kernels = ["bench", "digits-mlp", "--batch=64", "--threads=1", "--kernel=list"];
        printed(fallline(folder.path(), &[&kernels[..], more].concat()))
    };
    let (whole, part) = (list(&[]), list(&["--set=train.freeze=all-but-last"]));
    for (kernel, is_left) in [("0 forward", true), ("0 weight-gradient", false), ("2 weight-gradient", true)]
    {
        assert!(whole.contains(kernel), "{kernel}: {whole}");
        assert_eq!(part.contains(kernel), is_left, "{kernel}: {part}");
    }
    let text = |freeze: &str| {
        format!(
            "name = 'r'\n[data]\nset = 'digits'\n[optimizer]\nname = 'adam'\n[train]\nbatch = 32\n{freeze}\n[model]\n\
             layers = [{{ type = 'dense', units = 9, activation = 'relu' }}, {{ type = 'dense', units = 10 }}]\n"
        )
    };
    let flops = |freeze: &str| {
        fs::write(folder.path().join("r.toml"), text(freeze)).unwrap();
        let bench = ["bench", "r.toml", "--batch=32", "--threads=1", "--seconds=0.05", "--json=r.json"];
        printed(fallline(folder.path(), &bench));
        json(&folder.path().join("r.json"))["cases"][0]["train_flops_per_sample"].as_f64().unwrap()
    };
    assert_eq!(flops(""), 2.0 * (2.0 * 784.0 * 9.0 + 3.0 * 90.0));
    assert_eq!(flops("freeze = ['all-but-last']"), 2.0 * (784.0 * 9.0 + 2.0 * 90.0));
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_is() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |arguments: &[&str], message: &str| fails(folder.path(), arguments, message);
    fails(&["bench", "mnist-mpl"], "did you mean `mnist-mlp`?");
    fails(&["bench", "--optimizer", "adem"], "did you mean `adam`?");
    fails(&["bench", "--compare", "jaxx"], "did you mean `jax`?");
    fails(&["bench", "--batch", "0"], "expected a whole number above 0");
    fails(&["bench", "--batch", "-5"], "expected a whole number above 0");
    fails(&["bench", "digits-mlp", "--batch", "99999999"], "expected at most the 60000 training samples");
    fails(&["bench", "--threads", "5000"], "expected a whole number from 1 to 1024");
    fails(&["bench", "--precision", "bf16"], "possible values: f32");
    fails(&["bench", "--seconds", "nan"], "expected seconds above 0");
    fails(&["bench", "--tolerance", "1"], "expected a part of 1");
    fails(&["bench", "--resume"], "--resume: expected --json FILE or --out DIR");
    fails(&["bench", "--resume", "--json", "none.json"], "none.json: cannot ");
    fails(&["bench", "--json", "no/such.json"], "no: cannot create a file in this folder");
    fs::write(folder.path().join("train.json"), r#"{"schema":"fallline.train/9"}"#).unwrap();
    fails(&["bench", "--baseline", "train.json"], "fallline.bench/1");
    fs::write(folder.path().join("text"), "no JSON").unwrap();
    fails(&["bench", "--baseline", "text"], "text: ");
}
