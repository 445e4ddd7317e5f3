//! Cross-entropy of the sigmoid of each output on its own.

use super::function::LossFunction;
use super::kind::{LossKind, Takes};
use super::outcome::Outcome;
use crate::kernels::loss::ElementwiseLoss;
use crate::kernels::reference;
use crate::kernels::simd::math;

pub(super) static KIND: LossKind =
    LossKind::new("binary-cross-entropy", |_| LossFunction::elementwise(BinaryCrossEntropy))
        .formula("(1 / C) Σᵢ ln(1 + e^yᵢ) - tᵢ yᵢ")
        .source(
            "The negative logarithm of a likelihood: McCullagh, Nelder: Generalized linear models (1989); as \
         torch.nn.BCEWithLogitsLoss",
        )
        .takes(Takes::IndependentProbabilities)
        .outcome(Outcome::Sigmoid)
        .reference(|_, y, t| reference::binary_cross_entropy(y, t));

#[derive(Clone, Copy)]
struct BinaryCrossEntropy;

impl ElementwiseLoss for BinaryCrossEntropy {
    /// The loss ln(1 + e^y) - t y, where ln(1 + e^y) = max(y, 0) + ln(1 + e^-|y|) does not overflow.
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let positive = if y <= 0.0 { 0.0 } else { y };
        let linear = (-t).mul_add(y, positive);
        (linear + math::ln_1p(math::exp(-y.abs())), math::sigmoid(y) - t)
    }
}
