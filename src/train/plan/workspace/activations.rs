//! Where the outputs of a layer, or their gradients, lie while a block of rows is trained on.

use std::ops::Range;

use super::allocate::{Allocate, Form, Shares};
use crate::team::{Shared, Worker};
use crate::tensor::{MatrixMut, MatrixRef};

/// The rows of a block, `[block, columns]`, which any worker may read after a barrier; or, of transient
/// activations, which only the rows pass needs, those that a worker takes through the layers together,
/// `[rows, columns]` for each worker: written over and over, they never leave its cache.
pub struct Activations<F: Form> {
    /// One matrix for all workers, or one for each.
    matrices: Vec<F::Of<f32>>,
    /// Whether the matrices hold no more than the rows under way.
    transient: bool,
}

impl<F: Form> Activations<F> {
    /// All rows of a block, in as many matrices.
    pub fn of_block(
        arena: &mut impl Allocate<F>,
        rows: usize,
        columns: usize,
        stride: usize,
        matrices: usize,
    ) -> Self {
        let matrices = (0..matrices).map(|_| arena.strided(rows, columns, stride)).collect();
        Activations { matrices, transient: false }
    }

    /// The rows that each worker takes through the layers together.
    pub fn of_rows_under_way(
        arena: &mut impl Allocate<F>,
        rows: usize,
        columns: usize,
        stride: usize,
        workers: usize,
    ) -> Self {
        Activations { transient: true, ..Self::of_block(arena, rows, columns, stride, workers) }
    }

    /// No rows.
    pub fn none() -> Self {
        Activations { matrices: Vec::new(), transient: true }
    }

    /// All matrices.
    pub fn matrices(&self) -> &[F::Of<f32>] {
        &self.matrices
    }
}

impl<'a> Activations<Shares<'a>> {
    /// The matrix that this worker uses, and where it holds these rows of the block.
    fn place(&self, worker: &Worker, rows: Range<usize>) -> (&Shared<'a, f32>, Range<usize>) {
        let matrix = &self.matrices[worker.index().min(self.matrices.len() - 1)];
        (matrix, if self.transient { 0..rows.len() } else { rows })
    }

    pub fn columns(&self) -> usize {
        self.matrices[0].columns()
    }

    /// Some rows, to be read.
    pub fn read<'s>(&'s self, worker: &'s Worker, rows: Range<usize>) -> MatrixRef<'s> {
        let (matrix, rows) = self.place(worker, rows);
        matrix.block(worker, rows, 0..self.columns())
    }

    /// These columns of some rows, to be written.
    pub fn write<'s>(
        &'s self,
        worker: &'s Worker,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> MatrixMut<'s> {
        let (matrix, rows) = self.place(worker, rows);
        matrix.block_mut(worker, rows, columns)
    }

    /// Rows that have no gaps between them, to be read.
    pub fn contiguous_rows<'s>(&'s self, worker: &'s Worker, rows: Range<usize>) -> &'s [f32] {
        let (matrix, rows) = self.place(worker, rows);
        matrix.contiguous_rows(worker, rows)
    }

    /// Rows that have no gaps between them, to be written.
    #[allow(clippy::mut_from_ref)] // a worker's own rows, as all that is shared
    pub fn contiguous_rows_mut<'s>(&'s self, worker: &'s Worker, rows: Range<usize>) -> &'s mut [f32] {
        let (matrix, rows) = self.place(worker, rows);
        matrix.rows_mut(worker, rows)
    }
}
