//! `fallline import` and `fallline export`.

use std::fs;
use std::path::Path;

use safetensors::Dtype;
use serde_json::Value;

use crate::common::golden;
use crate::common::program::{fails, names, succeeds};
use crate::dicts;

/// Writes a case and its recipe into a folder: `net.safetensors` and `recipe.toml`.
fn written(folder: &Path, name: &str, dtype: Dtype) -> Value {
    let file = golden::read("state_dicts.json");
    let case = dicts::case(&file, name).clone();
    dicts::write(&folder.join("net.safetensors"), &dicts::raw(&case, dtype));
    fs::write(folder.join("recipe.toml"), dicts::recipe(&case).to_toml()).unwrap();
    case
}

#[test]
fn a_state_dict_becomes_a_model_and_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let case = written(path, "encoder, normalised after", Dtype::BF16);
    let import =
        ["import", "net.safetensors", "--recipe=recipe.toml", "--input=1x6x8", "--save=m.safetensors"];
    let printed = succeeds(path, &import);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2 + case["tensors"].as_array().unwrap().len() + 1, "{printed}");
    assert!(lines[0].starts_with("parameter") && lines[0].ends_with("by"), "{printed}");
    let line = lines.iter().find(|line| line.starts_with("0.compute.up.weight")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["0.compute.up.weight", "10x8", "0.linear1.weight", "BF16", "PyTorch's", "module"]);
    assert_eq!(*lines.last().unwrap(), "wrote m.safetensors");

    let back = ["export", "m.safetensors", "--pytorch=back.safetensors", "--style=torch"];
    let printed = succeeds(path, &back);
    assert!(printed.ends_with("wrote back.safetensors\n"), "{printed}");
    let written = dicts::read(&path.join("back.safetensors"));
    let mut expected: Vec<String> = dicts::tensors(&case).into_iter().map(|tensor| tensor.name).collect();
    expected.sort();
    assert_eq!(written.keys().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(succeeds(path, &[&back[..], &["--quiet"]].concat()), "");
    // The same names as in the saved model otherwise.
    succeeds(path, &["export", "m.safetensors", "--pytorch=plain.safetensors", "-q"]);
    assert!(dicts::read(&path.join("plain.safetensors")).contains_key("0.compute.up.weight"));
    // What comes back is the model again, which only a file with a recipe is.
    succeeds(
        path,
        &[
            "import",
            "back.safetensors",
            "--recipe=recipe.toml",
            "--input=1x6x8",
            "--save=n.safetensors",
            "-q",
        ],
    );
    assert_eq!(fs::read(path.join("m.safetensors")).unwrap(), fs::read(path.join("n.safetensors")).unwrap());
    fails(path, &["export", "back.safetensors", "--pytorch=x"], "was the file saved by fallline?");
}

/// Of a set whose form is known the data need not be there.
#[test]
fn the_form_of_published_sets_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let few = ["--set=data.train_samples=50", "--set=data.test_samples=20", "--epochs=1", "--batch=10"];
    let train = ["train", "digits-mlp", "--save=trained.safetensors", "--quiet"];
    succeeds(path, &[&train[..], &few].concat());
    succeeds(path, &["export", "trained.safetensors", "--pytorch=torch.safetensors", "-q"]);
    let import = ["import", "torch.safetensors", "--recipe=digits-mlp", "--save=back.safetensors", "--quiet"];
    assert_eq!(succeeds(path, &[&import[..], &few[..2]].concat()), "");
    succeeds(path, &["export", "back.safetensors", "--pytorch=again.safetensors", "-q"]);
    let files = ["torch.safetensors", "again.safetensors"].map(|name| fs::read(path.join(name)).unwrap());
    assert!(files[0] == files[1], "other tensors");
    let accuracy = |model: &str| succeeds(path, &["eval", "--model", model, "--threads=1"]).lines().count();
    assert_eq!(accuracy("back.safetensors"), accuracy("trained.safetensors"));
    // Without its files a published set is known, too; its tensors are the same here.
    let import = ["import", "torch.safetensors", "--recipe=mnist-mlp", "--save=mnist.safetensors", "--quiet"];
    succeeds(path, &import);
}

#[test]
fn mistakes_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    written(path, "stack of gru", Dtype::F32);
    let before = names(path);
    let base = ["import", "net.safetensors", "--recipe=recipe.toml", "--save=m.safetensors"];
    let with = |more: &[&'static str]| [&base[..], more].concat();
    let sized = |more: &[&'static str]| with(&[&["--input=1x5x2"][..], more].concat());
    let [_, error] = fails(path, &sized(&["--map=rnn=0"]), "tensors: expected one for each parameter");
    assert!(error.contains("\n  missing: 1.weight [3, 6]") && error.contains("\n  superfluous: fc.bias [3]"));
    assert!(error.contains(" (--map gives other names, --ignore leaves some out"), "{error}");
    fails(path, &sized(&["--map=rnn"]), "`--map`: expected FROM=TO");
    fails(path, &sized(&["--map=rn=0"]), "`--map`: expected what names of the file begin with, not rn");
    fails(path, &sized(&["--ignore=*.x"]), "`--ignore`: expected what names of the file begin with");
    fails(path, &sized(&["--prefix=net"]), "`--prefix`: expected what names of the file begin with, not net");
    fails(path, &with(&["--input=5x2"]), "--input: expected height x width x channels such as 28x28x1");
    fails(path, &with(&["--input=1x5x2", "--data=."]), "cannot be used with");
    fails(path, &with(&[]), "--input says what an input is without it");
    let over =
        ["import", "net.safetensors", "--recipe=recipe.toml", "--input=1x5x2", "--save=net.safetensors"];
    fails(path, &over, "which is read");
    let text = ["import", "net.safetensors", "--recipe=chars-lstm", "--input=1x5x2", "--save=m.safetensors"];
    fails(path, &text, "--input: expected none with a recipe of a table or a text");
    assert_eq!(names(path), before);
}
