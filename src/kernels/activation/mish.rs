//! Mish.

use super::entry::{Elementwise, Entry, Kernels};
use crate::kernels::reference::functions::sigmoid;
use crate::kernels::simd::math;

pub(super) const ENTRY: Entry = Entry {
    name: "mish",
    formula: "x tanh(ln(1 + e^x))",
    source: "Misra 2019",
    parameter: None,
    is_linear_near_0: false,
    derivative_from_output: |_| false,
    reference: |_, x| x * softplus(x).tanh(),
    reference_derivative: |_, x| softplus(x).tanh() + x * (1.0 - softplus(x).tanh().powi(2)) * sigmoid(x),
    kernels: Kernels::of::<Mish>(),
};

#[derive(Clone, Copy)]
struct Mish;

impl Elementwise for Mish {
    #[inline(always)]
    fn new(_parameter: f32) -> Mish {
        Mish
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        x * tanh_of_softplus(x)
    }

    /// t + x (1 - t^2) sigmoid(x), t = tanh(ln(1 + e^x))
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        let t = tanh_of_softplus(saved);
        // 1 - t^2 by its own formula, for x times it would magnify the error of a difference.
        let e = math::exp(-saved.abs());
        let d = if saved > 0.0 {
            (2.0f32).mul_add(e * e, (2.0f32).mul_add(e, 1.0))
        } else {
            e.mul_add(e, (2.0f32).mul_add(e, 2.0))
        };
        let rest = 4.0 * (1.0 + e) * (1.0 + e) / (d * d) * if saved > 0.0 { e * e } else { 1.0 };
        (saved * rest).mul_add(math::sigmoid(saved), t)
    }
}

/// ((1 + e^x)^2 - 1) / ((1 + e^x)^2 + 1), by e^-|x| so that nothing overflows.
#[inline(always)]
fn tanh_of_softplus(x: f32) -> f32 {
    let e = math::exp(-x.abs());
    // Above 0 numerator and denominator are divided by e^2x.
    let numerator = if x > 0.0 { e.mul_add(2.0, 1.0) } else { e * (e + 2.0) };
    numerator / if x > 0.0 { (2.0 * e).mul_add(e, numerator) } else { numerator + 2.0 }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
