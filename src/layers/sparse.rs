//! Layers whose input may be without its zeros.

use std::ops::Range;

use crate::kernels::products::sparse::SparseColumns;
use crate::tensor::{MatrixMut, MatrixRef, SparseRef};

/// The work of a layer whose input is mostly zeros: what [`Layer`](super::Layer) and [`Sharding`](super::Sharding) do of
/// the same name, with the same results, without the terms that are 0. A layer whose input is the data gets it so where
/// that pays; its [`backward`](super::Layer::backward) then finds no numbers in `x`.
pub trait Sparse {
    /// The output of some rows, `[rows, columns.len()]`, in the columns that are asked for.
    fn forward(&self, y: MatrixMut, x: SparseRef, storage: &[f32], columns: Range<usize>);

    /// The gradient of one shard's parameters, summed over some rows, as
    /// [`Sharding::shard_gradient`](super::Sharding::shard_gradient), of a partition for a sparse input.
    fn shard_gradient(
        &self,
        shard: usize,
        out: &mut [f32],
        dy: MatrixRef,
        x: SparseColumns,
        accumulate: bool,
    );
}
