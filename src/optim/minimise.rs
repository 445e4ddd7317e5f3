//! Any function of a few numbers, minimised by any rule: the same rules that train, with a function in the place of a
//! network and its samples.

use super::full_batch::Ended;
use super::global::Searcher;
use super::per_tensor::PerTensor;
use super::rule::{Rule, StepSettings};
use super::schedule::{PlateauState, Schedule, Schedules, Span};
use super::search::FullBatch;
use crate::{Error, Result};

/// Where a minimisation begins, and how long it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimisation {
    /// \[n\], all finite.
    pub start: Vec<f64>,
    /// The steps, or the iterations of a rule for the full batch.
    pub steps: usize,
    /// The schedule of the learning rate; each step is an epoch to it.
    pub schedule: Schedule,
    /// The seed of the rules that draw random numbers.
    pub seed: u64,
}

impl Minimisation {
    /// 100 steps from this point, with a learning rate that stays.
    pub fn from(start: impl Into<Vec<f64>>) -> Minimisation {
        Minimisation { start: start.into(), steps: 100, schedule: Schedule::constant(), seed: 1 }
    }

    /// With so many steps.
    pub fn steps(self, steps: usize) -> Minimisation {
        Minimisation { steps, ..self }
    }

    /// With a schedule of the learning rate.
    pub fn schedule(self, schedule: Schedule) -> Minimisation {
        Minimisation { schedule, ..self }
    }

    /// With this seed.
    pub fn seed(self, seed: u64) -> Minimisation {
        Minimisation { seed, ..self }
    }
}

/// The way that a minimisation went.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The start, and the point after each step: `[1 + steps][n]`.
    pub points: Vec<Vec<f64>>,
    /// The values of the function there.
    pub values: Vec<f64>,
    /// How often the rule had the function evaluated.
    pub evaluations: usize,
    /// Why it ended before all steps were done, if it did.
    pub ended: Option<Ended>,
}

impl Path {
    /// The last point, \[n\].
    pub fn end(&self) -> &[f64] {
        self.points.last().map_or(&[], Vec::as_slice)
    }

    /// The value there; infinite without a point.
    pub fn value(&self) -> f64 {
        self.values.last().copied().unwrap_or(f64::INFINITY)
    }
}

