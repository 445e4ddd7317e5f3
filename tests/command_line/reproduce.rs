//! `reproduce`, as its users meet it, and that nothing it does depends on the test samples.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::common::observer::Recorder;
use crate::common::program::{self, command, fallline, json};
use fallline::data::{DataSet, Samples, source};
use fallline::engine::model::Recipe;
use fallline::engine::team::Team;
use fallline::engine::train::reproduce::{self, ReproduceRecord, Task, Verdict, Watcher};
use serde_json::Value;

/// Two seeds of a small training.
const SMALL: [&str; 7] = [
    "reproduce",
    "digits-mlp",
    "--seeds=2",
    "--set=data.train_samples=2000",
    "--set=data.test_samples=500",
    "--set=train.epochs=2",
    "--threads=1",
];

fn small(folder: &Path, more: &[&str]) -> Output {
    fallline(folder, &[&SMALL[..], more].concat())
}

/// The standard output of a program that must have ended with this code.
#[track_caller]
fn ended(output: Output, code: i32) -> String {
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[track_caller]
fn fails(folder: &Path, arguments: &[&str], message: &str) {
    let [printed, _] = program::fails(folder, arguments, message);
    assert!(printed.is_empty(), "{arguments:?}: something was done");
}

#[test]
fn the_mean_decides_over_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let met = ended(small(path, &["--set=target=0.5"]), 0);
    assert!(met.contains("\ntarget 50.00 %: met\n"), "{met}");
    assert_eq!(met.lines().filter(|line| line.starts_with("seed ")).count(), 2, "{met}");
    let missed = ended(small(path, &["--set=target=1"]), 1);
    assert!(missed.contains("\ntarget 100.00 %: missed\n"), "{missed}");
    // All but times is the same.
    let accuracies = |text: &str| -> Vec<String> {
        let of_line =
            |line: &str| line.split("accuracy").nth(1).unwrap().split('%').next().unwrap().to_string();
        text.lines().filter(|line| line.starts_with("seed ")).map(of_line).collect()
    };
    assert_eq!(accuracies(&met), accuracies(&missed));
    assert_ne!(accuracies(&met)[0], accuracies(&met)[1], "seeds differ");

    let recipe = ended(fallline(path, &["recipes", "show", "digits-mlp"]), 0);
    let text: String =
        recipe.lines().filter(|line| !line.starts_with("target")).map(|l| format!("{l}\n")).collect();
    fs::write(path.join("untargeted.toml"), text).unwrap();
    let arguments = [&["reproduce", "untargeted.toml"][..], &SMALL[2..]].concat();
    let text = ended(fallline(path, &arguments), 0);
    assert!(text.contains("no target to compare with: the recipe names none"), "{text}");
    // One that misses is enough.
    let arguments =
        [&["reproduce", "digits-mlp", "untargeted.toml", "--set=target=0.5"][..], &SMALL[2..]].concat();
    let text = ended(fallline(path, &arguments), 0);
    assert_eq!(text.lines().filter(|line| line.ends_with("50.00 %  met")).count(), 2, "{text}");
}

