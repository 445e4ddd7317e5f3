//! The cross-entropy of the softmax with class weights, smoothed labels and given probabilities.

use super::chunks::{chunk_of, largest, sum_of};
use super::pass::{Pass, Scores};
use super::softmax::exponentials;
use crate::kernels::simd::math;
use crate::kernels::simd::reduce::LANES;
use crate::kernels::simd::vectorise::vectorise;

/// How the terms of a cross-entropy are weighed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy<'a> {
    /// \[classes\], none below 0; or empty, if each weighs 1.
    pub class_weights: &'a [f32],
    /// The part of each target, in [0, 1), that is spread over all classes (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Whether the target's own entropy is taken off, which leaves the Kullback-Leibler divergence.
    pub relative: bool,
}

impl CrossEntropy<'_> {
    /// The factors of -ln p in the columns from `start` on, 0 beyond the last class:
    /// weight * ((1 - smoothing) * target + smoothing / classes).
    #[inline(always)]
    fn factors(self, target: [f32; LANES], start: usize, classes: usize) -> [f32; LANES] {
        let (kept, spread) = (1.0 - self.label_smoothing, self.label_smoothing / classes as f32);
        let mut factors = [0.0; LANES];
        for i in 0..LANES {
            let factor = kept.mul_add(target[i], spread);
            factors[i] = if start + i < classes { factor } else { 0.0 };
        }
        if !self.class_weights.is_empty() {
            let weights = chunk_of(self.class_weights, start, 0.0);
            for i in 0..LANES {
                factors[i] *= weights[i];
            }
        }
        factors
    }
}

/// The sum over the classes of factor * -ln p, p being the softmax of the logits and the factors those
/// of `terms`; and its gradient, scale * (p * sum of the factors - factors), if it is wanted. Computed
/// without overflow; not finite with a logit that is NaN or plus infinity.
///
/// The scale is 1 / batch, or with weights and classes 1 / sum of the weights of the classes of the
/// batch: as PyTorch divides.
pub fn cross_entropy(pass: Pass, terms: CrossEntropy) {
    pass.check();
    let Pass { gradient: mut dlogits, scores, outputs: logits, targets, rows, scale } = pass;
    debug_assert!(terms.class_weights.is_empty() || terms.class_weights.len() == rows.classes);
    let Scores { losses, correct } = scores;
    let classes = rows.classes;
    vectorise(
        #[inline(always)]
        || {
            let scores = losses.iter_mut().zip(&mut *correct);
            for (index, ((loss, correct), row)) in scores.zip(logits.chunks_exact(rows.stride)).enumerate() {
                let target = targets.row(index, classes);
                let max = largest(row, classes);
                let mut drow = dlogits.as_deref_mut().map(|d| &mut d[index * rows.stride..][..rows.stride]);
                let sum = exponentials(
                    row,
                    classes,
                    max,
                    #[inline(always)]
                    |start, e| {
                        if let Some(drow) = drow.as_deref_mut() {
                            drow[start..start + LANES].copy_from_slice(&e);
                        }
                    },
                );
                let log_sum = math::ln(sum);
                let (mut sums, mut totals) = ([0.0; LANES], [0.0; LANES]);
                for (chunk, start) in row.as_chunks::<LANES>().0.iter().zip((0..classes).step_by(LANES)) {
                    let factors = terms.factors(target.chunk(start), start, classes);
                    for i in 0..LANES {
                        let own = if terms.relative { math::ln(factors[i]) } else { 0.0 };
                        let term = factors[i] * (log_sum - (chunk[i] - max) + own);
                        // 0 where the factor is, be p 0 as well; but NaN where the sum is.
                        sums[i] += if factors[i] == 0.0 { 0.0 * log_sum } else { term };
                        totals[i] += factors[i];
                    }
                }
                *loss = sum_of(sums);
                *correct = target.is_found(row, max);
                let Some(drow) = drow else { continue };
                let of_softmax = sum_of(totals) * scale / sum;
                for (chunk, start) in drow.as_chunks_mut::<LANES>().0.iter_mut().zip((0..).step_by(LANES)) {
                    let factors = terms.factors(target.chunk(start), start, classes);
                    for i in 0..LANES {
                        let gradient = chunk[i].mul_add(of_softmax, -scale * factors[i]);
                        chunk[i] = if start + i < classes { gradient } else { 0.0 };
                    }
                }
            }
        },
    )
}
