//! The softmax over keys that come block by block, for a block of queries.

use super::head::BLOCK;
use crate::kernels::simd::math;
use crate::kernels::simd::reduce::tree;
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, MatrixMut, padded};

/// What is known of each query of a block after some keys.
pub(super) struct Softmax {
    /// The largest product.
    largest: [f32; BLOCK],
    /// The sum of exp(product - largest).
    sums: [f32; BLOCK],
    /// By what the last keys have made earlier exponentials smaller.
    factors: [f32; BLOCK],
}

impl Default for Softmax {
    /// After no keys.
    fn default() -> Softmax {
        Softmax { largest: [f32::NEG_INFINITY; BLOCK], sums: [0.0; BLOCK], factors: [0.0; BLOCK] }
    }
}

impl Softmax {
    /// Makes exp(product - largest) of the products of so many rows of queries and keys, `scores` `[rows, pitch]`. Of a block that
    /// `is_cut` row i sees the keys 0 to i alone; what is not seen becomes 0, as far as whole vectors reach.
    pub(super) fn update(
        &mut self,
        scores: &mut [f32],
        pitch: usize,
        [rows, keys]: [usize; 2],
        is_cut: bool,
    ) {
        self.update_seen(
            scores,
            pitch,
            rows,
            #[inline(always)]
            |row| if is_cut { row + 1 } else { keys },
        );
    }

    /// The same where row i sees as many of the first keys as `seen` says.
    #[inline(always)]
    pub(super) fn update_seen(
        &mut self,
        scores: &mut [f32],
        pitch: usize,
        rows: usize,
        seen: impl Fn(usize) -> usize,
    ) {
        let before = self.largest;
        let Softmax { largest, sums, factors } = self;
        vectorise(
            #[inline(always)]
            || {
                for (row, scores) in scores.chunks_exact_mut(pitch).take(rows).enumerate() {
                    let scores = &mut scores[..padded(seen(row))];
                    hide(scores, seen(row));
                    largest[row] = larger(before[row], largest_of(scores));
                }
                // The exponentials of all rows are those of a few vectors; of one where a text is written.
                for row in 0..LANES {
                    factors[row] = math::exp(before[row] - largest[row]);
                }
                if rows > LANES {
                    for row in LANES..BLOCK {
                        factors[row] = math::exp(before[row] - largest[row]);
                    }
                }
                for (row, scores) in scores.chunks_exact_mut(pitch).take(rows).enumerate() {
                    let sum = exponentials(&mut scores[..padded(seen(row))], largest[row]);
                    // Before the first keys the sum is 0.
                    sums[row] = sums[row].mul_add(factors[row], sum);
                }
            },
        );
    }

    /// Adds what the last keys give to the sums of values of so many rows, which are those of the keys before:
    /// both `[rows, pitch]`.
    pub(super) fn rescale_and_add(&self, sums: &mut [f32], added: &[f32], pitch: usize, rows: usize) {
        vectorise(
            #[inline(always)]
            || {
                let both = sums.chunks_exact_mut(pitch).zip(added.chunks_exact(pitch)).take(rows);
                for ((sums, added), factor) in both.zip(&self.factors) {
                    for (sum, added) in sums.iter_mut().zip(added) {
                        *sum = sum.mul_add(*factor, *added);
                    }
                }
            },
        );
    }

    /// The means of the values, `y` `[rows, width]`, of their sums `[rows, pitch]`, and the logarithm of the sum of the exponentials
    /// of each row's products, `[rows]`.
    pub(super) fn finish(&self, mut y: MatrixMut, log_sums: &mut [f32], sums: &[f32], pitch: usize) {
        vectorise(
            #[inline(always)]
            || {
                for (row, sums) in sums.chunks_exact(pitch).take(y.rows()).enumerate() {
                    let rate = 1.0 / self.sums[row];
                    for (y, sum) in y.row(row).iter_mut().zip(sums) {
                        *y = sum * rate;
                    }
                }
                for ((log_sum, largest), sum) in log_sums.iter_mut().zip(&self.largest).zip(&self.sums) {
                    *log_sum = largest + math::ln(*sum);
                }
            },
        );
    }
}

/// The weights of so many rows of queries and keys, in the place of their products, `scores` `[rows, pitch]`, by the logarithms
/// of the sums, `[rows]`; of a block that `is_cut` as [`Softmax::update`] has it.
pub(super) fn weights(
    scores: &mut [f32],
    pitch: usize,
    [rows, keys]: [usize; 2],
    is_cut: bool,
    log_sums: &[f32],
) {
    vectorise(
        #[inline(always)]
        || {
            let all = scores.chunks_exact_mut(pitch).take(rows).zip(log_sums);
            for (row, (scores, log_sum)) in all.enumerate() {
                let seen = if is_cut { row + 1 } else { keys };
                let scores = &mut scores[..padded(seen)];
                hide(scores, seen);
                for score in scores {
                    *score = math::exp(*score - log_sum);
                }
            }
        },
    );
}

/// The gradient of the products of so many queries and keys, in the place of that of the weights, both `[rows, pitch]`: weight
/// (dweight - product), with the product of each row's output and its gradient, `[rows]`; of a block that `is_cut` as
/// [`Softmax::update`] has it.
pub(super) fn backward(
    dweights: &mut [f32],
    weights: &[f32],
    pitch: usize,
    [rows, keys]: [usize; 2],
    is_cut: bool,
    products: &[f32],
) {
    vectorise(
        #[inline(always)]
        || {
            let both = dweights.chunks_exact_mut(pitch).zip(weights.chunks_exact(pitch));
            for (row, ((dweights, weights), product)) in both.take(rows).zip(products).enumerate() {
                let width = padded(if is_cut { row + 1 } else { keys });
                for (dweight, weight) in dweights[..width].iter_mut().zip(&weights[..width]) {
                    *dweight = weight * (*dweight - product);
                }
            }
        },
    );
}

/// Makes sure that the exponentials of all but the first so many are 0.
#[inline(always)]
fn hide(scores: &mut [f32], seen: usize) {
    scores[seen..].fill(f32::NEG_INFINITY);
}

/// The larger of two; the first if the second is NaN. The exponential of a NaN says later that there was one.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// The largest number, -∞ of none.
#[inline(always)]
pub(super) fn largest_of(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], chunk[i]);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, *value);
    }
    tree(lanes, larger)
}

/// Makes exp(value - largest) of each value; their sum.
#[inline(always)]
pub(super) fn exponentials(values: &mut [f32], largest: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            chunk[i] = math::exp(chunk[i] - largest);
            lanes[i] += chunk[i];
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *value = math::exp(*value - largest);
        *lane += *value;
    }
    tree(
        lanes,
        #[inline(always)]
        |a, b| a + b,
    )
}

/// The product of two rows, of which the second may be longer.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let b = &b[..a.len()];
    let ((chunks, rest), (others, other_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in chunks.iter().zip(others) {
        for i in 0..LANES {
            lanes[i] = a[i].mul_add(b[i], lanes[i]);
        }
    }
    for (lane, (a, b)) in lanes.iter_mut().zip(rest.iter().zip(other_rest)) {
        *lane = a.mul_add(*b, *lane);
    }
    tree(
        lanes,
        #[inline(always)]
        |a, b| a + b,
    )
}
