//! A dense layer at some positions alone, or of some outputs at these and others at those: what is not computed is 0.

use std::ops::Range;

use super::{Part, PositionDense, RESIDENT};
use crate::kernels::products::chunks::{Chunks, Positions};
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::layers::sharding::Sharding;
use crate::tensor::{LANES, MatrixMut, MatrixRef, padded};

impl PositionDense {
    /// The same at these positions alone.
    pub fn within(self, positions: Range<usize>) -> PositionDense {
        let outputs = 0..self.dense.outputs;
        self.in_parts([(positions, outputs)])
    }

    /// The same with these outputs at these positions; those that share a panel of 16 with them are there, too. The positions
    /// have none in common, and the outputs are all that there are. The gradient of what is not computed is left out.
    pub fn in_parts<const N: usize>(self, parts: [(Range<usize>, Range<usize>); N]) -> PositionDense {
        let part = |(positions, outputs): (Range<usize>, Range<usize>)| {
            let columns = outputs.start / LANES * LANES..padded(outputs.end);
            Part { positions, columns }
        };
        let whole = (0..self.input.pixels(), 0..self.dense.outputs);
        let parts = if parts.contains(&whole) { Vec::new() } else { parts.map(part).into() };
        debug_assert!(parts.iter().all(|part: &Part| part.positions.end <= self.input.pixels()));
        PositionDense { parts, ..self }
    }

    /// Positions, counted by how many of the outputs they have.
    pub(super) fn work(&self) -> f64 {
        if self.parts.is_empty() {
            return self.input.pixels() as f64;
        }
        let outputs = |part: &Part| self.dense.outputs.min(part.columns.end) - part.columns.start;
        let work = self.parts.iter().map(|part| part.positions.len() * outputs(part)).sum::<usize>();
        work as f64 / self.dense.outputs as f64
    }

    /// How many positions a shard's gradient is summed over.
    pub(super) fn positions_of(&self, shard: usize) -> usize {
        if self.parts.is_empty() {
            return self.input.pixels();
        }
        let own = self.parts.iter().filter(|part| self.has_any(part, shard..shard + 1));
        own.map(|part| part.positions.len()).sum()
    }

