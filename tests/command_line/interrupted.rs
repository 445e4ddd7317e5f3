//! Signals while the program works: what they end, what is kept, and what is said.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::program::{command, fallline, json, names};
use crate::working::{Working, signal};

/// A training that takes long enough to be interrupted, in many short epochs.
const LONG: [&str; 5] = [
    "train",
    "--set=data.train_samples=200",
    "--set=data.test_samples=100",
    "--threads=1",
    "--epochs=900000",
];

fn started(folder: &Path, more: &[&str], mark: &str) -> Working {
    Working::start(&mut command(folder, &[&LONG[..], more].concat()), mark)
}

/// Whether this process, and with it the program that it starts, ignores hang-ups, as under `nohup`.
fn ignores_hang_ups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1)
}

/// The first of them.
const FIRST: &str = "epoch      1/900000";

#[test]
fn a_signal_is_answered_at_once_and_names_itself() {
    for (signal, name, answer, ending) in [
        ("INT", "SIGINT", "stopping: testing and saving; Ctrl-C again ends at once", "interrupted by Ctrl-C"),
        (
            "TERM",
            "SIGTERM",
            "SIGTERM: stopping: testing and saving; another signal ends at once",
            "interrupted by SIGTERM",
        ),
        (
            "HUP",
            "SIGHUP",
            "SIGHUP: stopping: testing and saving; another signal ends at once",
            "interrupted by SIGHUP",
        ),
    ] {
        if signal == "HUP" && ignores_hang_ups() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut working = started(folder.path(), &["--save", "m", "--json", "j"], FIRST);
        working.send(signal);
        assert_eq!(working.hears("stopping"), answer);
        let ended = working.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.out.contains(&format!(" on 1 thread: {ending}\n")), "{ended:?}");
        assert!(ended.out.contains("wrote m\n") && ended.out.contains("wrote j\n"), "{ended:?}");
        let record = json(&folder.path().join("j"));
        assert_eq!(record["stop_reason"], "interrupted", "which earlier versions know");
        assert_eq!(record["signal"], name);
        assert!(!ended.err.contains("error: "), "{ended:?}");
    }
}

/// The test takes a while here, the steps do not.
#[test]
fn a_second_signal_ends_the_program_with_its_number() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        if signal == "HUP" && ignores_hang_ups() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let slow = [
            "--set=data.train_samples=20",
            "--set=data.test_samples=10000",
            "--set=model.layers.0.units=2048",
        ];
        let mut command = command(folder.path(), &LONG);
        let mut working = Working::start(command.args(slow).arg("--json=j"), FIRST);
        working.send(signal);
        working.hears("stopping");
        working.send(signal);
        let ended = working.end();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert_eq!(names(folder.path()), Vec::<String>::new(), "nothing is half written");
    }
}

/// Before the first step there is nothing to keep.
#[test]
fn a_signal_while_data_are_made_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let slow = ["train", "--set=data.train_samples=3000000", "--json=j", "--epochs=900000"];
        let mut command = command(folder.path(), &slow);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

/// As `nohup` has it.
#[cfg(target_os = "linux")]
#[test]
fn a_hang_up_that_is_ignored_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_fallline");
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh", program]).args(LONG).current_dir(folder.path());
    let mut working = Working::start(&mut shell, FIRST);
    working.send("HUP");
    std::thread::sleep(std::time::Duration::from_millis(100));
    working.send("TERM");
    assert!(working.hears("stopping").starts_with("SIGTERM: "), "the first that counts");
    assert_eq!(working.end().code, Some(0));
}

/// A text that is written ends where it is, and is kept.
#[test]
fn a_signal_ends_a_text_that_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let layers = "[{ type = \"embedding\", shared = true, widths = 8 }, { type = \"gru\", units = 16 }, \
                  { type = \"position-dense\" }]";
    let recipe = format!(
        "name = \"text\"\ndata = {{ set = \"grammar\", characters = 2000, context = 8 }}\nmodel.layers = {layers}\n\
         optimizer.name = \"adam\"\ntrain = {{ epochs = 1, steps_per_epoch = 2, batch = 8 }}\n"
    );
    fs::write(path.join("text.toml"), recipe).unwrap();
    let train = ["train", "text.toml", "--save", "m.safetensors", "--quiet"];
    assert_eq!(fallline(path, &train).status.code(), Some(0));
    let generate =
        ["generate", "--model", "m.safetensors", "--tokens=4000000000", "--prompt=the\n", "--json=t.json"];
    let mut working = Working::start(&mut command(path, &generate), "the");
    // The prompt comes before the first token.
    std::thread::sleep(std::time::Duration::from_millis(300));
    working.send("INT");
    assert_eq!(working.hears("stopping"), "stopping: the text ends here; Ctrl-C again ends at once");
    let ended = working.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("; interrupted by Ctrl-C\n") && ended.out.ends_with('\n'), "{ended:?}");
    let record = json(&path.join("t.json"));
    assert_eq!(record["signal"], "SIGINT");
    let (tokens, text) = (record["tokens"].as_u64().unwrap() as usize, record["text"].as_str().unwrap());
    // A token is a character here, and the prompt has four.
    assert_eq!(text.chars().count(), 4 + tokens);
    assert_eq!(text["the\n".len()..].trim_end_matches('\n'), ended.out.trim_end_matches('\n'));
}

#[test]
fn folds_that_are_done_are_kept_beside_the_results_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, partial) = (folder.path().join("f.json"), folder.path().join("f.json.partial"));
    fs::write(&whole, "of an earlier run").unwrap();
    // Folds that end soon, but there are a hundred.
    let few = ["--set=stop.steps=300", "--batch=10", "--folds=100", "--json", "f.json"];
    let mut working = started(folder.path(), &few, "fold   2/100");
    working.send("TERM");
    let answer = working.hears("stopping");
    assert_eq!(answer, "SIGTERM: stopping: the fold under way is dropped; another signal ends at once");
    let ended = working.end();
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert_eq!(fs::read_to_string(&whole).unwrap(), "of an earlier run");
    let record = json(&partial);
    let done = record["folds"].as_array().unwrap().len();
    assert!((2..100).contains(&done) && record["incomplete_of"] == 100, "{done}");
    assert!(record["accuracy"]["mean"].is_f64());
    let told = format!("interrupted by SIGTERM: {done} of 100 folds are done\n");
    assert!(ended.out.contains(&told) && ended.out.contains("wrote f.json.partial\n"), "{ended:?}");

    // The results of all take its place.
    let all = [&LONG[..], &["--set=stop.steps=3", "--folds=3", "--json", "f.json"]].concat();
    assert_eq!(fallline(folder.path(), &all).status.code(), Some(0));
    let record = json(&whole);
    assert!(record["folds"].as_array().unwrap().len() == 3 && record.get("incomplete_of").is_none());
    assert_eq!(names(folder.path()), ["f.json"]);
}

#[test]
fn a_signal_before_the_first_fold_is_done_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let working = started(folder.path(), &["--folds=3", "--json", "f.json"], FIRST);
    working.send("INT");
    let ended = working.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.out.contains("interrupted by Ctrl-C: 0 of 3 folds are done\n"), "{ended:?}");
    assert_eq!(names(folder.path()), Vec::<String>::new());
}
