//! `train --init` and `--freeze`: what is taken, what is refused, and what is said of both.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use fallline::Model;

use super::kept::{RECIPE, run, write_set};
use crate::common::program::{fails, json, succeeds};

/// A folder with a data set `d`, a recipe `r.toml`, and a model `m` of it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [60, 20], |_, _| {});
    fs::write(folder.path().join("r.toml"), RECIPE).unwrap();
    succeeds(folder.path(), &["train", "r.toml", "--data=d", "--epochs=2", "--save=m"]);
    folder
}

fn tensor(path: &Path, name: &str) -> Vec<f32> {
    let tensors = Model::load(path).unwrap().tensors();
    tensors.into_iter().find(|tensor| tensor.name == name).unwrap().values
}

#[test]
fn a_saved_model_is_trained_further() {
    let folder = folder();
    let path = folder.path();
    let out = succeeds(
        path,
        &["train", "r.toml", "--data=d", "--epochs=1", "--init=m", "--freeze=0", "--save=n", "--json=j"],
    );
    assert!(out.contains("begins with 4 of 4 tensors of m\n"), "{out}");
    assert!(out.contains("dense + relu (frozen)") && out.contains("\ntrained "), "{out}");
    let record = json(&path.join("j"));
    assert_eq!(record["model"]["trained"], 18);
    assert!(record["init"]["path"] == "m" && record["init"]["checksum"].is_u64(), "{record}");
    let [first, then] = ["m", "n"].map(|name| path.join(name));
    assert_eq!(tensor(&first, "0.weight"), tensor(&then, "0.weight"));
    assert_ne!(tensor(&first, "2.weight"), tensor(&then, "2.weight"));
    // By the recipe that is in the file.
    let out = succeeds(path, &["train", "--data=d", "--init=m", "--epochs=1", "--json=k"]);
    assert!(out.contains("begins with 4 of 4 tensors of m\n") && !out.contains("frozen"), "{out}");
    assert!(json(&path.join("k"))["model"].get("trained").is_none());
    // By a program that says nothing, only what may be wrong.
    let (code, out, err) = run(
        path,
        &["train", "r.toml", "--data=d", "--epochs=1", "--init=m", "--quiet", "--set=data.mean=0.5"],
    );
    assert!(code == Some(0) && !out.contains("begins with"), "{out}");
    let warning =
        "warning: the network sees (x / 1 - 0.5) / 1 of each value x, and that of m has seen (x / 1 - 0) / 1";
    assert!(err.contains(warning), "{err}");
}

#[test]
fn what_does_not_fit_is_listed_or_drawn_anew() {
    let folder = folder();
    let path = folder.path();
    let wider = ["train", "r.toml", "--data=d", "--epochs=1", "--init=m", "--set=model.layers.0.units=6"];
    let refused =
        "m: tensors: expected those of the model, all of them and no others, found of other shapes: ";
    let [_, error] = fails(path, &wider, refused);
    assert!(error.contains("0.weight [8, 9], not [6, 9]"), "{error}");
    let out = succeeds(path, &[&wider[..], &["--init-partial", "--json=j"]].concat());
    let said = "begins with 1 of 4 tensors of m; drawn anew: 0.weight, 0.bias, 2.weight\n";
    assert!(out.contains(said), "{out}");
    assert_eq!(json(&path.join("j"))["init"]["drawn"].as_array().unwrap().len(), 3);
    let deeper = RECIPE.replace(
        "{ type = 'dense', units = 2 }",
        "{ type = 'dense', units = 5 }, \
                                { type = 'dense', units = 2, bias = false }",
    );
    fs::write(path.join("deeper.toml"), deeper).unwrap();
    let [_, error] =
        fails(path, &["train", "deeper.toml", "--data=d", "--init=m"], "found without: 3.weight [2, 5];");
    assert!(error.contains("of other shapes: 2."), "{error}");
    let flat = RECIPE.replace("{ type = 'dense', units = 8, activation = 'relu' }, ", "");
    fs::write(path.join("flat.toml"), flat).unwrap();
    let [_, error] = fails(path, &["train", "flat.toml", "--data=d", "--init=m"], "beside: ");
    assert!(error.contains("2.weight [2, 8]"), "{error}");
    let partly = ["train", "flat.toml", "--data=d", "--init=m", "--init-partial"];
    fails(path, &partly, "m: tensors: expected at least one with name and shape of one of the model's");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = folder();
    let path = folder.path();
    let base = ["train", "r.toml", "--data=d"];
    let refused = |more: &[&str], message: &str| {
        fails(path, &[&base[..], more].concat(), message);
    };
    refused(&["--init=none"], "none");
    refused(&["--init=r.toml"], "r.toml");
    refused(&["--init=m", "--save=m"], "m, which is read");
    refused(&["--freeze=7"], "`train.freeze`: expected layers with parameters, as a whole: one of 0, 2");
    refused(&["--freeze=0,1.weight"], "found \"1.weight\"");
    refused(&["--freeze=0..2"], "at least one layer with parameters that is not named");
    refused(&["--set=train.freeze=true"], "`train.freeze`");
    for wrong in [
        &["--init-partial"][..],
        &["--init=m", "--folds=2"],
        // What another option would have to be beside, and cannot be.
        &["--init-partial", "--folds=2"],
        &["--init-optimizer=m", "--folds=2"],
        &["--keep=3", "--folds=2"],
        &["--checkpoint-every=1epoch", "--folds=2"],
    ] {
        let (code, _, error) = run(path, &[&base[..], wrong].concat());
        assert!(code == Some(2) && error.starts_with("error: "), "{error}");
    }
    // A file that says nothing of a recipe.
    let bare = fallline::engine::model::checkpoint::save(&path.join("bare"), &[], &Default::default());
    bare.unwrap();
    fails(
        path,
        &["train", "--data=d", "--init=bare"],
        "metadata `recipe`: expected the recipe of the model, or one",
    );
    // The table says what is left out.
    let out = succeeds(path, &[&base[..], &["--epochs=1", "--freeze=all-but-last"]].concat());
    assert!(out.contains("(frozen)"), "{out}");
}

