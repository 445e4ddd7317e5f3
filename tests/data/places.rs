//! Which files the program reads as data, and what becomes of those that it should not take.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::common::program::{command, fallline, printed};
use fallline::data::idx::{Elements, Idx};

const RECIPE: &str = "name = \"small\"\n[data]\nset = \"folder\"\nmean = 0.4\ndeviation = 0.25\n[model]\n\
    [[model.layers]]\ntype = \"dense\"\nunits = 3\n[optimizer]\nname = \"sgd\"\nlearning_rate = 0.1\n\
    [train]\nepochs = 1\nbatch = 8\n";

/// Writes 32 training and 16 test images of 4 x 4 pixels into `folder`; `elements` makes them of bytes.
fn put(folder: &Path, elements: fn(Vec<u8>) -> Elements) {
    fs::create_dir_all(folder).unwrap();
    for (prefix, count) in [("train", 32usize), ("t10k", 16)] {
        let pixels = (0..count * 16).map(|i| (i * 37 % 251) as u8).collect();
        let images = Idx { dimensions: vec![count, 4, 4], elements: elements(pixels) };
        images.write(&folder.join(format!("{prefix}-images-idx3-ubyte")), false).unwrap();
        let labels = Elements::U8((0..count).map(|i| (i % 3) as u8).collect());
        let labels = Idx { dimensions: vec![count], elements: labels };
        labels.write(&folder.join(format!("{prefix}-labels-idx1-ubyte")), false).unwrap();
    }
}

fn floats(pixels: Vec<u8>) -> Elements {
    Elements::F32(pixels.into_iter().map(|pixel| f32::from(pixel) / 255.0).collect())
}

/// A folder with a recipe, data of bytes in `u8`, and the same as fractions in `f32`.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("r.toml"), RECIPE).unwrap();
    put(&folder.path().join("u8"), Elements::U8);
    put(&folder.path().join("f32"), floats);
    folder
}

/// What the `error:` line says.
fn fails(output: Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_element_type_decides_the_scale_and_another_one_needs_to_be_told() {
    let folder = prepared();
    let run = |arguments: &[&str]| fallline(folder.path(), arguments);
    let text = printed(run(&["train", "r.toml", "--data", "u8", "--save", "m.safetensors"]));
    assert!(text.contains("network sees (u8 / 255 - 0.4) / 0.25\n"), "{text}");
    let text = printed(run(&["train", "r.toml", "--data", "f32"]));
    assert!(text.contains("network sees (f32 - 0.4) / 0.25\n"), "{text}");

    let eval = |data: &str, json: &str, set: &[&str]| {
        run(&[&["eval", "--model", "m.safetensors", "--data", data, "--json", json], set].concat())
    };
    printed(eval("u8", "u8.json", &[]));
    let error = fails(eval("f32", "no.json", &[]));
    assert!(error.contains("element type of data set `folder`: expected u8, which the model was"), "{error}");
    assert!(error.contains("--set data.scale=X") && error.contains("found f32"), "{error}");
    printed(eval("f32", "f32.json", &["--set", "data.scale=1"]));
    let loss = |name: &str| {
        let json: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join(name)).unwrap()).unwrap();
        json["test"]["loss"].as_f64().unwrap()
    };
    assert!((loss("u8.json") - loss("f32.json")).abs() < 1e-5);
    assert!(
        fails(eval("u8", "no.json", &["--set", "train.epochs=3"])).contains("one of data.scale, data.mean")
    );

    let predict = |data: &str, set: &[&str]| {
        let file = format!("{data}/t10k-images-idx3-ubyte");
        run(&[&["predict", "--model", "m.safetensors", &file, "--draw"], set].concat())
    };
    assert!(fails(predict("f32", &[])).contains("expected u8, which the model was trained on"));
    let classes = |text: String| {
        let lines = text.lines().filter(|line| line.contains("class "));
        lines.map(|line| line.split_once("  ").unwrap().1[..8].to_string()).collect::<Vec<_>>()
    };
    let bytes = classes(printed(predict("u8", &[])));
    assert_eq!(bytes.len(), 16);
    assert_eq!(classes(printed(predict("f32", &["--set", "data.scale=1"]))), bytes);

    // Training on one type and testing on another.
    for name in ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        fs::copy(folder.path().join("f32").join(name), folder.path().join("u8").join(name)).unwrap();
    }
    let error = fails(run(&["train", "r.toml", "--data", "u8"]));
    let expected = "element type of u8/t10k-images-idx3-ubyte: expected u8, as in u8/train-images-idx3-ubyte, \
                    found f32";
    assert!(error.contains(expected), "{error}");
    assert!(fails(run(&["data", "verify", "u8"])).contains("1 file is wrong"));
}