#[test]
fn each_run_is_the_training_of_its_seed_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = ended(small(path, &["--set=train.seed=7", "--json=r.json", "--out=page"]), 1);
    for file in ["wrote r.json\n", "wrote page/reproduce.json\n", "wrote page/report.html "] {
        assert!(text.contains(file), "{file}: {text}");
    }
    let record = json(&path.join("r.json"));
    assert_eq!(record, json(&path.join("page/reproduce.json")));
    assert_eq!((&record["schema"], &record["threads"]), (&"fallline.reproduce/1".into(), &1.into()));
    let typed = record["command"].as_str().unwrap();
    assert!(typed.starts_with("fallline reproduce digits-mlp --seeds=2 "), "{typed}");
    assert!(record["machine"]["cpu"].is_string());
    let recipe = &record["recipes"][0];
    assert_eq!((&recipe["seeds"], &recipe["verdict"]), (&serde_json::json!([7, 8]), &"missed".into()));
    let mut sum = 0.0;
    for (index, seed) in ["7", "8"].iter().enumerate() {
        let train = ["train", "--quiet", "--json=t.json", "--threads=2", "--seed", seed];
        ended(fallline(path, &[&train[..], &SMALL[3..6]].concat()), 0);
        let alone = json(&path.join("t.json"));
        let run = &recipe["runs"][index];
        for key in ["seed", "test", "stop_reason", "model"] {
            assert_eq!(run[key], alone[key], "{key}");
        }
        assert_eq!(run["epochs"][1]["train_loss"], alone["epochs"][1]["train_loss"]);
        sum += run["test"]["accuracy"].as_f64().unwrap();
    }
    assert!((recipe["accuracy"]["mean"].as_f64().unwrap() - sum / 2.0).abs() < 1e-12);
    // The settings are those that were trained with.
    let settings = Recipe::parse(recipe["settings"].as_str().unwrap(), "settings").unwrap();
    assert_eq!((settings.train.epochs, settings.train.seed, settings.data.test_samples), (2, 7, Some(500)));

    for chart in ["digits-mlp-test-accuracy", "digits-mlp-training-time"] {
        assert!(
            path.join(format!("page/{chart}.svg")).is_file()
                && path.join(format!("page/{chart}.png")).is_file()
        );
    }
    ended(fallline(path, &["report", "r.json", "--out=again.html"]), 0);
    assert!(fs::read(path.join("again.html")).unwrap() == fs::read(path.join("page/report.html")).unwrap());
    fails(path, &["report", "r.json", "r.json"], "take a page of their own, found 2 files");
    let broken = fs::read_to_string(path.join("r.json"))
        .unwrap()
        .replace("\"verdict\": \"missed\"", "\"verdict\": \"perhaps\"");
    fs::write(path.join("r.json"), broken).unwrap();
    fails(path, &["report", "r.json"], "expected a record of results, found ");
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_seeds_that_are_done_and_names_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // The first seed is done soon, the last of a thousand is not.
    let interrupted = |target: &str, code: i32| {
        let arguments = [&SMALL[..2], &SMALL[3..], &["--seeds=1000", "--json=r.json", target]].concat();
        fs::write(path.join("r.json"), "the results of an earlier command").unwrap();
        let child = command(path, &arguments).stdout(Stdio::piped()).spawn().unwrap();
        while !path.join("r.json.partial").exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        crate::working::signal(&child, "INT");
        let text = ended(child.wait_with_output().unwrap(), code);
        let record = json(&path.join("r.json.partial"));
        assert_eq!(fs::read_to_string(path.join("r.json")).unwrap(), "the results of an earlier command");
        assert!(text.contains("kept in r.json.partial; `fallline report r.json.partial` makes"), "{text}");
        (text, record)
    };
    // There is no verdict, however far the mean is from the target.
    let (text, record) = interrupted("--set=target=1", 130);
    let recipe = &record["recipes"][0];
    let done = recipe["runs"].as_array().unwrap().len();
    assert!((1..1000).contains(&done), "{done}");
    assert_eq!((&recipe["verdict"], recipe["seeds"].as_array().unwrap().len()), (&"unfinished".into(), 1000));
    let missing = format!("\n  digits-mlp: {done} of 1000 done, seeds {}, {}, ", done + 1, done + 2);
    assert!(
        text.contains("interrupted by Ctrl-C; what is done is kept:") && text.contains(&missing),
        "{text}"
    );
    assert_eq!(text.lines().filter(|line| line.starts_with("seed ")).count(), done, "{text}");
    assert!(recipe["runs"].as_array().unwrap().iter().all(|run| run["stop_reason"] == "epochs"));
}

#[test]
fn recipes_of_similar_names_have_charts_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let recipe = ended(fallline(path, &["recipes", "show", "digits-mlp"]), 0);
    let mut arguments = vec!["reproduce"];
    let names = ["net.1", "net-1", "NET_1"];
    let files = names.map(|name| format!("{name}.toml"));
    for (name, file) in names.iter().zip(&files) {
        let text = recipe.replace("name = \"digits-mlp\"", &format!("name = \"{name}\""));
        assert!(text.contains(name));
        fs::write(path.join(file), text).unwrap();
        arguments.push(file);
    }
    arguments.extend(&SMALL[3..]);
    arguments.extend(["--set=train.epochs=1", "--set=target=0.01", "--seeds=1", "--out=page"]);
    ended(fallline(path, &arguments), 0);
    let mut charts: Vec<String> = fs::read_dir(path.join("page"))
        .unwrap()
        .map(|file| file.unwrap().file_name().to_string_lossy().to_lowercase())
        .filter(|name| name.ends_with(".svg"))
        .collect();
    charts.sort();
    charts.dedup();
    assert_eq!(charts.len(), 6, "{charts:?}");
}

