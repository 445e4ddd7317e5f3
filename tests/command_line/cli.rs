//! The program as its users meet it: exit codes and messages.

use std::process::Command;

use crate::common::program::{fails, succeeds};
use fallline::engine::layers::LayerKind;
use fallline::engine::losses;
use fallline::engine::model::recipe::OPTIMIZERS;

/// Runs the program in an empty folder; it must fail with code 2 and this on its error output.
#[track_caller]
fn fails_alone(arguments: &[&str], message: &str) {
    let folder = tempfile::tempdir().unwrap();
    fails(folder.path(), arguments, message);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a failed command must leave nothing");
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let recipe = "command line: unknown recipe `mnist-mpl`; did you mean `mnist-mlp`?";
    fails_alone(&["train", "mnist-mpl"], recipe);
    fails_alone(&["recipes", "show", "mnist-mpl"], recipe);
    let key = "command line: unknown key `optimizer.beat1`; did you mean `optimizer.beta1`?";
    fails_alone(&["train", "--set", "optimizer.beat1=0.8"], key);
    let optimizer = "command line: `optimizer.name`: unknown optimizer `adamm`; did you mean `adam`?";
    fails_alone(&["train", "--optimizer", "adamm"], optimizer);
    fails_alone(&["optimizers", "adamm"], "command line: unknown optimizer `adamm`; did you mean `adam`?");
    let schedule = "command line: `schedule.name`: unknown schedule `cosin`; did you mean `cosine`?";
    fails_alone(&["train", "--schedule", "cosin"], schedule);
    fails_alone(&["trian"], "'train'");
}

#[test]
fn layers_in_blocks_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = "name = 'a'\n[data]\nset = 'digits'\n[optimizer]\nname = 'sgd'\n[model]\nlayers = [\n\
        { type = 'residual', layers = [{ type = 'conv', channels = 4, kernel = 3, stride = 2 }] },\n\
        { type = 'flatten' }, { type = 'dense', units = 10 } ]\n";
    std::fs::write(folder.path().join("a.toml"), text).unwrap();
    let train = |setting: &str, message: &str| {
        fails(folder.path(), &["train", "a.toml", "--set", setting], message);
    };
    train(
        "train.epochs=1",
        "layer 0 (residual): expected a `shortcut` that gives 13x13x4, as `layers` do, \
         found none, and an input of 28x28x1",
    );
    train("model.layers.0.layers=[]", "`model.layers.0.layers`: expected at least one layer, found none");
    let key = "unknown key `model.layers.0.layers.0.strid`; did you mean `model.layers.0.layers.0.stride`?";
    train("model.layers.0.layers.0.strid=1", key);
    train("model.layers.0.layers.0.kernel=29", "layer 0 (residual, layers.0: conv): expected `kernel` from");
}

#[test]
fn values_that_cannot_be_used_are_refused() {
    fails_alone(
        &["train", "--epochs", "0"],
        "`train.epochs`: expected an integer from 1 to 1000000, found 0",
    );
    fails_alone(
        &["train", "--batch", "0"],
        "`train.batch`: expected an integer from 1 to 100000000, found 0",
    );
    fails_alone(
        &["train", "--lr", "nan"],
        "`optimizer.learning_rate`: expected a number of at least 0, found NaN",
    );
    fails_alone(
        &["train", "--lr", "-1"],
        "`optimizer.learning_rate`: expected a number of at least 0, found -1",
    );
    let beta = "`optimizer.beta2`: expected a number in [0, 1), found 1";
    fails_alone(&["train", "--optimizer", "lion", "--set", "optimizer.beta2=1"], beta);
    let shrink = "`optimizer.shrink`: expected a number in (0, 1), found NaN";
    fails_alone(&["train", "--optimizer", "rprop", "--set", "optimizer.shrink=nan"], shrink);
    let batch = "`train.batch`: expected \"all\", or at least the 50 samples that are trained on, with the";
    for name in ["rprop", "lbfgs", "cg", "annealing", "genetic", "cma-es"] {
        let few = ["train", "--set", "data.train_samples=50", "--set", "data.test_samples=10", "--quiet"];
        fails_alone(&[&few[..], &["--optimizer", name, "--batch", "49"]].concat(), batch);
    }
    let text = "`train.batch`: expected an integer from 1 to 100000000, or \"all\", found the text \"most\"";
    fails_alone(&["train", "--batch-size", "most"], text);
    fails_alone(&["train", "--optimizer", "cg", "--set", "gradient.l1=1"], "`gradient.l1`: expected 0 with");
    let history = "`optimizer.history_size`: expected an integer from 1 to 10000, found 0";
    fails_alone(&["train", "--optimizer", "lbfgs", "--set", "optimizer.history_size=0"], history);
    let beyond =
        "`schedule.length_epochs`: expected at most 5 epochs, what is left of the run, found 6 epochs";
    fails_alone(&["train", "--schedule", "cosine", "--set", "schedule.length_epochs=6"], beyond);
    fails_alone(&["train", "--set", "epochs"], "expected KEY=VALUE with a dotted key");
    fails_alone(&["train", "--threads", "0"], "invalid value '0' for '--threads <N>'");
    fails_alone(&["train", "--seed", "-1"], "invalid value '-1' for '--seed <N>'");
    fails_alone(&["train", "--epochs", "-1"], "invalid value '-1' for '--epochs <N>'");
}

