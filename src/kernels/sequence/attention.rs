//! Attention of one head: each position's mean of the values of all positions, by weights that are the softmax of its
//! query's products with their keys (Vaswani et al., "Attention Is All You Need", 2017).
//!
//! Queries and keys meet block by block, and the weights of a block are gone when the next one comes (Dao et al.,
//! "FlashAttention", 2022): memory grows with the positions, and not with their square. The softmax is corrected as
//! larger products turn up (Milakov, Gimelshein, "Online normalizer calculation for softmax", 2018). Of the forward pass
//! only the logarithm of each query's sum is kept; the [`Backward`] pass makes the weights again.
//!
//! All sums have an order that follows from the sizes alone.

mod backward;
mod one;
mod softmax;

use std::ops::Range;

use super::rotary::Rotary;
use crate::kernels::products::gemm::{self, Epilogue};
use crate::kernels::products::panels;
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, MatrixMut, MatrixRef, padded};
use softmax::Softmax;

pub use backward::Backward;
pub use one::attend_one;

/// Queries, and keys, of one block: its products and all that they are made of stay in the second-level cache, and mostly
/// in the first.
const BLOCK: usize = 64;

/// One head of attention over the positions of a sample.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub positions: usize,
    /// Numbers of a query, of a key and of a value.
    pub width: usize,
    /// Whether a position sees itself and those before it alone.
    pub causal: bool,
    /// How queries and keys are turned.
    pub rotary: Option<&'a Rotary>,
}

impl Head<'_> {
    /// What products are multiplied by: 1 / √width.
    fn scale(&self) -> f32 {
        scale(self.width)
    }

    /// Floats from one row to the next, where rows are packed.
    fn pitch(&self) -> usize {
        padded(self.width)
    }

    /// Rows of a block, but for the last.
    fn block(&self) -> usize {
        self.positions.min(BLOCK)
    }

    /// Floats from one query to the next, in a block of products.
    fn score_pitch(&self) -> usize {
        padded(self.block())
    }

    /// Floats of a row for each position, and of panels of them.
    fn rows_len(&self) -> usize {
        self.positions * self.pitch()
    }

    fn panels_len(&self) -> usize {
        padded(self.positions) * self.pitch()
    }

    /// Floats of a row for each position of a block, and of the products in it.
    fn block_len(&self) -> usize {
        self.block() * self.pitch()
    }

    fn scores_len(&self) -> usize {
        self.block() * self.score_pitch()
    }

    /// The positions of each block.
    fn blocks(self) -> impl Iterator<Item = Range<usize>> {
        let positions = self.positions;
        (0..positions).step_by(BLOCK).map(move |start| start..(start + BLOCK).min(positions))
    }

    /// The blocks of keys that a block of queries sees, each with whether it sees only a part of it.
    fn seen(self, queries: usize) -> impl Iterator<Item = (Range<usize>, bool)> {
        let (causal, most) = (self.causal, if self.causal { queries + 1 } else { usize::MAX });
        self.blocks().take(most).enumerate().map(move |(number, keys)| (keys, causal && number == queries))
    }

    /// The rows `from` `[n, width]` of queries or keys, of which the first is that of position `first`, turned and times a
    /// factor: `to` `[n, pitch]`, padded with zeros.
    fn turned(&self, to: &mut [f32], from: MatrixRef, first: usize, factor: f32) {
        let to = padded_rows(to, from);
        match self.rotary {
            Some(rotary) => rotary.rotate(to, from, first, factor),
            None => scaled(to, from, factor),
        }
    }

    /// Inverts [`turned`](Head::turned) for their gradients: `to` `[n, width]`, `from` `[n, pitch]`.
    fn turned_back(&self, to: MatrixMut, from: &[f32], first: usize, factor: f32) {
        let from = MatrixRef::new(from, to.rows(), self.width, self.pitch());
        match self.rotary {
            Some(rotary) => rotary.rotate_back(to, from, first, factor),
            None => scaled(to, from, factor),
        }
    }

    /// The products of queries with keys, or of other rows with values: `[n, score_pitch]`, of which the first columns are
    /// those of these positions, from rows `[n, pitch]` and panels `[positions / 16][pitch][16]`.
    fn scores(&self, to: &mut [f32], rows: &[f32], n: usize, packed: &[f32], keys: &Range<usize>) {
        let (columns, pitch) = (padded(keys.len()), self.pitch());
        let to = MatrixMut::new(to, n, columns, self.score_pitch());
        let packed = &packed[keys.start * pitch..(keys.start + columns) * pitch];
        // [n x width] * [width x keys] -> [n x keys], m = n, n = keys, k = width
        gemm::product(to, MatrixRef::new(rows, n, self.width, pitch), packed, None, Epilogue::Plain);
    }

    /// A block of weights, `[n, keys]`.
    fn weights<'s>(&self, scores: &'s [f32], n: usize, keys: &Range<usize>) -> MatrixRef<'s> {
        MatrixRef::new(scores, n, keys.len(), self.score_pitch())
    }

    /// Sums of rows by such weights: `to` `[n, pitch]`, of `rows` `[positions, pitch]`.
    fn weighted(&self, to: &mut [f32], weights: MatrixRef, rows: &[f32], keys: &Range<usize>) {
        let pitch = self.pitch();
        let rows = MatrixRef::new(&rows[keys.start * pitch..keys.end * pitch], keys.len(), pitch, pitch);
        // [n x keys] * [keys x pitch] -> [n x pitch], m = n, n = width, k = keys
        gemm::multiply(MatrixMut::new(to, weights.rows(), pitch, pitch), weights, rows);
    }
}

