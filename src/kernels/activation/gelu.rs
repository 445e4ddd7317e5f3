//! GELU by the error function, not by its tanh approximation.

use super::entry::{Elementwise, Entry, Kernels};
use crate::kernels::reference::functions::normal_distribution as normal;
use crate::kernels::simd::math;
use std::f32::consts::FRAC_1_SQRT_2;
use std::f64::consts::PI;

/// 1 / sqrt(2 pi)
const NORMAL_DENSITY_AT_0: f32 = 0.398_942_3;

pub(super) const ENTRY: Entry = Entry {
    name: "gelu",
    formula: "x Φ(x), Φ the normal distribution",
    source: "Hendrycks, Gimpel 2016",
    parameter: None,
    is_linear_near_0: false,
    derivative_from_output: |_| false,
    reference: |_, x| x * normal(x),
    reference_derivative: |_, x| normal(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt(),
    kernels: Kernels::of::<Gelu>(),
};

#[derive(Clone, Copy)]
struct Gelu;

impl Elementwise for Gelu {
    #[inline(always)]
    fn new(_parameter: f32) -> Gelu {
        Gelu
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        x * normal_distribution(x)
    }

    /// Φ(x) + x φ(x)
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        let density = NORMAL_DENSITY_AT_0 * math::exp(-0.5 * saved * saved);
        saved.mul_add(density, normal_distribution(saved))
    }
}

/// Φ, the distribution function of the standard normal.
#[inline(always)]
fn normal_distribution(x: f32) -> f32 {
    math::erf(x * FRAC_1_SQRT_2).mul_add(0.5, 0.5)
}
