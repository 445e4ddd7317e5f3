//! Samples that are mostly zeros are trained on without them: with the bits of a training that multiplies them all.

use crate::common::compare::bits_of;
use crate::common::runs::features;
use fallline::{Activation, Loss, Model, Recipe, Samples, Trainer};

/// Two numbers, then categories with a feature each.
const NUMBERS: usize = 2;
const CATEGORIES: usize = 120;
const WIDTH: usize = NUMBERS + CATEGORIES;
const SAMPLES: usize = 310;
const EPOCHS: usize = 2;

/// Of every sample two numbers, and one or none of each of four groups of categories.
fn x() -> Vec<f32> {
    let numbers = features(SAMPLES * NUMBERS);
    let mut x = vec![0.0; SAMPLES * WIDTH];
    for (sample, row) in x.chunks_mut(WIDTH).enumerate() {
        row[..NUMBERS].copy_from_slice(&numbers[sample * NUMBERS..][..NUMBERS]);
        for group in 0..4 {
            let category = sample * (group + 3) * 7919 % 31;
            if category < 30 {
                row[NUMBERS + group * 30 + category] = 1.0;
            }
        }
    }
    x
}

fn y() -> Vec<f32> {
    x().chunks(WIDTH).map(|row| row[0] - row[7] + 2.0 * row[40] + row[100]).collect()
}

/// A first layer of `units`: of less than 64 a step splits rows, of more in small batches features.
fn model(units: usize, activation: Activation) -> Model {
    let layers = Model::sequential(WIDTH).dense(units, activation).dense(1, Activation::IDENTITY);
    layers.loss(Loss::MEAN_SQUARED_ERROR).seed(2).build().unwrap()
}

fn trainer(batch: usize, text: &str, threads: usize) -> Trainer {
    let text = format!(
        "name = \"own\"\n[data]\nset = \"digits\"\n[[model.layers]]\ntype = \"dense\"\nunits = 10\n\
         [train]\nepochs = {EPOCHS}\nbatch = {batch}\nshuffle = false\n{text}"
    );
    let mut recipe = Recipe::parse(&text, "own.toml").unwrap();
    (recipe.data.mean, recipe.data.deviation) = (0.0, 1.0);
    Trainer::from_recipe(&recipe).normalise(Default::default()).threads(threads)
}

/// Small batches and large ones, blocks, whole columns, gradients that are kept, a rule of whole tensors.
const CASES: [(usize, usize, &str); 8] = [
    (20, 8, "[optimizer]\nname = \"adam\"\n"),
    (100, 8, "[optimizer]\nname = \"adam\"\n"),
    (100, 155, "[optimizer]\nname = \"momentum\"\nlearning_rate = 0.01\n"),
    (33, 310, "[optimizer]\nname = \"rmsprop\"\n"),
    (130, 31, "[optimizer]\nname = \"adam\"\n[gradient]\nclip_norm = 0.5\n"),
    (70, 31, "[optimizer]\nname = \"adam\"\n[constraint]\nmax_norm = 0.3\n"),
    (70, 62, "[optimizer]\nname = \"lamb\"\n"),
    (40, 62, "[optimizer]\nname = \"adam\"\n[gradient]\nclip_adaptive = 0.1\n"),
];

#[test]
fn zeros_that_are_left_out_change_no_bit() {
    let samples = Samples::from_rows(x(), WIDTH).values(y()).unwrap();
    for (turn, (units, batch, text)) in CASES.into_iter().enumerate() {
        let activation = [Activation::RELU, Activation::TANH][turn % 2];
        // Batches that a caller hands in are multiplied as they are.
        let mut dense = model(units, activation);
        let per_epoch = SAMPLES.div_ceil(batch) as u64;
        let mut steps = trainer(batch, text, 2).steps_per_epoch(per_epoch).steps(&mut dense).unwrap();
        for _ in 0..EPOCHS {
            for (x, y) in x().chunks(batch * WIDTH).zip(y().chunks(batch)) {
                steps.step(x, y).unwrap();
            }
        }
        drop(steps);
        assert_ne!(bits_of(&dense), bits_of(&model(units, activation)), "{text} trains");
        for threads in 1..=3 {
            let mut sparse = model(units, activation);
            trainer(batch, text, threads).fit(&mut sparse, &samples).unwrap();
            assert!(
                bits_of(&sparse) == bits_of(&dense),
                "{units} units, batch {batch}, {threads} threads, {text}"
            );
        }
    }
}
