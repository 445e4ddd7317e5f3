//! The search as its users meet it: the same result for any number of threads and however often it is ended, refusals, and
//! what is written.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::program::{fails, fallline, json, names, succeeds};

/// A search over few digits.
const SMALL: [&str; 6] = [
    "search",
    "--set=data.train_samples=200",
    "--set=data.test_samples=20",
    "--set=model.layers.0.units=8",
    "--over=optimizer.learning_rate=1e-4..1e-1:log",
    "--over=train.batch=10,20,50",
];

fn small(folder: &Path, more: &[&str]) -> String {
    succeeds(folder, &[&SMALL[..], more].concat())
}

/// The trials of a record, without times.
fn trials(path: &Path) -> Vec<Value> {
    let mut record = json(path);
    assert_eq!(record["schema"], "fallline.search/1");
    let trials = record["trials"].as_array_mut().unwrap();
    for trial in trials.iter_mut() {
        assert!(trial["seconds"].as_f64().unwrap() >= 0.0);
        trial.as_object_mut().unwrap().remove("seconds");
    }
    std::mem::take(trials)
}

#[test]
fn threads_change_no_trial_of_any_method() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (method, budget) in [("random", "5"), ("hyperband", "5"), ("halving", "4"), ("tpe", "16")] {
        let of = |threads: &str| {
            let file = format!("{method}-{threads}.json");
            let more =
                ["--method", method, "--trials", budget, "--epochs=3", "--threads", threads, "--json", &file];
            small(path, &more);
            trials(&path.join(&file))
        };
        let alone = of("1");
        assert_eq!(of("3"), alone, "{method}");
        if ["random", "tpe"].contains(&method) {
            assert_eq!(alone.len(), budget.parse::<usize>().unwrap());
        } else {
            assert!(alone.iter().any(|trial| trial["state"] == "stopped"), "{method}");
            assert!(alone.iter().any(|trial| trial["state"] == "finished"), "{method}");
        }
        for trial in &alone {
            assert!(
                trial["settings"]["train.batch"].is_i64() && trial["score"] == trial["accuracy"],
                "{trial}"
            );
        }
    }
}

#[test]
fn a_folder_has_the_page_and_a_winner_that_trains() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let more = ["--method=grid", "--epochs=2", "--out=o", "--folds=2"];
    let grid =
        [&SMALL[..4], &["--over=optimizer.learning_rate=1e-3..1e-2:2", "--over=train.batch=10,20"][..]]
            .concat();
    let text = succeeds(path, &[&grid[..], &more].concat());
    assert!(text.contains("best: trial ") && text.contains("wrote o/best.toml\n"), "{text}");
    let all = trials(&path.join("o/search.json"));
    assert_eq!(all.len(), 4);
    assert_eq!(all[0]["scores"].as_array().unwrap().len(), 2);
    assert!(all[0]["deviation"].is_f64() && all[0]["interval"].is_array(), "{}", all[0]);
    for name in ["report.html", "best.toml", "trials.jsonl", "parallel.svg", "trials.png"] {
        assert!(names(&path.join("o")).contains(&name.to_string()), "{name}");
    }
    let text = succeeds(path, &["train", "o/best.toml"]);
    assert!(text.contains("test accuracy"), "{text}");
    succeeds(path, &["report", "o/search.json", "--out=again.html"]);
    // A search that is over may be done anew.
    succeeds(path, &[&grid[..], &more].concat());
}

