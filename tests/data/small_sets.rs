//! Sets that need no file, as a user goes the way: described, trained on, tried again, written as files.

use std::fs;
use std::path::Path;

use crate::common::datasets;
use crate::common::program::{fails, json, succeeds};
use fallline::data::small::SmallSet;
use fallline::data::table::{Table, TableOptions};

fn workplace() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn run_of(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    succeeds(folder, &[&["train"], arguments, &["--json", "run.json", "-q"]].concat());
    json(&folder.join("run.json"))
}

#[test]
fn a_line_is_found_beside_the_closed_form() {
    let folder = workplace();
    let path = folder.path();
    let printed = succeeds(path, &["train", "line"]);
    assert!(
        printed.contains("line, generated from seed 1: 100 training and 100 test samples of 1x1x1\n"),
        "{printed}"
    );
    assert!(
        printed.contains("predicts `y` as it is, a number; from")
            && printed.contains("  x  number, as it is\n"),
        "{printed}"
    );
    assert!(printed.contains("(QR)") && printed.contains("coefficient"), "{printed}");
    let run = run_of(path, &["line"]);
    let coefficients = run["exact"]["coefficients"].as_array().unwrap();
    for (coefficient, truth) in coefficients.iter().zip([2.0, 1.0]) {
        let [descent, exact] = ["descent", "exact"].map(|key| coefficient[key].as_f64().unwrap());
        assert!((descent - exact).abs() <= 1e-3 * exact.abs(), "{coefficient}");
        assert!((exact - truth).abs() < 0.05, "{coefficient}");
    }
}

#[test]
fn the_recipes_reach_what_they_should() {
    let folder = workplace();
    let path = folder.path();
    for name in ["iris-logistic", "iris-mlp", "moons-mlp"] {
        let printed = succeeds(path, &["train", name]);
        assert!(printed.contains(": reached)"), "{printed}");
    }
    let iris = run_of(path, &["iris-logistic"]);
    assert!(iris["exact"]["distance"].as_f64().unwrap() < 1e-3, "{}", iris["exact"]);
    let friedman = run_of(path, &["friedman-ridge"]);
    assert!(friedman["exact"]["distance"].as_f64().unwrap() < 1e-3, "{}", friedman["exact"]);
    let airline = run_of(path, &["airline-window"]);
    let series = &airline["test"]["series"];
    let [own, seasonal] = [&airline["test"]["values"]["rmse"], &series["seasonal"]["rmse"]];
    assert!(airline["exact"]["distance"].as_f64().unwrap() < 1e-3, "{}", airline["exact"]);
    let [own, seasonal] = [own, seasonal].map(|number| number.as_f64().unwrap_or(f64::NAN));
    // Half of what the last year gives that comes again.
    assert!(own < 0.6 * seasonal, "{airline}");
}

#[test]
fn a_model_of_a_set_is_tried_again_without_a_file() {
    let folder = workplace();
    let path = folder.path();
    for name in ["iris-mlp", "moons-mlp", "airline-window"] {
        let run = run_of(path, &[name, "--epochs", "2", "--save", "m.st"]);
        succeeds(path, &["eval", "--model", "m.st", "--json", "eval.json"]);
        let again = json(&path.join("eval.json"));
        assert_eq!(again["test"]["loss"].as_f64(), run["test"]["loss"].as_f64(), "{name}");
    }
    fails(path, &["eval", "--model", "m.st", "--data", "."], "which needs no file");
    fails(
        path,
        &["train", "line", "--data", "."],
        "expected none with the set `line`, which needs no file, found .",
    );
}