/// 1 / √width.
fn scale(width: usize) -> f32 {
    (1.0 / (width as f64).sqrt()) as f32
}

/// A place for rows as wide as these, `[n, width]`, in `to` `[n, pitch]`, with zeros behind each.
fn padded_rows<'t>(to: &'t mut [f32], rows: MatrixRef) -> MatrixMut<'t> {
    let (width, pitch) = (rows.columns(), padded(rows.columns()));
    if width < pitch {
        to.chunks_exact_mut(pitch).take(rows.rows()).for_each(|row| row[width..].fill(0.0));
    }
    MatrixMut::new(to, rows.rows(), width, pitch)
}

/// Rows times a factor, `[n, width]`.
fn scaled(mut to: MatrixMut, from: MatrixRef, factor: f32) {
    vectorise(
        #[inline(always)]
        || {
            for row in 0..to.rows() {
                for (to, from) in to.row(row).iter_mut().zip(from.row(row)) {
                    *to = from * factor;
                }
            }
        },
    );
}

/// Writes rows `[n, width]`, each as the weights of an output, into `packed` `[n / 16][pitch][16]`, with zeros as padding.
fn pack(packed: &mut [f32], rows: MatrixRef) {
    let pitch = padded(rows.columns());
    let starts = (0..rows.rows()).step_by(LANES);
    for (first, panel) in starts.zip(packed.chunks_exact_mut(pitch * LANES)) {
        for (column, block) in (0..pitch).step_by(LANES).zip(panel.chunks_exact_mut(LANES * LANES)) {
            let mut tile = [0.0; LANES * LANES];
            for (row, to) in (first..rows.rows()).zip(tile.as_chunks_mut::<LANES>().0) {
                let from = &rows.row(row)[column..];
                match from.first_chunk() {
                    Some(whole) => *to = *whole,
                    None => to[..from.len()].copy_from_slice(from),
                }
            }
            panels::transpose_block(block, &tile);
        }
    }
}

/// The next floats of a scratch memory.
fn cut<'a>(scratch: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    scratch.split_off_mut(..len).expect("scratch is so long")
}

/// The forward pass over heads that share keys and values.
pub struct Forward<'a> {
    head: Head<'a>,
    /// Keys, turned: `[positions, pitch]`, and in panels `[positions / 16][pitch][16]`.
    key_rows: &'a mut [f32],
    key_panels: &'a mut [f32],
    /// `[positions, pitch]`
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
            head,
        }
    }

    /// Takes the keys and values of a sample, `[positions, width]`, for the queries that come.
    pub fn take_keys(&mut self, keys: MatrixRef, values: MatrixRef) {
        let head = self.head;
        head.turned(self.key_rows, keys, 0, 1.0);
        pack(self.key_panels, MatrixRef::new(self.key_rows, head.positions, head.width, head.pitch()));
        scaled(padded_rows(self.values, values), values, 1.0);
    }

    /// The means of the values for the queries of a head, both `[positions, width]`, and the logarithm of the sum of the
    /// exponentials of each query's products, `[positions]`.
    pub fn attend(&mut self, mut y: MatrixMut, log_sums: &mut [f32], queries: MatrixRef) {
        let head = self.head;
        for (number, block) in head.blocks().enumerate() {
            let n = block.len();
            let own = queries.block(block.clone(), 0..head.width);
            head.turned(self.queries, own, block.start, head.scale());
            let mut softmax = Softmax::default();
            for (keys, is_cut) in head.seen(number) {
                head.scores(self.scores, self.queries, n, self.key_panels, &keys);
                softmax.update(self.scores, head.score_pitch(), [n, keys.len()], is_cut);
                let weights = head.weights(self.scores, n, &keys);
                if keys.start == 0 {
                    head.weighted(self.sums, weights, self.values, &keys);
                } else {
                    head.weighted(self.added, weights, self.values, &keys);
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

    /// In every block of queries each key is met once, and none that comes later if it must not be.
    #[test]
    fn blocks_meet_each_key_once() {
        for positions in [1, 63, 64, 65, 200] {
            for causal in [false, true] {
                let head = Head { positions, width: 3, causal, rotary: None };
                for (number, queries) in head.blocks().enumerate() {
                    let mut end = 0;
                    for (keys, is_cut) in head.seen(number) {
                        assert_eq!(keys.start, end);
                        assert_eq!(is_cut, causal && keys == queries);
                        end = keys.end;
                    }
                    assert_eq!(end, if causal { queries.end } else { positions });
                }
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
