//! The methods that look for the lowest valley, and what becomes of each from the same starts.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use crate::error::Result;
use crate::model::recipe::Optimizer;
use crate::optim::functions::Function;
use crate::optim::minimise::{Minimisation, Path};
use crate::rng::{Purpose, Stream, stream};

pub const STARTS: usize = 100;

/// The evaluations that a run may spend, about.
pub const BUDGET: usize = 2000;

/// A value that is so little above the lowest is in a valley with the lowest value: Rastrigin's next valleys are 0.995
/// deep, and the lowest pass between two of Himmelblau's is at 13.3.
pub const NEAR: f64 = 0.99;

/// The rate of plain descent, momentum and noise.
pub const RATE: f64 = 0.004;
pub const MOMENTUM: f64 = 0.95;
/// The standard deviation of the noise in each coordinate of the gradient, at first.
pub const NOISE: f64 = 60.0;
/// The part of the steps after which there is no noise any more.
const NOISY: f64 = 0.9;

/// How often descent begins anew, and the iterations that each one may have: more than it needs.
pub const RESTARTS: usize = 199;
const ITERATIONS: usize = 20;
/// The proposals at a temperature, and the temperatures, from the first to the last.
const PROPOSALS: usize = 100;
const TEMPERATURES: [f64; 2] = [10.0, 0.1];
const POPULATION: usize = 40;

/// The seeds of the starts and of the noise.
const SEEDS: [u64; 2] = [10, 11];

/// A way to look for the lowest valley.
pub struct Method {
    pub name: &'static str,
    rule: Optimizer,
    /// Steps, or iterations.
    steps: usize,
    /// The first noise of the gradient.
    noise: f64,
    /// What goes on from where it ends.
    then: Option<Optimizer>,
}

/// All methods, plain descent first.
///
/// # Errors
/// None is expected: the rules have these keys.
pub fn methods() -> Result<Vec<Method>> {
    let named = Optimizer::named;
    let method = |name, rule, steps| Method { name, rule, steps, noise: 0.0, then: None };
    let sgd = named("sgd")?.rate(RATE);
    let momentum = named("momentum")?.rate(RATE).with("momentum", MOMENTUM)?;
    let lbfgs = named("lbfgs")?;
    let restarts = lbfgs.clone().with("restarts", RESTARTS)?.with("spread", 3.0)?;
    let [first, last] = TEMPERATURES;
    let annealing = named("annealing")?.rate(4.0).with("steps", PROPOSALS)?;
    let annealing = annealing.with("initial_temperature", first)?.with("final_temperature", last)?;
    let each = annealing.clone().with("steps", PROPOSALS / 2)?.with("local", "lbfgs")?;
    let genetic = named("genetic")?.rate(1.0).with("population", POPULATION)?.with("spread", 2.0)?;
    let cma_es = named("cma-es")?.rate(3.0).with("population", POPULATION)?;
    let temperatures = BUDGET / PROPOSALS;
    Ok(vec![
        method("descent", sgd.clone(), BUDGET),
        method("momentum", momentum, BUDGET),
        Method { noise: NOISE, ..method("noise", sgd, BUDGET) },
        method("restarts", restarts, ITERATIONS * (RESTARTS + 1)),
        method("annealing", annealing.clone(), temperatures),
        method("genetic", genetic, BUDGET / POPULATION),
        method("CMA-ES", cma_es, BUDGET / POPULATION),
        Method { then: Some(lbfgs), ..method("annealing, then descent", annealing, temperatures - 1) },
        method("annealing with descent", each, temperatures),
    ])
}

/// The starts, evenly spread over a function's window.
pub fn starts(function: &Function) -> Vec<[f64; 2]> {
    let mut stream = stream(SEEDS[0], Purpose::Tour, 0);
    let mut within = |[low, high]: [f64; 2]| low + (high - low) * stream.random::<f64>();
    (0..STARTS).map(|_| function.window.map(&mut within)).collect()
}

