//! `train --checkpoint` and `--resume`: an interrupted training goes on, with the same bits.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::common::idx::idx;
use crate::common::program::{command, fails, fallline, json, names, succeeds};
use crate::working::Working;

/// Many short epochs: long enough to be interrupted.
const LONG: [&str; 8] = [
    "train",
    "digits-mlp",
    "--set=data.train_samples=50",
    "--set=data.test_samples=20",
    "--batch=9",
    "--epochs=2000",
    "--validation=10",
    "--set=stop.patience=100000",
];

/// A few steps.
const SHORT: [&str; 6] = [
    "train",
    "digits-mlp",
    "--set=data.train_samples=50",
    "--set=data.test_samples=20",
    "--batch=9",
    "--epochs=3",
];

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [base, more].concat()
}

/// The results without times, rates, threads and machine.
fn timeless(path: &Path) -> Value {
    let mut record = json(path);
    for key in ["train_seconds", "threads", "machine"] {
        record.as_object_mut().unwrap().remove(key).unwrap();
    }
    for epoch in record["epochs"].as_array_mut().unwrap() {
        for key in ["seconds", "samples_per_second"] {
            epoch.as_object_mut().unwrap().remove(key).unwrap();
        }
    }
    record
}

#[test]
fn a_training_goes_on_after_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(
        path,
        &with(&LONG, &["--quiet", "--threads=1", "--save=whole.safetensors", "--json=whole.json"]),
    );
    let kept = ["--checkpoint=kept", "--checkpoint-every=700steps", "--save=m.safetensors", "--json=m.json"];
    for (signal, text) in [("TERM", "SIGTERM"), ("INT", "Ctrl-C")] {
        let mut first = command(path, &with(&LONG, &with(&kept, &["--threads=2"])));
        let mut working = Working::start(&mut first, "epoch    1/2000");
        working.send(signal);
        let answer = working.hears("stopping");
        assert!(answer.contains("stopping: keeping the state, testing and saving"), "{answer}");
        let ended = working.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.out.contains(&format!("interrupted by {text}\n")), "{ended:?}");
        assert!(ended.out.ends_with("`fallline train --resume kept` goes on\n"), "{ended:?}");
        assert_eq!(names(&path.join("kept")).len(), 3, "two checkpoints and a lock");
        // As recorded, but for the threads; from another folder.
        fs::create_dir_all(path.join("elsewhere")).unwrap();
        let output = fallline(&path.join("elsewhere"), &["train", "--resume=../kept", "--threads=1"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && error.contains("going on from ../kept/checkpoint-"), "{error}");
        assert!(!path.join("elsewhere/m.json").exists());
        assert_eq!(
            fs::read(path.join("m.safetensors")).unwrap(),
            fs::read(path.join("whole.safetensors")).unwrap()
        );
        assert_eq!(timeless(&path.join("m.json")), timeless(&path.join("whole.json")));
        fs::remove_dir_all(path.join("kept")).unwrap();
    }
}

/// The last step of which a folder has a checkpoint.
fn newest(folder: &Path) -> u64 {
    let names = if folder.is_dir() { names(folder) } else { Vec::new() };
    let step =
        |name: &String| name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?.parse::<u64>().ok();
    names.iter().filter_map(step).max().unwrap_or(0)
}

/// What a killed process has written is whole, and what it was writing is removed by the next.
#[test]
fn a_training_goes_on_after_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, kept) = (folder.path(), folder.path().join("kept"));
    let train =
        with(&SHORT[..5], &["--quiet", "--epochs=100", "--validation=10", "--set=stop.patience=1000"]);
    succeeds(path, &with(&train, &["--threads=1", "--save=whole.safetensors", "--json=whole.json"]));
    let last = ["--resume=kept", "--checkpoint-every=3steps", "--save=m.safetensors", "--json=m.json"];
    let again = with(&train, &with(&["--threads=2"], &last));
    let mut killed = 0;
    for round in 0..10 {
        let before = newest(&kept);
        let mut first = command(path, &again);
        let mut child = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while newest(&kept) <= before && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(1));
        }
        // Between two checkpoints, or while one is written.
        sleep(Duration::from_micros(700 * round));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(status.success() || status.code().is_none(), "round {round}: {status}");
        killed += usize::from(!status.success());
    }
    assert!(killed > 4, "killed {killed} times");
    let output = fallline(path, &again);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !error.contains("passed over"), "{error}");
    let [model, whole] = ["m", "whole"].map(|name| path.join(name).with_extension("safetensors"));
    assert!(fs::read(model).unwrap() == fs::read(whole).unwrap(), "the models differ");
    assert_eq!(timeless(&path.join("m.json")), timeless(&path.join("whole.json")));
    assert_eq!(names(&kept), ["checkpoint-498.safetensors", "checkpoint-500.safetensors", "lock"]);
}

