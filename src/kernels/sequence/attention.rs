//! Attention of one head: for each query the mean of the values, by weights that are the softmax of its products with their
//! keys (Vaswani et al., "Attention Is All You Need", 2017). Queries and keys may be those of the same positions or of others.
//!
//! Queries and keys meet block by block, and the weights of a block are gone when the next one comes (Dao et al.,
//! "FlashAttention", 2022): memory grows with their numbers, and not with the product of these. The softmax is corrected as
//! larger products turn up (Milakov, Gimelshein, "Online normalizer calculation for softmax", 2018). Of the forward pass
//! only the logarithm of each query's sum is kept; the [`Backward`] pass makes the weights again.
//!
//! All sums have an order that follows from the sizes alone.

mod backward;
mod cached;
mod dropped;
mod head;
mod softmax;

use crate::tensor::{MatrixMut, MatrixRef};
use head::{blocks, cut, pack, padded_rows, scaled};
use softmax::Softmax;

pub use backward::Backward;
pub use cached::Cached;
pub use dropped::Dropped;
pub use head::Head;

/// The forward pass over heads that share keys and values.
pub struct Forward<'a> {
    /// What memory is there for, and the same with the keys that were taken.
    capacity: Head<'a>,
    head: Head<'a>,
    /// Keys, turned: `[keys, pitch]`, and in panels `[keys / 16][pitch][16]`.
    key_rows: &'a mut [f32],
    key_panels: &'a mut [f32],
    /// `[keys, pitch]`
    values: &'a mut [f32],
    /// Of a block: queries, turned and scaled; sums of values, and what one block of keys adds to them; `[64, pitch]`.
    queries: &'a mut [f32],
    sums: &'a mut [f32],
    added: &'a mut [f32],
    /// Products, then weights, of a block: `[64, 64]`.
    scores: &'a mut [f32],
}

impl<'a> Forward<'a> {
    /// Floats of scratch.
    pub fn scratch_len(head: &Head) -> usize {
        2 * head.rows_len() + head.panels_len() + 3 * head.block_len() + head.scores_len()
    }

    pub fn new(head: Head<'a>, mut scratch: &'a mut [f32]) -> Forward<'a> {
        let mut next = |len| cut(&mut scratch, len);
        Forward {
            key_rows: next(head.rows_len()),
            key_panels: next(head.panels_len()),
            values: next(head.rows_len()),
            queries: next(head.block_len()),
            sums: next(head.block_len()),
            added: next(head.block_len()),
            scores: next(head.scores_len()),
            capacity: head,
            head,
        }
    }

    /// Takes the keys and values of a sample, `[keys, width]`, for the queries that come: as many as there are,
    /// which may be fewer than there is memory for.
    pub fn take_keys(&mut self, keys: MatrixRef, values: MatrixRef) {
        self.head = self.capacity.with_keys(keys.rows());
        let head = self.head;
        head.turned(self.key_rows, keys, 0, 1.0);
        pack(self.key_panels, MatrixRef::new(self.key_rows, head.keys, head.width, head.pitch()));
        scaled(padded_rows(self.values, values), values, 1.0);
    }

    /// The means of the values for the queries of a head, both `[queries, width]`, and the logarithm of the sum of the
    /// exponentials of each query's products, `[queries]`, those of weights that are dropped included.
    pub fn attend(
        &mut self,
        mut y: MatrixMut,
        log_sums: &mut [f32],
        queries: MatrixRef,
        dropped: Option<&Dropped>,
    ) {
        let head = self.head;
        for (number, block) in blocks(queries.rows()).enumerate() {
            let n = block.len();
            let own = queries.block(block.clone(), 0..head.width);
            head.turned(self.queries, own, block.start, head.scale());
            let mut softmax = Softmax::default();
            for (keys, is_cut) in head.seen(number) {
                let seen = (&keys, is_cut);
                head.scores(self.scores, self.queries, n, self.key_panels, seen);
                softmax.update(self.scores, head.score_pitch(), [n, keys.len()], is_cut);
                if let Some(dropped) = dropped {
                    dropped.forward(self.scores, head.score_pitch(), [&block, &keys]);
                }
                let weights = head.weights(self.scores, n, &keys);
                if keys.start == 0 {
                    head.weighted(self.sums, weights, self.values, seen);
                } else {
                    head.weighted(self.added, weights, self.values, seen);
                    softmax.rescale_and_add(self.sums, self.added, head.pitch(), n);
                }
            }
            let y = y.reborrow().into_rows(block.clone());
            softmax.finish(y, &mut log_sums[block], self.sums, head.pitch());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{LANES, padded};

    /// In every block of queries each key is met once, and none that comes later if it must not be.
    #[test]
    fn blocks_meet_each_key_once() {
        let counts = [1, 63, 64, 65, 200];
        let alone = counts.map(|count| (count, count, true));
        let any = counts.into_iter().flat_map(|queries| counts.map(|keys| (queries, keys, false)));
        for (queries, keys, causal) in alone.into_iter().chain(any) {
            let head = Head { queries, keys, width: 3, causal, rotary: None };
            for (number, queries) in blocks(queries).enumerate() {
                let mut end = 0;
                for (keys, is_cut) in head.seen(number) {
                    assert_eq!(keys.start, end);
                    assert_eq!(is_cut, causal && keys == queries);
                    end = keys.end;
                }
                assert_eq!(end, if causal { queries.end } else { keys });
            }
        }
    }

    #[test]
    fn rows_are_packed_as_weights_are() {
        for (n, width) in [(1, 1), (16, 16), (17, 20), (40, 3)] {
            let rows: Vec<f32> = (1..=n * width).map(|i| i as f32).collect();
            let mut packed = vec![f32::NAN; padded(n) * padded(width)];
            pack(&mut packed, MatrixRef::new(&rows, n, width, width));
            for (panel, packed) in packed.chunks_exact(padded(width) * LANES).enumerate() {
                for (column, lanes) in packed.chunks_exact(LANES).enumerate() {
                    for (lane, found) in lanes.iter().enumerate() {
                        let row = panel * LANES + lane;
                        let is_padding = row >= n || column >= width;
                        let expected = if is_padding { 0.0 } else { rows[row * width + column] };
                        assert_eq!(*found, expected);
                    }
                }
            }
        }
    }
}