    /// The positions of a part of one row of a matrix, `[part.len(), pitch]`.
    fn part_of<'a>(x: MatrixRef<'a>, row: usize, pitch: usize, part: &Part) -> MatrixRef<'a> {
        Self::positions(x, row, pitch).block(part.positions.clone(), 0..pitch)
    }

    /// Whether some of the outputs of these shards are computed in a part.
    fn has_any(&self, part: &Part, shards: Range<usize>) -> bool {
        let columns = self.dense.columns_of_shards(shards);
        part.columns.start < columns.end && columns.start < part.columns.end
    }

    /// The forward pass where only parts are computed.
    pub(super) fn forward_parts(&self, mut y: MatrixMut, x: MatrixRef, storage: &[f32]) {
        let (pitch, of_x) = (self.output().pitch, self.input.pitch);
        for row in 0..y.rows() {
            y.row(row).fill(0.0);
            for part in &self.parts {
                let Part { positions, columns } = part.clone();
                let x = Self::part_of(x, row, of_x, part);
                let y = &mut y.row(row)[positions.start * pitch + columns.start..];
                let y = MatrixMut::new(y, positions.len(), columns.len(), pitch);
                self.dense.apply_beside(y, x, storage, columns, RESIDENT);
            }
        }
    }

    /// Whether some position has some of the outputs alone.
    pub(super) fn splits_outputs(&self) -> bool {
        let pitch = self.output().pitch;
        self.parts.iter().any(|part| part.columns != (0..pitch))
    }

    /// Makes the gradient 0 of the outputs that are not computed at a position where others are: sums over all outputs, or over
    /// those of a shard, then leave them out.
    pub(super) fn clear_uncomputed(&self, dy: &mut MatrixMut) {
        let pitch = self.output().pitch;
        for row in 0..dy.rows() {
            let dy = dy.row(row);
            for Part { positions, columns } in &self.parts {
                let pixels = &mut dy[positions.start * pitch..positions.end * pitch];
                for pixel in pixels.chunks_exact_mut(pitch) {
                    pixel[..columns.start].fill(0.0);
                    pixel[columns.end..].fill(0.0);
                }
            }
        }
    }

    /// The backward pass where only parts are computed.
    pub(super) fn backward_parts(&self, mut dx: MatrixMut, dy: MatrixRef, derived: &[f32]) {
        let (pitch, of_x) = (self.output().pitch, self.input.pitch);
        for row in 0..dx.rows() {
            dx.row(row).fill(0.0);
            for part in &self.parts {
                let dy = Self::part_of(dy, row, pitch, part);
                let dx = &mut dx.row(row)[part.positions.start * of_x..];
                let dx = MatrixMut::new(dx, dy.rows(), of_x, of_x);
                Self::input_gradient(dx, dy, self.dense.outputs.min(part.columns.end), derived);
            }
        }
    }

    /// Calls `each` with the positions of one row after the other, of each row part by part of those that have outputs of a
    /// shard, and whether there were others before.
    pub(super) fn by_parts(
        &self,
        shard: usize,
        dy: MatrixRef,
        x: MatrixRef,
        mut each: impl FnMut(MatrixRef, MatrixRef, bool),
    ) {
        let (of_dy, of_x) = (self.output().pitch, self.input.pitch);
        let mut begins = true;
        for row in 0..dy.rows() {
            for part in self.parts.iter().filter(|part| self.has_any(part, shard..shard + 1)) {
                let [dy, x] = [Self::part_of(dy, row, of_dy, part), Self::part_of(x, row, of_x, part)];
                each(dy, x, !begins);
                begins = false;
            }
        }
    }

    /// Whether outputs of a shard are computed in several parts.
    fn is_in_several(&self, shard: usize) -> bool {
        self.parts.iter().filter(|part| self.has_any(part, shard..shard + 1)).count() > 1
    }

    /// The gradients of some shards. One that outputs of several parts share has the sums of one row after the other, as where
    /// a batch comes in blocks; all others have those of their part, a few positions of all rows at a time.
    pub(super) fn parts_together(
        &self,
        shards: Range<usize>,
        out: &mut [f32],
        [dy, x]: [MatrixRef; 2],
        accumulate: bool,
        scratch: &mut [f32],
    ) {
        let nothing_ahead = PrefetchQueue::default();
        let columns = self.dense.columns_of_shards(shards.clone());
        let [of_dy, of_x] = [self.output().pitch, self.input.pitch];
        for part in &self.parts {
            let [dy, x] = [Positions::new(dy, of_dy), Positions::new(x, of_x)];
            let here = [dy, x].map(|rows| rows.within(&part.positions));
            Chunks::new(scratch, [of_dy, of_x]).each(here, &[], columns.clone(), |dy, x, has_earlier| {
                let mut rest = &mut *out;
                for shard in shards.clone() {
                    let (out, after) = rest.split_at_mut(self.shard_len(shard));
                    rest = after;
                    if self.has_any(part, shard..shard + 1) && !self.is_in_several(shard) {
                        let accumulate = accumulate || has_earlier;
                        self.dense.shard_gradient(shard, out, dy, x, accumulate, &nothing_ahead);
                    }
                }
            });
        }
        let mut rest = out;
        for shard in shards {
            let (out, after) = rest.split_at_mut(self.shard_len(shard));
            rest = after;
            if self.is_in_several(shard) {
                self.by_parts(shard, dy, x, |dy, x, has_earlier| {
                    self.dense.shard_gradient(shard, out, dy, x, accumulate || has_earlier, &nothing_ahead);
                });
            }
        }
    }
}
