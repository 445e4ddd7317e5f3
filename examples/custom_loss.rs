//! A loss of one's own: the pinball loss, with which a network learns a quantile and not the mean.
//!
//!     cargo run --release --example custom_loss

use fallline::extend::{HyperParameter, unit_inner};
use fallline::testing::check_loss;
use fallline::{
    Activation, ElementwiseLoss, Loss, LossFunction, LossKind, Model, Optimizer, Predictor, Samples, Trainer,
};

/// Being too low costs q for each unit, being too high 1 - q: least where a part q of the targets is below
/// (Koenker, Bassett: Regression quantiles, 1978).
#[derive(Clone, Copy)]
struct Pinball {
    q: f32,
}

impl ElementwiseLoss for Pinball {
    /// The value, and its derivative by the output.
    #[inline(always)]
    fn at(self, output: f32, target: f32) -> (f32, f32) {
        let slope = if output > target { 1.0 - self.q } else { -self.q };
        (slope * (output - target), slope)
    }
}

static PINBALL: LossKind =
    LossKind::new("pinball", |values| LossFunction::elementwise(Pinball { q: values.single("q") }))
        .hyper_parameters(&[HyperParameter::single("q", 0.5, unit_inner(), "the part that is to be below")]);

fn main() -> fallline::Result<()> {
    // Delays of 4,000 journeys by the hour of the day: few are long, and the more so the later it is.
    let part = |i: usize, step: usize| ((i * step % 3989) as f32 + 0.5) / 3989.0;
    let hour: Vec<f32> = (0..4000).map(|i| part(i, 1013)).collect();
    let delay = (0..4000).map(|i| -(0.5 + hour[i]) * (1.0 - part(i, 2741)).ln()).collect::<Vec<f32>>();
    let samples = Samples::from_rows(hour.clone(), 1).values(delay.clone())?;

    // With its name in the list, a saved model with this loss can be read again.
    PINBALL.register()?;
    for q in [0.5, 0.9] {
        let loss = Loss::of(&PINBALL).with("q", q)?;
        check_loss(&loss, 1)?;
        let mut model = Model::sequential(1)
            .dense(32, Activation::TANH)
            .dense(1, Activation::IDENTITY)
            .loss(loss)
            .build()?;
        Trainer::new().optimizer(Optimizer::adam(3e-3)).batch(100).epochs(40).fit(&mut model, &samples)?;
        let mut answers = vec![0.0; 4000];
        Predictor::new(model)?.predict(&hour, &mut answers)?;
        let below = delay.iter().zip(&answers).filter(|(delay, answer)| delay < answer).count();
        println!("quantile {q}: {:.1} % of the delays are below", below as f32 / 40.0);
        assert!((below as f64 / 4000.0 - q).abs() < 0.03);
    }
    Ok(())
}
