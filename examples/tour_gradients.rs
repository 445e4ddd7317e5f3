//! A deep network of sigmoids whose first layers get next to no gradient, and what mends it: how large the first layer's
//! gradient is beside the last one's, and what the network has learnt after 20 epochs. Then a network of ReLUs whose
//! gradient is so large that its training ends at once, and what clipping it does.
//!
//!     cargo run --release --example tour_gradients

use fallline::data::{DataSet, generate_digits};
use fallline::{Activation, Error, Init, LayerConfig, Model, Optimizer, Trainer};

/// Dense layers before the last one, and their units.
const HIDDEN: usize = 11;
const UNITS: usize = 32;

fn network(layers: impl IntoIterator<Item = LayerConfig>) -> fallline::Result<Model> {
    // Digits of 7 x 7 pixels.
    let mut model = Model::of_images([28, 28, 1]).layer(LayerConfig::average_pool(4)).flatten();
    for layer in layers {
        model = model.layer(layer);
    }
    model.dense(10, Activation::IDENTITY).build()
}

fn plain(layer: &LayerConfig) -> fallline::Result<Model> {
    network(vec![layer.clone(); HIDDEN])
}

/// Prints what the training of a network comes to, and gives the accuracy on other digits, or 0 if it has diverged.
fn tried(name: &str, mut model: Model, trainer: &Trainer, digits: &DataSet) -> fallline::Result<f64> {
    let record = match trainer.fit(&mut model, &digits.train) {
        Err(Error::Diverged { step, .. }) => {
            println!("{name:<32}{:>22}", format!("not finite at step {step}"));
            return Ok(0.0);
        }
        other => other?,
    };
    // The norms in the last step of the first epoch.
    let layers = &record.epochs[0].layers;
    let ratio = layers[0].gradient / layers[layers.len() - 1].gradient;
    let accuracy = trainer.evaluate(&model, &digits.test)?.accuracy.unwrap_or_default();
    println!("{name:<32}{ratio:>10.1e}{:>10.1} %", 100.0 * accuracy);
    Ok(accuracy)
}

fn main() -> fallline::Result<()> {
    let digits = generate_digits([2000, 1000], 1)?;
    let rule = Optimizer::named("momentum")?.rate(0.03);
    let trainer = Trainer::new().optimizer(rule).batch(32).epochs(20).threads(1);
    let clipped = trainer.clone().clip_norm(1.0);

    let sigmoid = LayerConfig::dense(UNITS, Activation::SIGMOID);
    let larger = sigmoid.clone().with("weight_init", Init::XavierUniform { gain: 6.0 })?;
    let linear = LayerConfig::dense(UNITS, Activation::IDENTITY);
    let normalised = LayerConfig::batch_norm().with("activation", Activation::SIGMOID)?;
    let pairs = [linear.clone().with("bias", false)?, normalised];
    let batch_norm = network(std::iter::repeat_n(pairs, HIDDEN).flatten())?;
    let block = LayerConfig::residual(vec![sigmoid.clone(), linear], Activation::IDENTITY);
    let residual = network([vec![sigmoid.clone()], vec![block; HIDDEN / 2]].concat())?;
    let relu = LayerConfig::dense(UNITS, Activation::RELU);
    let large = relu.clone().with("weight_init", Init::KaimingNormal { gain: 1.5 * 2.0_f32.sqrt() })?;

    println!("{:<32}{:>10}{:>12}", "network", "ratio", "accuracy");
    let try_it = |name: &str, model: Model, by: &Trainer| tried(name, model, by, &digits);
    let stands = try_it("sigmoid", plain(&sigmoid)?, &trainer)?;
    try_it("gradient clipped", plain(&sigmoid)?, &clipped)?;
    try_it("weight normalisation", plain(&sigmoid.with("weight_norm", true)?)?, &trainer)?;
    try_it("weights 6 times as large", plain(&larger)?, &trainer)?;
    let mended = try_it("batch normalisation", batch_norm, &trainer)?;
    try_it("residual links", residual, &trainer)?;
    try_it("tanh", plain(&LayerConfig::dense(UNITS, Activation::TANH))?, &trainer)?;
    try_it("ReLU", plain(&relu)?, &trainer)?;
    let exploded = try_it("ReLU, weights too large", plain(&large)?, &trainer)?;
    let held = try_it("the same, gradient clipped", plain(&large)?, &clipped)?;
    assert!(stands < 0.2 && mended > 0.7 && exploded < 0.2 && held > 0.6);
    Ok(())
}
