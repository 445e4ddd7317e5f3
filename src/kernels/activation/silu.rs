//! SiLU, or swish.

use super::entry::{Elementwise, Entry, Kernels};
use crate::kernels::reference::functions::sigmoid;
use crate::kernels::simd::math;

pub(super) const ENTRY: Entry = Entry {
    name: "silu",
    formula: "x / (1 + e^-x)",
    source: "Elfwing, Uchibe, Doya 2017",
    parameter: None,
    is_linear_near_0: false,
    derivative_from_output: |_| false,
    reference: |_, x| x * sigmoid(x),
    reference_derivative: |_, x| sigmoid(x) + x * sigmoid(x) * (1.0 - sigmoid(x)),
    kernels: Kernels::of::<Silu>(),
};

#[derive(Clone, Copy)]
struct Silu;

impl Elementwise for Silu {
    #[inline(always)]
    fn new(_parameter: f32) -> Silu {
        Silu
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        x * math::sigmoid(x)
    }

    /// s + x s (1 - s), s = sigmoid(x)
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        // 1 - s by the same formula, for x (1 - s) would magnify the error of a difference.
        let e = math::exp(-saved.abs());
        let (near_1, near_0) = (1.0 / (1.0 + e), e / (1.0 + e));
        let (s, rest) = if saved > 0.0 { (near_1, near_0) } else { (near_0, near_1) };
        s * saved.mul_add(rest, 1.0)
    }
}
