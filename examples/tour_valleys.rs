//! Which methods find the lowest of many valleys, from 100 starts and with about 2,000 evaluations a run: plain descent,
//! momentum, noise that is added to the gradient, restarts, and global search. The case `valleys` of the tour draws it, from
//! other starts: the counts differ by a few.
//!
//!     cargo run --release --example tour_valleys

use fallline::Optimizer;
use fallline::minimise::{HIMMELBLAU, Minimisation, RASTRIGIN};

const STARTS: u64 = 100;
const STEPS: usize = 2000;
/// The noise of each coordinate of the gradient, which falls to 0 over nine tenths of the steps.
const NOISE: f64 = 60.0;
/// Less than this above the lowest value only lies what is in a lowest valley.
const NEAR: f64 = 0.99;

/// Random numbers enough for a trial, by the generator of Lehmer with the factor of Park and Miller.
struct Random(u64);

impl Random {
    /// Evenly from 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        self.0 as f64 / 2_147_483_647.0
    }

    /// Nearly normal: the sum of twelve numbers has the variance 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

fn main() -> fallline::Result<()> {
    let named = Optimizer::named;
    let descent = Optimizer::sgd(0.004);
    let annealing = named("annealing")?.rate(4.0);
    let annealing = annealing.with("initial_temperature", 10.0)?.with("final_temperature", 0.1)?;
    // The name, the rule, its steps or iterations, and the noise.
    let methods = [
        ("descent", descent.clone(), STEPS, 0.0),
        ("momentum", named("momentum")?.rate(0.004).with("momentum", 0.95)?, STEPS, 0.0),
        ("noise", descent, STEPS, NOISE),
        ("restarts", named("lbfgs")?.with("restarts", 199)?.with("spread", 3.0)?, 4000, 0.0),
        ("annealing", annealing.clone(), 20, 0.0),
        ("genetic", named("genetic")?.rate(1.0).with("spread", 2.0)?, 50, 0.0),
        ("CMA-ES", named("cma-es")?.rate(3.0).with("population", 40)?, 50, 0.0),
        ("annealing with descent", annealing.with("steps", 50)?.with("local", "lbfgs")?, 20, 0.0),
    ];
    for function in [&RASTRIGIN, &HIMMELBLAU] {
        println!("\n{}: {}", function.name, function.formula);
        println!(
            "{:<24} {:>5} {:>12} {:>12}  at each minimum",
            "method", "found", "evaluations", "mean height"
        );
        for (name, rule, steps, noise) in &methods {
            let (mut found, mut evaluations, mut height) = (0, 0, 0.0);
            let mut ends = vec![0; function.minima.len()];
            for seed in 0..STARTS {
                let mut random = Random(1 + 7_919 * (seed + 1));
                // The first numbers of neighbouring seeds are alike.
                for _ in 0..9 {
                    random.uniform();
                }
                let start = function.window.map(|[low, high]| low + (high - low) * random.uniform());
                let run = Minimisation::from(start).steps(*steps).seed(seed);
                let noisy: f64 = 0.9 * *steps as f64;
                let mut left: f64 = noisy;
                let path = rule.minimise(&run, |at, gradient| {
                    let value = (function.evaluate)(at, gradient);
                    for g in gradient {
                        *g += noise * (left / noisy).max(0.0) * random.normal();
                    }
                    left -= 1.0;
                    value
                })?;
                found += u32::from(path.value() - function.lowest < NEAR);
                evaluations += path.evaluations as u64;
                height += path.value() - function.lowest;
                let distance = |[x, y]: &[f64; 2]| (x - path.end()[0]).hypot(y - path.end()[1]);
                let distances: Vec<f64> = function.minima.iter().map(distance).collect();
                let nearest = (0..ends.len()).min_by(|&a, &b| distances[a].total_cmp(&distances[b]));
                ends[nearest.unwrap_or(0)] += 1;
            }
            let (evaluations, height) = (evaluations / STARTS, height / STARTS as f64);
            println!("{name:<24} {found:>5} {evaluations:>12} {height:>12.2e}  {ends:?}");
        }
    }
    Ok(())
}