/// Files of a set give the network that the set gives, bit by bit, and can be predicted.
#[test]
fn written_sets_train_as_the_sets_do() {
    let folder = workplace();
    let path = folder.path();
    let printed =
        succeeds(path, &["data", "generate", "moons", "--out", "d", "--train", "200", "--test", "50"]);
    assert_eq!(printed, "d/moons-train.csv\nd/moons-test.csv\n");
    let set =
        ["moons-mlp", "--epochs", "3", "--set", "data.train_samples=200", "--set", "data.test_samples=50"];
    let of_set = run_of(path, &[&set[..], &["--save", "m.st"]].concat());
    let recipe = fallline::engine::model::Recipe::built_in_text("moons-mlp").unwrap();
    let recipe = recipe
        .replace("set = \"moons\"", "file = \"d/moons-train.csv\"\ntest_file = \"d/moons-test.csv\"")
        .replace("train_samples = 1000\ntest_samples = 2000\n", "")
        .replace("noise = 0.1\n", "");
    fs::write(path.join("files.toml"), recipe).unwrap();
    let of_files = run_of(path, &["files.toml", "--epochs", "3"]);
    assert_eq!(of_set["test"]["loss"], of_files["test"]["loss"]);
    let predicted = succeeds(path, &["predict", "--model", "m.st", "d/moons-test.csv"]);
    assert!(predicted.starts_with("probability_lower,probability_upper,prediction\n"), "{predicted}");
    assert_eq!(predicted.lines().count(), 51);

    succeeds(path, &["data", "generate", "airline", "--out", "d"]);
    succeeds(path, &["train", "airline-window", "--epochs", "2", "--save", "a.st", "-q"]);
    let forecast = succeeds(path, &["predict", "--model", "a.st", "d/airline.csv"]);
    assert!(forecast.starts_with("date,step,prediction\n1961-01,1,"), "{forecast}");
    fails(path, &["data", "generate", "airline", "--out", "d"], "it exists; --force replaces it");
    fails(
        path,
        &["data", "generate", "iris", "--out", "d", "--train", "9"],
        "--train: expected a generated set",
    );
}

#[test]
fn sets_are_described_by_name() {
    let folder = workplace();
    let path = folder.path();
    let iris = succeeds(path, &["data", "info", "iris", "--json", "iris.json"]);
    assert!(iris.starts_with("iris: 150 rows, 5 columns\n") && iris.contains("Fisher 1936"), "{iris}");
    assert!(iris.contains("setosa") && !iris.contains("delimiter"), "{iris}");
    assert!(json(&path.join("iris.json"))["about"].as_str().unwrap().contains("set = \"iris\""));
    let moons = succeeds(path, &["data", "info", "moons"]);
    assert!(moons.contains("generated from seed 1, noise 0.1"), "{moons}");
    fails(path, &["data", "info", "iris", "--header", "no"], "--header: expected a file, found the set iris");
    fails(path, &["data", "info", "iris", "--target", "specie"], "`species`");
    // A file of that name comes first.
    fs::write(path.join("iris"), "a,b\n1,x\n2,y\n").unwrap();
    assert!(succeeds(path, &["data", "info", "iris"]).starts_with("iris: 2 rows"));
}

#[test]
fn keys_of_tables_work_on_sets() {
    let folder = workplace();
    let path = folder.path();
    let recipe = "name = \"width\"\n[data]\nset = \"iris\"\ntarget = \"petal_width\"\nignore = [\"species\"]\n\
                  scaling = \"robust\"\ntest = 0.3\n[model]\nkind = \"ridge\"\n[optimizer]\nname = \"lbfgs\"\n\
                  [train]\nepochs = 50\nbatch = \"all\"\n";
    fs::write(path.join("r.toml"), recipe).unwrap();
    let run = run_of(path, &["r.toml"]);
    assert!(run["test"]["values"]["r_squared"].as_f64().unwrap_or(0.0) > 0.8, "{}", run["test"]);
    let heading = succeeds(path, &["train", "r.toml"]);
    assert!(
        heading.contains("iris, part of the program: 105 training and 45 test samples of 1x1x3"),
        "{heading}"
    );
    fails(
        path,
        &["train", "iris-mlp", "--set", "data.noise=1"],
        "`data.noise`: expected none with the set `iris`",
    );
    fails(path, &["train", "moons-mlp", "--set", "data.dimensions=3"], "which always has 2");
}

/// The copy of the UCI repository has other numbers in two flowers; the series is the same.
#[test]
fn embedded_tables_are_those_that_are_published() {
    let read = |folder: &str, file: &str| {
        let path = datasets(folder)?.join(file);
        Some(Table::read(&path, &TableOptions::default()).unwrap())
    };
    let of = |name: &str| SmallSet::named(name).unwrap().table(None, 1).unwrap();
    if let Some(published) = read("tables", "iris.csv") {
        let own = of("iris");
        let mut different = Vec::new();
        for (column, (own, published)) in own.columns.iter().zip(&published.columns).enumerate() {
            for row in 0..150 {
                if own.number(row) != published.number(row) {
                    different.push([row + 1, column]);
                }
            }
        }
        assert_eq!((published.rows, different), (150, vec![[38, 1], [38, 2], [35, 3]]));
    }
    if let Some(published) = read("series", "airline-passengers.csv") {
        let own = of("airline");
        assert_eq!(own.rows, published.rows);
        for (own, published) in own.columns.iter().zip(&published.columns) {
            assert_eq!((own.kind, &own.values), (published.kind, &published.values));
        }
    }
}
