//! A layer of one's own: x + sin²(a x) / a, a trained (Ziyin et al. 2020); with arguments, a `fallline` that knows it.
//!
//!     cargo run --release --example custom_layer [-- bench RECIPE, in which a layer has type = "snake"]

use fallline::extend::{Backward, Forward, Layer, LayerKind, ParameterSpec, RowsGradient, Shape};
use fallline::{Activation, Init, LayerConfig, Loss, Model, Optimizer, Result, Samples, Trainer};
use std::process::ExitCode;

static SNAKE: LayerKind = LayerKind::new("snake", |_, input| Box::new(Snake(input.features())));

#[derive(Debug)]
struct Snake(usize);

impl Layer for Snake {
    fn outputs(&self) -> usize {
        self.0
    }
    fn parameters(&self) -> Vec<ParameterSpec> {
        ParameterSpec::in_order([("a", vec![self.0], Init::Constant(5.0))])
    }
    fn forward(&self, pass: Forward) {
        pass.by_row([self.0; 2], |y, x, a| {
            for ((y, x), a) in y.iter_mut().zip(x).zip(a) {
                *y = x + (a * x).sin().powi(2) / a;
            }
        });
    }
    fn backward(&self, pass: Backward) {
        pass.by_row([self.0; 2], |dx, dy, x, a| {
            for (((dx, dy), x), a) in dx.iter_mut().zip(dy).zip(x).zip(a) {
                *dx = dy * (1.0 + (2.0 * a * x).sin());
            }
        });
    }
    fn gradient(&self, pass: RowsGradient) {
        pass.by_row([self.0; 2], |da, dy, x, a| {
            for (((da, dy), x), a) in da.iter_mut().zip(dy).zip(x).zip(a) {
                *da += dy * (x * (2.0 * a * x).sin() / a - ((a * x).sin() / a).powi(2));
            }
        });
    }
}

fn main() -> Result<ExitCode> {
    SNAKE.register()?;
    if std::env::args().len() > 1 {
        return Ok(fallline::cli::main());
    }
    fallline::testing::check_layer(&LayerConfig::of(&SNAKE), Shape::Features(20))?;
    let wave = |x: f32| (x, x + (4.0 * x).sin());
    let (x, y): (Vec<f32>, Vec<f32>) = (0..1000).map(|i| wave(i as f32 / 250.0 - 2.0)).unzip();
    let model = Model::sequential(1).dense(32, Activation::IDENTITY).layer(LayerConfig::of(&SNAKE));
    let mut model = model.dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build()?;
    model.summary().iter().for_each(|row| println!("{:6} {:4} parameters", row.kind, row.parameters));
    let trainer = Trainer::new().optimizer(Optimizer::adam(0.01)).epochs(60);
    let loss = trainer.fit(&mut model, &Samples::from_rows(x, 1).values(y)?)?.epochs[59].train_loss;
    println!("loss {loss:.5}");
    assert!(loss < 0.01);
    Ok(ExitCode::SUCCESS)
}
