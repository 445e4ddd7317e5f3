//! What can be known is known before the first step, and what was trained outlives what comes after it.

use std::fs;
use std::path::Path;

use crate::common::idx::idx;
use crate::common::program::{command, fallline, json};

/// Writes a data set of floats of 3x3 pixels in two classes, of which `change` may make others.
pub(super) fn write_set(folder: &Path, counts: [usize; 2], change: impl Fn(&str, &mut [f32])) {
    fs::create_dir_all(folder).unwrap();
    for (name, count) in ["train", "t10k"].into_iter().zip(counts) {
        let labels: Vec<u8> = (0..count).map(|i| (i % 2) as u8).collect();
        let mut values: Vec<f32> =
            (0..9 * count).map(|i| (i * 37 % 101) as f32 / 300.0 + 0.5 * f32::from(labels[i / 9])).collect();
        change(name, &mut values);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
        let images = idx(13, &[count as u32, 3, 3], &bytes);
        fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), idx(8, &[count as u32], &labels))
            .unwrap();
    }
}

pub(super) const RECIPE: &str = "name = 'r'\n[data]\nset = 'folder'\n[model]\nlayers = [\n\
    { type = 'dense', units = 8, activation = 'relu' }, { type = 'dense', units = 2 } ]\n\
    [optimizer]\nname = 'adam'\nlearning_rate = 0.02\n[train]\nepochs = 10\nbatch = 13\n";

pub(super) fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = fallline(folder, arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn an_outlier_among_the_test_samples_does_not_lose_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(&path.join("d"), [60, 20], |name, values| {
        if name == "t10k" {
            // Sample 5: its sums of products are infinities of both signs.
            values[45..54].iter_mut().enumerate().for_each(|(i, x)| *x = [3e38, -3e38][i % 2]);
        }
    });
    fs::write(path.join("r.toml"), RECIPE).unwrap();
    let warning = "the loss of test sample 5 is not finite, so the mean is not";
    let (code, out, err) = run(path, &["train", "r.toml", "--data=d", "--save=m", "--json=j", "--report=r"]);
    assert_eq!(code, Some(0), "the training is sound: {err}");
    assert!(err.contains(&format!("warning: {warning}")), "{err}");
    assert!(
        ["wrote m\n", "wrote j\n", "wrote r/report.html\n"].iter().all(|line| out.contains(line)),
        "{out}"
    );
    let record = json(&path.join("j"));
    assert!(record["test"]["loss"].is_null() && record.get("diverged").is_none(), "{record}");
    assert!(record["test"]["accuracy"].as_f64().unwrap() > 0.8, "the others count: {record}");
    assert_eq!(record["test"]["not_finite"], serde_json::json!({"samples": 1, "first": 5}));
    // What was written is read back.
    assert_eq!(run(path, &["report", "j", "r/run.json", "--out=p.html"]).0, Some(0));
    assert_eq!(run(path, &["report", "r/run.json", "--out=p.html"]).0, Some(0));
    assert!(fs::read_to_string(path.join("p.html")).unwrap().contains(warning));

    let (code, _, err) = run(path, &["eval", "--model=m", "--data=d", "--json=e"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains(&format!("warning: {warning}")) && json(&path.join("e"))["test"]["loss"].is_null());
    let (code, out, err) = run(path, &["reproduce", "r.toml", "--data=d", "--seeds=2", "--json=s"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(err.contains(&format!("r, seed 2 (2 of 2): {warning}")), "{err}");
    assert_eq!(run(path, &["report", "s", "--out=p.html"]).0, Some(0));
}

#[test]
fn an_outlier_among_validation_samples_is_named_and_the_training_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("r.toml"), RECIPE).unwrap();
    // Which samples are set aside follows from the seed; whatever is trained on an outlier is lost.
    let outlier = |index: usize| {
        move |name: &str, values: &mut [f32]| {
            if name == "train" {
                values[9 * index..9 * index + 9]
                    .iter_mut()
                    .enumerate()
                    .for_each(|(i, x)| *x = [3e38, -3e38][i % 2]);
            }
        }
    };
    let settings = ["train", "r.toml", "--data=d", "--validation=0.5", "--patience=2", "--json=j"];
    let seen = (0..20).find_map(|index| {
        write_set(&path.join("d"), [60, 20], outlier(index));
        let (code, out, err) = run(path, &settings);
        (code == Some(0)).then_some((index, out, err))
    });
    let (index, out, err) = seen.expect("half of the samples are set aside");
    let told = format!("warning: the loss of training sample {index} is not finite");
    assert_eq!(err.matches(&told).count(), 1, "once, not after each epoch: {err}");
    assert!(out.contains("validation accuracy"), "{out}");
    let record = json(&path.join("j"));
    assert!(record["validation"]["loss"].is_null() && record["test"]["loss"].is_f64(), "{record}");
    assert_eq!((&record["stop_reason"], &record["best_epoch"]), (&"patience".into(), &1.into()));
    // The same in a fold.
    let folds = ["train", "r.toml", "--data=d", "--folds=60", "--epochs=1", "--json=f", "--allow-divergence"];
    assert_eq!(run(path, &folds).0, Some(0));
}

#[test]
fn a_batch_of_one_is_found_before_the_first_fold_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(&path.join("d"), [70, 20], |_, _| {});
    let normalised = RECIPE
        .replace("{ type = 'dense', units = 2 }", "{ type = 'batch-norm' }, { type = 'dense', units = 2 }");
    fs::write(path.join("bn.toml"), normalised).unwrap();
    // Of 70 samples in 4 folds, 52, 52, 53 and 53 are trained on; 53 is 4 * 13 + 1.
    let (code, out, err) = run(path, &["train", "bn.toml", "--data=d", "--folds=4", "--json=f"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("which leaves a batch of 1 of 53 samples"), "{err}");
    assert!(!out.contains("epoch  1/") && !path.join("f.partial").exists(), "{out}");
    let (code, out, err) = run(path, &["train", "bn.toml", "--data=d", "--folds=71"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("expected 2 to 70") && !out.contains("epoch  1/"), "{err}");
    // So it is for seeds, and for the second of two recipes.
    fs::write(path.join("r.toml"), RECIPE).unwrap();
    let seeds = ["reproduce", "r.toml", "bn.toml", "--data=d", "--set=data.validation=17"];
    let (code, out, err) = run(path, &seeds);
    assert_eq!(code, Some(2));
    assert!(err.contains("recipe bn") || err.contains("which leaves a batch of 1 of 53 samples"), "{err}");
    assert!(!out.contains("seed 1"), "{out}");
}

/// Each failure is told, and none keeps another file from being written.
#[cfg(target_os = "linux")]
#[test]
fn all_files_are_tried_before_a_failure_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(&path.join("d"), [60, 20], |_, _| {});
    fs::write(path.join("r.toml"), RECIPE).unwrap();
    let full = ["train", "r.toml", "--data=d", "--save=/dev/full", "--json=j", "--report=r"];
    let (code, out, err) = run(path, &full);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("error: /dev/full: cannot write: "), "{err}");
    assert!(out.contains("wrote j\n") && out.contains("wrote r/report.html\n"), "{out}");
    let (code, out, err) = run(path, &["train", "r.toml", "--data=d", "--json=/dev/full", "--save=m"]);
    assert_eq!((code, out.contains("wrote m\n")), (Some(2), true), "{err}");
    // Nobody reads along.
    let closed = command(path, &["train", "r.toml", "--data=d", "--lr=1e10", "--save=n"])
        .stdout(fs::File::options().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert!(path.join("n").is_file() && closed.status.code() == Some(2), "{closed:?}");
}
