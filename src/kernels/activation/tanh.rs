//! The hyperbolic tangent.

use super::entry::{Elementwise, Entry, Kernels};
use crate::kernels::simd::math;

pub(super) const ENTRY: Entry = Entry {
    name: "tanh",
    formula: "tanh(x)",
    source: "",
    parameter: None,
    is_linear_near_0: true,
    derivative_from_output: |_| true,
    reference: |_, x| x.tanh(),
    reference_derivative: |_, x| 1.0 - x.tanh().powi(2),
    kernels: Kernels::of::<Tanh>(),
};

#[derive(Clone, Copy)]
struct Tanh;

impl Elementwise for Tanh {
    #[inline(always)]
    fn new(_parameter: f32) -> Tanh {
        Tanh
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        math::tanh(x)
    }

    /// 1 - y^2
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        (-saved).mul_add(saved, 1.0)
    }
}
