//! Learning rates: too small, right and too large; one that stays beside ones that fall; and one that is chosen by trials.
//! A case of `fallline tour` in few lines.
//!
//!     cargo run --release --example tour_rates

use fallline::data::small::{Generated, Part};
use fallline::data::{DataSet, Origin};
use fallline::settings::{Length, Linear, LinearKind};
use fallline::{Curve, Model, Optimizer, Recipe, Samples, Schedule, Search, SearchMethod, Trainer};

fn main() -> fallline::Result<()> {
    sizes()?;
    schedules()?;
    choice()
}

/// A line through nine points. The largest curvature of the loss is 40 / 3, so that rates end at 2 over that, 0.15.
fn sizes() -> fallline::Result<()> {
    let x: Vec<f32> = (-4i8..=4).map(f32::from).collect();
    let y: Vec<f32> = x.iter().map(|x| x + 2.0).collect();
    let samples = Samples::from_rows(x, 1).values(y)?;
    println!("rate    loss after 60 steps");
    for rate in [0.005, 0.13, 0.148, 0.155, 0.5] {
        let mut model = Model::linear(1, Linear::new(LinearKind::Linear, 1))?;
        let trainer = Trainer::new().optimizer(Optimizer::sgd(rate)).batch(9).epochs(60);
        match trainer.fit(&mut model, &samples) {
            Ok(record) => {
                let word = if record.diverged.is_some() { "diverged" } else { "" };
                println!("{rate:<7} {:<10.2e} {word}", trainer.evaluate(&model, &samples)?.loss);
            }
            Err(error) => println!("{rate:<7} {error}"),
        }
    }
    Ok(())
}

/// A linear fit with noise, by batches of four samples.
fn schedules() -> fallline::Result<()> {
    let samples = Generated::of("linear")?.draw(Part::Train, 400, 1)?.samples()?;
    // A thousandth of the rate is left after 60 epochs.
    let gamma = Some(0.001_f64.powf(1.0 / 60.0));
    let every = Length::Epochs(1.0);
    println!("\nschedule              loss above the least after 60 epochs");
    for (name, rate, schedule) in [
        ("constant, 0.05", 0.05, Schedule::constant()),
        ("constant, 0.0025", 0.0025, Schedule::constant()),
        ("exponential from 0.05", 0.05, Schedule::of(Curve::Exponential { every, gamma })),
        ("cosine from 0.05", 0.05, Schedule::of(Curve::Cosine { end_factor: 0.0 })),
    ] {
        let mut model = Model::linear(5, Linear::new(LinearKind::Linear, 1))?;
        let trainer = Trainer::new().optimizer(Optimizer::sgd(rate)).schedule(schedule).batch(4).epochs(60);
        trainer.fit(&mut model, &samples)?;
        // Objectives have half the squared error.
        let exact = trainer.exact(&model, &samples)?.expect("a linear fit");
        println!("{name:<21} {:.1e}", 2.0 * (exact.objective - exact.least));
    }
    Ok(())
}

/// Rate and width of a network on two noisy moons: a grid and random pairs, by one part of the samples and by folds.
fn choice() -> fallline::Result<()> {
    let moons = Generated { noise: 0.25, ..Generated::of("moons")? };
    let train = moons.draw(Part::Train, 400, 1)?.samples()?;
    let test = moons.draw(Part::Test, 4000, 1)?.samples()?;
    let moons = DataSet::new("moons", 2, train, test, Origin::Generated { seed: 1 })?;
    let recipe = Recipe::parse(RECIPE, "this program")?;
    let grid = ["optimizer.learning_rate=0.001..10:log:4", "model.layers.0.units=4..64:log:4"];
    let random = ["optimizer.learning_rate=0.001..10:log", "model.layers.0.units=4..64:log"];
    println!("\nsearch          rate     units  on samples set aside  on test samples");
    for (method, [rate, units]) in [(SearchMethod::Grid, grid), (SearchMethod::Random, random)] {
        let search = Search::new(&recipe).method(method).over(rate)?.over(units)?.trials(16);
        for (how, search) in [("one part", search.clone()), ("5 folds", search.folds(5))] {
            let record = search.run(&moons)?;
            let winner = record.winner().expect("small rates do not diverge");
            let best = Recipe::parse(record.winner.as_deref().unwrap_or_default(), "the winner")?;
            let mut model = Model::build(&best.model, moons.train.shape(), moons.classes, best.train.seed)?;
            let trainer = Trainer::from_recipe(&best);
            trainer.fit(&mut model, &moons.train)?;
            let tested = trainer.evaluate(&model, &moons.test)?.accuracy.unwrap_or_default();
            let rate = winner.settings["optimizer.learning_rate"].as_f64().unwrap_or_default();
            let held = winner.accuracy.unwrap_or_default();
            let name = format!("{}, {how}", method.name());
            println!(
                "{name:<16}{rate:<9.4}{:<7}{held:<22.3}{tested:.3}",
                winner.settings["model.layers.0.units"]
            );
        }
    }
    Ok(())
}

const RECIPE: &str = r#"
name = "moons"
data = { set = "moons" }
schedule = { name = "cosine" }
optimizer = { name = "sgd", learning_rate = 0.1 }
train = { epochs = 30, batch = 32 }

[model]
loss = "cross-entropy"
layers = [{ type = "dense", units = 16, activation = "tanh" }, { type = "dense", units = 2 }]
"#;