/// What a process that is killed leaves behind is at worst a torn line.
#[test]
fn a_search_that_ended_in_the_middle_goes_on_to_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (method, budget) in [("random", "6"), ("halving", "5"), ("tpe", "13")] {
        let search = |more: &[&str]| {
            let all = ["--method", method, "--trials", budget, "--epochs=2", "--threads=2"];
            [&SMALL[..], &all, more].concat().iter().map(|text| text.to_string()).collect::<Vec<String>>()
        };
        let run = |more: &[&str]| {
            let arguments = search(more);
            succeeds(path, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let (whole, cut) = (format!("{method}-whole"), format!("{method}-cut"));
        run(&["--out", &whole]);
        let lines = fs::read_to_string(path.join(&whole).join("trials.jsonl")).unwrap();
        let lines: Vec<&str> = lines.lines().collect();
        fs::create_dir(path.join(&cut)).unwrap();
        for kept in [0, 2, lines.len() - 3] {
            // The header, some trials, in another order, and a torn one.
            let mut some: Vec<&str> = lines[1..1 + kept].to_vec();
            some.reverse();
            let torn = &lines[1 + kept][..lines[1 + kept].len() / 2];
            let text = format!(
                "{}\n{}{torn}",
                lines[0],
                some.iter().map(|line| format!("{line}\n")).collect::<String>()
            );
            fs::write(path.join(&cut).join("trials.jsonl"), text).unwrap();
            let told = run(&["--out", &cut, "--resume"]);
            assert!(kept == 0 || told.contains(&format!("going on after {kept} trainings")), "{told}");
            assert_eq!(
                trials(&path.join(&cut).join("search.json")),
                trials(&path.join(&whole).join("search.json")),
                "{method}, {kept} kept"
            );
        }
        // Nothing is left to be trained.
        run(&["--out", &cut, "--resume"]);
        assert_eq!(
            trials(&path.join(&cut).join("search.json")),
            trials(&path.join(&whole).join("search.json"))
        );
    }
}

#[cfg(unix)]
#[test]
fn signals_lose_nothing_that_is_done() {
    use crate::common::program::command;
    use crate::working::Working;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let long = [&SMALL[..], &["--trials=12", "--epochs=40", "--threads=2"]].concat();
    succeeds(path, &[&long[..], &["--json=whole.json"]].concat());
    let mut search = [&long[..], &["--json=j"]].concat();
    for (signal, code) in [("KILL", None), ("INT", Some(130))] {
        let working = Working::start(&mut command(path, &search), "/12  trial");
        working.send(signal);
        let ended = working.end();
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(code.is_none() || ended.out.contains("the same command with --resume goes on"), "{ended:?}");
        assert!(fs::read_to_string(path.join("j.trials.jsonl")).unwrap().lines().count() > 1);
        if search.len() == long.len() + 1 {
            let message = "--resume goes on with it";
            fails(path, &search, message);
            search.push("--resume");
        }
    }
    succeeds(path, &search);
    assert_eq!(trials(&path.join("j")), trials(&path.join("whole.json")));
    // Another search is not gone on with.
    fails(
        path,
        &[&search[..], &["--set=optimizer.beta1=0.8"]].concat(),
        "the recipe: expected that of the search",
    );
    let mut other = search.clone();
    other[4] = "--over=optimizer.learning_rate=1e-4..1:log";
    let [_, error] = fails(path, &other, "what is searched");
    assert!(error.contains("1e-4..1e-1:log") && error.contains("1e-4..1:log"), "{error}");
}

#[test]
fn what_makes_no_search_is_refused_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let few = ["search", "--set=data.train_samples=100", "--set=data.test_samples=10"];
    for (more, message) in [
        (&["--over=optimizer.learning_rat=1e-4..1"][..], "did you mean `optimizer.learning_rate`?"),
        (&["--over=name=a,b"], "this one changes no network"),
        (&["--over=data.seed=1..9"], "loaded once"),
        (&["--over=optimizer.learning_rate=1..1"], "an empty range"),
        (&["--over=optimizer.learning_rate=1..0.1"], "a reversed one"),
        (&["--over=optimizer.learning_rate=0..1:log"], "above 0 in a range by logarithms"),
        (&["--over=optimizer.learning_rate=-1..1"], "expected a number of at least 0, found -1"),
        (&["--over=train.batch"], "expected KEY=LOW..HIGH"),
        (&["--method=hyperbend"], "did you mean `hyperband`?"),
        (&["--method=grid", "--over=optimizer.learning_rate=1e-4..1"], "a number of points for a grid"),
        (&["--method=halving", "--trials=1"], "a budget of at least 2 whole trainings"),
        (&["--method=hyperband", "--over=train.epochs=1..9"], "decides itself for how many epochs"),
        (&["--method=halving", "--epochs=1"], "at least 2 epochs"),
        (&["--trials=10001"], "1 to 10000"),
        (&["--folds=2", "--set=data.validation=0.1"], "none with folds"),
        (&["--folds=1000"], "expected"),
        (&["--set=stop.seconds=1"], "the clock"),
        (&["--resume"], "expected --out DIR or --json FILE"),
        (&["--resume", "--out=none"], "found no such file"),
        (&["--method=range-test", "--resume"], "neither --resume nor --seed"),
        (&["--method=range-test", "--over=train.batch=1,2"], "only optimizer.learning_rate"),
        (&["no-such-recipe"], "unknown recipe"),
        (&["--target=digit"], "data.target"),
    ] {
        fails(path, &[&few[..], more].concat(), message);
    }
    let output = fallline(path, &[&few[..], &["--trials=0"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(names(path).is_empty(), "{:?}", names(path));
}

#[test]
fn a_trial_that_diverges_is_recorded_and_the_search_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let few = [
        "search",
        "--set=data.train_samples=100",
        "--set=data.test_samples=10",
        "--set=optimizer.name=sgd",
        "--epochs=2",
        "--method=grid",
        "--json=j",
    ];
    let text = succeeds(path, &[&few[..], &["--over=optimizer.learning_rate=0.01,1e30"]].concat());
    assert!(text.contains("1 trial finished, 1 diverged"), "{text}");
    let all = trials(&path.join("j"));
    assert_eq!(all[1]["state"], "diverged");
    assert!(
        all[1].get("score").is_none() && all[1]["reason"].as_str().unwrap().contains("diverged"),
        "{}",
        all[1]
    );
    // If all do, there is no winner.
    let output = fallline(path, &[&few[..], &["--over=optimizer.learning_rate=1e30,1e31"]].concat());
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{error}");
    assert!(error.contains("no trial has come to its end"), "{error}");
}

#[test]
fn a_range_test_suggests_a_rate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let few = ["search", "--method=range-test", "--set=data.train_samples=400", "--set=data.test_samples=10"];
    let text = succeeds(path, &[&few[..], &["--set=train.batch=20", "--trials=100", "--out=o"]].concat());
    assert!(text.contains("suggested learning rate, a third of that: "), "{text}");
    let record = json(&path.join("o/search.json"));
    let rate = record["range_test"]["suggestion"].as_f64().unwrap();
    assert!((1e-4..3e-2).contains(&rate), "{rate}");
    assert!(
        fs::read_to_string(path.join("o/best.toml")).unwrap().contains(&format!("learning_rate = {rate}"))
    );
    assert!(path.join("o/rates.svg").is_file());
}

#[test]
fn a_table_is_searched_for_the_column_that_is_named_and_what_was_assumed_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let rows: String = (0..80).map(|x| format!("{},{x},{}\n", 3 * x, x % 7)).collect();
    fs::write(path.join("line.csv"), format!("y,x,other\n{rows}")).unwrap();
    let few = ["search", "line.csv", "--target=y", "--epochs=3"];
    let text = succeeds(path, &[&few[..], &["--trials=2", "--json=j"]].concat());
    assert!(text.starts_with("Nothing else being said, this is `fallline train line.toml`"), "{text}");
    let record = json(&path.join("j"));
    assert_eq!(record["scored_by"], "r_squared");
    assert!(record["winner"].as_str().unwrap().contains("target = [\"y\"]"), "{}", record["winner"]);
    let test = succeeds(path, &[&few[..], &["--method=range-test", "--trials=50"]].concat());
    assert!(test.contains("Nothing else being said") && test.contains("suggested learning rate"), "{test}");
    fails(path, &["search", "line.csv", "--target=z"], "`z`");
    let clusters = ["search", "line.csv", "--set=model.kind=k-means", "--set=model.clusters=2"];
    fails(path, &[&clusters[..], &["--method=range-test"]].concat(), "model.kind");
}
