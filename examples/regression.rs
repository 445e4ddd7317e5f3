//! A matrix of one's own and a real-valued target: what a kilometre costs a car, by its weight, speed and slope.
//!
//!     cargo run --release --example regression

use fallline::{Activation, EpochRecord, Loss, Model, Observer, Optimizer, Predictor, Samples, Trainer};
use std::sync::atomic::AtomicBool;

/// Weight in tonnes, speed in 100 km/h, slope in tenths.
const FEATURES: usize = 3;

/// Prints every tenth epoch.
struct Printer;

impl Observer for Printer {
    fn epoch(&mut self, record: &EpochRecord) {
        if record.epoch.is_multiple_of(10) {
            let validation = record.validation_loss.unwrap_or(f64::NAN);
            println!("epoch {:2}: loss {:.6}, validation {validation:.6}", record.epoch, record.train_loss);
        }
    }
}

/// What the network is to find out.
fn cost(car: &[f32]) -> f32 {
    let [weight, speed, slope] = [car[0], car[1], car[2]];
    0.1 * weight + 0.3 * speed * speed + (weight * slope).max(0.0)
}

fn main() -> fallline::Result<()> {
    // 2,000 cars, row after row; any other matrix of f32 would do.
    let part = |car: usize, step: usize| (car * step % 997) as f32 / 997.0;
    let car = |i| [0.8 + 1.7 * part(i, 311), 1.3 * part(i, 577), 2.0 * part(i, 89) - 1.0];
    let x: Vec<f32> = (0..2000).flat_map(car).collect();
    let y: Vec<f32> = x.chunks(FEATURES).map(cost).collect();
    let samples = Samples::from_rows(x, FEATURES).values(y)?;

    let mut model = Model::sequential(FEATURES)
        .dense(64, Activation::RELU)
        .dense(64, Activation::RELU)
        .dense(1, Activation::IDENTITY)
        .loss(Loss::MEAN_SQUARED_ERROR)
        .build()?;
    // A tenth of the cars is set aside; nothing is learnt from them.
    let trainer = Trainer::new().optimizer(Optimizer::adam(3e-3)).batch(50).epochs(40).validation(0.1);
    trainer.fit_with(&mut model, &samples, &AtomicBool::new(false), &mut Printer)?;

    // Rows that were not in the matrix.
    let new = [1.2, 0.9, 0.3, 2.0, 0.5, -0.4];
    let mut answers = [0.0; 2];
    Predictor::new(model)?.predict(&new, &mut answers)?;
    for (car, answer) in new.chunks(FEATURES).zip(answers) {
        println!("{car:?}: predicted {answer:.3}, true {:.3}", cost(car));
        assert!((answer - cost(car)).abs() < 0.1);
    }
    Ok(())
}