/// The help names every update rule, and the list shows each.
#[test]
fn update_rules_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let help = succeeds(folder.path(), &["train", "--help"]);
    let list = succeeds(folder.path(), &["optimizers"]);
    for kind in &OPTIMIZERS {
        assert!(help.contains(kind.name), "{} in {help}", kind.name);
        assert!(list.contains(&format!("{}\n  {}\n", kind.name, kind.formula)), "{} in {list}", kind.name);
    }
    let two = succeeds(folder.path(), &["optimizers", "adamw", "sgd"]);
    let starts: Vec<&str> = two.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect();
    assert_eq!(starts, ["adamw", "sgd"]);
}

#[test]
fn layers_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let list = succeeds(folder.path(), &["layers"]);
    for kind in LayerKind::all() {
        assert!(list.contains(&format!("{}\n  ", kind.name())), "{}", kind.name());
    }
    assert!(succeeds(folder.path(), &["layers", "dense", "residual"]).starts_with("dense\n"));
    fails_alone(&["layers", "dence"], "command line: unknown layer `dence`; did you mean `dense`?");
}

#[test]
fn losses_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let list = succeeds(folder.path(), &["losses"]);
    for kind in losses::ALL {
        assert!(
            list.contains(&format!("{}\n  {}\n", kind.name(), kind.about().formula)),
            "{} in {list}",
            kind.name()
        );
    }
    assert!(succeeds(folder.path(), &["losses", "huber"]).starts_with("huber\n"));
    fails_alone(&["losses", "hubert"], "command line: unknown loss `hubert`; did you mean `huber`?");
}

#[test]
fn missing_files_and_folders_are_named() {
    fails_alone(&["train", "my-recipe.toml"], "my-recipe.toml: cannot open: ");
    fails_alone(&["train", "mnist-mlp", "--data", "nowhere"], "nowhere: cannot read the folder: ");
    fails_alone(&["train", "mnist-mlp"], "data set `mnist` not found; looked in ");
    fails_alone(&["eval", "--model", "none.safetensors"], "none.safetensors: cannot open: ");
    fails_alone(&["predict", "--model", "none.safetensors", "x.png"], "none.safetensors: cannot open: ");
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_training() {
    let message = "none: cannot create a file in this folder: ";
    fails_alone(&["train", "--save", "none/model.safetensors"], message);
    fails_alone(&["train", "--json", "none/result.json"], message);
    fails_alone(&["train", "--save", "."], ".: cannot write: ");
    fails_alone(&["train", "--save", "same", "--json", "same"], "expected different paths, found same twice");
}

#[test]
fn files_that_are_read_are_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = succeeds(folder.path(), &["recipes", "show", "digits-mlp"]);
    std::fs::write(folder.path().join("my.toml"), &recipe).unwrap();
    let message = "expected other files than those read, found ./my.toml, which is read";
    fails(folder.path(), &["train", "my.toml", "--save", "./my.toml"], message);
    fails(folder.path(), &["eval", "--model", "my.toml", "--json", "./my.toml"], message);
    assert_eq!(std::fs::read_to_string(folder.path().join("my.toml")).unwrap(), recipe);
    fails_alone(
        &["train", "--save", "./same", "--json", "same"],
        "expected different paths, found same twice",
    );
}