/// One command line in a loop: it begins, it goes on, and is done.
#[test]
fn the_first_command_is_accepted_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let plain = succeeds(path, &with(&SHORT, &["--quiet", "--save=whole.safetensors"]));
    let again = with(&SHORT, &["--quiet", "--resume=kept", "--keep=1", "--save=m.safetensors"]);
    let tested = |text: &str| text.lines().find(|line| line.starts_with("test loss")).unwrap().to_string();
    for _ in 0..3 {
        assert_eq!(tested(&succeeds(path, &again)), tested(&plain));
        assert_eq!(
            fs::read(path.join("m.safetensors")).unwrap(),
            fs::read(path.join("whole.safetensors")).unwrap()
        );
        assert_eq!(names(&path.join("kept")), ["checkpoint-18.safetensors", "lock"]);
    }
    // The rate is constant, so there may be more epochs.
    let schedule = ["--schedule=constant", "--quiet"];
    let longer = succeeds(path, &with(&SHORT[..5], &with(&schedule, &["--epochs=5"])));
    succeeds(path, &with(&SHORT, &with(&schedule, &["--resume=constant"])));
    let more = succeeds(path, &["train", "--resume=constant", "--epochs=5"]);
    assert_eq!(tested(&more), tested(&longer));
}

#[test]
fn a_table_goes_on_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let rows: String =
        (0..60).map(|i| format!("{},{},{}\n", i % 7, ["red", "green"][i % 2], i % 3)).collect();
    fs::write(path.join("t.csv"), format!("size,colour,kind\n{rows}")).unwrap();
    fs::create_dir(path.join("other")).unwrap();
    let train = ["train", "t.csv", "--epochs=3", "--quiet"];
    succeeds(path, &with(&train, &["--save=whole.safetensors"]));
    let whole = fs::read(path.join("whole.safetensors")).unwrap();
    succeeds(path, &with(&train, &["--checkpoint=kept", "--keep=9", "--save=m.safetensors"]));
    assert_eq!(fs::read(path.join("m.safetensors")).unwrap(), whole);
    let all = names(&path.join("kept"));
    assert_eq!(all.len(), 5, "{all:?}");
    // Only the first one, with nothing done, is left.
    all.iter().filter(|name| *name != "checkpoint-0.safetensors" && *name != "lock").for_each(|name| {
        fs::remove_file(path.join("kept").join(name)).unwrap();
    });
    fs::remove_file(path.join("m.safetensors")).unwrap();
    succeeds(&path.join("other"), &["train", "--resume=../kept"]);
    assert_eq!(fs::read(path.join("m.safetensors")).unwrap(), whole);
    fs::write(path.join("t.csv"), format!("size,colour,kind\n{}", rows.replace('6', "5"))).unwrap();
    fails(path, &["train", "--resume=kept"], "training samples: expected those of the training that goes on");
}

