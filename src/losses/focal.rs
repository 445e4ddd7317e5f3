//! Cross-entropy in which samples that are classified well weigh less.

use super::function::LossFunction;
use super::kind::{LossKind, Takes};
use super::outcome::Outcome;
use crate::hyper::{HyperParameter, non_negative};
use crate::kernels::loss::{RowLoss, Target, exponentials_of};
use crate::kernels::reference;
use crate::kernels::simd::math;

pub(super) static KIND: LossKind = LossKind::new("focal", |values| {
    LossFunction::by_row(Focal {
        gamma: values.single("gamma"),
        alpha: values.class_weights("alpha").to_vec(),
    })
})
.formula("-α_c (1 - p_c)^γ ln p_c, p = softmax(y)")
.source(
    "Lin, Goyal, Girshick, He, Dollár: Focal loss for dense object detection (2017), equation 5, by the \
     softmax of several classes with a weight α for each; the mean divides by the number of samples",
)
.takes(Takes::Classes)
.outcome(Outcome::Softmax)
.hyper_parameters(&[
    HyperParameter::single(
        "gamma",
        2.0,
        non_negative(),
        "γ: the larger, the less count samples that are classified well",
    ),
    HyperParameter::class_weights("alpha", "α, the factor of each class"),
])
.reference(|values, y, t| {
    let class = t.iter().position(|&t| t == 1.0).unwrap_or(0);
    let alpha = values.class_weights("alpha").get(class).map_or(1.0, |&alpha| alpha.into());
    reference::focal(y, class, values.single("gamma").into(), alpha)
});

struct Focal {
    gamma: f32,
    /// The weight of each class, \[classes\], or empty if all are 1.
    alpha: Vec<f32>,
}

impl RowLoss for Focal {
    #[inline(always)]
    fn row(&self, outputs: &[f32], target: Target, mut gradient: Option<&mut [f32]>) -> f32 {
        let Some(class) = target.class() else { unreachable!("values and mixtures are refused before") };
        let alpha = if self.alpha.is_empty() { 1.0 } else { self.alpha[class] };
        let (max, rest) = exponentials_of(outputs, class, gradient.as_deref_mut());
        let margin = outputs[class] - max;
        let own = math::exp(margin);
        let sum = own + rest;
        // 1 - p is the probability of the other classes, without a difference of numbers near 1.
        let (p, others) = (own / sum, rest / sum);
        let minus_ln_p = if own >= rest { math::ln_1p(rest / own) } else { math::ln(sum) - margin };
        let focus = if self.gamma == 0.0 { 1.0 } else { math::exp(self.gamma * math::ln(others)) };
        if let Some(gradient) = gradient {
            // The derivative by ln p, whose own by y is 1 at the class, less the softmax; p ln p / (1 - p) tends to -1.
            let ratio = if others > 0.0 { -p * minus_ln_p / others } else { -1.0 };
            let slope = alpha * focus * self.gamma.mul_add(ratio, -1.0);
            let factor = -slope / sum;
            for derivative in gradient.iter_mut() {
                *derivative *= factor;
            }
            gradient[class] = slope * others;
        }
        alpha * focus * minus_ln_p
    }
}
