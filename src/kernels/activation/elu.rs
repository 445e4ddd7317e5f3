//! The exponential linear unit.

use super::entry::{Elementwise, Entry, Kernels, Limit, Parameter};
use crate::kernels::simd::math;

pub(super) const ENTRY: Entry = Entry {
    name: "elu",
    formula: "x if x > 0, else alpha (e^x - 1)",
    source: "Clevert, Unterthiner, Hochreiter 2015",
    parameter: Some(Parameter { key: "alpha", default: 1.0, limit: Limit::Positive }),
    is_linear_near_0: false,
    derivative_from_output: |alpha| alpha > 0.0,
    reference: |alpha, x| if x > 0.0 { x } else { alpha * x.exp_m1() },
    reference_derivative: |alpha, x| if x > 0.0 { 1.0 } else { alpha * x.exp() },
    kernels: Kernels::of::<Elu>(),
};

#[derive(Clone, Copy)]
struct Elu {
    alpha: f32,
}

impl Elementwise for Elu {
    #[inline(always)]
    fn new(parameter: f32) -> Elu {
        Elu { alpha: parameter }
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        // Of a positive x only the limit is taken, so that no infinity arises here.
        let negative = self.alpha * math::exp_m1(if x > 0.0 { 0.0 } else { x });
        if x > 0.0 { x } else { negative }
    }

    /// alpha e^x = y + alpha from y, for an alpha above 0; else from x.
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        if self.alpha > 0.0 {
            if saved <= 0.0 { saved + self.alpha } else { 1.0 }
        } else if saved <= 0.0 {
            self.alpha * math::exp(saved)
        } else {
            1.0
        }
    }
}
