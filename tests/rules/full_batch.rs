//! L-BFGS against the iterations of torch.optim.LBFGS in f64, in `tests/golden/full_batch.json`, which
//! `scripts/golden/full_batch.py` made.

use crate::common::golden::{self, cases, count, numbers, text};
use crate::common::splitmix;
use fallline::engine::optim::full_batch::{Method, Settings, Solver};
use serde_json::Value;

/// Of parameters, relative to their largest; of losses, to the larger of them and of [`LEAST_LOSS`]. A
/// line search goes on from the rounding of the one before, and multiplies it: thirty iterations make
/// some 1e-11 of 1e-16.
const TOLERANCE: f64 = 1e-9;
const LEAST_LOSS: f64 = 1e-6;

fn rosenbrock(p: &[f64], gradient: &mut [f64]) -> f64 {
    gradient.fill(0.0);
    let mut loss = 0.0;
    for i in 0..p.len() - 1 {
        let (bend, rest) = (p[i + 1] - p[i] * p[i], 1.0 - p[i]);
        loss += 100.0 * bend * bend + rest * rest;
        gradient[i] -= 400.0 * bend * p[i] + 2.0 * rest;
        gradient[i + 1] += 200.0 * bend;
    }
    loss
}

/// The logistic regression of the script.
struct Logistic {
    rows: Vec<f32>,
    noise: Vec<f32>,
    penalty: f64,
}

impl Logistic {
    fn new(file: &Value) -> Logistic {
        let (samples, features) = (count(&file["samples"]), count(&file["features"]));
        Logistic {
            rows: splitmix::uniform(splitmix::INPUTS, samples * features),
            noise: splitmix::uniform(splitmix::LABELS, samples),
            penalty: file["penalty"].as_f64().unwrap(),
        }
    }

    fn loss(&self, p: &[f64], gradient: &mut [f64]) -> f64 {
        let (features, samples) = (p.len() - 1, self.noise.len() as f64);
        let squares: f64 = p.iter().map(|p| p * p).sum();
        gradient.iter_mut().zip(p).for_each(|(g, p)| *g = self.penalty * p);
        let mut loss = self.penalty / 2.0 * squares;
        for (row, noise) in self.rows.chunks(features).zip(&self.noise) {
            let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).chain([1.0]).collect();
            let sign = (row[0] - row[1] + f64::from(*noise) / 2.0).signum();
            let margin: f64 = sign * row.iter().zip(p).map(|(x, p)| x * p).sum::<f64>();
            loss += (-margin).exp().ln_1p() / samples;
            let part = -sign / (1.0 + margin.exp()) / samples;
            gradient.iter_mut().zip(&row).for_each(|(g, x)| *g += part * x);
        }
        loss
    }
}

/// The largest deviations of parameters and losses from the file's, and whether the evaluations were as
/// many, over all iterations; the solver is told `change`d settings and learning rate.
fn deviations(file: &Value, case: &Value, change: impl Fn(&mut Settings, &mut f64)) -> ([f64; 2], bool) {
    let options = &case["options"];
    let mut settings = Settings::new(Method::Lbfgs { history_size: count(&options["history_size"]) });
    assert_eq!(options["tolerance_grad"], settings.tolerance_grad);
    assert_eq!(options["tolerance_change"], settings.tolerance_change);
    let mut rate = options["lr"].as_f64().unwrap();
    change(&mut settings, &mut rate);
    let logistic = Logistic::new(file);
    let mut objective = |p: &[f64], gradient: &mut [f64]| {
        Ok(match text(&case["function"]) {
            "rosenbrock" => rosenbrock(p, gradient),
            _ => logistic.loss(p, gradient),
        })
    };
    let snapshots = case["parameters_after"].as_array().unwrap();
    let mut solver = Solver::new(settings, rate, &numbers(&case["start"]), snapshots.len()).unwrap();
    let (mut deviations, mut evaluations) = ([0.0f64; 2], 0);
    let mut are_as_many = true;
    for (iteration, snapshot) in snapshots.iter().enumerate() {
        let seen = solver.iterate(&mut objective).unwrap();
        evaluations += seen.evaluations;
        are_as_many &= evaluations == count(&case["evaluations"][iteration]);
        let expected = numbers(snapshot);
        let largest = expected.iter().map(|p| p.abs()).fold(0.0, f64::max);
        let pairs = solver.point().iter().zip(&expected);
        let off = pairs.map(|(p, expected)| (p - expected).abs()).fold(0.0, f64::max) / largest;
        let loss = case["losses"][iteration].as_f64().unwrap();
        let loss_off = (solver.loss() - loss).abs() / loss.max(LEAST_LOSS);
        deviations = [deviations[0].max(off), deviations[1].max(loss_off)];
    }
    (deviations, are_as_many)
}

#[test]
fn lbfgs_agrees_with_pytorch() {
    let file = golden::read("full_batch.json");
    assert_eq!(cases(&file).len(), 8);
    for case in cases(&file) {
        let iterations = case["parameters_after"].as_array().unwrap().len();
        let ([off, loss_off], are_as_many) = deviations(&file, case, |_, _| ());
        let name = text(&case["name"]);
        println!("{name}: {iterations} iterations, parameters {off:.1e}, losses {loss_off:.1e}");
        assert!(iterations >= 8, "{name}: {iterations}");
        assert!(off <= TOLERANCE && loss_off <= TOLERANCE, "{name}: {off:e}, {loss_off:e}");
        assert!(are_as_many, "{name}: another number of evaluations");
    }
}

#[test]
fn another_history_rate_or_method_is_seen() {
    let file = golden::read("full_batch.json");
    for case in cases(&file) {
        let name = text(&case["name"]);
        let seen = |change: &dyn Fn(&mut Settings, &mut f64)| {
            let ([off, _], _) = deviations(&file, case, change);
            off
        };
        assert!(seen(&|_, rate| *rate *= 1.01) > TOLERANCE, "{name}");
        let cg = fallline::engine::optim::full_batch::Formula::PolakRibiere;
        assert!(seen(&|settings, _| settings.method = Method::ConjugateGradient { formula: cg }) > TOLERANCE);
        let history_size = if count(&case["options"]["history_size"]) == 1 { 2 } else { 1 };
        assert!(seen(&|settings, _| settings.method = Method::Lbfgs { history_size }) > TOLERANCE, "{name}");
    }
}
