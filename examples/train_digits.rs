//! A training loop of one's own: an observer that prints, an epoch at a time, until the training
//! accuracy is above 99 %.
//!
//!     cargo run --release --example train_digits

use std::sync::atomic::AtomicBool;

use fallline::data::source;
use fallline::engine::model::recipe::Override;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{EpochRecord, Observer, Progress, Session, evaluate, machine};

/// Prints what it hears of.
struct Printer;

impl Observer for Printer {
    fn progress(&mut self, progress: &Progress) {
        println!("    {:>6} of {} samples, loss {:.4}", progress.samples, progress.of, progress.loss);
    }

    fn epoch(&mut self, record: &EpochRecord) {
        println!("epoch {}: loss {:.4}, {:.1} ms", record.epoch, record.train_loss, 1e3 * record.seconds);
    }
}

fn main() -> fallline::Result<()> {
    let data = source::generate_digits([20_000, 5_000], 1)?;

    // A built-in recipe with changes; `Recipe::load("my-recipe.toml", &changes)` reads a file.
    let changes: Vec<Override> =
        ["model.layers.0.units=64", "optimizer.learning_rate=2e-3", "train.epochs=20"]
            .iter()
            .map(|change| change.parse())
            .collect::<fallline::Result<_>>()?;
    let recipe = Recipe::load("digits-mlp", &changes)?;

    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
    println!("{} parameters, {} flops a sample", model.parameters(), model.train_flops_per_sample());

    let team = Team::new(machine::usable_cores())?;
    // Another thread may set this to end an epoch after the step under way.
    let stop = AtomicBool::new(false);
    let mut session = Session::new(&mut model, &data.train, &recipe, &team)?;
    for _ in 0..recipe.train.epochs {
        let record = session.epoch(&stop, &mut Printer)?;
        session.check_parameters()?;
        Printer.epoch(&record);
        if record.train_accuracy > Some(0.99) {
            break;
        }
    }
    // The session borrows the model until here.
    let test = evaluate(&model, &data.test, &recipe.data, &team)?;
    let accuracy = test.accuracy.unwrap_or(f64::NAN); // only where the targets are values there is none
    println!("test loss {:.4}, test accuracy {:.2} %", test.loss, 100.0 * accuracy);
    Ok(())
}
