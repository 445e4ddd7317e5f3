//! Three rules that end a training: a number of steps, a small change of the loss, a small gradient; on a problem with a
//! plateau, where two of them stop before anything is learnt. Change the rules and the size of the first weights.
//!
//!     cargo run --release --example tour_stop_rules

use fallline::settings::{StopConfig, Tolerance};
use fallline::{Activation, Init, LayerConfig, Loss, Model, Optimizer, Samples, Trainer};

/// A network for the exclusive or, with first weights of this size.
fn network(deviation: f32) -> fallline::Result<Model> {
    let init = Init::Normal { mean: 0.0, deviation };
    let dense = |units: usize| LayerConfig::named("dense")?.with("units", units)?.with("weight_init", init);
    Model::sequential(2)
        .layer(dense(4)?.with("activation", Activation::TANH)?)
        .layer(dense(1)?)
        .loss(Loss::MEAN_SQUARED_ERROR)
        .build()
}

fn main() -> fallline::Result<()> {
    let corners = vec![-1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0];
    let samples = Samples::from_rows(corners, 2).values(vec![-1.0, 1.0, 1.0, -1.0])?;
    let none = StopConfig::default();
    let tolerance = Some(Tolerance { change: 1e-5, epochs: 5 });
    let rules = [
        ("no rule", none.clone()),
        ("100 iterations", StopConfig { steps: Some(100), ..none.clone() }),
        ("change of the loss", StopConfig { tolerance, ..none.clone() }),
        ("norm of the gradient", StopConfig { gradient_norm: Some(1e-2), ..none }),
    ];
    for deviation in [0.05, 1.0] {
        println!("first weights of deviation {deviation}:");
        for (name, stop) in &rules {
            let mut model = network(deviation)?;
            // Each epoch is one step with all four samples.
            let trainer = Trainer::new()
                .optimizer(Optimizer::sgd(0.3))
                .batch(4)
                .epochs(3000)
                .change(|recipe| recipe.stop = stop.clone());
            let record = trainer.fit(&mut model, &samples)?;
            let loss = trainer.evaluate(&model, &samples)?.loss;
            let steps = record.epochs.len();
            println!("  {name:20}: {steps:4} steps, loss {loss:.4}, ended by {}", record.stop_reason);
            assert!(*name != "no rule" || deviation > 0.05 || loss < 0.05);
        }
    }
    Ok(())
}
