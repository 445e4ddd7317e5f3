//! k-means from the command line: tables with and without a target, pictures, and what is wrong.

use std::fs;
use std::path::Path;

use crate::common::csv;
use crate::common::program::{fails, json, succeeds};

/// 90 rows around three points; `kind` says around which, in 87 of them.
fn content() -> String {
    let mut text = "id,a,b,kind\n".to_string();
    for row in 0..90u32 {
        let near = |seed: u32| f64::from(row * seed % 97) / 97.0 - 0.5;
        let group = row as usize % 3;
        let [a, b] = [[0.0, 0.0], [8.0, 0.0], [0.0, 9.0]][group];
        let kind = ["x", "y", "z"][if row % 30 == 0 { (group + 1) % 3 } else { group }];
        text += &format!("r{row},{:.4},{:.4},{kind}\n", a + near(31), b + near(57));
    }
    text
}

fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), content()).unwrap();
    folder
}

const TRAIN: [&str; 8] =
    ["train", "t.csv", "--set", "model.kind=k-means", "--set", "model.clusters=3", "--set", "data.id=id"];

fn train(path: &Path, more: &[&str]) -> String {
    succeeds(path, &[&TRAIN[..], more].concat())
}

#[test]
fn a_table_is_clustered_without_a_target() {
    let folder = workplace();
    let path = folder.path();
    let more = ["--set", "data.ignore=kind", "--save", "m.st", "--json", "run.json", "--report", "report"];
    let printed = train(path, &more);
    assert!(printed.contains("clusters rows by\n") && printed.contains("kind = \"k-means\""), "{printed}");
    assert!(
        printed.contains("test inertia 0.") && printed.contains("Lloyd's algorithm from the same"),
        "{printed}"
    );
    let record = json(&path.join("run.json"));
    let lloyd = &record["lloyd"];
    assert!(lloyd["excess"].as_f64().unwrap() < 0.01 && lloyd["converged"] == true, "{lloyd}");
    assert!(lloyd["inertia"].as_f64().unwrap() < 0.1, "{lloyd}");
    assert!(record["test"].get("accuracy").is_none() && record["analysis"]["clusters"]["purity"].is_null());
    let page = fs::read_to_string(path.join("report/report.html")).unwrap();
    assert!(page.contains("Lloyd's algorithm") || page.contains("Lloyd&#39;s algorithm"), "no section");
    assert!(page.contains("Clusters of the test samples"));

    // What is near lies in one cluster, whatever the rows have beside.
    succeeds(path, &["predict", "--model", "m.st", "t.csv", "--out", "p.csv"]);
    let lines = csv::parsed(&fs::read_to_string(path.join("p.csv")).unwrap());
    assert_eq!((lines.len(), &lines[0][..]), (91, &["id", "distance", "prediction"].map(String::from)[..]));
    for (row, line) in lines[1..].iter().enumerate() {
        assert_eq!((&line[0], &line[2]), (&format!("r{row}"), &lines[1 + row % 3][2]), "{line:?}");
        assert!(line[1].parse::<f64>().unwrap() < 0.5, "{line:?}");
    }
    let mut clusters: Vec<&String> = lines[1..4].iter().map(|line| &line[2]).collect();
    clusters.sort();
    assert_eq!(clusters, ["0", "1", "2"]);
    let tried = succeeds(path, &["eval", "--model", "m.st", "t.csv", "--json", "eval.json"]);
    assert!(
        tried.contains("on 90 test samples of t.csv: inertia 0.") && tried.contains("cluster  samples"),
        "{tried}"
    );
    let eval = json(&path.join("eval.json"));
    assert!(eval["metrics"]["inertia"].as_f64().unwrap() < 0.1, "{eval}");
    assert_eq!(eval["metrics"]["clusters"].as_array().unwrap().len(), 3);
    // The test rows of its training, too.
    let tried = succeeds(path, &["eval", "--model", "m.st"]);
    assert!(tried.contains("on 18 test samples"), "{tried}");
}

#[test]
fn a_target_is_set_aside_and_compared_with() {
    let folder = workplace();
    let path = folder.path();
    let printed = train(path, &["--target", "kind", "--save", "m.st", "--report", "r", "--json", "run.json"]);
    assert!(
        printed.contains("clusters rows, without `kind`, which the clusters are compared with, by"),
        "{printed}"
    );
    assert!(json(&path.join("run.json"))["analysis"]["clusters"]["purity"].as_f64().unwrap() > 0.85);
    let tried = succeeds(path, &["eval", "--model", "m.st", "t.csv"]);
    assert!(tried.contains("96.67 % are of the most frequent class of their cluster (purity)"), "{tried}");
    assert!(tried.contains("90.00 %\n") && tried.contains("  x "), "{tried}");
    // Rows without the target can be tried all the same.
    fs::write(path.join("rows.csv"), "a,b\n0.1,0.2\n8,0.1\n").unwrap();
    let tried = succeeds(path, &["eval", "--model", "m.st", "rows.csv"]);
    assert!(tried.contains("on 2 test samples of rows.csv: inertia") && !tried.contains("purity"), "{tried}");
    let lines = csv::parsed(&succeeds(path, &["predict", "--model", "m.st", "rows.csv"]));
    assert_eq!((lines.len(), &lines[0][..]), (3, &["distance", "prediction"].map(String::from)[..]));
    // Values are set aside, too.
    let printed = succeeds(
        path,
        &[
            "train",
            "t.csv",
            "--set",
            "model.kind=k-means",
            "--target",
            "b",
            "--set",
            "data.ignore=['id', 'kind']",
            "--epochs",
            "2",
        ],
    );
    assert!(printed.contains("clusters rows, without `b`"), "{printed}");
}

