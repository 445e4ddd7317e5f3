//! An update rule of the program's own: each step goes along the sign and the root of a mean of gradients, so that
//! flat places are left sooner than with the gradient itself. A schedule and clipping work around it as around any.
//!
//!     cargo run --release --example custom_rule

use fallline::extend::coefficients;
use fallline::extend::{HyperParameter, unit_open};
use fallline::{Activation, Coefficients, Curve, Model, Optimizer, OptimizerKind, Rule, Samples, Schedule};
use fallline::{StepSettings, Trainer, testing};

#[derive(Debug)]
struct RootMomentum(f64);

impl Rule for RootMomentum {
    fn slots(&self) -> usize {
        1 // the mean, which begins as 0
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.0) // so that a schedule may replace it
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let beta = settings.momentum.unwrap_or(self.0);
        coefficients([settings.learning_rate, beta, 1.0 - beta])
    }

    fn apply(&self, of_step: &Coefficients, p: &mut [f32], g: &mut [f32], slots: &mut [&mut [f32]]) {
        let [rate, keep, new, ..] = *of_step;
        for ((p, g), mean) in p.iter_mut().zip(g).zip(slots[0].iter_mut()) {
            *mean = keep * *mean + new * *g;
            *p -= rate * mean.signum() * mean.abs().sqrt();
        }
    }
}

static ROOT_MOMENTUM: OptimizerKind =
    OptimizerKind::new("root-momentum", 0.02, |values| Box::new(RootMomentum(values.number("beta"))))
        .hyper_parameters(&[HyperParameter::number("beta", 0.9, unit_open(), "the part of m that is kept")])
        .formula("m ← beta · m + (1 - beta) g; p ← p - rate · sign(m) √|m|");

fn main() -> fallline::Result<()> {
    testing::check_rule(&Optimizer::of(&ROOT_MOMENTUM))?;
    let x: Vec<f32> = (0..4000).map(|i| (i as f32 * 0.618).fract() * 2.0 - 1.0).collect();
    let classes = x.chunks(2).map(|p| (4.0 * p[0].hypot(p[1])) as u8 % 2).collect(); // rings in turn
    let samples = Samples::from_rows(x, 2).classes(classes)?;
    for rule in [Optimizer::sgd(0.1), Optimizer::of(&ROOT_MOMENTUM).with("beta", 0.8)?] {
        let layers = Model::sequential(2).dense(64, Activation::TANH);
        let mut model = layers.dense(2, Activation::IDENTITY).build()?;
        let trainer = Trainer::new().optimizer(rule.clone()).clip_norm(1.0).epochs(30);
        let trainer = trainer.schedule(Schedule::of(Curve::Cosine { end_factor: 0.0 }));
        trainer.fit(&mut model, &samples)?;
        let seen = trainer.evaluate(&model, &samples)?;
        println!("{}: loss {:.4} after 30 epochs", rule.name(), seen.loss);
    }
    Ok(())
}
