//! Trainings that begin with parameters and with what an optimizer has kept: of blocks with PyTorch's names, of networks
//! that are frozen in part, and where they go on from a checkpoint.

use std::fs;
use std::path::Path;

use safetensors::Dtype;

use crate::common::program::{fails, json, succeeds};
use crate::dicts::{self, Raw};
use crate::optimizers::kept;
use fallline::engine::model::{NamedTensor, Recipe};
use fallline::record::OptimizerState;
use fallline::{Fit, Model, Trainer};

const HEAD: &str = "name = 'r'\n[data]\nset = 'digits'\ntrain_samples = 40\ntest_samples = 20\n\
                    [optimizer]\nname = 'adam'\nlearning_rate = 0.01\n[train]\nepochs = 1\nbatch = 10\n";

const DENSE: &str = "{ type = 'dense', units = 6, activation = 'relu' }, { type = 'dense', units = 10 }";

/// A block of torchvision's: two convolutions, each with a normalisation by batch behind it.
const RESIDUAL: &str = "{ type = 'conv', channels = 3, kernel = 4, stride = 4, activation = 'relu' }, \
                        { type = 'residual', layers = [ \
                        { type = 'conv', channels = 3, kernel = 3, padding = 1, bias = false }, \
                        { type = 'batch-norm', activation = 'relu' }, \
                        { type = 'conv', channels = 3, kernel = 3, padding = 1, bias = false }, \
                        { type = 'batch-norm' } ] }, { type = 'flatten' }, { type = 'dense', units = 10 }";

/// A folder with the recipe `r.toml` of these layers, whose training has the checkpoints `kept`.
fn folder(layers: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("r.toml"), text(layers)).unwrap();
    succeeds(folder.path(), &["train", "r.toml", "--quiet", "--checkpoint=kept"]);
    folder
}

fn text(layers: &str) -> String {
    format!("{HEAD}[model]\nlayers = [{layers}]\n")
}

/// Writes the newest checkpoint of a folder to a state dict.
fn export(path: &Path, from: &str, to: &str, style: &str) {
    let to = format!("--pytorch={to}");
    succeeds(path, &["export", from, &to, &format!("--style={style}"), "--quiet"]);
}

fn train(path: &Path, more: &[&str]) -> String {
    succeeds(path, &[&["train", "r.toml"][..], more].concat())
}

fn is_of(name: &str, module: &str) -> bool {
    name.starts_with(&format!("optimizer.state.{module}."))
}

#[test]
fn what_is_kept_of_blocks_has_pytorchs_names_and_is_read_back() {
    let folder = folder(RESIDUAL);
    let path = folder.path();
    export(path, "kept", "state.safetensors", "torch");
    let (tensors, about) = kept(&path.join("state.safetensors"));
    assert!(tensors.iter().any(|tensor| tensor.name == "optimizer.state.2.bn2.weight.exp_avg_sq"));
    train(path, &["--quiet", "--init-optimizer=state.safetensors", "--checkpoint=again", "--keep=9"]);
    export(path, "again/checkpoint-0.safetensors", "first.safetensors", "torch");
    assert_eq!(kept(&path.join("first.safetensors")), (tensors, about), "before the first step");
}

#[test]
fn one_file_gives_parameters_and_what_is_kept_of_them() {
    let folder = folder(DENSE);
    let path = folder.path();
    export(path, "kept", "s", "sequential");
    let out = train(path, &["--init=s", "--init-optimizer=s", "--json=j"]);
    assert!(out.contains("begins with 4 of 4 tensors of s\n") && !out.contains("not taken"), "{out}");
    let record = json(&path.join("j"));
    assert_eq!((&record["init"]["path"], &record["init_optimizer"]["path"]), (&"s".into(), &"s".into()));
    assert_eq!(record["init_optimizer"]["steps"], 4);
}

#[test]
fn the_state_is_not_needed_to_go_on_and_another_one_is_refused() {
    let folder = folder(DENSE);
    let path = folder.path();
    export(path, "kept", "s", "sequential");
    let init = ["--epochs=2", "--init-optimizer=s"];
    train(path, &[&init[..], &["--checkpoint=new", "--json=j"]].concat());
    let begun = json(&path.join("j"))["init_optimizer"].clone();
    assert_eq!(begun["steps"], 4);
    let goes_on = [&init[..], &["--resume=new", "--json=k"]].concat();
    train(path, &goes_on);
    assert_eq!(json(&path.join("k"))["init_optimizer"], begun);
    fs::rename(path.join("s"), path.join("gone")).unwrap();
    train(path, &goes_on);
    assert_eq!(json(&path.join("k"))["init_optimizer"], begun);
    succeeds(path, &["train", "--resume=new", "--json=l"]);
    assert_eq!(json(&path.join("l"))["init_optimizer"], begun);
    // The state behind this training.
    export(path, "new", "s", "sequential");
    let goes_on = [&["train", "r.toml"][..], &goes_on].concat();
    let [_, error] = fails(path, &goes_on, "what the optimizer begins with: expected that of the training");
    assert!(error.contains("after 4 steps, found of s with checksum ") && error.contains("after 12 steps"));
    // Where there is nothing to go on from, it is needed; and a training that began anew goes on so.
    fs::remove_file(path.join("s")).unwrap();
    fails(path, &["train", "r.toml", "--init-optimizer=s", "--resume=none"], "s: cannot open");
    fs::rename(path.join("gone"), path.join("s")).unwrap();
    let [_, error] =
        fails(path, &["train", "r.toml", "--init-optimizer=s", "--resume=kept"], "expected that");
    assert!(error.contains("goes on, none, found of s with"), "{error}");
}