#[test]
fn the_time_to_an_accuracy_is_taken_on_samples_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let until = |accuracy: &str, more: &[&str], code| {
        let text =
            ended(small(path, &[&["--until-accuracy", accuracy, "--json=r.json"], more].concat()), code);
        (text, json(&path.join("r.json"))["recipes"][0].clone())
    };
    let (text, recipe) = until("0.3", &["--set=train.epochs=50", "--out=page"], 0);
    assert!(text.contains("30.00 % validation accuracy in 2 of 2 seeds, median "), "{text}");
    assert_eq!(recipe["verdict"], "met");
    let mut times = Vec::new();
    for run in recipe["runs"].as_array().unwrap() {
        let epochs = run["epochs"].as_array().unwrap();
        assert!(epochs.len() < 50 && run["stop_reason"] == "accuracy", "{run}");
        assert_eq!(epochs[0]["samples"], 1800, "a tenth is set aside");
        let accuracies: Vec<f64> =
            epochs.iter().map(|e| e["validation_accuracy"].as_f64().unwrap()).collect();
        assert!(accuracies.iter().position(|&a| a >= 0.3) == Some(epochs.len() - 1), "{accuracies:?}");
        times.push(epochs.iter().map(|epoch| epoch["seconds"].as_f64().unwrap()).sum::<f64>());
    }
    let median = recipe["seconds_to_accuracy"].as_f64().unwrap();
    assert!((median - (times[0] + times[1]) / 2.0).abs() < 1e-9);
    let charts: Vec<_> = fs::read_dir(path.join("page")).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert!(charts.contains(&"digits-mlp-time-to-30-validation-accuracy.svg".into()), "{charts:?}");

    // The recipe's own samples are taken if it has some; what is not reached is missed.
    let (text, recipe) = until("1", &["--set=data.validation=500"], 1);
    assert!(text.contains("100.00 % validation accuracy in 0 of 2 seeds, median never: missed"), "{text}");
    assert!(text.contains("% at best  test accuracy"), "{text}");
    assert_eq!(
        (&recipe["runs"][0]["epochs"][0]["samples"], &recipe["seconds_to_accuracy"]),
        (&1500.into(), &Value::Null)
    );
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let fails =
        |arguments: &[&str], message: &str| fails(path, &[&["reproduce"], arguments].concat(), message);
    fails(&[], "expected the name of a recipe, or --all; built-in recipes: digits-mlp, ");
    fails(&["mnist-mpl"], "command line: unknown recipe `mnist-mpl`; did you mean `mnist-mlp`?");
    fails(&["--all", "mnist-mlp"], "cannot be used with");
    fails(&["digits-mlp", "--set=optimizer.beat1=1"], "did you mean `optimizer.beta1`?");
    // The second recipe's data are missed before the first is trained.
    fails(&["digits-mlp", "mnist-mlp"], "data set `mnist` not found; looked in ");
    fails(&["mnist-mlp"], "run \"fallline data download mnist\"");
    fails(&["mnist-mlp", "--data", "nowhere"], "nowhere: cannot read the folder: ");
    for number in ["0", "1001", "-1", "x"] {
        fails(&["digits-mlp", "--seeds", number], "expected a whole number from 1 to 1000");
        let threads = if number == "1001" { "1025" } else { number };
        fails(&["digits-mlp", "--threads", threads], "expected a whole number from 1 to 1024");
    }
    for number in ["0", "97", "nan", "-0.5"] {
        fails(&["digits-mlp", "--until-accuracy", number], "expected a fraction of 1, above 0 and at most 1");
    }
    fails(
        &["digits-mlp", "--set=reproduce.seeds=0"],
        "`reproduce.seeds`: expected an integer from 1 to 1000",
    );
    fails(&["digits-mlp", "--json", "none/r.json"], "none: cannot create a file in this folder");
    // Of the second one, found before the first is trained.
    let text = "name = 'late'\n[data]\nset = 'digits'\nvalidation = 60000\n[model]\n[[model.layers]]\n\
        type = 'dense'\nunits = 10\n[optimizer]\nname = 'adam'\n";
    fs::write(path.join("late.toml"), text).unwrap();
    fails(&["digits-mlp", "late.toml"], "fewer than the 60000 training samples");
    fails(&["late.toml", "--json", "late.toml"], "late.toml, which is read");

    let diverging =
        [&SMALL[1..], &["--set=optimizer.learning_rate=1e30", "--set=optimizer.name=sgd"]].concat();
    let output = fallline(path, &[&["reproduce"], &diverging[..]].concat());
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(error.starts_with("error: digits-mlp, seed 1: training diverged: "), "{error}");
}

