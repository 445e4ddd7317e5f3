//! A layer in a network that is trained, saved and loaded.

use super::wrong::{same_bits, wrong};
use crate::data::Samples;
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::layers::Shape;
use crate::model::recipe::LayerConfig;
use crate::model::{Model, ModelBuilder};
use crate::train::{Predictor, Trainer};

/// Samples of the training: no multiple of the batch, or of the threads.
const SAMPLES: usize = 37;
/// Features of a sample, or pixels along each side.
const FEATURES: usize = 6;
const CLASSES: usize = 3;

/// Checks that training has the same bits on any number of threads and leaves alone what is fixed, and that a saved network predicts as before.
pub(super) fn check(config: &LayerConfig, input: Shape, output: Shape) -> Result<()> {
    let one = trained(config, input, output, 1)?;
    for threads in [2, 3] {
        let other = trained(config, input, output, threads)?;
        let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits();
        if let Some(at) = one.storage().iter().zip(other.storage()).position(differs) {
            let expected = format!("{:?}, as on one", one.storage()[at]);
            let what = format!("a parameter of a network trained on {threads} threads");
            return Err(wrong(&what, expected, format!("{:?}", other.storage()[at])));
        }
    }
    let begun = network(config, input, output).build()?;
    for place in begun.statistics() {
        same_bits("what is fixed after training", &begun.storage()[place.clone()], &one.storage()[place])?;
    }
    let name = format!("fallline-layer-{}-{:?}", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(format!("{name}.safetensors"));
    one.save(&path)?;
    let loaded = Model::load(&path);
    let _ = std::fs::remove_file(&path);
    let [before, after] = [answers(one, input)?, answers(loaded?, input)?];
    match before.iter().zip(&after).position(|(a, b)| a.to_bits() != b.to_bits()) {
        Some(at) => {
            let expected = format!("{:?}, as before it was saved", before[at]);
            Err(wrong("an output of a loaded network", expected, format!("{:?}", after[at])))
        }
        None => Ok(()),
    }
}

/// A network in which the layers before this one give samples of its shape.
fn network(config: &LayerConfig, input: Shape, output: Shape) -> ModelBuilder {
    let model = match input {
        Shape::Features(features) => Model::sequential(FEATURES).dense(features, Activation::TANH),
        Shape::Image(image) => {
            let shape = [image.height, image.width, 1];
            Model::of_images(shape).convolution(image.channels, 1, Activation::TANH)
        }
    };
    let model = model.layer(config.clone());
    let model = if output.image().is_some() { model.flatten() } else { model };
    model.dense(CLASSES, Activation::IDENTITY)
}

fn features_of(input: Shape) -> usize {
    input.image().map_or(FEATURES, |image| image.pixels())
}

/// Numbers from -1 to 1.
fn data(input: Shape) -> Vec<f32> {
    let count = SAMPLES * features_of(input);
    (1..=count).map(|index| (2.0 * (index as f64 * 0.618_033_988_7).fract() - 1.0) as f32).collect()
}

fn trained(config: &LayerConfig, input: Shape, output: Shape, threads: usize) -> Result<Model> {
    let labels = (0..SAMPLES).map(|sample| (sample * 7 % CLASSES) as u8).collect();
    let shape = match input {
        Shape::Features(_) => [1, 1, FEATURES],
        Shape::Image(image) => [image.height, image.width, 1],
    };
    let targets = crate::data::Targets::Classes(labels);
    let samples = Samples::floats(data(input), shape, targets, CLASSES)?;
    let mut model = network(config, input, output).build()?;
    let trainer = Trainer::new().batch(8).epochs(2).threads(threads);
    trainer.fit(&mut model, &samples)?;
    Ok(model)
}

fn answers(model: Model, input: Shape) -> Result<Vec<f32>> {
    let mut answers = vec![0.0; SAMPLES * CLASSES];
    Predictor::new(model)?.predict(&data(input)[..], &mut answers)?;
    Ok(answers)
}