#[test]
fn digits_are_not_generated_in_place_of_a_folder_that_was_named() {
    fails_alone(&["train", "--data", "nowhere"], "nowhere: cannot read the folder: ");
    fails_alone(
        &["train", "--data", "."],
        "data set `digits` not found; looked in ./digits, .; . is empty; ",
    );
}

/// Whoever reads the output may go away: the model is trained and saved all the same.
#[cfg(unix)]
#[test]
fn a_closed_output_does_not_lose_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fallline"))
        .args([&SMALL[..], &["--save", "m"]].concat())
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(folder.path().join("m").is_file());
}

/// Standard error that cannot be written to is no reason to panic.
#[cfg(target_os = "linux")]
#[test]
fn an_error_that_cannot_be_printed_still_has_its_code() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status =
        Command::new(env!("CARGO_BIN_EXE_fallline")).args(["train", "--epochs", "0"]).stderr(full).status();
    assert_eq!(status.unwrap().code(), Some(2));
}

#[test]
fn mistakes_in_a_recipe_file_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my.toml"), "name = 'x'\n[data\n").unwrap();
    fails(folder.path(), &["train", "my.toml"], "my.toml: not valid TOML: line 2, column ");
    std::fs::write(folder.path().join("my.toml"), "nmae = 'x'\n").unwrap();
    fails(folder.path(), &["train", "my.toml"], "my.toml: ");
}

#[test]
fn files_that_are_no_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m"), [0xff; 100]).unwrap();
    let message = "m: byte 0: expected a safetensors header of at most 92 bytes, found a length of ";
    fails(folder.path(), &["eval", "--model", "m"], message);
    fails(folder.path(), &["predict", "--model", "m", "x.png"], message);
}

#[test]
fn recipes_are_listed_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let list = succeeds(folder.path(), &["recipes"]);
    let dense = ["digits-mlp", "mnist-softmax", "mnist-mlp", "mnist-mlp-512", "mnist-mlp-2048"];
    for name in dense.into_iter().chain(["digits-cnn", "mnist-lenet5", "mnist-fast99"]) {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{list}");
        let shown = succeeds(folder.path(), &["recipes", "show", name]);
        assert!(shown.starts_with("# ") && shown.contains(&format!("name = \"{name}\"")), "{shown}");
    }
}

#[test]
fn help_has_examples() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        &["--help"][..],
        &["train", "--help"],
        &["eval", "--help"],
        &["predict", "--help"],
        &["report", "--help"],
        &["reproduce", "--help"],
    ] {
        assert!(succeeds(folder.path(), command).contains("Examples:"), "{command:?}");
    }
}

const SMALL: [&str; 6] = [
    "train",
    "--epochs=2",
    "--set=data.train_samples=2000",
    "--set=data.test_samples=500",
    "--threads=2",
    "--seed=3",
];

#[test]
fn a_model_is_trained_saved_measured_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let outputs = ["--save", "m.safetensors", "--json", "train.json"];
    let text = succeeds(folder.path(), &[&SMALL[..], &outputs].concat());
    for part in
        ["101,770", "epoch 1/2 ", "epoch 2/2 ", "test accuracy ", "wrote m.safetensors", "wrote train.json"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(at("train.json")).unwrap()).unwrap();
    assert_eq!((&record["schema"], &record["recipe"]), (&"fallline.train/1".into(), &"digits-mlp".into()));
    assert_eq!((&record["seed"], &record["threads"]), (&3.into(), &2.into()));
    assert_eq!(record["epochs"].as_array().unwrap().len(), 2);
    let accuracy = record["test"]["accuracy"].as_f64().unwrap();

    let text = succeeds(folder.path(), &["eval", "--model", "m.safetensors", "--json", "eval.json"]);
    assert!(text.contains(&format!("accuracy {:.2} %", 100.0 * accuracy)), "{text}");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(at("eval.json")).unwrap()).unwrap();
    assert_eq!((&record["samples"], &record["test"]["accuracy"]), (&500.into(), &accuracy.into()));
    let [top_5, f1] = ["top_5", "f1"].map(|key| record["metrics"][key].as_f64().unwrap());
    assert!(accuracy < top_5 && top_5 <= 1.0 && (f1 - accuracy).abs() < 0.05, "{top_5} {f1} {accuracy}");
    for (name, value) in [("top-5 accuracy", top_5), ("F1", f1)] {
        assert!(text.contains(&format!("{name} {:.2} %", 100.0 * value)), "{text}");
    }

    let generate = ["data", "generate", "digits", "--out", "d", "--train", "1", "--test", "3"];
    let written = succeeds(folder.path(), &generate);
    let images = written.lines().find(|line| line.contains("t10k-images")).unwrap();
    let text = succeeds(folder.path(), &["predict", "--model", "m.safetensors", images, "--top=2"]);
    assert_eq!(text.lines().filter(|line| line.contains("  class ")).count(), 3, "{text}");
    let one = format!("{images}:2");
    let text = succeeds(folder.path(), &["predict", "--model", "m.safetensors", &one, "--draw"]);
    assert_eq!(text.lines().count(), 29, "{text}");
    fails(
        folder.path(),
        &["predict", "--model", "m.safetensors", &format!("{images}:3")],
        "below 3, found 3",
    );
}

