//! The paths of update rules down surfaces of two numbers, each with the best of a few learning rates: how many steps a
//! rule takes, and where it goes. The case `paths` of the tour draws them.
//!
//!     cargo run --release --example tour_paths

use fallline::Optimizer;
use fallline::minimise::{BEALE, BOWL, Function, HIMMELBLAU, Minimisation, Path, ROSENBROCK, SADDLE};

const RULES: [&str; 8] = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "lion", "lbfgs", "cma-es"];
const RATES: [f64; 10] = [0.00018, 0.00056, 0.0018, 0.0056, 0.018, 0.056, 0.18, 0.56, 1.8, 5.6];
const STEPS: usize = 1000;
const TOLERANCE: f64 = 1e-3;

/// The step from which on the value stays within the tolerance of the lowest one, if there is one.
fn arrival(path: &Path, function: &Function) -> Option<usize> {
    let far = path.values.iter().rposition(|value| value.is_nan() || value - function.lowest > TOLERANCE);
    let steps = far.map_or(0, |last| last + 1);
    (steps < path.values.len()).then_some(steps)
}

fn main() -> fallline::Result<()> {
    for function in [&ROSENBROCK, &BEALE, &HIMMELBLAU, &SADDLE, &BOWL] {
        let run = Minimisation::from(function.start).steps(STEPS);
        println!("\n{}: {} from {:?}", function.name, function.formula, function.start);
        println!("{:<10} {:>8} {:>6} {:>12}  end", "rule", "rate", "steps", "height");
        for rule in RULES {
            // The fewest steps first, then the lowest end; NaN counts as infinitely high.
            let mut best: Option<(usize, f64, f64, Path)> = None;
            for rate in RATES {
                let path = Optimizer::named(rule)?.rate(rate).minimise(&run, function.evaluate)?;
                let height = path.value() - function.lowest;
                let height = if height.is_nan() { f64::INFINITY } else { height };
                let steps = arrival(&path, function).unwrap_or(usize::MAX);
                let is_best = best.as_ref().is_none_or(|(fewest, lowest, ..)| {
                    steps < *fewest || (steps == *fewest && height < *lowest)
                });
                if is_best {
                    best = Some((steps, height, rate, path));
                }
            }
            let Some((steps, height, rate, path)) = best else { continue };
            let steps = if steps == usize::MAX { "-".into() } else { steps.to_string() };
            println!("{rule:<10} {rate:>8} {steps:>6} {height:>12.2e}  {:.3?}", path.end());
        }
    }

    // Where plain descent and Adam go in the bowl at first: across and back, and along a diagonal.
    let run = Minimisation::from(BOWL.start).steps(5);
    for optimizer in [Optimizer::sgd(0.018), Optimizer::adam(0.56)] {
        let path = optimizer.minimise(&run, BOWL.evaluate)?;
        println!("\n{} in the bowl: {:.2?}", optimizer.name(), path.points);
    }
    Ok(())
}
