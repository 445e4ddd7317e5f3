//! The weights of samples in a step: what each row counts in the mean loss and its gradient.

use std::ops::{Range, RangeInclusive};

use super::{Batch, Block, Step};
use crate::train::inference::scores;

/// Sums of weights of samples by which gradients are divided as they are: their inverses, and the products with these,
/// are far from the ends of f32.
const PLAIN: RangeInclusive<f64> = 1e-30..=1e30;

/// What gradients are divided by, in two parts.
pub(super) struct Divisor {
    /// The factor of the gradient of each row.
    pub scale: f32,
    /// What the weights of the rows are divided by.
    pub unit: f64,
}

impl Step<'_> {
    /// The divisor of the sum of a batch's losses: each worker adds it up by itself, which is no work without weights
    /// of classes or samples.
    pub(super) fn weight(&self, batch: Batch) -> f64 {
        let samples = batch.samples().iter().map(|&sample| sample as usize);
        if self.source.weights.is_empty() {
            return self.loss.weight(self.source.targets, samples);
        }
        let (partners, share) = batch.partners();
        self.loss
            .weight_of(self.source.targets, samples.zip(self.weights_of(batch.samples(), partners, share)))
    }

    /// How gradients are divided by the weight of their step. A step without weight has a gradient of 0.
    pub(super) fn divisor(&self, weight: f64) -> Divisor {
        if weight == 0.0 {
            return Divisor { scale: 0.0, unit: 1.0 };
        }
        if self.source.weights.is_empty() || PLAIN.contains(&weight) {
            return Divisor { scale: 1.0 / weight as f32, unit: 1.0 };
        }
        Divisor { scale: 1.0, unit: weight }
    }

    /// What samples count, each mixed with a partner if there are some: of a mixture as much as its parts, in their
    /// shares.
    fn weights_of<'s>(
        &'s self,
        samples: &'s [u32],
        partners: &'s [u32],
        share: f32,
    ) -> impl Iterator<Item = f32> + 's {
        let weights = self.source.weights;
        samples.iter().enumerate().map(move |(row, &sample)| {
            let own = weights[sample as usize];
            match partners.get(row) {
                // Exact where both count alike.
                Some(&partner) => {
                    let other = weights[partner as usize];
                    other + (own - other) * share
                }
                None => own,
            }
        })
    }

    /// Multiplies the gradients by the outputs of some rows of a block, `[rows, stride]`, by their weights, which are
    /// divided by `unit`. Of a row without weight it becomes 0, even if it was not finite.
    pub(super) fn weigh(&self, gradient: &mut [f32], rows: Range<usize>, block: Block, unit: f64) {
        let stride = (gradient.len() / rows.len().max(1)).max(1);
        let partners = block.partners.get(rows.clone()).unwrap_or(&[]);
        let weights = self.weights_of(&block.samples[rows], partners, block.share);
        for (row, weight) in gradient.chunks_exact_mut(stride).zip(weights) {
            if weight == 0.0 {
                row.fill(0.0);
                continue;
            }
            let factor = (f64::from(weight) / unit) as f32;
            row.iter_mut().for_each(|derivative| *derivative *= factor);
        }
    }

    /// The losses of a batch, `[samples]`, each times the weight of its sample.
    pub(super) fn weighted<'s>(
        &'s self,
        losses: &'s [f32],
        batch: Batch<'s>,
    ) -> impl Iterator<Item = f64> + 's {
        let (partners, share) = batch.partners();
        scores::weighted(losses, self.weights_of(batch.samples(), partners, share))
    }
}
