//! Softmax cross-entropy, with smoothed labels and weighted classes.

use super::function::LossFunction;
use super::kind::{LossKind, Takes};
use super::outcome::Outcome;
use crate::hyper::{HyperParameter, unit_open};
use crate::kernels::loss::{self, CrossEntropy, Pass, Scores, Targets};
use crate::kernels::reference;

const SMOOTHING: &str = "label_smoothing";
const WEIGHTS: &str = "class_weights";

pub(super) static KIND: LossKind = LossKind::new("cross-entropy", |values| {
    let (label_smoothing, class_weights) = (values.single(SMOOTHING), values.class_weights(WEIGHTS).to_vec());
    let is_plain = label_smoothing == 0.0 && class_weights.is_empty();
    LossFunction::blocks(move |pass| match pass.targets {
        // For the plain loss there is a faster kernel.
        Targets::Classes(labels) if is_plain => plain(pass, labels),
        _ => {
            let class_weights = &class_weights;
            loss::cross_entropy(pass, CrossEntropy { class_weights, label_smoothing, relative: false });
        }
    })
})
.formula("Σᵢ aᵢ (ln Σⱼ e^yⱼ - yᵢ), aᵢ = wᵢ ((1 - ε) tᵢ + ε / C)")
.source(
    "The negative logarithm of a likelihood: McCullagh, Nelder: Generalized linear models (1989); label \
     smoothing: Szegedy et al.: Rethinking the Inception architecture for computer vision (2016), section 7; \
     as torch.nn.CrossEntropyLoss",
)
.takes(Takes::Probabilities)
.outcome(Outcome::Softmax)
.hyper_parameters(&[
    HyperParameter::single(
        SMOOTHING,
        0.0,
        unit_open(),
        "ε, the part of a target that is spread over all classes",
    ),
    HyperParameter::class_weights(WEIGHTS, "w, how much each class counts; the mean divides by their sum"),
])
.mean_by(WEIGHTS)
.reference(|values, y, t| {
    let mut weights: Vec<f64> = values.class_weights(WEIGHTS).iter().map(|&weight| weight.into()).collect();
    weights.resize(y.len(), 1.0);
    reference::cross_entropy(y, t, &weights, values.single(SMOOTHING).into())
});

fn plain(pass: Pass, labels: &[u8]) {
    let Pass { gradient, scores: Scores { losses, correct }, outputs, rows, scale, .. } = pass;
    match gradient {
        Some(gradient) => {
            loss::softmax_cross_entropy(gradient, losses, correct, outputs, labels, rows, scale);
        }
        None => loss::softmax_cross_entropy_value(losses, correct, outputs, labels, rows),
    }
}
