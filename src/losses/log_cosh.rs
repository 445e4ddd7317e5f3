//! Squared error for small differences, absolute for large ones, and smooth between.

use super::function::LossFunction;
use super::kind::LossKind;
use crate::kernels::loss::ElementwiseLoss;
use crate::kernels::reference;
use crate::kernels::simd::math;

pub(super) static KIND: LossKind = LossKind::new("log-cosh", |_| LossFunction::elementwise(LogCosh))
    .formula("(1 / C) Σᵢ ln cosh(yᵢ - tᵢ)")
    .source(
        "Saleh, Saleh: Statistical properties of the log-cosh loss function used in machine learning (2022); \
         as keras.losses.LogCosh",
    )
    .reference(|_, y, t| reference::log_cosh(y, t));

#[derive(Clone, Copy)]
struct LogCosh;

impl ElementwiseLoss for LogCosh {
    /// ln cosh d = |d| + ln((1 + e^-2|d|) / 2), which does not overflow.
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let d = y - t;
        let size = d.abs();
        (size + math::ln_1p(0.5 * math::exp_m1(-2.0 * size)), math::tanh(d))
    }
}
