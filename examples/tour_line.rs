//! A line through 100 noisy points, by gradient descent with batches of all samples, of ten, and of one, beside the closed
//! form. Change the rate, the noise, the batches.
//!
//!     cargo run --release --example tour_line

use fallline::data::small::{DrawnTarget, Generated, Part};
use fallline::{Activation, Curve, Loss, Model, Optimizer, Samples, Schedule, Trainer};

/// Slope and intercept of the line with the least squares.
fn closed_form(x: &[f32], y: &[f32]) -> [f64; 2] {
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / x.len() as f64;
    let wide = |&value: &f32| f64::from(value);
    let (mean_x, mean_y) = (mean(&mut x.iter().map(wide)), mean(&mut y.iter().map(wide)));
    let covariance = mean(&mut x.iter().zip(y).map(|(x, y)| (wide(x) - mean_x) * (wide(y) - mean_y)));
    let slope = covariance / mean(&mut x.iter().map(|x| (wide(x) - mean_x).powi(2)));
    [slope, mean_y - slope * mean_x]
}

fn main() -> fallline::Result<()> {
    // y = 2 x + 1 + noise.
    let line = Generated { noise: 0.5, ..Generated::of("line")? };
    let drawn = line.draw(Part::Train, 100, 1)?;
    let DrawnTarget::Values(y) = drawn.target else { unreachable!("the set has values") };
    let [w, b] = closed_form(&drawn.features, &y);
    let samples = Samples::from_rows(drawn.features, 1).values(y)?;

    println!("{:<28}{:>8}{:>9}{:>9}{:>10}", "", "epochs", "w", "b", "off by");
    println!("{:<36}{w:>9.4}{b:>9.4}", "closed form");
    let falling = Schedule::of(Curve::Cosine { end_factor: 0.0 });
    for (how, schedule, epochs) in [("constant", Schedule::constant(), 400), ("falling", falling, 600)] {
        for (name, batch) in [("batch", 100), ("mini-batch", 10), ("stochastic", 1)] {
            let mut model =
                Model::sequential(1).dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build()?;
            let trainer = Trainer::new().optimizer(Optimizer::sgd(0.05)).batch(batch).epochs(epochs);
            trainer.schedule(schedule.clone()).threads(1).fit(&mut model, &samples)?;
            let tensors = model.tensors();
            let [own_w, own_b] = [0, 1].map(|index| f64::from(tensors[index].values[0]));
            let off = (own_w - w).abs().max((own_b - b).abs());
            let name = format!("{name}, {how} rate");
            println!("{name:<28}{epochs:>8}{own_w:>9.4}{own_b:>9.4}{off:>10.5}");
            // With a constant rate small batches wander for ever.
            assert!(off < 1e-3 || (how == "constant" && batch < 100));
        }
    }
    Ok(())
}
