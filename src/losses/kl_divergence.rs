//! The Kullback-Leibler divergence of the softmax from probabilities.

use super::function::LossFunction;
use super::kind::{LossKind, Takes};
use super::outcome::Outcome;
use crate::kernels::loss::{self, CrossEntropy};
use crate::kernels::reference;

pub(super) static KIND: LossKind = LossKind::new("kl-divergence", |_| {
    LossFunction::blocks(|pass| {
        let terms = CrossEntropy { class_weights: &[], label_smoothing: 0.0, relative: true };
        loss::cross_entropy(pass, terms);
    })
})
.formula("Σᵢ tᵢ (ln tᵢ - ln pᵢ), p = softmax(y), 0 ln 0 = 0")
.source(
    "Kullback, Leibler: On information and sufficiency (1951); as torch.nn.KLDivLoss (reduction \"batchmean\", \
     of log_softmax(y))",
)
.takes(Takes::Probabilities)
.outcome(Outcome::Softmax)
.reference(|_, y, t| reference::kl_divergence(y, t));
