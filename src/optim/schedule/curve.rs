//! The curves that a schedule is made of.

use std::f64::consts::PI;

use super::length::{Length, Span};
use super::one_cycle::OneCycle;
use super::plateau::Plateau;

/// The factor of an exponential curve without a `gamma` at its end.
const EXPONENTIAL_END: f64 = 0.01;
/// How many cycles of a cosine with restarts without a first length fill the span.
const CYCLES: u32 = 3;
/// Where, as parts of the span, milestones are if there are none.
const MILESTONES: [f64; 2] = [0.5, 0.75];

/// How a factor goes from its first value over a span of T steps; t is the step, from 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Curve {
    /// The factor 1.
    Constant,
    /// `gamma^⌊t / every⌋`, as `StepLR`; every third of the span unless told otherwise.
    Step { every: Option<Length>, gamma: f64 },
    /// `gamma^m`, m being how many milestones are at or before t, as `MultiStepLR`. Milestones rise
    /// and are all in one unit; without any they are at one half and three quarters of the span.
    MultiStep { milestones: Vec<Length>, gamma: f64 },
    /// `gamma^(t / every)`, as `ExponentialLR` for one step, and as optax's `exponential_decay`.
    /// Without a gamma it falls to a hundredth at the end of the span.
    Exponential { every: Length, gamma: Option<f64> },
    /// `1 / (1 + rate · t / every)`; Robbins, Monro: A stochastic approximation method (1951), in the
    /// form of Keras's `InverseTimeDecay`.
    InverseTime { every: Length, rate: f64 },
    /// `end + (1 - end) · (1 - t / T)^power`, as `PolynomialLR` and optax's `polynomial_schedule`.
    Polynomial { power: f64, end_factor: f64 },
    /// `start + (end - start) · t / T`, as `LinearLR`.
    Linear { start_factor: f64, end_factor: f64 },
    /// `end + (1 - end) · (1 + cos(π t / T)) / 2`, as `CosineAnnealingLR`; Loshchilov, Hutter: SGDR
    /// (2017).
    Cosine { end_factor: f64 },
    /// A cosine over and over, the first time in `first` steps, each time `multiplier` times as long
    /// as before, as `CosineAnnealingWarmRestarts`. Without a first length three cycles fill the span.
    CosineRestarts { first: Option<Length>, multiplier: u32, end_factor: f64 },
    /// The rate up, and down again further, as `OneCycleLR`.
    OneCycle(OneCycle),
    /// The factor 1; the rest depends on how training goes: see [`PlateauState`](super::PlateauState).
    Plateau(Plateau),
}

impl Curve {
    /// The name in recipes and on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Curve::Constant => "constant",
            Curve::Step { .. } => "step",
            Curve::MultiStep { .. } => "multi-step",
            Curve::Exponential { .. } => "exponential",
            Curve::InverseTime { .. } => "inverse-time",
            Curve::Polynomial { .. } => "polynomial",
            Curve::Linear { .. } => "linear",
            Curve::Cosine { .. } => "cosine",
            Curve::CosineRestarts { .. } => "cosine-restarts",
            Curve::OneCycle(_) => "one-cycle",
            Curve::Plateau(_) => "plateau",
        }
    }

    /// Whether the form of the curve follows from the length of the span, after which it keeps its last value.
    pub fn has_end(&self) -> bool {
        matches!(
            self,
            Curve::Polynomial { .. } | Curve::Linear { .. } | Curve::Cosine { .. } | Curve::OneCycle(_)
        )
    }

    /// The factor of step `step`, from 0, of a span.
    pub(super) fn factor(&self, step: u64, span: Span) -> f64 {
        let t = step as f64;
        let length = |length: Length| length.steps(span.steps_per_epoch);
        let part = (t / span.steps as f64).min(1.0);
        match self {
            Curve::Constant | Curve::Plateau(_) => 1.0,
            Curve::Step { every, gamma } => {
                let every = every.map_or(span.steps.div_ceil(3).max(1), length);
                gamma.powf((step / every) as f64)
            }
            Curve::MultiStep { milestones, gamma } => {
                let passed = if milestones.is_empty() {
                    let ends = MILESTONES.map(|part| (part * span.steps as f64).ceil());
                    ends.iter().filter(|milestone| **milestone <= t).count()
                } else {
                    milestones.iter().filter(|milestone| length(**milestone) <= step).count()
                };
                gamma.powf(passed as f64)
            }
            Curve::Exponential { every, gamma: Some(gamma) } => gamma.powf(t / length(*every) as f64),
            Curve::Exponential { gamma: None, .. } => EXPONENTIAL_END.powf(t / span.steps as f64),
            Curve::InverseTime { every, rate } => 1.0 / (1.0 + rate * t / length(*every) as f64),
            Curve::Polynomial { power, end_factor } => {
                end_factor + (1.0 - end_factor) * (1.0 - part).powf(*power)
            }
            Curve::Linear { start_factor, end_factor } => start_factor + (end_factor - start_factor) * part,
            Curve::Cosine { end_factor } => cosine(part, *end_factor),
            Curve::CosineRestarts { first, multiplier, end_factor } => {
                let first = first.map_or_else(|| first_cycle(span.steps, *multiplier), length);
                cosine(part_of_cycle(step, first, *multiplier), *end_factor)
            }
            Curve::OneCycle(cycle) => cycle.factor(step, span.steps),
        }
    }
}

/// Half a wave from 1 down to `end`.
fn cosine(part: f64, end: f64) -> f64 {
    end + (1.0 - end) * (1.0 + (PI * part).cos()) / 2.0
}

/// The first length with which [`CYCLES`] cycles take the whole span, rounded up: rounded down, a
/// new cycle would begin with the last steps.
fn first_cycle(steps: u64, multiplier: u32) -> u64 {
    let firsts = (0..CYCLES).map(|cycle| u64::from(multiplier).saturating_pow(cycle));
    steps.div_ceil(firsts.fold(0u64, u64::saturating_add).max(1)).max(1)
}

/// The part of its cycle that is over at this step.
fn part_of_cycle(mut step: u64, first: u64, multiplier: u32) -> f64 {
    let mut cycle = first;
    if multiplier <= 1 {
        step %= cycle;
    }
    while step >= cycle {
        step -= cycle;
        cycle = cycle.saturating_mul(u64::from(multiplier));
    }
    step as f64 / cycle as f64
}