#[test]
fn any_number_of_threads_finds_the_same_centres() {
    let folder = workplace();
    let path = folder.path();
    for threads in ["1", "3"] {
        let file = format!("{threads}.st");
        train(path, &["--epochs", "5", "-q", "--threads", threads, "--save", &file]);
    }
    let of = |name: &str| fs::read(path.join(name)).unwrap();
    assert!(of("1.st") == of("3.st"));
}

#[test]
fn validation_folds_and_weights_work() {
    let folder = workplace();
    let path = folder.path();
    let printed = train(path, &["--set", "data.ignore=kind", "--validation", "0.2", "--epochs", "30"]);
    assert!(printed.contains("validation inertia 0."), "{printed}");
    let printed = train(path, &["--set", "data.ignore=kind", "--folds", "3", "--epochs", "30"]);
    assert!(printed.contains("3 folds: validation loss") && !printed.contains("accuracy"), "{printed}");
    let content = content();
    let weighted = content
        .lines()
        .enumerate()
        .map(|(line, row)| if line == 0 { format!("{row},w\n") } else { format!("{row},{}\n", line % 3) });
    fs::write(path.join("t.csv"), weighted.collect::<String>()).unwrap();
    let more = ["--set", "data.ignore=kind", "--set", "data.weights=w", "--json", "run.json", "-q"];
    train(path, &more);
    assert!(json(&path.join("run.json"))["lloyd"]["excess"].as_f64().unwrap() < 0.01);
}

#[test]
fn pictures_are_clustered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let sets = [
        "data.train_samples=200",
        "data.test_samples=50",
        "model.kind=k-means",
        "optimizer.learning_rate=0.5",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let printed = succeeds(
        path,
        &[
            &[
                "train",
                "digits-mlp",
                "--optimizer",
                "sgd",
                "--schedule",
                "constant",
                "--epochs",
                "3",
                "--save",
                "m.st",
            ],
            &sets[..],
        ]
        .concat(),
    );
    assert!(printed.contains("squared distances") && printed.contains("test inertia"), "{printed}");
    let tried = succeeds(path, &["eval", "--model", "m.st"]);
    assert!(tried.contains("on 50 test samples of digits: inertia") && tried.contains("(purity)"), "{tried}");
    succeeds(path, &["data", "generate", "digits", "--out", "d", "--train", "3", "--test", "2"]);
    let pictures = path.join("d/t10k-images-idx3-ubyte.gz");
    let pictures = if pictures.exists() { pictures } else { path.join("d/t10k-images-idx3-ubyte") };
    let pictures = pictures.to_str().unwrap();
    let lines = succeeds(path, &["predict", "--model", "m.st", pictures]);
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.lines().all(|line| line.contains("  cluster ") && line.contains("(distance ")), "{lines}");
    fails(
        path,
        &["predict", "--model", "m.st", pictures, "--top", "2"],
        "--top: expected a model of classes",
    );
    fails(
        path,
        &["eval", "--model", "m.st", "--mistakes", "2"],
        "expected samples with one class each, found those",
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = workplace();
    let path = folder.path();
    let refused = |settings: &[&str], message: &str| {
        let sets: Vec<&str> = settings.iter().flat_map(|set| ["--set", set]).collect();
        fails(path, &[&["train", "t.csv", "-q", "--set", "data.id=id"], &sets[..]].concat(), message);
    };
    refused(
        &["model.kind=k-means", "model.clusters=73"],
        "`model.clusters`: expected at most 72, as many as there are samples to train on, found 73",
    );
    refused(&["model.kind=k-means", "model.clusters=0"], "`model.clusters`: expected an integer from 1");
    refused(
        &["model.kind=k-means", "model.loss=huber"],
        "`model.loss`: expected none with `kind = \"k-means\"`",
    );
    refused(&["model.kind=k-means", "data.window=3"], "`data.window`: expected none with");
    refused(&["model.kind=k-means", "data.class_weights=balanced"], "expected classes, found none");
    let same = "a,b\n".to_string() + &"1,2\n3,4\n".repeat(20);
    fs::write(path.join("same.csv"), same).unwrap();
    let five = ["train", "same.csv", "-q", "--set", "model.kind=k-means", "--set", "model.clusters=5"];
    fails(
        path,
        &five,
        "`model.clusters`: expected at most 2, as many as there are different samples to train on",
    );
}
