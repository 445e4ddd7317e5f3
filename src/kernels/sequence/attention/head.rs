//! One head of attention: its sizes, its blocks, and their products.

use std::ops::Range;

use crate::kernels::products::gemm::{self, Epilogue};
use crate::kernels::products::panels;
use crate::kernels::sequence::rotary::Rotary;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, MatrixMut, MatrixRef, padded};

/// Queries, and keys, of one block: its products and all that they are made of stay in the second-level cache, and mostly
/// in the first.
pub(super) const BLOCK: usize = 64;

/// Queries of a strip of a block of which each sees only itself and those before it: of such a block the products with keys
/// that none of a strip sees are left out. Gradients of keys and values lie strip by strip, too.
pub(super) const STRIP: usize = LANES;

/// The strips of so many rows.
pub(super) fn strips(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(STRIP).map(move |start| start..(start + STRIP).min(rows))
}

/// The blocks of so many queries, or keys.
pub(super) fn blocks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(BLOCK).map(move |start| start..(start + BLOCK).min(rows))
}

/// The parts of a block of so many queries and keys, each with the keys that it sees: strips, if the block `is_cut`, or one.
fn parts([n, keys]: [usize; 2], is_cut: bool) -> impl Iterator<Item = (Range<usize>, usize)> {
    let each = if is_cut { STRIP } else { n.max(1) };
    let part = move |start: usize| {
        let rows = start..(start + each).min(n);
        (rows.clone(), if is_cut { rows.end.min(keys) } else { keys })
    };
    (0..n).step_by(each).map(part)
}

/// One head of attention of a sample.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The most queries; a pass may get fewer.
    pub queries: usize,
    /// The most keys; once a pass has taken its keys, how many these are.
    pub keys: usize,
    /// Numbers of a query, of a key and of a value.
    pub width: usize,
    /// Whether a query sees the keys up to its own position alone; there are as many keys as queries then.
    pub causal: bool,
    /// How queries and keys are turned, both counted from their first.
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

    /// Floats from one query to the next, in a block of products.
    pub(super) fn score_pitch(&self) -> usize {
        padded(self.keys.min(BLOCK))
    }

    /// Floats of a row for each key, and of panels of them.
    pub(super) fn rows_len(&self) -> usize {
        self.keys * self.pitch()
    }

    pub(super) fn panels_len(&self) -> usize {
        padded(self.keys) * self.pitch()
    }

    /// Floats of a row for each query of a block, of a row for each query or key of one, and of the products in it.
    pub(super) fn block_len(&self) -> usize {
        self.queries.min(BLOCK) * self.pitch()
    }

    pub(super) fn either_block_len(&self) -> usize {
        self.queries.max(self.keys).min(BLOCK) * self.pitch()
    }

    pub(super) fn scores_len(&self) -> usize {
        self.queries.min(BLOCK) * self.score_pitch()
    }

    /// The same head with these keys alone, at least one of the most.
    pub(super) fn with_keys(self, keys: usize) -> Self {
        debug_assert!((1..=self.keys).contains(&keys), "{keys} keys");
        Head { keys, ..self }
    }

    /// The blocks of keys that a block of queries sees, each with whether it sees only a part of it.
    pub(super) fn seen(self, queries: usize) -> impl Iterator<Item = (Range<usize>, bool)> {
        let (causal, most) = (self.causal, if self.causal { queries + 1 } else { usize::MAX });
        blocks(self.keys)
            .take(most)
            .enumerate()
            .map(move |(number, keys)| (keys, causal && number == queries))
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
    /// those of these keys, from rows `[n, pitch]` and panels `[keys / 16][pitch][16]`. Of a block that `is_cut`
    /// those that no query of a strip sees are not written.
    pub(super) fn scores(
        &self,
        to: &mut [f32],
        rows: &[f32],
        n: usize,
        packed: &[f32],
        (keys, is_cut): (&Range<usize>, bool),
    ) {
        let (pitch, to_pitch) = (self.pitch(), self.score_pitch());
        for (part, seen) in parts([n, keys.len()], is_cut) {
            let columns = padded(seen);
            let to = MatrixMut::new(&mut to[part.start * to_pitch..], part.len(), columns, to_pitch);
            let packed = &packed[keys.start * pitch..(keys.start + columns) * pitch];
            let rows = MatrixRef::new(&rows[part.start * pitch..], part.len(), self.width, pitch);
            // [n x width] * [width x keys] -> [n x keys], m = n, n = keys, k = width
            gemm::product(to, rows, packed, None, Epilogue::Plain);
        }
    }

    /// A block of weights, `[n, keys]`.
    pub(super) fn weights<'s>(&self, scores: &'s [f32], n: usize, keys: &Range<usize>) -> MatrixRef<'s> {
        MatrixRef::new(scores, n, keys.len(), self.score_pitch())
    }

    /// Sums of rows by such weights: `to` `[n, pitch]`, of `rows` `[all keys, pitch]`.
    pub(super) fn weighted(
        &self,
        to: &mut [f32],
        weights: MatrixRef,
        rows: &[f32],
        (keys, is_cut): (&Range<usize>, bool),
    ) {
        let pitch = self.pitch();
        for (part, seen) in parts([weights.rows(), keys.len()], is_cut) {
            let rows = &rows[keys.start * pitch..(keys.start + seen) * pitch];
            let to = MatrixMut::new(&mut to[part.start * pitch..], part.len(), pitch, pitch);
            // [n x keys] * [keys x pitch] -> [n x pitch], m = n, n = width, k = keys
            gemm::multiply(to, weights.block(part, 0..seen), MatrixRef::new(rows, seen, pitch, pitch));
        }
    }

    /// Adds to the gradients of some keys, or of values, what a block of queries gives, or begins with it: `sums`
    /// `[strips][pitch / 16][16][16]` for weights `[n, keys]` and rows `[n, pitch]` of the queries.
    pub(super) fn gradient(
        &self,
        sums: &mut [f32],
        rows: &[f32],
        weights: MatrixRef,
        is_cut: bool,
        accumulate: bool,
    ) {
        let (n, pitch) = (weights.rows(), self.pitch());
        for (keys, sums) in strips(weights.columns()).zip(sums.chunks_mut(STRIP * pitch)) {
            // The first query that sees them.
            let first = if is_cut { keys.start } else { 0 };
            let rows = MatrixRef::new(&rows[first * pitch..], n - first, pitch, pitch);
            let weights = weights.block(first..n, keys);
            // [keys x n] * [n x pitch] -> [keys x pitch], m = keys, n = width, k = n
            gemm::gradient(sums, rows, weights, accumulate, &PrefetchQueue::default());
        }
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
