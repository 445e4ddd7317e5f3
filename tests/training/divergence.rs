//! Trainings that plainly fail, and healthy ones that only look odd: exit codes, what is said and kept.

use std::fs;
use std::path::Path;

use crate::common::program::{fallline, json};

const SMALL: [&str; 3] = ["train", "--set=data.train_samples=300", "--set=data.test_samples=100"];

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn train(folder: &Path, more: &[&str]) -> Run {
    let has_epochs = more.iter().any(|argument| argument.starts_with("--epochs="));
    let epochs: &[&str] = if has_epochs { &[] } else { &["--epochs=2"] };
    let output = fallline(folder, &[&SMALL[..], epochs, more].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn a_loss_that_has_grown_is_a_failure_that_names_the_learning_rate() {
    let folder = tempfile::tempdir().unwrap();
    let outputs = ["--lr=1e10", "--save=m", "--json=j", "--report=r"];
    let run = train(folder.path(), &outputs);
    assert_eq!(run.code, Some(4), "{}", run.err);
    let told = "error: training diverged: the mean training loss of epoch 2 is ";
    assert!(run.err.contains(told) && run.err.contains("; the learning rate was 1e10: try a smaller one"));
    assert!(!run.err.contains("activation"), "{}", run.err);
    // Nothing is lost.
    assert!(
        ["wrote m\n", "wrote j\n", "test accuracy"].iter().all(|part| run.out.contains(part)),
        "{}",
        run.out
    );
    let record = json(&folder.path().join("j"));
    let diverged = &record["diverged"];
    assert_eq!((&record["stop_reason"], &diverged["learning_rate"]), (&"epochs".into(), &1e10.into()));
    assert_eq!(diverged["value"], record["epochs"][1]["train_loss"]);
    assert!(diverged["value"].as_f64() > diverged["first"].as_f64());
    let page = fs::read_to_string(folder.path().join("r/report.html")).unwrap();
    assert!(page.contains("training diverged: "));
    assert_eq!(fallline(folder.path(), &["report", "j", "--out", "p.html"]).status.code(), Some(0));

    // For those who study it.
    let run = train(folder.path(), &[&outputs[..], &["--allow-divergence"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.err.contains("warning: training diverged: the mean training loss"), "{}", run.err);
}

#[test]
fn what_was_seen_before_numbers_are_lost_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("m"), "of an earlier run").unwrap();
    // The loss of the first step is finite, its update is not.
    let settings = ["--lr=1e39", "--optimizer=sgd", "--batch=all", "--save=m", "--json=j"];
    let run = train(folder.path(), &[&settings[..], &["--tensorboard=t"]].concat());
    assert_eq!(run.code, Some(4), "{}", run.err);
    assert!(
        run.err.contains("error: training diverged: ") && run.err.contains("; the learning rate was 1e39: ")
    );
    assert!(run.out.contains("not tested: parameters are not finite\n"), "{}", run.out);
    assert!(
        run.out.contains("m is not written: an element of ") && run.out.contains("wrote j\n"),
        "{}",
        run.out
    );
    assert_eq!(fs::read_to_string(folder.path().join("m")).unwrap(), "of an earlier run");
    let record = json(&folder.path().join("j"));
    let epochs = record["epochs"].as_array().unwrap().len();
    assert!(epochs > 0 && record["stop_reason"] == "diverged" && record.get("test").unwrap().is_null());
    assert!(record["diverged"]["epoch"].as_u64().unwrap() >= epochs as u64, "{record}");
    assert_eq!(fallline(folder.path(), &["report", "j", "--out", "p.html"]).status.code(), Some(0));
    let run = train(folder.path(), &[&settings[..], &["--allow-divergence"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.err);
}

/// A model of the best epoch is there, whatever came after it.
#[test]
fn patience_takes_the_best_parameters_back_from_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    // Each step makes the loss some ten times as large.
    let settings = ["--epochs=40", "--optimizer=sgd", "--lr=0.1", "--set=model.loss=mean-squared-error"];
    let growing = ["--set=model.layers=[{ type = 'dense', units = 10 }]", "--save=m", "--json=j"];
    let patient = ["--validation=0.2", "--patience=40"];
    let run = train(folder.path(), &[&settings[..], &growing, &patient].concat());
    assert_eq!(run.code, Some(4), "{}", run.err);
    assert!(run.out.contains("wrote m\n"), "{}", run.out);
    let record = json(&folder.path().join("j"));
    assert!(record["best_epoch"].is_u64() && record["test"]["loss"].is_f64(), "{record}");
    assert!(record["validation"]["loss"].is_f64());
}

#[test]
fn folds_and_seeds_that_diverge_count_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path(), &["--lr=1e10", "--folds=2", "--json=f"]);
    assert_eq!(run.code, Some(4), "{}", run.err);
    assert!(run.err.contains("error: fold 1: training diverged: ") && run.err.contains("fold 2: training"));
    assert_eq!(json(&folder.path().join("f"))["folds"].as_array().unwrap().len(), 2);
    let run = train(folder.path(), &["--lr=1e10", "--folds=2", "--allow-divergence"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    // No mean of the folds that are left.
    let run = train(folder.path(), &["--lr=1e39", "--optimizer=sgd", "--folds=2", "--json=f"]);
    assert_eq!(run.code, Some(4), "{}", run.err);
    assert!(json(&folder.path().join("f"))["accuracy"]["mean"].is_null());

    let seeds = |rate: &str, more: &[&str]| {
        let rate = format!("--set=optimizer.learning_rate={rate}");
        let own = ["reproduce", SMALL[1], SMALL[2], "--set=train.epochs=2", "--seeds=2", &rate, "--json=r"];
        let output = fallline(folder.path(), &[&own[..1], &["digits-mlp"], &own[1..], more].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, err) = seeds("1e10", &[]);
    assert_eq!(code, Some(4), "{err}");
    assert!(err.contains("error: digits-mlp, seed 1: training diverged: "), "{err}");
    assert!(err.contains("digits-mlp, seed 2: training diverged: "), "all seeds are trained: {err}");
    // A target that nothing misses, and one that a network without an answer misses.
    assert_eq!(seeds("1e10", &["--allow-divergence", "--set=target=0"]).0, Some(0));
    let lost = ["--allow-divergence", "--set=target=0", "--set=optimizer.name=sgd"];
    let (code, err) = seeds("1e39", &lost);
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(json(&folder.path().join("r"))["recipes"][0]["verdict"], "missed");
}

/// None of these is a reason for an alarm.
#[test]
fn trainings_that_learn_nothing_have_not_diverged() {
    let folder = tempfile::tempdir().unwrap();
    let one = ["--set=data.train_samples=10", "--set=train.shuffle=false"];
    for settings in [
        &["--lr=0"][..],
        &["--lr=0", "--batch=1"],
        &["--lr=1e-9", "--batch=3"],
        &[
            "--lr=0",
            "--batch=7",
            "--set=augment.mixup=1",
            "--set=model.loss={ type = 'cross-entropy', label_smoothing = 0.1 }",
        ],
        &["--lr=0", "--batch=5", "--epochs=1", "--set=model.layers.0.weight_init=zeros"],
        &["--batch=all", "--epochs=1"],
        &["--batch=all", "--optimizer=lbfgs", "--lr=1"],
        &["--set=stop.steps=1", "--batch=1"],
        &["--set=stop.steps=7", "--batch=1"],
        &["--batch=1", "--seed=3", one[0], one[1]],
    ] {
        for seed in ["--set=train.seed=1", "--set=train.seed=2", "--set=train.seed=5"] {
            let run = train(folder.path(), &[settings, &["--quiet", seed]].concat());
            assert_eq!(run.code, Some(0), "{settings:?} {seed}: {}", run.err);
        }
    }
}

#[test]
fn a_first_epoch_is_judged_too_and_single_samples_are() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path(), &["--lr=100", "--optimizer=sgd", "--batch=1", "--epochs=1"]);
    assert_eq!(run.code, Some(4), "{}\n{}", run.out, run.err);
}
