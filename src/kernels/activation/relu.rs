//! The rectified linear unit.

use super::entry::{Elementwise, Entry, Kernels};

pub(super) const ENTRY: Entry = Entry {
    name: "relu",
    formula: "max(x, 0)",
    source: "Nair, Hinton 2010",
    parameter: None,
    is_linear_near_0: false,
    derivative_from_output: |_| true,
    reference: |_, x| x.max(0.0),
    reference_derivative: |_, x| f64::from(x > 0.0),
    kernels: Kernels::of::<Relu>(),
};

#[derive(Clone, Copy)]
struct Relu;

impl Elementwise for Relu {
    #[inline(always)]
    fn new(_parameter: f32) -> Relu {
        Relu
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        // In this order, NaN stays NaN.
        if x <= 0.0 { 0.0 } else { x }
    }

    /// The derivative: from y, which has the sign of x.
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        if saved <= 0.0 { 0.0 } else { 1.0 }
    }
}
