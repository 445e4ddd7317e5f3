//! From a table to predictions, as a user goes the way: three commands, and what goes wrong on it.

use std::fs;
use std::path::Path;

use crate::common::csv;
use crate::common::program::{fails, json, names, succeeds};

/// 240 rows: `y` is 3 a - 2 more for `red`, `class` is whether a is above 0.
fn content() -> String {
    let mut text = "id,a,colour,class,y\n".to_string();
    for row in 0..240u32 {
        let a = f64::from(row * 7919 % 241) / 120.0 - 1.0;
        let colour = ["red", "green", "blue"][row as usize % 3];
        let class = if a > 0.0 { "above" } else { "below" };
        let y = 100.0 + 3.0 * a - if colour == "red" { 2.0 } else { 0.0 };
        text += &format!("r{row},{a:.4},{colour},{class},{y:.4}\n");
    }
    text
}

fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), content()).unwrap();
    folder
}

fn test_of(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    succeeds(folder, &[arguments, &["--json", "run.json", "-q"]].concat());
    json(&folder.join("run.json"))["test"].clone()
}

const CLASSES: [&str; 8] =
    ["train", "t.csv", "--target", "class", "--set", "data.id=id", "--set", "data.ignore=y"];
const VALUES: [&str; 6] = ["train", "t.csv", "--set", "data.id=id", "--set", "data.ignore=class"];

#[test]
fn a_table_of_classes_is_learnt_and_predicted() {
    let folder = workplace();
    let path = folder.path();
    let test = test_of(path, &[&CLASSES[..], &["--save", "m.st"]].concat());
    assert!(test["accuracy"].as_f64().unwrap() > 0.9, "{test}");
    let printed = succeeds(path, &["predict", "--model", "m.st", "t.csv", "--out", "p.csv"]);
    assert_eq!(printed, "wrote 240 predictions to p.csv\n");
    let predictions = fs::read_to_string(path.join("p.csv")).unwrap();
    let lines = csv::parsed(&predictions);
    assert_eq!(lines[0], ["id", "probability_above", "probability_below", "prediction"]);
    assert_eq!((lines.len(), lines[1][0].as_str()), (241, "r0"));
    let right =
        content().lines().skip(1).zip(&lines[1..]).filter(|(row, line)| row.contains(&line[3])).count();
    assert!(right > 216, "{right}");
    for line in &lines[1..] {
        let [above, below] = [1, 2].map(|column| line[column].parse::<f64>().unwrap());
        assert!((above + below - 1.0).abs() < 1e-5 && (above > below) == (line[3] == "above"), "{line:?}");
    }
    // The same on standard output, and from standard input.
    let printed = succeeds(path, &["predict", "--model", "m.st", "t.csv", "--threads", "1"]);
    assert_eq!(printed, predictions);
}

#[test]
fn a_table_of_numbers_is_learnt_and_predicted_in_its_units() {
    let folder = workplace();
    let path = folder.path();
    succeeds(path, &[&VALUES[..], &["--save", "m.st", "-q"]].concat());
    // Rows without the target, in another order of columns.
    fs::write(path.join("rows.csv"), "colour,a\nred,0.5\ngreen,0.5\npink,-0.5\n").unwrap();
    succeeds(path, &["predict", "--model", "m.st", "rows.csv", "--out", "p.csv"]);
    let lines = csv::parsed(&fs::read_to_string(path.join("p.csv")).unwrap());
    assert_eq!(lines[0], ["prediction"]);
    let of = |line: usize| lines[line][0].parse::<f64>().unwrap();
    assert!((of(1) - 99.5).abs() < 0.3 && (of(2) - 101.5).abs() < 0.3, "{lines:?}");
}

/// What the command says that it stands for gives the same network, bit by bit.
#[test]
fn the_printed_recipe_is_the_command() {
    let folder = workplace();
    let path = folder.path();
    let printed = succeeds(path, &[&CLASSES[..], &["--epochs", "3", "--save", "a.st"]].concat());
    assert!(printed.contains("`fallline train t.toml`"), "{printed}");
    assert!(printed.contains("predicts `class`, 2 classes: above, below"), "{printed}");
    let indented = printed.lines().skip_while(|line| !line.starts_with("    "));
    let recipe: Vec<&str> = indented.take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    fs::write(path.join("t.toml"), recipe.join("\n")).unwrap();
    succeeds(path, &["train", "t.toml", "--epochs", "3", "--save", "b.st", "-q"]);
    let tensors = |name: &str| {
        let bytes = fs::read(path.join(name)).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    };
    assert!(tensors("a.st") == tensors("b.st"));
    assert_eq!(names(path), ["a.st", "b.st", "t.csv", "t.toml"]);
}

