//! `fallline import` of ONNX files.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::common::golden::{cases, read, text};
use crate::common::program::{fails, names, succeeds};

/// A file of PyTorch's, in a folder of its own.
fn write(folder: &Path, name: &str) {
    let golden = read("onnx.json");
    let case = cases(&golden).iter().find(|case| text(&case["name"]) == name).expect("a case of this name");
    std::fs::write(folder.join("net.onnx"), STANDARD.decode(text(&case["file"])).unwrap()).unwrap();
}

#[test]
fn a_file_is_listed_and_becomes_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "lenet, old exporter");
    let listed = succeeds(path, &["import", "net.onnx", "--list"]);
    for line in [
        "written by pytorch",
        "input input [batch, 1, 16, 16]",
        "operator Conv, 2 times",
        "tensor 0.weight float [3, 1, 5, 5]",
    ] {
        assert!(listed.contains(line), "{line}: {listed}");
    }
    let told = succeeds(path, &["import", "net.onnx", "--save", "net.safetensors", "--set", "data.mean=0.5"]);
    for line in [
        "conv 5x5 + tanh",
        "input: 16x16x1, of which the network sees (x (of bytes x / 255) - 0.5) / 1",
        "loss: cross-entropy, for there are 3 outputs; `--loss` says another",
        "wrote net.safetensors",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!(succeeds(path, &["import", "net.onnx", "--save", "other.safetensors", "--quiet"]), "");
    assert_eq!(names(path), ["net.onnx", "net.safetensors", "other.safetensors"]);
    let model = fallline::Model::load(path.join("net.safetensors")).unwrap();
    assert_eq!((model.input(), model.outputs()), ([16, 16, 1], 3));
}

#[test]
fn what_goes_together_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "mlp, old exporter");
    let import =
        |more: &[&'static str]| [&["import", "net.onnx", "--save", "m.safetensors"][..], more].concat();
    fails(path, &import(&["--set", "train.epochs=3"]), "a setting of `data`");
    fails(path, &import(&["--loss", "cross-entrop"]), "did you mean `cross-entropy`?");
    fails(path, &import(&["--loss", "mean-squared-error"]), "for the graph ends in one");
    fails(path, &import(&["--input", "5x5x5"]), "an input of 5x5x5");
    fails(path, &import(&["--data", "."]), "--recipe");
    fails(path, &import(&["--by-order"]), "--recipe");
    fails(path, &import(&["--recipe", "mnist-mlp", "--input", "2x2x3"]), "that do not fit");
    fails(path, &["import", "net.onnx", "--save", "net.onnx"], "which is read");
    // What says how a recipe takes parameters has nothing to say where there is none.
    for more in
        [["--map", "a=b"], ["--data", "."], ["--prefix", "a"], ["--ignore", "a"], ["--by-order", "-q"]]
    {
        let with_loss = import(&["--loss", "mean-squared-error"]);
        fails(path, &[&with_loss[..], &more].concat(), "cannot be used with");
        fails(path, &[&["import", "net.onnx", "--list"][..], &more].concat(), "cannot be used with");
    }
    assert_eq!(names(path), ["net.onnx"]);
}
