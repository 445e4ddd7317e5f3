//! What is written as an ONNX file and imported again: by the recipe in it, and without it by its graph.

use fallline::Predictor;
use fallline::engine::model::{Model, Recipe};
use fallline::exchange::onnx::export::{DEFAULT_OPSET, OPSETS, OnnxOptions, export, write};
use fallline::exchange::onnx::import::{OnnxFile, Wishes};
use prost::Message;

use super::onnx::{built, layer};
use crate::common::runs;

/// A file is written and imported by its recipe: the same parameters, and exported again the same in all, metadata too.
#[track_caller]
fn check_return(name: &str, model: &Model, recipe: &Recipe, options: OnnxOptions) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    write(&path, model, recipe, options).unwrap();
    let file = OnnxFile::open(&path).unwrap();
    assert!(file.has_recipe(), "{name}");
    let back = file.by_own_recipe(&Wishes::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(back.model.tensors() == model.tensors(), "{name}: other parameters");
    assert_eq!((back.model.input(), back.model.classes()), (model.input(), model.classes()), "{name}");
    let first = export(model, recipe, options).unwrap();
    let second = export(&back.model, &back.recipe, options).unwrap();
    assert_eq!(second.metadata_props, first.metadata_props, "{name}");
    assert!(second == first, "{name}: another graph");
}

#[test]
fn every_file_that_is_written_comes_back() {
    for name in Recipe::built_in_names() {
        let (recipe, data) = runs::small(&Recipe::built_in(name).unwrap(), 20, 10);
        let model = runs::build(&recipe, &data);
        // As a file has it.
        let recipe = Recipe::parse(&recipe.to_toml(), name).unwrap();
        for opset in [*OPSETS.start(), DEFAULT_OPSET, *OPSETS.end()] {
            check_return(name, &model, &recipe, OnnxOptions::new().opset(opset));
        }
    }
    // Columns of a table, tokens of a text and bytes, with the constants of what is done before the network.
    for name in ["iris-mlp", "names-transformer", "mnist-mlp"] {
        let mut recipe = Recipe::built_in(name).unwrap();
        recipe.train.epochs = 3;
        let (recipe, data) = runs::small(&recipe, 60, 10);
        let (_, model) = runs::trained(&recipe, &data, 1);
        let seen = model.seen();
        assert!(seen.encoder.is_some() || seen.vocabulary.is_some() || name == "mnist-mlp", "{name}");
        let recipe = Recipe::parse(&recipe.to_toml(), name).unwrap();
        check_return(name, &model, &recipe, OnnxOptions::new());
        check_return(name, &model, &recipe, OnnxOptions::new().with_preprocessing());
    }
    let table = layer("embedding").with("shared", true).unwrap().with("widths", vec![4usize]);
    let tied = built([1, 1, 6], &[table.unwrap(), layer("tied-output")]);
    check_return("tied", &tied, &Recipe::of_model(tied.config().clone()), OnnxOptions::new());
}

/// A file without its metadata, as one of another program, by its graph.
#[track_caller]
fn by_graph(name: &str, model: &Model, recipe: &Recipe, options: OnnxOptions) -> Model {
    let mut file = export(model, recipe, options).unwrap();
    file.metadata_props.clear();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, file.encode_to_vec()).unwrap();
    let file = OnnxFile::open(&path).unwrap();
    assert!(!file.has_recipe(), "{name}");
    file.by_graph(&Wishes::default()).unwrap_or_else(|error| panic!("{name}: {error}")).model
}

#[track_caller]
fn check_alike(name: &str, found: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(largest > 0.0 && apart <= 1e-4 * largest, "{name}: {apart:e} of {largest:e}");
}

const RESIDUAL: &str = "model.layers=[{type='conv',channels=4,kernel=3,padding=1},\
    {type='residual',activation='relu',layers=[\
    {type='conv',channels=8,kernel=3,padding=1,stride=2,bias=false},{type='batch-norm',activation='relu'},\
    {type='conv',channels=8,kernel=3,padding=1,bias=false},{type='batch-norm'}],\
    shortcut=[{type='conv',channels=8,kernel=1,stride=2,bias=false},{type='batch-norm'}]},\
    {type='global-average-pool'},{type='dense',units=10}]";

#[test]
fn files_without_their_recipe_come_back_by_their_graph() {
    let of = |name: &str, settings: &[&str]| {
        let settings: Vec<_> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
        Recipe::parse_with(Recipe::built_in_text(name).unwrap(), name, &settings).unwrap()
    };
    let mut cases: Vec<(&str, Recipe)> =
        ["mnist-mlp", "mnist-lenet5", "mnist-cnn", "mnist-rows-lstm", "mnist-rows-gru"]
            .map(|name| (name, of(name, &[])))
            .into();
    cases.push(("residual", of("mnist-mlp", &[RESIDUAL])));
    for (name, mut recipe) in cases {
        recipe.train.epochs = 3;
        let (recipe, data) = runs::small(&recipe, 64, 10);
        let (_, model) = runs::trained(&recipe, &data, 1);
        // Bytes, their normalisation and the softmax are in the graph; the imported model has them beside its layers.
        let found = by_graph(name, &model, &recipe, OnnxOptions::new().with_preprocessing());
        let pixels: Vec<u8> = (0..3 * 28 * 28).map(|place| (place * 37 % 251) as u8).collect();
        let [expected, found] = [model, found].map(|model| {
            let mut outputs = vec![0.0; 3 * 10];
            Predictor::new(model).unwrap().predict(&pixels, &mut outputs).unwrap();
            outputs
        });
        check_alike(name, &found, &expected);
    }
    // Sequences of numbers, without preprocessing; all gates have weights of their own.
    for kind in ["rnn", "lstm", "gru"] {
        for is_double in [false, true] {
            let cell = layer(kind).with("bidirectional", is_double).unwrap().with("returns", "last").unwrap();
            let cell = cell.with("units", 16usize).unwrap();
            let model = built([1, 6, 3], &[cell, layer("dense")]);
            let recipe = Recipe::of_model(model.config().clone());
            let found = by_graph(kind, &model, &recipe, OnnxOptions::new());
            let numbers = runs::features(2 * 6 * 3);
            let [expected, found] = [model, found].map(|model| {
                let mut outputs = vec![0.0; 2 * 4];
                Predictor::new(model).unwrap().predict(&numbers, &mut outputs).unwrap();
                outputs
            });
            check_alike(kind, &found, &expected);
        }
    }
}
