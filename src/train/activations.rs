//! Where the outputs of a layer, or their gradients, lie while a block of rows is trained on.

use std::ops::Range;

use crate::team::{Shared, Worker};
use crate::tensor::{MatrixMut, MatrixRef};

/// The rows of a block, `[block, columns]`, which any worker may read after a barrier; or, of what only
/// the rows pass needs, those that a worker takes through the layers together, `[rows, columns]` for
/// each worker: written over and over, they never leave its cache.
pub struct Activations<'a> {
    matrices: Vec<Shared<'a, f32>>,
    transient: bool,
}

impl<'a> Activations<'a> {
    /// One matrix for all workers, or one for each; `transient` if it holds no more than the rows that
    /// are under way.
    pub fn new(matrices: Vec<Shared<'a, f32>>, transient: bool) -> Self {
        Activations { matrices, transient }
    }

    /// The matrix that this worker uses, and where it holds these rows of the block.
    fn place(&self, worker: &Worker, rows: Range<usize>) -> (&Shared<'a, f32>, Range<usize>) {
        let matrix = &self.matrices[worker.index().min(self.matrices.len() - 1)];
        (matrix, if self.transient { 0..rows.len() } else { rows })
    }

    pub fn columns(&self) -> usize {
        self.matrices[0].columns()
    }

    /// Some rows, to read.
    pub fn read<'s>(&'s self, worker: &'s Worker, rows: Range<usize>) -> MatrixRef<'s> {
        let (matrix, rows) = self.place(worker, rows);
        matrix.block(worker, rows, 0..self.columns())
    }

    /// These columns of some rows, to write.
    pub fn write<'s>(
        &'s self,
        worker: &'s Worker,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> MatrixMut<'s> {
        let (matrix, rows) = self.place(worker, rows);
        matrix.block_mut(worker, rows, columns)
    }

    /// Rows that have no gaps between them, to read.
    pub fn contiguous_rows<'s>(&'s self, worker: &'s Worker, rows: Range<usize>) -> &'s [f32] {
        let (matrix, rows) = self.place(worker, rows);
        matrix.contiguous_rows(worker, rows)
    }

    /// Rows that have no gaps between them, to write.
    #[allow(clippy::mut_from_ref)] // a worker's own rows, as all that is shared
    pub fn contiguous_rows_mut<'s>(&'s self, worker: &'s Worker, rows: Range<usize>) -> &'s mut [f32] {
        let (matrix, rows) = self.place(worker, rows);
        matrix.rows_mut(worker, rows)
    }
}