#[test]
fn a_place_that_is_named_is_the_only_one() {
    let folder = prepared();
    let run = |arguments: &[&str]| fallline(folder.path(), arguments);
    // What would be found if no place were named.
    put(&folder.path().join("datasets/mnist"), Elements::U8);
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(
        folder.path().join("mnist.toml"),
        RECIPE.replace("folder", "mnist").replace("units = 3", "units = 10"),
    )
    .unwrap();
    printed(run(&["train", "mnist.toml", "--quiet"]));
    let error = fails(run(&["train", "mnist.toml", "--data", "empty"]));
    let expected = "data set `mnist` not found; looked in empty/mnist, empty; empty is empty; run \
                    \"fallline data download mnist --out empty\"";
    assert!(error.contains(expected), "{error}");
    let by_variable = |place: &str, arguments: &[&str]| {
        command(folder.path(), arguments).env("FALLLINE_DATA", place).output()
    };
    let error = fails(by_variable("empty", &["train", "mnist.toml"]).unwrap());
    assert!(error.contains("looked in empty/mnist, empty; empty is empty"), "{error}");
    let error = fails(by_variable("none", &["train", "mnist.toml"]).unwrap());
    assert!(error.contains("none: cannot read the folder, which $FALLLINE_DATA names"), "{error}");
    let bench = ["bench", "mnist-mlp", "--batch", "32", "--threads", "1", "--seconds", "0.06"];
    assert!(fails(by_variable("empty", &bench).unwrap()).contains("data set `mnist` not found"));
    assert!(fails(run(&[&bench[..], &["--data", "empty"]].concat())).contains("data set `mnist` not found"));
}

#[test]
fn only_files_of_documented_names_are_data() {
    let folder = prepared();
    let train = || fallline(folder.path(), &["train", "r.toml", "--data", "u8", "--quiet"]);
    let result = |text: String| text.lines().nth(1).unwrap().to_string();
    let expected = result(printed(train()));
    let place = folder.path().join("u8");
    // What lies beside downloads, of which each would come first by its name.
    for name in
        ["images-idx3-ubyte.bak", "images-idx3-ubyte.gz.sha256", "labels-idx1-ubyte.bak", "labels.npy"]
    {
        fs::write(place.join(format!("train-{name}")), "other").unwrap();
    }
    fs::create_dir(place.join("train-images")).unwrap();
    assert_eq!(result(printed(train())), expected);
    assert!(printed(fallline(folder.path(), &["data", "verify", "u8"])).contains("train-images-idx3-ubyte"));

    fs::copy(place.join("train-labels-idx1-ubyte"), place.join("train-labels")).unwrap();
    let error = fails(train());
    let several =
        "files in u8: expected one file of train labels, found train-labels, train-labels-idx1-ubyte";
    assert!(error.contains(several), "{error}");
}

/// As tapes and block devices leave it.
#[test]
fn zeros_behind_a_compressed_file_are_padding_and_other_bytes_are_told() {
    let folder = prepared();
    let images = folder.path().join("u8/train-images-idx3-ubyte");
    let idx = Idx::read(&images).unwrap();
    fs::remove_file(&images).unwrap();
    let path = folder.path().join("u8/train-images-idx3-ubyte.gz");
    idx.write(&path, true).unwrap();
    let sound = fs::read(&path).unwrap();
    let train = |behind: &[u8]| {
        fs::write(&path, [&sound, behind].concat()).unwrap();
        fallline(folder.path(), &["train", "r.toml", "--data", "u8", "--quiet"])
    };
    printed(train(&[0; 512]));
    let error = fails(train(b"rubbish"));
    assert!(error.contains("7 bytes after the end of the gzip stream"), "{error}");
}

