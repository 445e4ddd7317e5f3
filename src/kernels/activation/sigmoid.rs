//! The logistic function.

use super::entry::{Elementwise, Entry, Kernels};
use crate::kernels::reference::functions::sigmoid;
use crate::kernels::simd::math;

pub(super) const ENTRY: Entry = Entry {
    name: "sigmoid",
    formula: "1 / (1 + e^-x)",
    source: "",
    parameter: None,
    is_linear_near_0: true,
    derivative_from_output: |_| true,
    reference: |_, x| sigmoid(x),
    reference_derivative: |_, x| sigmoid(x) * (1.0 - sigmoid(x)),
    kernels: Kernels::of::<Sigmoid>(),
};

#[derive(Clone, Copy)]
struct Sigmoid;

impl Elementwise for Sigmoid {
    #[inline(always)]
    fn new(_parameter: f32) -> Sigmoid {
        Sigmoid
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        math::sigmoid(x)
    }

    /// y (1 - y)
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        saved * (1.0 - saved)
    }
}
