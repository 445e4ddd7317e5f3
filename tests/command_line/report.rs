//! `train --report`, `train --tensorboard` and `report`, as their users meet them.

use std::fs;

use crate::common::bench_record;
use crate::common::program::{fails, json, names, succeeds};

const SMALL: [&str; 5] =
    ["train", "--epochs=2", "--set=data.train_samples=500", "--set=data.test_samples=300", "--threads=2"];

/// How often a text stands in a page.
fn count(page: &str, text: &str) -> usize {
    page.matches(text).count()
}

#[test]
fn a_run_leaves_a_report_and_an_event_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let options = ["--report", "out/report", "--tensorboard", "logs", "--json", "j.json"];
    let text = succeeds(folder.path(), &[&SMALL[..], &options].concat());
    assert!(text.contains("wrote out/report/report.html"), "{text}");
    assert!(text.contains("wrote logs/digits-mlp-adam-seed1/events.out.tfevents."), "{text}");
    let charts =
        ["accuracy", "confusion", "gradient-norms", "learning-rate", "loss", "throughput", "update-norms"];
    let mut expected: Vec<String> =
        charts.iter().flat_map(|name| [format!("{name}.png"), format!("{name}.svg")]).collect();
    expected.extend(["report.html".into(), "run.json".into()]);
    expected.sort();
    assert_eq!(names(&at("out/report")), expected);

    let record = json(&at("out/report/run.json"));
    assert_eq!(record, json(&at("j.json")));
    assert_eq!(record["epochs"][0]["samples"], 500);
    assert_eq!(record["epochs"][0]["learning_rate"], 0.001);
    assert_eq!(record["epochs"][0].get("incomplete"), None);
    let analysis = &record["analysis"];
    let rows = analysis["confusion"].as_array().unwrap();
    let counts: Vec<Vec<u64>> = rows
        .iter()
        .map(|row| row.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect())
        .collect();
    assert_eq!(counts.iter().flatten().sum::<u64>(), 300);
    let hits: u64 = (0..10).map(|class| counts[class][class]).sum();
    assert_eq!(record["test"]["accuracy"].as_f64().unwrap(), hits as f64 / 300.0);
    let mistakes = analysis["mistakes"].as_array().unwrap();
    assert_eq!(mistakes.len() as u64, (300 - hits).min(25));
    let losses: Vec<f64> = mistakes.iter().map(|mistake| mistake["loss"].as_f64().unwrap()).collect();
    assert!(losses.is_sorted_by(|a, b| a >= b), "{losses:?}");

    let page = fs::read_to_string(at("out/report/report.html")).unwrap();
    assert_eq!(count(&page, "data:image/png;base64,"), mistakes.len());
    let png = mistakes[0]["png"].as_str().unwrap();
    assert_eq!(count(&page, &format!("data:image/png;base64,{png}")), 1);
    for text in ["digits-mlp", "Loss", "Accuracy", "Learning rate", "Throughput", "Precision", "101,770"] {
        assert!(page.contains(text), "{text}");
    }
    // The same page from the JSON alone.
    let text = succeeds(folder.path(), &["report", "out/report/run.json", "--out", "again.html"]);
    assert_eq!(text, "wrote again.html\n");
    assert!(fs::read_to_string(at("again.html")).unwrap() == page, "every number is read as it was written");
}

#[test]
fn the_analysis_is_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for threads in ["1", "3"] {
        let options = [&SMALL[..4], &["--threads", threads, "--report", threads]].concat();
        succeeds(folder.path(), &options);
    }
    let [one, three] = ["1", "3"].map(|name| json(&folder.path().join(name).join("run.json")));
    assert_eq!(one["analysis"], three["analysis"]);
}

#[test]
fn without_a_report_there_is_no_analysis() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &[&SMALL[..], &["--json", "j.json"]].concat());
    assert_eq!(json(&folder.path().join("j.json")).get("analysis"), None);
    let text = succeeds(folder.path(), &["report", "j.json"]);
    assert_eq!(text, "wrote report.html\n");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert_eq!(count(&page, "data:image/png;base64,"), 0);
}

