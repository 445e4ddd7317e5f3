//! What training makes small. Value and gradient come together; the mean is taken over the batch.
//!
//! A loss is taken of the network's outputs y and a target t: a class or, for losses on values, as many
//! numbers as there are outputs, which for a class are 1 at the class and 0 elsewhere. Formulas and
//! sources are in `docs/losses.md`, the kernels in [`crate::kernels::loss`].

mod checks;

use crate::kernels::loss::{self, CrossEntropy, Elementwise, Hinge, Rows};

pub use crate::kernels::loss::{Scores, Targets};

/// A loss with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// Softmax cross-entropy with a class or with probabilities; the outputs are logits.
    CrossEntropy {
        /// The part of each target, in [0, 1), that is spread over all classes.
        label_smoothing: f32,
        /// How much each class counts: \[classes\], none below 0 and one above; or empty, if all count
        /// the same.
        class_weights: Vec<f32>,
    },
    /// Cross-entropy of the sigmoid of each output on its own, with targets in [0, 1].
    BinaryCrossEntropy,
    MeanSquaredError,
    MeanAbsoluteError,
    /// Squared up to `delta`, which is above 0, and linear from there.
    Huber {
        delta: f32,
    },
    /// The sum of what the other classes lack in distance to the right one: a multi-class support
    /// vector machine.
    Hinge {
        /// The distance that is enough; above 0.
        margin: f32,
        /// Whether what is lacking is squared.
        squared: bool,
    },
    /// The Kullback-Leibler divergence of the softmax from the targets, which are probabilities.
    KlDivergence,
    /// Of counts, whose rates are e to the power of the outputs.
    Poisson,
}

impl Default for Loss {
    /// Cross-entropy, neither smoothed nor weighted.
    fn default() -> Loss {
        Loss::CrossEntropy { label_smoothing: 0.0, class_weights: Vec::new() }
    }
}

impl Loss {
    /// The names that recipes know.
    pub const NAMES: [&str; 8] = [
        "cross-entropy",
        "binary-cross-entropy",
        "mean-squared-error",
        "mean-absolute-error",
        "huber",
        "hinge",
        "kl-divergence",
        "poisson",
    ];

    /// The name in recipes.
    pub fn name(&self) -> &'static str {
        match self {
            Loss::CrossEntropy { .. } => "cross-entropy",
            Loss::BinaryCrossEntropy => "binary-cross-entropy",
            Loss::MeanSquaredError => "mean-squared-error",
            Loss::MeanAbsoluteError => "mean-absolute-error",
            Loss::Huber { .. } => "huber",
            Loss::Hinge { .. } => "hinge",
            Loss::KlDivergence => "kl-divergence",
            Loss::Poisson => "poisson",
        }
    }

    /// The losses of a block of rows and the gradient by the outputs, times `scale`: with 1 / the
    /// [weight](Loss::weight) of the batch, the gradient is that of the mean over the batch. The
    /// losses are not scaled; whoever adds them up does so in the order of the rows.
    ///
    /// `doutputs`, `outputs` \[rows, stride\]; `targets` that [`Loss::check_targets`] takes.
    ///
    /// # Panics
    /// If the hinge loss is given anything but classes.
    pub fn gradient(
        &self,
        doutputs: &mut [f32],
        scores: Scores,
        outputs: &[f32],
        targets: Targets,
        rows: Rows,
        scale: f32,
    ) {
        if let Some(labels) = self.labels_of_plain(targets) {
            let Scores { losses, correct } = scores;
            return loss::softmax_cross_entropy(doutputs, losses, correct, outputs, labels, rows, scale);
        }
        self.pass(Some(doutputs), scores, outputs, targets, rows, scale);
    }

    /// [`Loss::gradient`] without the gradient, for evaluation.
    pub fn value(&self, scores: Scores, outputs: &[f32], targets: Targets, rows: Rows) {
        if let Some(labels) = self.labels_of_plain(targets) {
            let Scores { losses, correct } = scores;
            return loss::softmax_cross_entropy_value(losses, correct, outputs, labels, rows);
        }
        self.pass(None, scores, outputs, targets, rows, 1.0);
    }

    /// The labels, if this is cross-entropy with nothing added: it has a faster kernel.
    fn labels_of_plain<'a>(&self, targets: Targets<'a>) -> Option<&'a [u8]> {
        match (self, targets) {
            (Loss::CrossEntropy { label_smoothing: 0.0, class_weights }, Targets::Classes(labels))
                if class_weights.is_empty() =>
            {
                Some(labels)
            }
            _ => None,
        }
    }

    /// Whether targets may be [mixtures](Targets::Mixed) of two classes: where the loss is one of
    /// probabilities.
    pub fn takes_mixtures(&self) -> bool {
        matches!(self, Loss::CrossEntropy { .. } | Loss::BinaryCrossEntropy | Loss::KlDivergence)
    }

    fn pass(
        &self,
        doutputs: Option<&mut [f32]>,
        scores: Scores,
        outputs: &[f32],
        targets: Targets,
        rows: Rows,
        scale: f32,
    ) {
        let function = match self {
            Loss::CrossEntropy { label_smoothing, class_weights } => {
                let label_smoothing = *label_smoothing;
                let terms = CrossEntropy { class_weights, label_smoothing, relative: false };
                return loss::cross_entropy(doutputs, scores, outputs, targets, rows, scale, terms);
            }
            Loss::KlDivergence => {
                let terms = CrossEntropy { class_weights: &[], label_smoothing: 0.0, relative: true };
                return loss::cross_entropy(doutputs, scores, outputs, targets, rows, scale, terms);
            }
            Loss::Hinge { margin, squared } => {
                let Targets::Classes(labels) = targets else {
                    unreachable!("values and mixtures are refused before");
                };
                let hinge = Hinge { margin: *margin, squared: *squared };
                return loss::hinge(doutputs, scores, outputs, labels, rows, scale, hinge);
            }
            Loss::BinaryCrossEntropy => Elementwise::BinaryCrossEntropy,
            Loss::MeanSquaredError => Elementwise::Squared,
            Loss::MeanAbsoluteError => Elementwise::Absolute,
            Loss::Huber { delta } => Elementwise::Huber { delta: *delta },
            Loss::Poisson => Elementwise::Poisson,
        };
        loss::elementwise(doutputs, scores, outputs, targets, rows, scale, function);
    }

    /// What the sum of the losses of these samples is divided by to be their mean: their number or, for
    /// cross-entropy with class weights and classes as targets, the sum of their classes' weights, as
    /// in PyTorch. It is that of the whole batch, also where a batch is computed in blocks.
    ///
    /// `targets` of all samples; `samples`: the numbers of those that count.
    pub fn weight(&self, targets: Targets, samples: impl ExactSizeIterator<Item = usize>) -> f64 {
        match (self, targets) {
            (
                Loss::CrossEntropy { class_weights, .. },
                Targets::Classes(labels) | Targets::Mixed { labels, .. },
            ) if !class_weights.is_empty() => {
                samples.map(|sample| f64::from(class_weights[usize::from(labels[sample])])).sum()
            }
            _ => samples.len() as f64,
        }
    }
}

#[cfg(test)]
mod tests;
