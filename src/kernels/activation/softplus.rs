//! A smooth ReLU.

use super::entry::{Elementwise, Entry, Kernels};
use crate::kernels::reference::functions::sigmoid;
use crate::kernels::simd::math;

pub(super) const ENTRY: Entry = Entry {
    name: "softplus",
    formula: "ln(1 + e^x)",
    source: "Dugas et al. 2000",
    parameter: None,
    is_linear_near_0: false,
    derivative_from_output: |_| true,
    reference: |_, x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
    reference_derivative: |_, x| sigmoid(x),
    kernels: Kernels::of::<Softplus>(),
};

#[derive(Clone, Copy)]
struct Softplus;

impl Elementwise for Softplus {
    #[inline(always)]
    fn new(_parameter: f32) -> Softplus {
        Softplus
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        // Without overflow: the second term vanishes for large x.
        let linear = if x <= 0.0 { 0.0 } else { x };
        linear + math::ln_1p(math::exp(-x.abs()))
    }

    /// sigmoid(x) = 1 - e^-y
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        -math::exp_m1(-saved)
    }
}