impl Method {
    /// The path from a start, the number of which is the seed of all that is drawn.
    ///
    /// # Errors
    /// None is expected: the settings are fixed.
    pub fn path(&self, function: &Function, number: usize, start: [f64; 2]) -> Result<Path> {
        let run = Minimisation::from(start).steps(self.steps).seed(number as u64);
        let mut noise = Noise { stream: stream(SEEDS[1], Purpose::Tour, number as u64), done: 0 };
        let mut path = self.rule.minimise(&run, |at, gradient| {
            let value = (function.evaluate)(at, gradient);
            if self.noise > 0.0 {
                noise.add(self.noise, NOISY * self.steps as f64, gradient);
            }
            value
        })?;
        if let Some(then) = &self.then {
            let rest = then.minimise(&Minimisation::from(path.end()), function.evaluate)?;
            path.points.extend(rest.points.into_iter().skip(1));
            path.values.extend(rest.values.into_iter().skip(1));
            path.evaluations += rest.evaluations;
        }
        Ok(path)
    }
}

/// Normal noise that falls to nothing in a line.
struct Noise {
    stream: Stream,
    done: usize,
}

impl Noise {
    fn add(&mut self, first: f64, steps: f64, gradient: &mut [f64]) {
        let deviation = first * (1.0 - self.done as f64 / steps).max(0.0);
        for g in gradient {
            let normal: f64 = StandardNormal.sample(&mut self.stream);
            *g += deviation * normal;
        }
        self.done += 1;
    }
}

/// What became of a run.
pub struct Run {
    pub start: [f64; 2],
    pub end: [f64; 2],
    /// How far the last value is above the lowest one.
    pub value: f64,
    pub evaluations: usize,
    /// The first step after which the value is that of a valley with the lowest one.
    pub reached: Option<usize>,
}

/// What became of a method on a function.
pub struct Outcome {
    pub name: &'static str,
    pub runs: Vec<Run>,
}

/// Runs a method from all starts.
///
/// # Errors
/// Those of [`Method::path`].
pub fn outcome(method: &Method, function: &Function) -> Result<Outcome> {
    let run = |(number, start): (usize, [f64; 2])| {
        let path = method.path(function, number, start)?;
        let end = [path.end()[0], path.end()[1]];
        let reached = path.values.iter().position(|value| value - function.lowest < NEAR);
        let (value, evaluations) = (path.value() - function.lowest, path.evaluations);
        Ok(Run { start, end, value, evaluations, reached })
    };
    let runs = starts(function).into_iter().enumerate().map(run).collect::<Result<_>>()?;
    Ok(Outcome { name: method.name, runs })
}

impl Run {
    /// Whether it ended in a valley with the lowest value.
    pub fn found(&self) -> bool {
        self.value < NEAR
    }
}

impl Outcome {
    /// How many runs ended in a valley with the lowest value.
    pub fn found(&self) -> usize {
        self.runs.iter().filter(|run| run.found()).count()
    }

    pub fn evaluations(&self) -> f64 {
        self.runs.iter().map(|run| run.evaluations as f64).sum::<f64>() / self.runs.len() as f64
    }

    pub fn value(&self) -> f64 {
        self.runs.iter().map(|run| run.value).sum::<f64>() / self.runs.len() as f64
    }

    /// The steps after which runs had reached a valley with the lowest value, of those that had, the fewest first.
    pub fn reached(&self) -> Vec<usize> {
        let mut steps: Vec<usize> = self.runs.iter().filter_map(|run| run.reached).collect();
        steps.sort_unstable();
        steps
    }

    /// How many runs ended nearest to each of a function's minima.
    pub fn shares(&self, function: &Function) -> Vec<usize> {
        let mut shares = vec![0; function.minima.len()];
        self.runs.iter().for_each(|run| shares[nearest(function, run.end)] += 1);
        shares
    }
}

/// The place of the nearest minimum.
pub fn nearest(function: &Function, [x, y]: [f64; 2]) -> usize {
    let distance = |place: &usize| {
        let [a, b] = function.minima[*place];
        (a - x).hypot(b - y)
    };
    let places = 0..function.minima.len();
    places.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}
