//! Two networks on drawn digits: 784-10-10 and 784-128-10, told the digit as a class or as a one-hot row. The losses of
//! each step are the same either way with cross-entropy; the squared error is another loss.
//!
//!     cargo run --release --example tour_digits

use fallline::data::{Features, generate_digits};
use fallline::{Activation, Loss, Model, Optimizer, Samples, Trainer};

const EPOCHS: usize = 10;
const BATCH: usize = 50;

/// Pixels from 0 to 1, `[samples, 784]`, and digits, `[samples]`.
fn rows(samples: &Samples) -> (Vec<f32>, Vec<u8>) {
    let Features::Bytes(pixels) = samples.features() else { unreachable!("digits are bytes") };
    let x = pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    (x, samples.labels().unwrap_or_default().to_vec())
}

/// A row of ten for each digit, 1 at the digit and 0 elsewhere.
fn one_hot(classes: &[u8]) -> Vec<f32> {
    classes.iter().flat_map(|&class| (0..10).map(move |other| f32::from(u8::from(other == class)))).collect()
}

/// Samples that are trained on, and those to test with: the former as the caller wants them.
fn train(
    hidden: usize,
    loss: Loss,
    train: &Samples,
    test: &Samples,
) -> fallline::Result<(Vec<f64>, f64, usize)> {
    let mut model = Model::sequential(784)
        .dense(hidden, Activation::RELU)
        .dense(10, Activation::IDENTITY)
        .loss(loss)
        .build()?;
    let trainer = Trainer::new().optimizer(Optimizer::adam(0.002)).batch(BATCH).epochs(EPOCHS);
    let record = trainer.fit(&mut model, train)?;
    let losses = record.epochs.iter().map(|epoch| epoch.train_loss).collect();
    let accuracy = trainer.evaluate(&model, test)?.accuracy.unwrap_or_default();
    Ok((losses, accuracy, model.parameters()))
}

fn main() -> fallline::Result<()> {
    let set = generate_digits([3000, 2000], 1)?;
    let (x, digits) = rows(&set.train);
    let classes = Samples::from_rows(x.clone(), 784).classes(digits.clone())?;
    let one_hot = Samples::from_rows(x, 784).values(one_hot(&digits))?;
    let (x, digits) = rows(&set.test);
    let test = Samples::from_rows(x, 784).classes(digits)?;

    println!("hidden  parameters  loss                targets  last training loss  test accuracy");
    for hidden in [10, 128] {
        let mut of_classes = Vec::new();
        let kinds = [
            (Loss::cross_entropy(), "classes", &classes),
            (Loss::cross_entropy(), "one-hot", &one_hot),
            (Loss::KL_DIVERGENCE, "one-hot", &one_hot),
            (Loss::MEAN_SQUARED_ERROR, "one-hot", &one_hot),
        ];
        for (loss, targets, samples) in kinds {
            let name = loss.name();
            let (losses, accuracy, parameters) = train(hidden, loss, samples, &test)?;
            let last = losses[EPOCHS - 1];
            let accuracy = 100.0 * accuracy;
            println!(
                "{hidden:>6}  {parameters:>10}  {name:<18}  {targets}  {last:>18.4}  {accuracy:>11.1} %"
            );
            if of_classes.is_empty() {
                of_classes = losses;
            } else if name != "mean-squared-error" {
                // The same loss, so the same training.
                assert!(of_classes.iter().zip(&losses).all(|(one, other)| (one - other).abs() < 1e-4));
            }
        }
    }
    Ok(())
}