/// Paths of a recipe begin where it lies, or else where the program runs.
#[test]
fn a_recipe_finds_its_table() {
    let folder = workplace();
    let path = folder.path();
    fs::create_dir(path.join("sub")).unwrap();
    let recipe = "name = \"t\"\n[data]\nfile = \"t.csv\"\ntarget = \"y\"\nignore = [\"id\"]\n[model]\nloss = \"mean-squared-error\"\n\
                  [[model.layers]]\ntype = \"dense\"\nunits = 1\n[optimizer]\nname = \"adam\"\n[train]\nepochs = 2\n";
    fs::write(path.join("sub/r.toml"), recipe).unwrap();
    // In the working folder, then beside the recipe, which is preferred.
    succeeds(path, &["train", "sub/r.toml", "-q"]);
    fs::write(path.join("sub/t.csv"), "id,y\nr,1.5,7\n").unwrap();
    fails(path, &["train", "sub/r.toml", "-q"], "sub/t.csv: line 2: expected 2 fields");
    fails(path, &["train", "sub/r.toml", "-q", "--data", "nowhere"], "nowhere/t.csv: cannot open");
}

#[test]
fn a_file_of_test_rows_is_the_test() {
    let folder = workplace();
    let path = folder.path();
    let content = content();
    let rows: Vec<&str> = content.lines().skip(1).collect();
    fs::write(path.join("test.csv"), format!("id,a,colour,class,y\n{}\n", rows[..40].join("\n"))).unwrap();
    let printed =
        succeeds(path, &[&CLASSES[..], &["--set", "data.test_file=test.csv", "--epochs", "1"]].concat());
    assert!(printed.contains("240 training and 40 test samples"), "{printed}");
    let printed = succeeds(path, &[&CLASSES[..], &["--epochs", "1"]].concat());
    assert!(printed.contains("192 training and 48 test samples"), "{printed}");
    let printed = succeeds(path, &[&CLASSES[..], &["--epochs", "1", "--set", "data.test=0.5"]].concat());
    assert!(printed.contains("120 training and 120 test samples"), "{printed}");
    let some = ["--set", "data.train_samples=50", "--set", "data.test_samples=7", "--save", "m.st"];
    let printed = succeeds(path, &[&CLASSES[..], &["--epochs", "1"], &some].concat());
    assert!(printed.contains("50 training and 7 test samples"), "{printed}");
    let tried = succeeds(path, &["eval", "--model", "m.st"]);
    assert!(tried.contains("on 7 test samples"), "{tried}");
    let tried = succeeds(path, &["eval", "--model", "m.st", "test.csv"]);
    assert!(tried.contains("on 40 test samples of test.csv"), "{tried}");
}

#[test]
fn any_number_of_threads_learns_the_same() {
    let folder = workplace();
    let path = folder.path();
    for threads in ["1", "2", "3"] {
        let file = format!("{threads}.st");
        succeeds(
            path,
            &[&VALUES[..], &["--epochs", "5", "-q", "--threads", threads, "--save", &file]].concat(),
        );
    }
    let of = |name: &str| fs::read(path.join(name)).unwrap();
    assert!(of("1.st") == of("2.st") && of("2.st") == of("3.st"));
}

#[test]
fn mistakes_get_the_sentence_that_helps() {
    let folder = workplace();
    let path = folder.path();
    fails(path, &["train", "t.csv", "--target", "clas"], "did you mean `class`?");
    fails(path, &["train", "t.csv"], "column `id`");
    fails(path, &["train", "no.csv"], "no.csv: cannot open");
    fails(path, &["train", "t.csv", "--set", "data.scaling=normal"], "unknown scaling `normal`");
    fails(path, &["train", "t.csv", "--set", "data.types.a=float"], "`data.types.a`: expected one of number");
    fails(path, &["train", "t.csv", "--set", "data.sclaing=none"], "did you mean `data.scaling`?");
    succeeds(path, &[&VALUES[..], &["--save", "m.st", "-q", "--epochs", "1"]].concat());
    fails(path, &["predict", "--model", "m.st", "t.csv", "more.csv"], "expected one table");
    fails(path, &["predict", "--model", "m.st", "t.csv", "--draw"], "--draw: expected a model of pictures");
    fails(
        path,
        &["predict", "--model", "m.st", "t.csv", "--top", "2"],
        "--top: expected a model of pictures",
    );
    fails(path, &["predict", "--model", "m.st", "t.csv", "--out", "t.csv"], "t.csv");
    fs::write(path.join("bad.csv"), "a,colour\n1,red\nx,red\n").unwrap();
    let message = "bad.csv: line 3, column 1 (`a`): expected a number, found `x`";
    fails(path, &["predict", "--model", "m.st", "bad.csv", "--out", "p.csv"], message);
    // Nothing is left of it.
    assert_eq!(names(path), ["bad.csv", "m.st", "t.csv"]);
}
