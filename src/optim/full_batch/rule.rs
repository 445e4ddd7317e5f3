//! The full-batch methods as update rules see them.

use crate::optim::rule::{Coefficients, Rule, StepSettings};
use crate::optim::search::FullBatch;

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