/// Minimises a function with a rule. The function writes its gradient at a point, both \[n\], and returns its value. To a
/// rule that treats whole weights or biases, the point is one bias. Rules that step work in single precision, as in
/// training; those for the full batch in double precision.
///
/// # Errors
/// If the start has no numbers or one that is not finite, the schedule does not suit the rule or the steps, or a search is
/// for fewer numbers.
pub fn minimise(
    rule: &dyn Rule,
    learning_rate: f64,
    minimisation: &Minimisation,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Result<Path> {
    let Minimisation { start, steps, schedule, .. } = minimisation;
    if start.is_empty() || start.iter().any(|x| !x.is_finite()) {
        let found = start.iter().find(|x| !x.is_finite()).map_or("none".into(), f64::to_string);
        let (what, expected) = ("numbers of the start".into(), "at least one, all finite".into());
        return Err(Error::Mismatch { what, expected, found });
    }
    if let Some(how) = rule.full_batch() {
        if *schedule != Schedule::constant() {
            let expected = "`constant` with a rule whose search finds each step".into();
            return Err(refused("schedule", expected, schedule.name()));
        }
        return searched(how, learning_rate, minimisation, &mut function);
    }
    let schedules = Schedules { learning_rate: schedule.clone(), ..Schedules::constant() };
    if let Err(misfit) = schedules.check((*steps).max(1), Some(1)) {
        return Err(refused(&format!("schedule.{}", misfit.key), misfit.expected, misfit.found));
    }
    if schedules.needs_momentum() && rule.momentum().is_none() {
        let expected = "none with a rule that has no momentum".into();
        return Err(refused("schedule.momentum", expected, "a scheduled momentum".into()));
    }
    Ok(stepped(rule, learning_rate, minimisation, &schedules, &mut function))
}

fn refused(key: &str, expected: String, found: String) -> Error {
    Error::Setting { place: "minimisation".into(), key: key.into(), expected, found }
}

/// The path of a rule that steps.
fn stepped(
    rule: &dyn Rule,
    learning_rate: f64,
    minimisation: &Minimisation,
    schedules: &Schedules,
    function: &mut dyn FnMut(&[f64], &mut [f64]) -> f64,
) -> Path {
    let Minimisation { start, steps, .. } = minimisation;
    let count = start.len();
    let span = Span { steps: *steps as u64, steps_per_epoch: 1 };
    let mut point: Vec<f32> = start.iter().map(|&x| x as f32).collect();
    // One at least: what a rule keeps of a whole bias.
    let mut slots = vec![vec![0.0f32; count]; rule.slots().max(1)];
    if let Some(slot) = rule.evaluated() {
        slots[slot].copy_from_slice(&point);
    }
    let mut plateau = schedules.learning_rate.plateau().map(PlateauState::new);
    let mut gradient = vec![0.0; count];
    let mut at = wide(&point);
    let mut value = function(&at, &mut gradient);
    let mut path = Path { points: vec![at], values: vec![value], evaluations: 1, ended: None };
    for step in 1..=*steps as u64 {
        if !(value.is_finite() && gradient.iter().all(|g| g.is_finite())) {
            path.ended = Some(Ended::NotFinite);
            break;
        }
        let rate = learning_rate * plateau.as_ref().map_or(1.0, PlateauState::factor);
        let settings = schedules.settings(step, span, rate, rule.momentum());
        let mut narrow: Vec<f32> = gradient.iter().map(|&g| g as f32).collect();
        take_step(rule, settings, &mut point, &mut narrow, &mut slots);
        at = wide(&point);
        value = function(&at, &mut gradient);
        path.evaluations += 1;
        if let Some(plateau) = &mut plateau {
            plateau.observe(value);
        }
        match rule.evaluated() {
            Some(slot) => {
                let shown = wide(&slots[slot]);
                path.values.push(function(&shown, &mut vec![0.0; count]));
                path.points.push(shown);
            }
            None => {
                path.values.push(value);
                path.points.push(at);
            }
        }
    }
    path
}

fn wide(point: &[f32]) -> Vec<f64> {
    point.iter().map(|&x| f64::from(x)).collect()
}

/// One step of a point that is a whole bias; all \[n\].
fn take_step(
    rule: &dyn Rule,
    settings: StepSettings,
    point: &mut [f32],
    gradient: &mut [f32],
    slots: &mut [Vec<f32>],
) {
    let mut slots: Vec<&mut [f32]> = slots.iter_mut().map(Vec::as_mut_slice).collect();
    let Some(whole) = rule.per_tensor() else {
        slots.truncate(rule.slots());
        return rule.update(point, gradient, &mut slots, settings);
    };
    let coefficients = rule.coefficients(settings);
    rule.direct(&coefficients, false, point, gradient, &mut slots);
    let norm = |values: &[f32]| values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let [direction, own] = [norm(gradient), norm(point)];
    let factor = match whole {
        PerTensor::TrustRatio if direction == 0.0 || own == 0.0 => 1.0,
        PerTensor::TrustRatio => own / direction,
        PerTensor::Factored(how) => {
            let root = (point.len() as f64).sqrt();
            how.scale(direction / root, own / root)
        }
        // A bias is no matrix.
        PerTensor::Orthogonal(_) => 1.0,
    };
    gradient.iter_mut().for_each(|direction| *direction *= factor as f32);
    rule.apply(&coefficients, point, gradient, &mut slots);
}

/// The path of a rule for the full batch.
fn searched(
    how: FullBatch,
    learning_rate: f64,
    minimisation: &Minimisation,
    function: &mut dyn FnMut(&[f64], &mut [f64]) -> f64,
) -> Result<Path> {
    let Minimisation { start, steps, seed, .. } = minimisation;
    let mut searcher = Searcher::new(how, learning_rate, start, *steps, *seed)?;
    let mut scratch = vec![0.0; start.len()];
    let value = function(start, &mut scratch);
    let mut path = Path { points: vec![start.clone()], values: vec![value], evaluations: 0, ended: None };
    for _ in 0..*steps {
        let seen = searcher.iterate(&mut |at, gradient| {
            let value = function(at, gradient);
            let squares: f64 = at.iter().map(|x| x * x).sum();
            gradient.iter_mut().zip(at).for_each(|(g, x)| *g += how.weight_decay * x);
            Ok(value + 0.5 * how.weight_decay * squares)
        })?;
        path.evaluations += seen.evaluations;
        path.values.push(function(searcher.point(), &mut scratch));
        path.points.push(searcher.point().to_vec());
        if seen.ended.is_some() {
            path.ended = seen.ended;
            break;
        }
    }
    Ok(path)
}
