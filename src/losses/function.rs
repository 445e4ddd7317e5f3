//! The arithmetic of a loss whose hyper-parameters are settled.

use std::fmt;

use crate::kernels::loss::{self, ElementwiseLoss, NO_TOKEN, Pass, RowLoss, Rows, Scores, Targets};

/// The arithmetic of a loss on a block of rows.
type Block = dyn Fn(Pass) + Send + Sync;

/// A loss that is ready to be used: a function of blocks of rows.
pub struct LossFunction {
    block: Box<Block>,
    /// The weights of the classes, \[classes\]; or empty, if the mean divides by the number of samples.
    weights: Vec<f32>,
}

impl LossFunction {
    /// The loss that is the mean of a function of one output and one target over the outputs of a sample.
    pub fn elementwise(function: impl ElementwiseLoss) -> LossFunction {
        LossFunction::blocks(move |pass| loss::elementwise(pass, function))
    }

    /// The loss that is a function of all outputs of a sample and its target.
    pub fn by_row(function: impl RowLoss) -> LossFunction {
        LossFunction::blocks(move |pass| loss::by_row(pass, &function))
    }

    /// The loss that a kernel of its own computes.
    pub(super) fn blocks(block: impl Fn(Pass) + Send + Sync + 'static) -> LossFunction {
        LossFunction { block: Box::new(block), weights: Vec::new() }
    }

    pub(super) fn with_mean_by(self, weights: Vec<f32>) -> LossFunction {
        LossFunction { weights, ..self }
    }

    /// Computes the losses of a block of rows and the gradient by the outputs, times `scale`: with 1 / the
    /// [weight](LossFunction::weight) of the batch, the gradient is that of the mean over the batch. The
    /// losses are not scaled; whoever adds them up does so in the order of the rows.
    ///
    /// `gradient`, `outputs` \[rows, stride\]; `targets` that
    /// [`Loss::check_targets`](super::Loss::check_targets) takes.
    ///
    /// # Panics
    /// If a loss of classes is given anything else.
    #[doc(hidden)]
    pub fn gradient(
        &self,
        gradient: &mut [f32],
        scores: Scores,
        outputs: &[f32],
        targets: Targets,
        rows: Rows,
        scale: f32,
    ) {
        self.run(Pass { gradient: Some(gradient), scores, outputs, targets, rows, scale });
    }

    /// [`LossFunction::gradient`] without the gradient, for evaluation. `outputs` \[rows, stride\].
    #[doc(hidden)]
    pub fn value(&self, scores: Scores, outputs: &[f32], targets: Targets, rows: Rows) {
        self.run(Pass { gradient: None, scores, outputs, targets, rows, scale: 1.0 });
    }

    fn run(&self, pass: Pass) {
        let Pass { mut gradient, scores, outputs, targets, rows, scale } = pass;
        let Scores { losses, correct } = scores;
        let again = gradient.as_deref_mut();
        let scores = Scores { losses: &mut *losses, correct: &mut *correct };
        (self.block)(Pass { gradient: again, scores, outputs, targets, rows, scale });
        let Targets::Tokens(tokens) = targets else { return };
        for row in (0..losses.len()).filter(|&row| tokens.at(row).is_none()) {
            (losses[row], correct[row]) = (0.0, 0);
            if let Some(gradient) = gradient.as_deref_mut() {
                gradient[row * rows.stride..(row + 1) * rows.stride].fill(0.0);
            }
        }
    }

    /// The divisor that makes the sum of the losses of these samples their mean: their number or, for
    /// cross-entropy with class weights and classes as targets, the sum of their classes' weights, as
    /// in PyTorch; of sequences, that of the positions that count. It is that of the whole batch, also where a batch is computed in blocks.
    ///
    /// `targets` of all samples; `samples`: the indices of those that count.
    #[doc(hidden)]
    pub fn weight(&self, targets: Targets, samples: impl ExactSizeIterator<Item = usize>) -> f64 {
        weight(&self.weights, targets, samples)
    }

    /// [`LossFunction::weight`] of samples that have weights of their own: the sum of these, each times the weight of
    /// the sample's class where that divides, too.
    ///
    /// `targets` of all samples; `samples`: the indices of those that count, each with its weight.
    pub fn weight_of(&self, targets: Targets, samples: impl Iterator<Item = (usize, f32)>) -> f64 {
        match targets {
            Targets::Classes(labels) | Targets::Mixed { labels, .. } if !self.weights.is_empty() => samples
                .map(|(sample, weight)| {
                    f64::from(weight) * f64::from(self.weights[usize::from(labels[sample])])
                })
                .sum(),
            _ => samples.map(|(_, weight)| f64::from(weight)).sum(),
        }
    }
}

/// [`LossFunction::weight`] with these class weights, \[classes\] or empty.
pub(super) fn weight(
    weights: &[f32],
    targets: Targets,
    samples: impl ExactSizeIterator<Item = usize>,
) -> f64 {
    match targets {
        Targets::Classes(labels) | Targets::Mixed { labels, .. } if !weights.is_empty() => {
            samples.map(|sample| f64::from(weights[usize::from(labels[sample])])).sum()
        }
        Targets::Tokens(tokens) => {
            let weight = |token: u32| weights.get(token as usize).map_or(1.0, |&weight| f64::from(weight));
            let counted = |sample| tokens.of(sample).iter().filter(|&&token| token != NO_TOKEN);
            samples.map(|sample| counted(sample).map(|&token| weight(token)).sum::<f64>()).sum()
        }
        _ => samples.len() as f64,
    }
}

impl fmt::Debug for LossFunction {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("LossFunction").field("weights", &self.weights).finish_non_exhaustive()
    }
}