#[test]
fn a_set_that_was_found_is_found_again_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let set = path.join("datasets/mnist");
    fs::create_dir_all(&set).unwrap();
    for (name, count) in [("train", 30u32), ("t10k", 10)] {
        let labels: Vec<u8> = (0..count).map(|i| (i % 10) as u8).collect();
        let pixels: Vec<u8> = (0..784 * count).map(|i| (i * 37 % 251) as u8).collect();
        fs::write(set.join(format!("{name}-images-idx3-ubyte")), idx(8, &[count, 28, 28], &pixels)).unwrap();
        fs::write(set.join(format!("{name}-labels-idx1-ubyte")), idx(8, &[count], &labels)).unwrap();
    }
    let recipe = "name = 'r'\ndata.set = 'mnist'\nmodel.layers = [{ type = 'dense', units = 10 }]\n\
                  optimizer = { name = 'adam' }\ntrain = { epochs = 2, batch = 7 }\n";
    fs::write(path.join("r.toml"), recipe).unwrap();
    let train = ["train", "r.toml", "--quiet", "--checkpoint=kept", "--save=m.safetensors"];
    succeeds(path, &train);
    let whole = fs::read(path.join("m.safetensors")).unwrap();
    fs::remove_file(path.join("kept/checkpoint-10.safetensors")).unwrap();
    fs::remove_file(path.join("m.safetensors")).unwrap();
    fs::create_dir(path.join("other")).unwrap();
    succeeds(&path.join("other"), &["train", "--resume=../kept"]);
    assert_eq!(fs::read(path.join("m.safetensors")).unwrap(), whole);
}

#[test]
fn damage_is_said_and_the_checkpoint_before_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let plain = succeeds(path, &with(&SHORT, &["--checkpoint=kept", "--quiet"]));
    let newest = path.join("kept/checkpoint-18.safetensors");
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, &bytes).unwrap();
    let output = fallline(path, &["train", "--resume=kept"]);
    let error = String::from_utf8(output.stderr).unwrap();
    let warning = "warning: kept/checkpoint-18.safetensors: file: expected the checksum ";
    assert!(
        output.status.success() && error.contains(warning) && error.contains("; it is passed over"),
        "{error}"
    );
    let last = |text: &str| text.lines().last().unwrap().to_string();
    assert_eq!(last(&String::from_utf8(output.stdout).unwrap()), last(&plain));
    for name in ["checkpoint-12.safetensors", "checkpoint-18.safetensors"] {
        fs::write(path.join("kept").join(name), "").unwrap();
    }
    fails(path, &["train", "--resume=kept"], "and no other checkpoint there is whole");
}

#[test]
fn mistakes_are_told_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fails(
        path,
        &["train", "--resume=none"],
        "none: expected a checkpoint to go on from, or the recipe to begin with",
    );
    assert_eq!(names(path), Vec::<String>::new());
    for length in ["5", "0steps", "ten minutes", "-1epoch"] {
        let option = format!("--checkpoint-every={length}");
        let arguments = with(&SHORT, &["--checkpoint=kept", &option]);
        fails(path, &arguments, "expected a whole number above 0 with its unit: s, min, h, steps or epochs");
    }
    fails(path, &with(&SHORT, &["--checkpoint-every=1epoch"]), "--checkpoint <DIR>");
    fails(path, &with(&SHORT, &["--checkpoint=kept", "--resume=kept"]), "cannot be used with");
    for option in ["--checkpoint=kept", "--checkpoint-every=1epoch", "--keep=3"] {
        fails(path, &with(&SHORT, &[option, "--folds=3"]), "cannot be used with");
    }
    fails(
        path,
        &["train", "-", "--checkpoint=kept"],
        "expected a file, which can be read again, found standard input",
    );
    succeeds(path, &with(&SHORT, &["--checkpoint=kept", "--quiet"]));
    fails(
        path,
        &with(&SHORT, &["--checkpoint=kept"]),
        "kept: expected no checkpoints of another training (--resume goes on",
    );
    fails(
        path,
        &with(&SHORT, &["--resume=kept", "--seed=9"]),
        "`train.seed`: expected 1, as in the training that goes on, found 9",
    );
    fails(path, &["train", "--resume=kept", "--lr=0.5"], "`optimizer.learning_rate`: expected ");
    fails(path, &["train", "--resume=kept", "--epochs=2"], "epochs`: expected ");
    // Another program's files of these names.
    fs::create_dir(path.join("other")).unwrap();
    let header = "{\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}";
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    fs::write(path.join("other/checkpoint-5.safetensors"), bytes).unwrap();
    fails(
        path,
        &["train", "--resume=other"],
        "expected the checkpoint of a training by fallline, found another",
    );
    fs::write(path.join("file"), "").unwrap();
    fails(path, &with(&SHORT, &["--checkpoint=file"]), "file");
}
