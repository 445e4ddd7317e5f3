//! One head of attention: its sizes, its blocks, and their products.

use std::ops::Range;

use crate::kernels::products::gemm::{self, Epilogue};
use crate::kernels::products::panels;
use crate::kernels::sequence::rotary::Rotary;
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, MatrixMut, MatrixRef, padded};

/// Queries, and keys, of one block: its products and all that they are made of stay in the second-level cache, and mostly
/// in the first.
pub(super) const BLOCK: usize = 64;

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
    pub(super) fn scale(&self) -> f32 {
        scale(self.width)
    }

    /// Floats from one row to the next, where rows are packed.
    pub(super) fn pitch(&self) -> usize {
        padded(self.width)
    }

    /// Rows of a block, but for the last.
    pub(super) fn block(&self) -> usize {
        self.positions.min(BLOCK)
    }

    /// Floats from one query to the next, in a block of products.
    pub(super) fn score_pitch(&self) -> usize {
        padded(self.block())
    }

    /// Floats of a row for each position, and of panels of them.
    pub(super) fn rows_len(&self) -> usize {
        self.positions * self.pitch()
    }

    pub(super) fn panels_len(&self) -> usize {
        padded(self.positions) * self.pitch()
    }

    /// Floats of a row for each position of a block, and of the products in it.
    pub(super) fn block_len(&self) -> usize {
        self.block() * self.pitch()
    }

    pub(super) fn scores_len(&self) -> usize {
        self.block() * self.score_pitch()
    }

    /// The positions of each block.
    pub(super) fn blocks(self) -> impl Iterator<Item = Range<usize>> {
        let positions = self.positions;
        (0..positions).step_by(BLOCK).map(move |start| start..(start + BLOCK).min(positions))
    }

    /// The blocks of keys that a block of queries sees, each with whether it sees only a part of it.
    pub(super) fn seen(self, queries: usize) -> impl Iterator<Item = (Range<usize>, bool)> {
        let (causal, most) = (self.causal, if self.causal { queries + 1 } else { usize::MAX });
        self.blocks().take(most).enumerate().map(move |(number, keys)| (keys, causal && number == queries))
    }

    /// The rows `from` `[n, width]` of queries or keys, of which the first is that of position `first`, turned and times a
    /// factor: `to` `[n, pitch]`, padded with zeros.
    pub(super) fn turned(&self, to: &mut [f32], from: MatrixRef, first: usize, factor: f32) {
        let to = padded_rows(to, from);
        match self.rotary {
            Some(rotary) => rotary.rotate(to, from, first, factor),
            None => scaled(to, from, factor),
        }
    }

    /// Inverts [`turned`](Head::turned) for their gradients: `to` `[n, width]`, `from` `[n, pitch]`.
    pub(super) fn turned_back(&self, to: MatrixMut, from: &[f32], first: usize, factor: f32) {
        let from = MatrixRef::new(from, to.rows(), self.width, self.pitch());
        match self.rotary {
            Some(rotary) => rotary.rotate_back(to, from, first, factor),
            None => scaled(to, from, factor),
        }
    }

    /// The products of queries with keys, or of other rows with values: `[n, score_pitch]`, of which the first columns are
    /// those of these positions, from rows `[n, pitch]` and panels `[positions / 16][pitch][16]`.
    pub(super) fn scores(&self, to: &mut [f32], rows: &[f32], n: usize, packed: &[f32], keys: &Range<usize>) {
        let (columns, pitch) = (padded(keys.len()), self.pitch());
        let to = MatrixMut::new(to, n, columns, self.score_pitch());
        let packed = &packed[keys.start * pitch..(keys.start + columns) * pitch];
        // [n x width] * [width x keys] -> [n x keys], m = n, n = keys, k = width
        gemm::product(to, MatrixRef::new(rows, n, self.width, pitch), packed, None, Epilogue::Plain);
    }

    /// A block of weights, `[n, keys]`.
    pub(super) fn weights<'s>(&self, scores: &'s [f32], n: usize, keys: &Range<usize>) -> MatrixRef<'s> {
        MatrixRef::new(scores, n, keys.len(), self.score_pitch())
    }

    /// Sums of rows by such weights: `to` `[n, pitch]`, of `rows` `[positions, pitch]`.
    pub(super) fn weighted(&self, to: &mut [f32], weights: MatrixRef, rows: &[f32], keys: &Range<usize>) {
        let pitch = self.pitch();
        let rows = MatrixRef::new(&rows[keys.start * pitch..keys.end * pitch], keys.len(), pitch, pitch);
        // [n x keys] * [keys x pitch] -> [n x pitch], m = n, n = width, k = keys
        gemm::multiply(MatrixMut::new(to, weights.rows(), pitch, pitch), weights, rows);
    }
}

/// 1 / √width.
pub(super) fn scale(width: usize) -> f32 {
    (1.0 / (width as f64).sqrt()) as f32
}

/// A place for rows as wide as these, `[n, width]`, in `to` `[n, pitch]`, with zeros behind each.
pub(super) fn padded_rows<'t>(to: &'t mut [f32], rows: MatrixRef) -> MatrixMut<'t> {
    let (width, pitch) = (rows.columns(), padded(rows.columns()));
    if width < pitch {
        to.chunks_exact_mut(pitch).take(rows.rows()).for_each(|row| row[width..].fill(0.0));
    }
    MatrixMut::new(to, rows.rows(), width, pitch)
}

/// Rows times a factor, `[n, width]`.
pub(super) fn scaled(mut to: MatrixMut, from: MatrixRef, factor: f32) {
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
pub(super) fn pack(packed: &mut [f32], rows: MatrixRef) {
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
pub(super) fn cut<'a>(scratch: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    scratch.split_off_mut(..len).expect("scratch is so long")
}
