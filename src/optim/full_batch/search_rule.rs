//! A full-batch method with its penalty.

use super::settings::{Method, Settings};
use crate::optim::rule::{Coefficients, Rule, StepSettings};

/// A rule that only wants the gradient of all samples: it leaves the parameters alone in a step, and a
/// [`Solver`](super::Solver) moves them between the steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FullBatch {
    pub settings: Settings,
    /// Of the penalty weight_decay / 2 · Σ p² over all parameters p, which is part of what is minimised;
    /// at least 0.
    pub weight_decay: f64,
}

impl FullBatch {
    /// A method with its defaults.
    pub fn new(method: Method) -> FullBatch {
        FullBatch { settings: Settings::new(method), weight_decay: 0.0 }
    }
}

impl Rule for FullBatch {
    fn slots(&self) -> usize {
        0
    }

    fn coefficients(&self, _: StepSettings) -> Coefficients {
        Coefficients::default()
    }

    fn apply(&self, _: &Coefficients, _: &mut [f32], _: &mut [f32], _: &mut [&mut [f32]]) {}

    fn full_batch(&self) -> Option<FullBatch> {
        Some(*self)
    }
}
