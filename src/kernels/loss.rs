//! Losses of a block of rows, with their gradients: one loss and one gradient row per sample.
//!
//! A row's arithmetic depends on that row alone, so a batch may be cut into blocks anywhere. What is
//! summed within a row is summed in [`LANES`] lanes and then as a tree, always in the same order.

use super::math;
use super::reduce::{LANES, tree};
use super::vectorise::vectorise;

/// How a block of rows lies in memory: row-major, each row padded to `stride` columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The columns that count.
    pub classes: usize,
    /// The columns of a row in memory: at least `classes`, and a multiple of [`LANES`]. What the
    /// padding of an input holds does not matter; that of an output becomes 0.
    pub stride: usize,
}

impl Rows {
    /// That a block of this many rows is what it should be.
    fn check(self, block: &[f32], count: usize) {
        debug_assert!(self.classes > 0 && self.classes <= self.stride, "{self:?}");
        debug_assert!(self.stride.is_multiple_of(LANES), "{self:?}");
        debug_assert_eq!(block.len(), count * self.stride);
    }

    /// [`Rows::check`] of a block with labels.
    fn check_labelled(self, block: &[f32], labels: &[u8]) {
        self.check(block, labels.len());
        debug_assert!(labels.iter().all(|&label| usize::from(label) < self.classes));
    }
}

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
            let outputs = losses.iter_mut().zip(&mut *correct).zip(dlogits.chunks_exact_mut(rows.stride));
            let logits = logits.chunks_exact(rows.stride);
            for (((loss, correct), drow), (row, &label)) in outputs.zip(logits.zip(labels)) {
                let label = usize::from(label);
                let max = largest(row, rows.classes);
                let sum = exponentials(
                    row,
                    rows.classes,
                    max,
                    #[inline(always)]
                    |start, e| {
                        drow[start..start + LANES].copy_from_slice(&e);
                    },
                );
                *loss = math::ln(sum) - (row[label] - max);
                *correct = u8::from(is_first(row, label, max));
                normalise(drow, rows.classes, scale / sum);
                drow[label] -= scale;
            }
        },
    )
}

/// [`softmax_cross_entropy`] without the gradient.
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

/// Mean squared error against values: `losses[i]` = mean over the columns of (y - t)^2, and its
/// gradient `dy` = scale * 2 / classes * (y - t).
///
/// `dy`, `y` \[rows, stride\]; `losses` \[rows\]; `targets` \[rows, classes\], not padded; `scale`
/// 1 / batch, with which the sum of the losses is PyTorch's mean over all elements.
pub fn mean_squared_error(
    dy: &mut [f32],
    losses: &mut [f32],
    y: &[f32],
    targets: &[f32],
    rows: Rows,
    scale: f32,
) {
    debug_assert_eq!(targets.len(), losses.len() * rows.classes);
    rows.check(y, losses.len());
    debug_assert_eq!(dy.len(), y.len());
    vectorise(
        #[inline(always)]
        || {
            let outputs = losses.iter_mut().zip(dy.chunks_exact_mut(rows.stride));
            let inputs = y.chunks_exact(rows.stride).zip(targets.chunks_exact(rows.classes));
            for ((loss, drow), (row, target)) in outputs.zip(inputs) {
                for ((d, &y), &t) in drow.iter_mut().zip(row).zip(target) {
                    *d = y - t;
                }
                *loss = squares_to_gradient(drow, rows.classes, scale);
            }
        },
    )
}

/// [`mean_squared_error`] against the one-hot rows of `labels`; `correct` is that of
/// [`softmax_cross_entropy`].
pub fn mean_squared_error_one_hot(
    dy: &mut [f32],
    losses: &mut [f32],
    correct: &mut [u8],
    y: &[f32],
    labels: &[u8],
    rows: Rows,
    scale: f32,
) {
    rows.check_labelled(y, labels);
    debug_assert_eq!(dy.len(), y.len());
    vectorise(
        #[inline(always)]
        || {
            let outputs = losses.iter_mut().zip(&mut *correct).zip(dy.chunks_exact_mut(rows.stride));
            let inputs = y.chunks_exact(rows.stride).zip(labels);
            for (((loss, correct), drow), (row, &label)) in outputs.zip(inputs) {
                let label = usize::from(label);
                drow.copy_from_slice(row);
                drow[label] -= 1.0;
                *loss = squares_to_gradient(drow, rows.classes, scale);
                *correct = u8::from(is_first(row, label, largest(row, rows.classes)));
            }
        },
    )
}

