//! `profile` and `bench --kernel` that measure, as their users meet them.

use std::fs;
use std::path::Path;

use crate::common::program::{fallline, succeeds};
use fallline::engine::bench::profile::ProfileRecord;

#[track_caller]
fn fails(folder: &Path, arguments: &[&str], messages: &[&str]) {
    let output = fallline(folder, arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert!(messages.iter().all(|message| error.contains(message)), "{arguments:?}: {error}");
}

fn read(path: &Path) -> ProfileRecord {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_training_is_profiled_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let run = "profile digits-mlp --batch 100 --threads 2 --steps 2..12 --counters --json p.json --csv s.csv \
               --folded f.txt --trace t.json --out page";
    let text = succeeds(folder.path(), &run.split(' ').collect::<Vec<_>>());
    for part in ["weight-gradient", "could save µs", "uncovered", "roofs:", "counters"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let record = read(&folder.path().join("p.json"));
    assert_eq!((record.settings.batch, record.settings.threads, record.workers.len()), (100, 2, 2));
    assert!(record.command.starts_with("fallline profile digits-mlp --batch 100"));
    // Each kernel that can be run by itself names its command.
    let gradient = record.sites.iter().find(|site| site.operation == "weight-gradient").unwrap();
    let expected = "fallline bench digits-mlp --batch 100 --threads 2 --kernel '";
    assert!(gradient.command.as_ref().unwrap().starts_with(expected), "{:?}", gradient.command);
    for file in ["s.csv", "f.txt", "t.json", "page/report.html", "page/profile.json", "page/flame.svg"] {
        assert!(folder.path().join(file).metadata().unwrap().len() > 100, "{file}");
    }
    let trace: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("t.json")).unwrap()).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 100);
    // A tolerance that no machine misses.
    let again = "profile digits-mlp --batch 200 --threads 2 --steps 2..6 --compare p.json --tolerance 0.99";
    let output = fallline(folder.path(), &again.split(' ').collect::<Vec<_>>());
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn mistakes_are_known_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[&str]); 6] = [
        ("profile digits-mlp --layer 9", &["--layer", "9"]),
        ("profile digits-mlp --batch 10000000", &["10000000", "at most"]),
        ("profile no-such", &["no-such"]),
        ("profile digits-mlp --data nowhere", &["nowhere"]),
        ("profile digits-mlp --steps 5..5", &["--steps"]),
        ("profile digits-mlp --set model.layers.0.units=0", &["units"]),
    ];
    for (arguments, messages) in cases {
        fails(folder.path(), &arguments.split(' ').collect::<Vec<_>>(), messages);
    }
}

#[test]
fn kernels_run_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let list = succeeds(folder.path(), &["bench", "--kernel", "list", "digits-mlp"]);
    for name in ["gather", "0 forward", "0 weight-gradient", "loss", "0 update"] {
        assert!(list.contains(name), "{name} in {list}");
    }
    let arguments = [
        "bench",
        "digits-mlp",
        "--kernel",
        "0 weight-gradient",
        "--batch",
        "64",
        "--threads",
        "2",
        "--seconds",
    ];
    let text = succeeds(folder.path(), &[&arguments[..], &["0.1"]].concat());
    for part in ["warm", "cold", "GFLOP/s", "of roof", "roofs:", "0 weight-gradient"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let all =
        ["bench", "digits-cnn", "--kernel", "all", "--seconds", "0.01", "--threads", "2", "--batch", "20"];
    let all = succeeds(folder.path(), &all);
    assert!(all.matches("warm").count() > 8 && all.matches("warm").count() == all.matches("cold").count());
    // A layer that normalises by batch, too.
    let recipe = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/digits-mlp.toml")).unwrap();
    let norm = "[[model.layers]]\ntype = \"batch-norm\"\n\n[[model.layers]]";
    fs::write(folder.path().join("norm.toml"), recipe.replacen("[[model.layers]]", norm, 1)).unwrap();
    let list = succeeds(folder.path(), &["bench", "norm.toml", "--kernel", "list"]);
    assert!(list.contains("0 statistics") && list.contains("0 forward"), "{list}");
    let statistics =
        ["bench", "norm.toml", "--kernel", "0 statistics", "--seconds", "0.05", "--threads", "2"];
    let text = succeeds(folder.path(), &statistics);
    assert!(text.contains("0 statistics") && text.contains("warm"), "{text}");
    fails(folder.path(), &["bench", "digits-mlp", "--kernel", "0 sideways"], &["--kernel", "0 sideways"]);
    fails(folder.path(), &["bench", "--kernel", "list", "--batch", "1,2"], &["--batch", "one"]);
    fails(folder.path(), &["bench", "--kernel", "list", "--json", "x.json"], &["--json"]);
    fails(folder.path(), &["bench", "--set", "train.batch=5"], &["--kernel"]);
    fails(folder.path(), &["bench", "--set", "train.batch=5", "--json", "b.json"], &["--kernel"]);
}
