//! Dropout of the weights of attention, as `torch.nn.MultiheadAttention` has it: in training some of the softmax's weights are
//! 0 and the others grow, after their sums are taken. Which ones is a function of a key, the query and its key alone, so
//! the backward pass draws them again.

use std::ops::Range;

use super::head::BLOCK;
use crate::kernels::elementwise::dropout::{self, Dropping};
use crate::kernels::simd::vectorise::vectorise;
use crate::rng;
use crate::tensor::padded;

/// Keys whose numbers follow from the same key of random numbers, from a multiple of so many on. Blocks are whole spans: so
/// no number depends on how large they are.
const SPAN: usize = 64;

const _: () = assert!(BLOCK == SPAN, "the loops below take a block of keys as one span");

/// What becomes of the weights of one head.
#[derive(Clone, Copy, Debug)]
pub struct Dropped {
    dropping: Dropping,
    key: u64,
}

impl Dropped {
    /// Of a part `rate` of all weights, in [0, 1); of those that `key` says.
    pub fn new(rate: f64, key: u64) -> Dropped {
        Dropped { dropping: Dropping::new(rate), key }
    }

    /// What the weights of a query are multiplied by, 0 or 1 / (1 - rate): those of so many keys, at most 64, from a multiple
    /// of 64 on; then zeros.
    pub fn factors(&self, query: usize, keys: &Range<usize>) -> [f32; SPAN] {
        debug_assert!(keys.start.is_multiple_of(SPAN) && keys.len() <= SPAN, "{keys:?}");
        let mut factors = [0.0; SPAN];
        let place = ((query as u64) << 32) | (keys.start / SPAN) as u64;
        dropout::apply(&mut factors, &[1.0; SPAN][..keys.len()], rng::mix(self.key ^ place), self.dropping);
        factors
    }

    /// Drops weights of a block of queries and keys, `weights` `[queries, pitch]`.
    pub(super) fn forward(&self, weights: &mut [f32], pitch: usize, [queries, keys]: [&Range<usize>; 2]) {
        let width = padded(keys.len());
        for (query, weights) in queries.clone().zip(weights.chunks_exact_mut(pitch)) {
            let factors = self.factors(query, keys);
            vectorise(
                #[inline(always)]
                || {
                    for (weight, factor) in weights[..width].iter_mut().zip(&factors) {
                        *weight *= factor;
                    }
                },
            );
        }
    }

    /// The gradient of a block's products, in the place of that of the weights as they were after dropout: weight (factor
    /// dweight - product), with the product of each row's output and its gradient, `[queries]`. The weights, which come
    /// as they were before, are dropped. Both are `[queries, pitch]`.
    pub(super) fn backward(
        &self,
        dweights: &mut [f32],
        weights: &mut [f32],
        pitch: usize,
        [queries, keys]: [&Range<usize>; 2],
        products: &[f32],
    ) {
        let width = padded(keys.len());
        let both = dweights.chunks_exact_mut(pitch).zip(weights.chunks_exact_mut(pitch));
        for ((query, product), (dweights, weights)) in queries.clone().zip(products).zip(both) {
            let factors = self.factors(query, keys);
            vectorise(
                #[inline(always)]
                || {
                    let all = dweights[..width].iter_mut().zip(&mut weights[..width]).zip(&factors);
                    for ((dweight, weight), factor) in all {
                        *dweight = *weight * factor.mul_add(*dweight, -product);
                        *weight *= factor;
                    }
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITIONS: usize = 500;

    /// Factors of all queries and keys.
    fn all(rate: f64, key: u64) -> Vec<Vec<f32>> {
        let dropped = Dropped::new(rate, key);
        let spans = || (0..POSITIONS).step_by(SPAN).map(|start| start..(start + SPAN).min(POSITIONS));
        let of = |query| -> Vec<f32> {
            spans().flat_map(|keys| dropped.factors(query, &keys)[..keys.len()].to_vec()).collect()
        };
        (0..POSITIONS).map(of).collect()
    }

    /// Of all weights, of those of each query and of each key, within six standard deviations.
    #[test]
    fn so_many_are_dropped() {
        for rate in [0.1, 0.5, 0.9] {
            let rows = all(rate, 7);
            let kept = 1.0 / (1.0 - rate) as f32;
            assert!(rows.iter().flatten().all(|&factor| factor == 0.0 || factor == kept));
            let check = |dropped: usize, draws: usize| {
                let share = dropped as f64 / draws as f64;
                let bound = 6.0 * (rate * (1.0 - rate) / draws as f64).sqrt();
                assert!((share - rate).abs() <= bound, "{rate}: {share}");
            };
            let dropped = |factors: &[f32]| factors.iter().filter(|&&factor| factor == 0.0).count();
            check(rows.iter().map(|row| dropped(row)).sum(), POSITIONS * POSITIONS);
            rows.iter().for_each(|row| check(dropped(row), POSITIONS));
            for key in 0..POSITIONS {
                check(rows.iter().filter(|row| row[key] == 0.0).count(), POSITIONS);
            }
        }
    }

    /// Neither spans nor queries nor other keys of random numbers repeat each other.
    #[test]
    fn heads_queries_and_spans_have_numbers_of_their_own() {
        let (rows, others) = (all(0.5, 1), all(0.5, 2));
        let agreement = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len().min(b.len()) as f64
        };
        assert!((agreement(&rows.concat(), &others.concat()) - 0.5).abs() < 0.01);
        assert!((agreement(&rows[1..].concat(), &rows.concat()) - 0.5).abs() < 0.01);
        let shifted: Vec<f32> = rows.iter().flat_map(|row| row[SPAN..].to_vec()).collect();
        let first: Vec<f32> = rows.iter().flat_map(|row| row[..POSITIONS - SPAN].to_vec()).collect();
        assert!((agreement(&shifted, &first) - 0.5).abs() < 0.01);
        assert_eq!(rows, all(0.5, 1));
    }
}