/// [`mean_squared_error_one_hot`] without the gradient.
pub fn mean_squared_error_one_hot_value(
    losses: &mut [f32],
    correct: &mut [u8],
    y: &[f32],
    labels: &[u8],
    rows: Rows,
) {
    rows.check_labelled(y, labels);
    vectorise(
        #[inline(always)]
        || {
            let outputs = losses.iter_mut().zip(&mut *correct);
            let inputs = y.chunks_exact(rows.stride).zip(labels);
            for ((loss, correct), (row, &label)) in outputs.zip(inputs) {
                let label = usize::from(label);
                let mut sums = [0.0f32; LANES];
                for (j, &y) in row[..rows.classes].iter().enumerate() {
                    let d = if j == label { y - 1.0 } else { y };
                    sums[j % LANES] = d.mul_add(d, sums[j % LANES]);
                }
                *loss = sum_of(sums) / rows.classes as f32;
                *correct = u8::from(is_first(row, label, largest(row, rows.classes)));
            }
        },
    )
}

/// The mean square of the first `classes` differences, which become the gradient of that mean times
/// `scale`; the rest of the row becomes 0.
#[inline(always)]
fn squares_to_gradient(differences: &mut [f32], classes: usize, scale: f32) -> f32 {
    differences[classes..].fill(0.0);
    let factor = scale * (2.0 / classes as f32);
    let mut sums = [0.0f32; LANES];
    for chunk in differences.as_chunks_mut::<LANES>().0 {
        for i in 0..LANES {
            sums[i] = chunk[i].mul_add(chunk[i], sums[i]);
            chunk[i] *= factor;
        }
    }
    sum_of(sums) / classes as f32
}

#[inline(always)]
fn sum_of(lanes: [f32; LANES]) -> f32 {
    tree(lanes, |a, b| a + b)
}

/// The chunks of a row that hold its classes, each with the index of its first column and with
/// minus infinity in place of the padding.
#[inline(always)]
fn chunks(row: &[f32], classes: usize) -> impl Iterator<Item = (usize, [f32; LANES])> {
    row.as_chunks::<LANES>().0.iter().zip((0..classes).step_by(LANES)).map(move |(chunk, start)| {
        let mut masked = [f32::NEG_INFINITY; LANES];
        for i in 0..LANES {
            masked[i] = if start + i < classes { chunk[i] } else { masked[i] };
        }
        (start, masked)
    })
}

/// The larger of two numbers, `b` if `a` is NaN: one vector instruction.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The largest number of the row; NaN is passed over.
#[inline(always)]
fn largest(row: &[f32], classes: usize) -> f32 {
    let mut max = [f32::NEG_INFINITY; LANES];
    for (_, chunk) in chunks(row, classes) {
        for i in 0..LANES {
            max[i] = larger(chunk[i], max[i]);
        }
    }
    tree(max, larger)
}

/// Whether `label` is the first column that holds `max`.
#[inline(always)]
fn is_first(row: &[f32], label: usize, max: f32) -> bool {
    let mut earlier = false;
    for (_, chunk) in chunks(row, label) {
        for x in chunk {
            earlier |= x == max;
        }
    }
    row[label] == max && !earlier
}

/// Hands e^(row - max) to `store`, chunk by chunk with the index of the first column, 0 in place of
/// the padding; returns the sum.
#[inline(always)]
fn exponentials(row: &[f32], classes: usize, max: f32, mut store: impl FnMut(usize, [f32; LANES])) -> f32 {
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

/// Multiplies the first `classes` numbers of the row by `factor` and makes the rest 0.
#[inline(always)]
fn normalise(row: &mut [f32], classes: usize, factor: f32) {
    for (chunk, start) in row.as_chunks_mut::<LANES>().0.iter_mut().zip((0usize..).step_by(LANES)) {
        for (i, e) in chunk.iter_mut().enumerate() {
            *e = if start + i < classes { *e * factor } else { 0.0 };
        }
    }
}