#[test]
fn the_file_is_not_needed_to_go_on() {
    let folder = folder();
    let path = folder.path();
    let train = ["train", "r.toml", "--data=d", "--epochs=2", "--init=m", "--freeze=0"];
    succeeds(path, &[&train[..], &["--checkpoint=kept", "--json=j"]].concat());
    // Where it is there, nothing is said of it, whose parameters are not used.
    let changed = "--set=data.mean=0.5";
    let said = succeeds(path, &[&train[..], &["--checkpoint=other", changed]].concat());
    assert!(said.contains("begins with 4 of 4"), "{said}");
    let (code, out, err) = run(path, &[&train[..], &["--resume=other", changed]].concat());
    assert!(code == Some(0) && !out.contains("begins with") && !err.contains("network sees"), "{out}{err}");
    fs::rename(path.join("m"), path.join("gone")).unwrap();
    succeeds(path, &[&train[..], &["--resume=kept", "--json=k"]].concat());
    assert_eq!(json(&path.join("j"))["init"], json(&path.join("k"))["init"]);
    succeeds(path, &["train", "--resume=kept", "--json=l"]);
    assert_eq!(json(&path.join("j"))["init"], json(&path.join("l"))["init"]);
    succeeds(path, &["train", "r.toml", "--data=d", "--epochs=1", "--seed=9", "--save=m"]);
    fails(
        path,
        &[&train[..], &["--resume=kept"]].concat(),
        "initial parameters: expected those of the training",
    );
    // Where there is nothing to go on from, it is.
    fs::remove_file(path.join("m")).unwrap();
    fails(path, &[&train[..], &["--resume=new"]].concat(), "m");
}

/// One command begins and goes on, by the recipe in the file.
#[test]
fn the_recipe_of_the_file_begins_a_training_that_can_go_on() {
    let folder = folder();
    let path = folder.path();
    let train = ["train", "--data=d", "--init=m", "--resume=kept", "--json=j"];
    let out = succeeds(path, &train);
    assert!(out.contains("begins with 4 of 4 tensors of m\n"), "{out}");
    let first = json(&path.join("j"));
    assert!(!succeeds(path, &train).contains("begins with"));
    assert_eq!(json(&path.join("j"))["test"], first["test"]);
    let none = "expected a checkpoint to go on from, or the recipe to begin with before --resume";
    fails(path, &["train", "--data=d", "--resume=none"], none);
}

/// Parameters belong to what inputs mean.
#[test]
fn features_of_another_table_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let write = |name: &str, colours: [&str; 2]| {
        let mut text = "size,colour,kind\n".to_string();
        for row in 0..80 {
            let (colour, kind) = (colours[row / 2 % 2], ["yes", "no"][row % 2]);
            writeln!(text, "{}.5,{colour},{kind}", row * 7 % 31).unwrap();
        }
        fs::write(path.join(name), text).unwrap();
    };
    write("a.csv", ["red", "green"]);
    write("b.csv", ["red", "blue"]);
    succeeds(path, &["train", "a.csv", "--epochs=1", "--save=a"]);
    succeeds(path, &["train", "a.csv", "--epochs=1", "--init=a"]);
    fails(path, &["train", "b.csv", "--epochs=1", "--init=a"], "features of the data: expected the features");
    let (code, _, error) = run(path, &["train", "b.csv", "--epochs=1", "--init=a", "--init-partial"]);
    assert_eq!(code, Some(0));
    assert!(error.contains("warning: the features of the data are not the features"), "{error}");
}
