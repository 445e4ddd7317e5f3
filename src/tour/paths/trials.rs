//! Every rule on a function, with several rates, the best of which is kept.

use crate::error::Result;
use crate::model::recipe::Optimizer;
use crate::optim::functions::{BEALE, BOWL, Function, HIMMELBLAU, ROSENBROCK, SADDLE};
use crate::optim::minimise::{Minimisation, Path};
use crate::optim::schedule::{Curve, Schedule};

/// The functions, in the order of the case.
pub static FUNCTIONS: [&Function; 5] = [&ROSENBROCK, &BEALE, &HIMMELBLAU, &SADDLE, &BOWL];

/// The rules that differ most to the eye.
pub const SHOWN: [&str; 7] = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "lion", "lbfgs"];

/// All other rules, with what those that belong together are called.
pub const FAMILIES: [(&str, &[&str]); 3] = [
    ("relatives of Adam", &["amsgrad", "adamw", "adamax", "nadam", "radam", "yogi", "adabelief"]),
    (
        "other rules that adapt",
        &["adagrad", "adadelta", "adan", "schedule-free-adamw", "lamb", "adafactor", "muon"],
    ),
    ("full batch and search", &["rprop", "cg", "annealing", "genetic", "cma-es"]),
];

/// All rules, simple ones first.
pub const RULES: [&str; 26] = [
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "rmsprop",
    "adadelta",
    "adam",
    "amsgrad",
    "adamw",
    "adamax",
    "nadam",
    "radam",
    "lion",
    "yogi",
    "adabelief",
    "adan",
    "schedule-free-adamw",
    "lamb",
    "adafactor",
    "muon",
    "rprop",
    "lbfgs",
    "cg",
    "annealing",
    "genetic",
    "cma-es",
];

/// The rules that search: an iteration of theirs is several evaluations.
pub const SEARCHING: [&str; 5] = ["lbfgs", "cg", "annealing", "genetic", "cma-es"];

/// The steps of each run, or its iterations.
pub const STEPS: usize = 1000;

/// A value that is so little above the lowest has arrived.
pub const TOLERANCE: f64 = 1e-3;

/// The rates that are tried, about two in each power of ten.
pub const RATES: [f64; 10] = [0.00018, 0.00056, 0.0018, 0.0056, 0.018, 0.056, 0.18, 0.56, 1.8, 5.6];

/// A rule's run with the best of the rates.
pub struct Trial {
    pub rule: &'static str,
    pub rate: f64,
    pub path: Path,
    /// The height of its last point above the lowest value.
    pub height: f64,
    pub arrival: Option<Arrival>,
    /// With how many of the rates it arrives.
    pub arriving: usize,
}

/// When a run has come within the tolerance, not to leave it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub steps: usize,
    pub evaluations: usize,
}

/// The trials of all rules on a function, in the order of [`RULES`].
///
/// # Errors
/// None is expected: the rules exist and the rates are in their ranges.
pub fn trials(function: &Function) -> Result<Vec<Trial>> {
    RULES.iter().map(|rule| best(rule, function)).collect()
}

/// The rule's run that arrives first, or, where none does, that ends lowest.
fn best(rule: &'static str, function: &Function) -> Result<Trial> {
    let mut best: Option<(usize, f64, f64, Path)> = None;
    let mut arriving = 0;
    for rate in RATES {
        let path = run(rule, rate, function, STEPS)?;
        let height = path.value() - function.lowest;
        let height = if height.is_finite() { height } else { f64::INFINITY };
        let steps = arrival(&path, function).unwrap_or(usize::MAX);
        arriving += usize::from(steps < usize::MAX);
        let is_better = best
            .as_ref()
            .is_none_or(|(fewest, lowest, ..)| steps < *fewest || (steps == *fewest && height < *lowest));
        if is_better {
            best = Some((steps, height, rate, path));
        }
    }
    let (steps, height, rate, path) = best.expect("there are rates");
    let arrived = steps < usize::MAX;
    let evaluations = if arrived { evaluations(rule, rate, function, &path, steps)? } else { 0 };
    let arrival = arrived.then_some(Arrival { steps, evaluations });
    Ok(Trial { rule, rate, path, height, arrival, arriving })
}

/// A run of so many steps from the function's usual start.
///
/// # Errors
/// None is expected.
pub fn run(rule: &str, rate: f64, function: &Function, steps: usize) -> Result<Path> {
    let run = Minimisation::from(function.start).steps(steps);
    Optimizer::named(rule)?.rate(rate).minimise(&run, function.evaluate)
}

/// The height at which a rule ends whose rate falls to 0, with the best of the rates.
///
/// # Errors
/// None is expected.
pub fn falling(rule: &str, function: &Function) -> Result<f64> {
    let schedule = Schedule::of(Curve::Cosine { end_factor: 0.0 });
    let run = Minimisation::from(function.start).steps(STEPS).schedule(schedule);
    let mut lowest = f64::INFINITY;
    for rate in RATES {
        let path = Optimizer::named(rule)?.rate(rate).minimise(&run, function.evaluate)?;
        lowest = lowest.min(path.value() - function.lowest);
    }
    Ok(lowest)
}

/// The first step from which on all values are within the tolerance.
fn arrival(path: &Path, function: &Function) -> Option<usize> {
    let is_near = |value: &f64| *value - function.lowest <= TOLERANCE;
    match path.values.iter().rposition(|value| !is_near(value)) {
        None => Some(0),
        Some(last) => (last + 1 < path.values.len()).then_some(last + 1),
    }
}

/// The evaluations up to a step: those of a run that ends there. The temperatures of annealing follow from the number of
/// steps, but each of its iterations has as many evaluations as any other.
fn evaluations(rule: &str, rate: f64, function: &Function, path: &Path, steps: usize) -> Result<usize> {
    if rule == "annealing" {
        return Ok(1 + (path.evaluations - 1) / (path.values.len() - 1) * steps);
    }
    Ok(run(rule, rate, function, steps)?.evaluations)
}

/// The trial with the fewest evaluations among those of these rules that arrive.
pub fn fastest(trials: &[Trial], rules: impl Fn(&str) -> bool) -> Option<(&'static str, Arrival)> {
    let arrived = trials.iter().filter(|trial| rules(trial.rule));
    let arrived = arrived.filter_map(|trial| trial.arrival.map(|arrival| (trial.rule, arrival)));
    arrived.min_by_key(|(_, arrival)| arrival.evaluations)
}

/// The trial of a rule.
pub fn of<'a>(trials: &'a [Trial], rule: &str) -> &'a Trial {
    let place = RULES.iter().position(|name| *name == rule);
    &trials[place.expect("a rule of the list")]
}