#[test]
fn the_worst_mistakes_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeeds(folder.path(), &[&SMALL[..], &["--save", "m"]].concat());
    let options = ["eval", "--model=m", "--mistakes=2", "--sheet=s.png", "--json=j"];
    let text = succeeds(folder.path(), &options);
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(at("j")).unwrap()).unwrap();
    let wrong = (500.0 * (1.0 - record["test"]["accuracy"].as_f64().unwrap())).round();
    assert!(text.contains(&format!("\n{wrong} mistakes in 500 samples; the 2 worst:\n")), "{text}");
    let mistakes = record["mistakes"].as_array().unwrap();
    assert!(mistakes.len() == 2 && mistakes[0]["loss"].as_f64() >= mistakes[1]["loss"].as_f64());
    for mistake in mistakes {
        let percent = 100.0 * mistake["probability"].as_f64().unwrap();
        let (label, predicted, index) = (&mistake["label"], &mistake["predicted"], &mistake["index"]);
        let caption = format!("{label} read as {predicted}, {percent:.1} %\nsample {index}\n");
        assert!(label != predicted && text.contains(&caption), "{caption}: {text}");
    }
    assert!(std::fs::read(at("s.png")).unwrap().starts_with(b"\x89PNG"));

    let generate = ["data", "generate", "digits", "--out", "d", "--train", "1", "--test", "300"];
    let written = succeeds(folder.path(), &generate);
    let file = |part: &str| written.lines().find(|line| line.contains(part)).unwrap();
    let (images, labels) = (file("t10k-images"), file("t10k-labels"));
    let predict = ["predict", "--model=m", images, "--labels", labels];
    let text = succeeds(folder.path(), &[&predict[..], &["--mistakes=1", "--sheet=p.png"]].concat());
    let right: usize = text.split(' ').next().unwrap().parse().unwrap();
    assert!((150..300).contains(&right), "{text}");
    assert!(text.contains(&format!("\n{} mistakes in 300 samples; the worst:\n", 300 - right)), "{text}");
    assert!(std::fs::read(at("p.png")).unwrap().starts_with(b"\x89PNG"));
    // One line for each picture, and the sum.
    let text = succeeds(folder.path(), &predict);
    assert_eq!(text.lines().count(), 301);
    assert!(
        text.ends_with(&format!("\n{right} of 300 read rightly: {:.2} %\n", right as f64 / 3.0)),
        "{text}"
    );

    let fails = |arguments: &[&str], message: &str| fails(folder.path(), arguments, message);
    fails(&["eval", "--model=m", "--mistakes=0"], "invalid value '0' for '--mistakes <N>'");
    fails(&["eval", "--model=m", "--sheet=none/s.png"], "none: cannot create a file in this folder");
    fails(&["eval", "--model=m", "--sheet=m"], "m, which is read");
    fails(&["predict", "--model=m", images, "--mistakes=1"], "--labels <FILE>");
    fails(
        &["predict", "--model=m", images, "--labels", images],
        "expected one dimension, found 300 x 28 x 28",
    );
    fails(&["predict", "--model=m", images, "--labels", labels, "--sheet", labels], "which is read");
}

