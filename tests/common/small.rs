//! A small network, and a few digits to train it on.

use fallline::data::{DataSet, Samples};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::train::TrainRecord;

use super::runs;

pub const CLASSES: usize = 10;
/// To train on.
pub const SAMPLES: usize = 600;

pub fn digits() -> &'static DataSet {
    runs::digits(SAMPLES, 100)
}

/// Digits whose labels mean nothing: what is learnt from some makes the loss of others larger.
pub fn noise() -> DataSet {
    let train = &digits().train;
    let pixels = (0..SAMPLES).flat_map(|i| train.row_bytes(i).unwrap().to_vec()).collect();
    let labels = (0..SAMPLES).map(|i| (i * i / 7 % CLASSES) as u8).collect();
    DataSet { train: Samples::images(pixels, train.shape(), labels, CLASSES).unwrap(), ..digits().clone() }
}

/// A small network; `settings` as on the command line.
pub fn recipe(settings: &[&str]) -> Recipe {
    let text = "name = \"small\"\n[data]\nset = \"digits\"\n[model]\n\
        [[model.layers]]\ntype = \"dense\"\nunits = 33\nactivation = \"relu\"\n\
        [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
        [optimizer]\nname = \"momentum\"\nlearning_rate = 0.05\n[train]\nepochs = 4\nbatch = 60\n";
    let overrides: Vec<_> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
    Recipe::parse_with(text, "small", &overrides).unwrap()
}

pub fn build(recipe: &Recipe) -> Model {
    Model::build(&recipe.model, [28, 28, 1], CLASSES, 1).unwrap()
}

/// Trains a new network, on so many threads.
pub fn trained(recipe: &Recipe, data: &DataSet, threads: usize) -> (TrainRecord, Model) {
    let mut model = build(recipe);
    (runs::run(&mut model, data, recipe, threads).unwrap(), model)
}