#[test]
fn several_runs_are_laid_over_each_other() {
    let folder = tempfile::tempdir().unwrap();
    for (optimizer, seed) in [("adam", "1"), ("nesterov", "2")] {
        let name = format!("{optimizer}.json");
        let options = ["--optimizer", optimizer, "--seed", seed, "--json", &name];
        succeeds(folder.path(), &[&SMALL[..], &options].concat());
    }
    let files = ["adam.json", "nesterov.json", "adam.json"];
    succeeds(folder.path(), &[&["report"], &files[..], &["--out", "all.html"]].concat());
    let page = fs::read_to_string(folder.path().join("all.html")).unwrap();
    for name in ["digits-mlp adam, seed 1", "digits-mlp nesterov, seed 2", "digits-mlp adam, seed 1 (2)"] {
        // In the legend of each of five charts, and in the table.
        assert!(count(&page, &format!("{name}<")) + count(&page, &format!("{name}\n")) >= 6, "{name}");
    }
}

#[test]
fn hostile_texts_stay_text() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &[&SMALL[..], &["--report", "r"]].concat());
    let mut record = json(&folder.path().join("r/run.json"));
    let hostile = "</title></script><script>alert(1)</script><img src=x onerror='a' \"\u{202e}&amp;";
    for pointer in ["/recipe", "/data", "/optimizer", "/machine/cpu", "/machine/os", "/stop_reason"] {
        *record.pointer_mut(pointer).unwrap() = hostile.into();
    }
    fs::write(folder.path().join("h.json"), record.to_string()).unwrap();
    succeeds(folder.path(), &["report", "h.json", "h.json", "r/run.json", "--out", "h.html"]);
    let page = fs::read_to_string(folder.path().join("h.html")).unwrap();
    assert_eq!(count(&page, "<script>alert"), 0);
    assert_eq!(count(&page, "<img src=x"), 0);
    assert!(count(&page, "&lt;script&gt;alert") > 3);
    let plain = fs::read_to_string(folder.path().join("r/report.html")).unwrap();
    for tag in ["<script", "</script", "</title", "<style"] {
        assert_eq!(count(&page, tag), count(&plain, tag), "{tag}");
    }
}

#[test]
fn what_is_no_result_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &[&SMALL[..], &["--json", "run.json"]].concat());
    let run = fs::read_to_string(path.join("run.json")).unwrap();
    fs::write(path.join("half.json"), &run[..run.len() / 2]).unwrap();
    fs::write(path.join("text.json"), "not JSON").unwrap();
    fs::write(path.join("empty.json"), "").unwrap();
    fs::write(path.join("other.json"), "{\"schema\": \"fallline.eval/1\"}").unwrap();
    fs::write(path.join("future.json"), run.replace("fallline.train/1", "fallline.train/9")).unwrap();
    let before = names(path);

    fails(path, &["report"], "<FILE>");
    fails(path, &["report", "none.json"], "none.json: cannot open: ");
    fails(path, &["report", "half.json"], "half.json: line ");
    fails(path, &["report", "text.json"], "text.json: start of the file: expected a JSON object");
    fails(path, &["report", "empty.json"], "empty.json: start of the file: expected a JSON object");
    let schemas = "expected \"fallline.train/1\", \"fallline.bench/1\", \"fallline.reproduce/1\", \"fallline.search/1\" or \"fallline.profile/1\", found \"fallline.";
    fails(path, &["report", "run.json", "other.json"], &format!("other.json: key `schema`: {schemas}eval/1"));
    fails(path, &["report", "future.json"], &format!("future.json: key `schema`: {schemas}train/9"));
    fails(path, &["report", "."], ".: cannot read: ");
    fails(path, &["report", "run.json", "--out", "none/page.html"], "none: cannot create a file in ");
    fails(path, &["report", "run.json", "--out", "./run.json"], "found ./run.json, which is read");
    assert_eq!(names(path), before, "a failed command must leave nothing");
    assert_eq!(fs::read_to_string(path.join("run.json")).unwrap(), run);
}

