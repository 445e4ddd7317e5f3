//! A function of two numbers with many valleys, minimised by descent and by global search: how often each finds the
//! lowest one. The rules are those that train networks.
//!
//!     cargo run --release --example minimise

use fallline::Optimizer;
use fallline::minimise::{Minimisation, RASTRIGIN};

const STARTS: u64 = 20;

fn main() -> fallline::Result<()> {
    let named = Optimizer::named;
    let annealing = named("annealing")?.rate(2.0).with("initial_temperature", 10.0)?;
    let lbfgs = named("lbfgs")?;
    let rules = [
        ("gradient descent", named("sgd")?.rate(0.002)),
        ("momentum", named("momentum")?.rate(0.002)),
        ("L-BFGS", lbfgs.clone()),
        ("L-BFGS, 19 restarts", lbfgs.with("restarts", 19)?.with("spread", 3.0)?),
        ("annealing", annealing.clone()),
        ("annealing with descent", annealing.with("local", "lbfgs")?),
        ("genetic algorithm", named("genetic")?.rate(1.0).with("spread", 2.0)?),
        ("CMA-ES", named("cma-es")?.rate(3.0).with("population", 40)?),
    ];
    println!("Rastrigin's function, {}: of {STARTS} starts", RASTRIGIN.formula);
    for (name, rule) in rules {
        let (mut found, mut evaluations) = (0, 0);
        for seed in 0..STARTS {
            // Spread over the window, from -5.12 to 5.12.
            let at = |factor: f64| 10.24 * ((seed + 1) as f64 * factor).fract() - 5.12;
            let run = Minimisation::from([at(0.618_034), at(0.754_878)]).steps(200).seed(seed);
            let path = rule.minimise(&run, RASTRIGIN.evaluate)?;
            found += u32::from(path.value() < 0.5);
            evaluations += path.evaluations;
        }
        println!("{name}: the lowest valley from {found}, {} evaluations each", evaluations as u64 / STARTS);
    }
    Ok(())
}