/// The arguments of a prediction for a model that is trained first.
#[cfg(unix)]
fn predict(folder: &Path) -> [&'static str; 4] {
    let train = ["train", "r.toml", "--data", "u8", "--quiet", "--save", "m.safetensors"];
    printed(fallline(folder, &train));
    ["predict", "--model", "m.safetensors", "--threads=1"]
}

#[cfg(unix)]
#[test]
fn pictures_may_come_from_a_pipe() {
    let folder = prepared();
    let predict = predict(folder.path());
    let file = "u8/t10k-images-idx3-ubyte";
    let from_file = printed(fallline(folder.path(), &[&predict[..], &[file]].concat()));
    assert_eq!(from_file.lines().count(), 16);
    let mut child = command(folder.path(), &[&predict[..], &["/dev/stdin"]].concat())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = fs::read(folder.path().join(file)).unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &bytes).unwrap();
    let from_pipe = printed(child.wait_with_output().unwrap());
    assert_eq!(from_pipe, from_file.replace(file, "/dev/stdin"));
}

#[cfg(unix)]
#[test]
fn a_named_pipe_without_a_writer_is_waited_for_with_a_word_until_a_signal() {
    use std::io::{BufRead, BufReader};
    let folder = prepared();
    let predict = predict(folder.path());
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe.toml")).status();
    assert!(made.unwrap().success());
    let picture = command(folder.path(), &[&predict[..], &["pipe.toml"]].concat());
    let model = command(folder.path(), &["eval", "--data", "u8", "--model", "pipe.toml"]);
    let recipe = command(folder.path(), &["train", "pipe.toml"]);
    let table = command(folder.path(), &["report", "pipe.toml", "--out", "x.html"]);
    // All wait at the same time.
    let waiting = [picture, model, recipe, table].map(|mut command| {
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    });
    for mut child in waiting {
        let mut word = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut word).unwrap();
        assert_eq!(word, "pipe.toml: waiting for a program that writes to this pipe\n");
        assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(143));
    }
}

#[cfg(unix)]
#[test]
fn pictures_may_have_names_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let folder = prepared();
    let predict = predict(folder.path());
    let name = |bytes: &'static [u8]| std::ffi::OsStr::from_bytes(bytes);
    let file = folder.path().join("u8/t10k-images-idx3-ubyte");
    fs::copy(file, folder.path().join(name(b"caf\xe9.idx"))).unwrap();
    let run = |bytes| printed(command(folder.path(), &predict).arg(name(bytes)).output().unwrap());
    let all = run(b"caf\xe9.idx");
    assert_eq!(run(b"caf\xe9.idx:3").trim_end(), all.lines().nth(3).unwrap());
}

#[cfg(unix)]
#[test]
fn pipes_in_a_folder_are_no_data_files() {
    let folder = prepared();
    let pipe = folder.path().join("u8/train-images.gz");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let train = ["train", "r.toml", "--data", "u8", "--quiet"];
    printed(fallline(folder.path(), &train));
    fs::remove_file(folder.path().join("u8/train-images-idx3-ubyte")).unwrap();
    let error = fails(fallline(folder.path(), &train));
    assert!(
        error.contains("found no train images, since these are no regular files: train-images.gz"),
        "{error}"
    );
}

#[cfg(feature = "download")]
#[test]
fn a_broken_file_of_another_name_is_not_joined_by_a_download() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("mnist");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("train-images-idx3-ubyte"), "broken").unwrap();
    let arguments = ["data", "download", "mnist", "--out", ".", "--mirror", "http://127.0.0.1:1"];
    let error = fails(fallline(folder.path(), &arguments));
    assert!(
        error.contains("would lie beside the new train-images-idx3-ubyte.gz; remove it first"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn names_of_folders_do_not_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("sets/a\u{1b}[2J"), Elements::U8);
    for what in ["verify", "info"] {
        let text = printed(fallline(folder.path(), &["data", what, "sets"]));
        assert!(text.contains("sets/a\u{fffd}[2J/train-images-idx3-ubyte"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