#[test]
fn quiet_prints_the_result_only() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(folder.path(), &[&SMALL[..], &["--quiet"]].concat());
    assert!(text.starts_with("trained 2 epochs in "), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn samples_are_set_aside_and_patience_ends_the_training() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing is learnt, so that the second epoch is no better.
    let settings = ["--validation=0.1", "--patience=1", "--lr=0", "--json=j"];
    let text = succeeds(folder.path(), &[&SMALL[..], &settings].concat());
    for part in [
        ": 1,800 training, 200 validation and 500 test samples of ",
        "  validation loss ",
        "  validation accuracy ",
        ": no improvement on the validation samples\nvalidation loss ",
        "; the parameters are those of epoch 1, the best\ntest loss ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("j")).unwrap()).unwrap();
    assert_eq!((&record["stop_reason"], &record["best_epoch"]), (&"patience".into(), &1.into()));
    assert_eq!(record["validation"]["loss"], record["epochs"][0]["validation_loss"]);
    assert!(record["epochs"][1]["validation_accuracy"].is_f64());

    let message = "recipe digits-mlp: `stop.patience`: expected samples for validation, such as ";
    fails_alone(&[&SMALL[..], &["--patience=3"]].concat(), message);
    fails_alone(
        &[&SMALL[..], &["--validation=2000"]].concat(),
        "fewer than the 2000 training samples, found 2000",
    );
    fails_alone(
        &[&SMALL[..], &["--validation=half"]].concat(),
        "command line: `data.validation`: expected a number of",
    );
}

#[test]
fn folds_give_mean_and_deviation() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(folder.path(), &[&SMALL[..], &["--folds=3", "--json=j"]].concat());
    assert_eq!(text.lines().filter(|line| line.starts_with("fold ")).count(), 3, "{text}");
    assert!(text.contains("\n3 folds: validation accuracy ") && text.contains(" ± "), "{text}");
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("j")).unwrap()).unwrap();
    assert_eq!(record["schema"], "fallline.folds/1");
    let folds = record["folds"].as_array().unwrap();
    let mean = folds.iter().map(|fold| fold["validation"]["accuracy"].as_f64().unwrap()).sum::<f64>() / 3.0;
    assert!((record["accuracy"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!(text.contains(&format!("3 folds: validation accuracy {:.2} % ± ", 100.0 * mean)), "{text}");

    let quiet = succeeds(folder.path(), &[&SMALL[..], &["--folds=2", "--quiet"]].concat());
    assert_eq!(quiet.lines().count(), 1, "{quiet}");
    fails_alone(&[&SMALL[..], &["--folds=1"]].concat(), "folds: expected 2 to 2000, ");
    fails_alone(&[&SMALL[..], &["--folds=2", "--validation=0.1"]].concat(), "expected none with folds");
    fails_alone(&[&SMALL[..], &["--folds=2", "--save=m"]].concat(), "cannot be used with");
}

/// The model of one recipe with the weights of another.
#[test]
fn a_model_of_another_architecture_is_refused() {
    use fallline::engine::model::checkpoint;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeeds(folder.path(), &[&SMALL[..], &["--save", "a"]].concat());
    succeeds(folder.path(), &[&SMALL[..], &["--save", "b", "--set", "model.layers.0.units=64"]].concat());
    let (tensors, _) = checkpoint::load(&at("a")).unwrap();
    let (_, metadata) = checkpoint::load(&at("b")).unwrap();
    checkpoint::save(&at("c"), &tensors, &metadata).unwrap();
    fails(folder.path(), &["eval", "--model", "c"], "c: ");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_training_and_still_saves_and_reports() {
    use crate::common::program::command;
    use crate::working::Working;
    let folder = tempfile::tempdir().unwrap();
    let small = SMALL.into_iter().filter(|argument| *argument != "--epochs=2");
    let arguments: Vec<&str> = small.chain(["--epochs=1000000", "--save", "m", "--json", "j"]).collect();
    let working = Working::start(&mut command(folder.path(), &arguments), "/1000000 ");
    working.send("INT");
    let ended = working.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let rest: Vec<&str> = ended.out.lines().collect();
    assert!(rest.contains(&"wrote m") && rest.contains(&"wrote j"), "{rest:?}");
    assert!(folder.path().join("m").is_file() && folder.path().join("j").is_file());
}