impl Watcher for Recorder {}

/// What reproducing `recipe` on two seeds leaves behind.
fn reproduced(recipe: &Recipe, data: &DataSet, threads: usize) -> ReproduceRecord {
    let tasks = [Task { recipe: recipe.clone(), data: Arc::new(data.clone()), seeds: vec![3, 4] }];
    let team = Team::new(threads).unwrap();
    reproduce::check(&tasks, &team).unwrap();
    let mut record = ReproduceRecord::new(&tasks, String::new(), threads, None);
    reproduce::run(&mut record, &tasks, &team, &AtomicBool::new(false), &mut Recorder::default()).unwrap();
    record
}

/// Of each run all but times and tests, and the test accuracies.
fn told(record: &ReproduceRecord) -> (Vec<Value>, Vec<f64>) {
    let of_run = |run: &fallline::engine::train::TrainRecord| {
        let mut value = serde_json::to_value(run).unwrap();
        let object = value.as_object_mut().unwrap();
        object.retain(|key, _| !["test", "train_seconds", "threads"].contains(&key.as_str()));
        for epoch in object["epochs"].as_array_mut().unwrap() {
            epoch.as_object_mut().unwrap().retain(|key, _| !key.contains("second"));
        }
        value
    };
    (record.recipes[0].runs.iter().map(of_run).collect(), record.recipes[0].accuracies())
}

/// The same training, epoch by epoch, whatever the test samples are; with parameters that are chosen by
/// validation, and a schedule that follows it. Threads change nothing either.
#[test]
fn the_test_samples_decide_nothing() {
    let settings = ["data.validation=0.2", "stop.patience=2", "schedule.name=plateau", "train.epochs=6"];
    let overrides: Vec<_> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
    let recipe = Recipe::load("digits-mlp", &overrides).unwrap();
    let data = source::generate_digits([1500, 300], 1).unwrap();
    let (runs, accuracies) = told(&reproduced(&recipe, &data, 1));
    assert!(accuracies.iter().all(|&accuracy| accuracy > 0.5), "{accuracies:?}");

    let pixels = (0..300).flat_map(|index| data.test.row_bytes(index).unwrap().to_vec()).collect();
    let wrong = data.test.labels().unwrap().iter().map(|label| (label + 1) % 10).collect();
    let test = Samples::images(pixels, data.test.shape(), wrong, 10).unwrap();
    let other = DataSet { test, ..data.clone() };
    let (others, inverted) = told(&reproduced(&recipe, &other, 3));
    assert_eq!(runs, others);
    assert!(inverted.iter().all(|&accuracy| accuracy < 0.5), "{inverted:?}");

    // What is compared would show a difference: that of other samples to train on.
    let train = data.train.take(&(0..1400).collect::<Vec<_>>()).unwrap();
    let (changed, _) = told(&reproduced(&recipe, &DataSet { train, ..data }, 1));
    assert_ne!(runs, changed);
}

#[test]
fn a_stop_before_the_end_leaves_the_run_out() {
    let data = source::generate_digits([500, 100], 1).unwrap();
    let recipe = Recipe::built_in("digits-mlp").unwrap();
    let tasks = [Task { recipe, data: Arc::new(data), seeds: vec![1] }];
    let mut record = ReproduceRecord::new(&tasks, String::new(), 1, None);
    let stop = AtomicBool::new(true);
    reproduce::run(&mut record, &tasks, &Team::new(1).unwrap(), &stop, &mut Recorder::default()).unwrap();
    assert_eq!((record.recipes[0].runs.len(), record.recipes[0].verdict), (0, Verdict::Unfinished));
}

/// As with all other commands; the results are written all the same.
#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = command(folder.path(), &[&SMALL[..], &["--json=r.json"]].concat());
    let status = command.stdout(full).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(2));
    assert_eq!(json(&folder.path().join("r.json"))["recipes"][0]["runs"].as_array().unwrap().len(), 2);
}
