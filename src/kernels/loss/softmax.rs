//! The softmax, and its cross-entropy with the class of each row.

use super::chunks;
use super::chunks::{chunk_of, is_first, larger, largest, sum_of};
use super::pass::Rows;
use crate::kernels::simd::math;
use crate::kernels::simd::reduce::LANES;
use crate::kernels::simd::vectorise::vectorise;

/// Softmax cross-entropy: `losses[i]` = ln(sum of e^logits) - logits\[label\], computed without
/// overflow, and its gradient `dlogits` = scale * (softmax - one-hot of the label).
///
/// `correct[i]` is 1 if the largest logit of the row is the label's, the first of several equal
/// ones, and 0 otherwise. With an infinite or NaN logit the loss is not finite.
///
/// `dlogits`, `logits` \[rows, stride\]; `losses`, `correct`, `labels` \[rows\]; `scale` 1 / batch.
pub fn softmax_cross_entropy(
    dlogits: &mut [f32],
    losses: &mut [f32],
    correct: &mut [u8],
    logits: &[f32],
    labels: &[u8],
    rows: Rows,
    scale: f32,
) {
    rows.check_labelled(logits, labels);
    debug_assert_eq!(dlogits.len(), logits.len());
    vectorise(
        #[inline(always)]
        || {
            let groups = losses.chunks_mut(LANES).zip(correct.chunks_mut(LANES)).zip(labels.chunks(LANES));
            let blocks = dlogits.chunks_mut(LANES * rows.stride).zip(logits.chunks(LANES * rows.stride));
            for (((losses, correct), labels), (dlogits, logits)) in groups.zip(blocks) {
                if rows.classes == 2 {
                    of_two_classes(dlogits, losses, correct, logits, labels, rows.stride, scale);
                    continue;
                }
                // The logarithms and divisions of a group of rows are those of one vector.
                let (mut sums, mut margins) = ([1.0; LANES], [0.0; LANES]);
                let both = dlogits.chunks_exact_mut(rows.stride).zip(logits.chunks_exact(rows.stride));
                for (i, ((drow, row), (correct, &label))) in
                    both.zip(correct.iter_mut().zip(labels)).enumerate()
                {
                    let label = usize::from(label);
                    let max = largest(row, rows.classes);
                    sums[i] = exponentials(
                        row,
                        rows.classes,
                        max,
                        #[inline(always)]
                        |start, e| {
                            drow[start..start + LANES].copy_from_slice(&e);
                        },
                    );
                    margins[i] = row[label] - max;
                    *correct = u8::from(is_first(row, label, max));
                }
                let (mut of_rows, mut factors) = ([0.0; LANES], [0.0; LANES]);
                for i in 0..LANES {
                    of_rows[i] = math::ln(sums[i]) - margins[i];
                    factors[i] = scale / sums[i];
                }
                losses.copy_from_slice(&of_rows[..losses.len()]);
                for (i, (drow, &label)) in dlogits.chunks_exact_mut(rows.stride).zip(labels).enumerate() {
                    normalise(drow, rows.classes, factors[i]);
                    drow[usize::from(label)] -= scale;
                }
            }
        },
    )
}

/// [`softmax_cross_entropy`] of two classes, of at most [`LANES`] rows: a vector holds one class of all rows, where
/// otherwise it holds two numbers of one row, and the sums of its lanes take most of the time. All bits are the same.
#[inline(always)]
fn of_two_classes(
    dlogits: &mut [f32],
    losses: &mut [f32],
    correct: &mut [u8],
    logits: &[f32],
    labels: &[u8],
    stride: usize,
    scale: f32,
) {
    let (mut first, mut second, mut is_second) = ([0.0; LANES], [0.0; LANES], [false; LANES]);
    for (i, (row, &label)) in logits.chunks_exact(stride).zip(labels).enumerate() {
        (first[i], second[i], is_second[i]) = (row[0], row[1], label == 1);
    }
    let (mut of_rows, mut hits) = ([0.0; LANES], [false; LANES]);
    for i in 0..LANES {
        let max = larger(larger(first[i], f32::NEG_INFINITY), larger(second[i], f32::NEG_INFINITY));
        let powers = [math::exp(first[i] - max), math::exp(second[i] - max)];
        let sum = powers[0] + powers[1];
        let own = if is_second[i] { second[i] } else { first[i] };
        of_rows[i] = math::ln(sum) - (own - max);
        hits[i] = own == max && !(is_second[i] && first[i] == max);
        let (factor, targets) = (scale / sum, if is_second[i] { [0.0, scale] } else { [scale, 0.0] });
        first[i] = powers[0] * factor - targets[0];
        second[i] = powers[1] * factor - targets[1];
    }
    losses.copy_from_slice(&of_rows[..losses.len()]);
    for (i, (drow, correct)) in dlogits.chunks_exact_mut(stride).zip(correct).enumerate() {
        drow.fill(0.0);
        (drow[0], drow[1]) = (first[i], second[i]);
        *correct = u8::from(hits[i]);
    }
}