#[test]
fn the_results_of_a_benchmark_have_their_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let record = bench_record::record();
    fs::write(path.join("bench.json"), serde_json::to_string(&record).unwrap()).unwrap();
    succeeds(path, &[&SMALL[..], &["--json", "run.json"]].concat());
    assert_eq!(succeeds(path, &["report", "bench.json"]), "wrote report.html\n");
    let page = fs::read_to_string(path.join("report.html")).unwrap();
    assert!(page == fallline::engine::report::bench::page(&record));
    let message = "bench.json: the results of a benchmark take a page of their own, found 2 files";
    for files in [["bench.json", "bench.json"], ["run.json", "bench.json"], ["bench.json", "run.json"]] {
        fails(path, &[&["report"], &files[..]].concat(), message);
    }
}

#[test]
fn a_file_of_the_default_name_is_not_replaced_unless_it_is_such_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    succeeds(folder.path(), &[&SMALL[..], &["--json", "run.json"]].concat());
    fs::write(&page, "<html>my own</html>").unwrap();
    fails(folder.path(), &["report", "run.json"], "report.html: expected a page that fallline made, ");
    assert_eq!(fs::read_to_string(&page).unwrap(), "<html>my own</html>");
    succeeds(folder.path(), &["report", "run.json", "--out", "report.html"]);
    let first = fs::read_to_string(&page).unwrap();
    assert!(first.contains("digits-mlp"));
    succeeds(folder.path(), &["report", "run.json", "run.json"]);
    assert_ne!(fs::read_to_string(&page).unwrap(), first);
}

#[test]
fn folders_that_cannot_be_written_are_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("file"), "").unwrap();
    for option in ["--report", "--tensorboard"] {
        let message = "file: cannot create a file in this folder: ";
        fails(path, &["train", option, "file"], message);
        fails(path, &["train", option, "file/inner"], message);
    }
    fs::create_dir(path.join("r")).unwrap();
    fails(path, &["train", "--report", "r", "--json", "r/run.json"], "r/run.json twice");
    fs::create_dir(path.join("r/report.html")).unwrap();
    fails(path, &["train", "--report", "r"], "report.html: cannot write: ");
    // The data set is missing: nothing is made.
    let message = "data set `mnist` not found";
    fails(path, &["train", "mnist-mlp", "--report", "new", "--tensorboard", "newer"], message);
    assert_eq!(names(path), ["file", "r"]);
    assert_eq!(names(&path.join("r")), ["report.html"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_still_writes_the_report() {
    use crate::common::program::command;
    use crate::working::Working;
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["train", "--set=data.train_samples=20000", "--epochs=1000000", "--batch=1"];
    let arguments = [&arguments[..], &["--report", "r", "--tensorboard", "t"]].concat();
    let working = Working::start(&mut command(folder.path(), &arguments), "/1000000 ");
    working.send("INT");
    let ended = working.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let rest: Vec<&str> = ended.out.lines().collect();
    assert!(rest.contains(&"wrote r/report.html"), "{rest:?}");

    let record = json(&folder.path().join("r/run.json"));
    assert_eq!(record["stop_reason"], "interrupted");
    let epochs = record["epochs"].as_array().unwrap();
    let (last, whole) = epochs.split_last().unwrap();
    assert!(whole.iter().all(|epoch| epoch["samples"] == 20_000 && epoch.get("incomplete").is_none()));
    // The last step of an epoch may have been the one under way.
    let trained = last["samples"].as_u64().unwrap();
    assert_eq!(last.get("incomplete").is_some(), trained < 20_000, "{last}");
    if trained < 20_000 {
        let page = fs::read_to_string(folder.path().join("r/report.html")).unwrap();
        assert!(page.contains("incomplete"));
        assert!(rest.iter().any(|line| line.contains("  incomplete: ")), "{rest:?}");
    }
    assert_eq!(names(&folder.path().join("t")), ["digits-mlp-adam-seed1"]);
}