#[test]
fn of_what_is_frozen_nothing_is_kept_nor_needed() {
    let folder = folder(RESIDUAL);
    let path = folder.path();
    export(path, "kept", "whole", "torch");
    let freeze = ["--quiet", "--freeze=0,2.layers.3", "--checkpoint=part", "--keep=9"];
    train(path, &[&freeze[..], &["--init-optimizer=whole"]].concat());
    // What the file has of frozen layers is passed over, and of these a checkpoint gives nothing.
    export(path, "part/checkpoint-0.safetensors", "first", "torch");
    export(path, "part", "part.safetensors", "torch");
    let (whole, _) = kept(&path.join("whole"));
    let (first, about) = kept(&path.join("first"));
    let is_left = |tensor: &&NamedTensor| !is_of(&tensor.name, "0") && !is_of(&tensor.name, "2.conv2");
    let left: Vec<NamedTensor> = whole.iter().filter(is_left).cloned().collect();
    assert!(left.len() == whole.len() - 6 && about["step"] == 4);
    assert_eq!(first, left);
    // PyTorch keeps nothing of what has no gradient, and such a file is enough.
    train(path, &["--quiet", "--freeze=0,2.layers.3", "--init-optimizer=part.safetensors"]);
    let whole = ["train", "r.toml", "--init-optimizer=part.safetensors"];
    let [_, error] = fails(path, &whole, "missing: 0.weight");
    assert!(error.contains("missing: 2.layers.3.weight") && !error.contains("superfluous"), "{error}");
}

/// The same in programs.
#[test]
fn a_trainer_begins_with_a_state() {
    let folder = folder(DENSE);
    let path = folder.path();
    export(path, "kept", "s", "sequential");
    let recipe = Recipe::parse(&text(DENSE), "test").unwrap();
    let build = || Model::of_config(&recipe.model, [28, 28, 1], 1).unwrap();
    let trainer = Trainer::from_recipe(&recipe).threads(1);
    let state = OptimizerState::read(path.join("s"), &build(), &trainer).unwrap();
    assert_eq!((state.steps, state.slots.len()), (4, 2));
    let begun = |trainer: &Trainer| {
        let mut model = build();
        trainer.clone().optimizer_state(state.clone()).steps(&mut model).unwrap().optimizer_state().unwrap()
    };
    assert_eq!(begun(&trainer), OptimizerState { path: None, ..state.clone() });
    // The place of what is frozen is not touched.
    let part = begun(&trainer.clone().freeze(["0"]));
    for (slot, of_part) in state.slots.iter().zip(&part.slots) {
        for (whole, of_part) in slot.iter().zip(of_part) {
            let is_frozen = whole.name.starts_with("0.");
            assert_eq!(whole.values == of_part.values, !is_frozen, "{}", whole.name);
            assert!(!is_frozen || of_part.values.iter().all(|&value| value == 0.0), "{}", whole.name);
        }
    }

    let samples = fallline::data::source::generate_digits([40, 10], 1).unwrap().train;
    let mut model = build();
    model.initialise(path.join("s"), Fit::All).unwrap();
    let record = trainer.clone().optimizer_state(state.clone()).fit(&mut model, &samples).unwrap();
    assert_eq!(record.init_optimizer.map(|begun| begun.steps), Some(4));
    assert!(record.init.is_some() && model.initial().is_none());
    // A training of the trained model has begun with no file.
    let record = trainer.fit(&mut model, &samples).unwrap();
    assert!(record.init.is_none() && record.init_optimizer.is_none());
    model.initialise(path.join("s"), Fit::All).unwrap();
    drop(trainer.steps(&mut model).unwrap());
    assert!(model.initial().is_none());
}

/// Only what the model takes has to be of numbers that are read.
#[test]
fn tensors_that_nobody_wants_may_be_of_any_type() {
    let folder = folder(DENSE);
    let path = folder.path();
    export(path, "kept", "s", "sequential");
    let raw = |(name, (shape, values)): (String, (Vec<usize>, Vec<f32>))| Raw {
        name,
        kind: Dtype::F32,
        shape,
        bytes: dicts::bytes(&values, Dtype::F32),
    };
    let mut tensors: Vec<Raw> = dicts::read(&path.join("s")).into_iter().map(raw).collect();
    let extra =
        |name: &str, kind, bytes| Raw { name: name.into(), kind, shape: vec![1], bytes: vec![0; bytes] };
    tensors.extend([extra("position_ids", Dtype::I64, 8), extra("mask", Dtype::BOOL, 1)]);
    dicts::write(&path.join("m"), &tensors);
    let out = train(path, &["--init=m", "--init-partial"]);
    assert!(out.contains("begins with 4 of 4 tensors of m\nnot taken from it: "), "{out}");
    assert!(out.contains("position_ids") && !out.contains("exp_avg"), "{out}");
    fails(path, &["train", "r.toml", "--init=m"], "beside: ");
    let weight = tensors.iter_mut().find(|tensor| tensor.name == "0.bias").unwrap();
    weight.kind = Dtype::I32;
    dicts::write(&path.join("m"), &tensors);
    let message = "tensor 0.bias: expected numbers of type F32, F64, F16 or BF16, found I32";
    fails(path, &["train", "r.toml", "--init=m", "--init-partial"], message);
}