/// [`softmax_cross_entropy`] without the gradient: `losses`, `correct`, `labels` \[rows\]; `logits` \[rows, stride\].
pub fn softmax_cross_entropy_value(
    losses: &mut [f32],
    correct: &mut [u8],
    logits: &[f32],
    labels: &[u8],
    rows: Rows,
) {
    rows.check_labelled(logits, labels);
    vectorise(
        #[inline(always)]
        || {
            let outputs = losses.iter_mut().zip(&mut *correct);
            let logits = logits.chunks_exact(rows.stride);
            for ((loss, correct), (row, &label)) in outputs.zip(logits.zip(labels)) {
                let label = usize::from(label);
                let max = largest(row, rows.classes);
                let sum = exponentials(
                    row,
                    rows.classes,
                    max,
                    #[inline(always)]
                    |_, _| {},
                );
                *loss = math::ln(sum) - (row[label] - max);
                *correct = u8::from(is_first(row, label, max));
            }
        },
    )
}

/// The softmax of each row. `probabilities`, `logits` \[rows, stride\].
pub fn softmax(probabilities: &mut [f32], logits: &[f32], rows: Rows) {
    rows.check(logits, logits.len() / rows.stride);
    debug_assert_eq!(probabilities.len(), logits.len());
    vectorise(
        #[inline(always)]
        || {
            let probabilities = probabilities.chunks_exact_mut(rows.stride);
            let logits = logits.chunks_exact(rows.stride);
            for (out, row) in probabilities.zip(logits) {
                let max = largest(row, rows.classes);
                let sum = exponentials(
                    row,
                    rows.classes,
                    max,
                    #[inline(always)]
                    |start, e| {
                        out[start..start + LANES].copy_from_slice(&e);
                    },
                );
                normalise(out, rows.classes, 1.0 / sum);
            }
        },
    )
}

/// Hands e^(row - max) of a `row` `[stride]` to `store`, chunk by chunk with the index of the first column, 0 in place
/// of the padding; returns the sum.
#[inline(always)]
pub(super) fn exponentials(
    row: &[f32],
    classes: usize,
    max: f32,
    mut store: impl FnMut(usize, [f32; LANES]),
) -> f32 {
    let mut sums = [0.0; LANES];
    for (start, mut chunk) in chunks(row, classes) {
        for (x, sum) in chunk.iter_mut().zip(&mut sums) {
            *x = math::exp(*x - max);
            *sum += *x;
        }
        store(start, chunk);
    }
    sum_of(sums)
}

/// The largest of some logits, \[n\], which need no padding, and the sum of e^(logit - largest) without that of
/// `but`; the powers go to `store`, if there is one, \[n\]. A NaN makes the sum one.
#[inline(always)]
pub(crate) fn exponentials_of(logits: &[f32], but: usize, mut store: Option<&mut [f32]>) -> (f32, f32) {
    let mut max = f32::NEG_INFINITY;
    for &logit in logits {
        max = super::chunks::larger(logit, max);
    }
    let mut sums = [0.0; LANES];
    for start in (0..logits.len()).step_by(LANES) {
        let mut chunk = chunk_of(logits, start, f32::NEG_INFINITY);
        for (i, (x, sum)) in chunk.iter_mut().zip(&mut sums).enumerate() {
            *x = math::exp(*x - max);
            *sum += if start + i == but { 0.0 } else { *x };
        }
        if let Some(store) = store.as_deref_mut() {
            let end = logits.len().min(start + LANES);
            store[start..end].copy_from_slice(&chunk[..end - start]);
        }
    }
    (max, sum_of(sums))
}

/// Multiplies the first `classes` numbers of the row by `factor` and makes the rest 0.
#[inline(always)]
fn normalise(row: &mut [f32], classes: usize, factor: f32) {
    for (chunk, start) in row.as_chunks_mut::<LANES>().0.iter_mut().zip((0usize..).step_by(LANES)) {
        for (i, e) in chunk.iter_mut().enumerate() {
            *e = if start + i < classes { *e * factor } else { 0.0 };
        }
    }
}
