//! Memory that workers share inside a run.
//!
//! The safety rule of a step is simple: between two barriers, what one worker writes, no other
//! touches. Release builds trust the code to keep it. Debug builds record every claim and panic at
//! the first overlap, which makes every test a race detector.

use std::marker::PhantomData;
use std::ops::Range;

use super::workers::Worker;
use crate::tensor::{MatrixMut, MatrixRef};

/// A matrix, or as one row an array, of which workers claim parts.
pub struct Shared<'a, T> {
    start: *mut T,
    rows: usize,
    columns: usize,
    stride: usize,
    #[cfg(debug_assertions)]
    claims: claims::Claims,
    life: PhantomData<&'a mut [T]>,
}

// Safety: it hands out disjoint parts only (see the rule above).
unsafe impl<T: Send + Sync> Sync for Shared<'_, T> {}
unsafe impl<T: Send + Sync> Send for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Shares an array.
    pub fn array(data: &'a mut [T]) -> Self {
        let len = data.len();
        Self::matrix(data, 1, len, len)
    }

    /// Shares a row-major matrix.
    ///
    /// # Panics
    /// If `data` is too short for it.
    pub fn matrix(data: &'a mut [T], rows: usize, columns: usize, stride: usize) -> Self {
        let needed = rows.saturating_sub(1) * stride + columns;
        assert!(columns <= stride && needed <= data.len(), "{rows} x {columns} / {stride} in {}", data.len());
        Shared {
            start: data.as_mut_ptr(),
            rows,
            columns,
            stride,
            #[cfg(debug_assertions)]
            claims: Default::default(),
            life: PhantomData,
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    fn claim(&self, worker: &Worker, rows: &Range<usize>, columns: &Range<usize>, write: bool) -> *mut T {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        assert!(
            columns.start <= columns.end && columns.end <= self.columns,
            "columns {columns:?} of {}",
            self.columns
        );
        #[cfg(debug_assertions)]
        self.claims.add(worker, rows, columns, write);
        let _ = (worker, write);
        self.start.wrapping_add(rows.start * self.stride + columns.start)
    }

    /// Says that the worker reads, or writes, a part, without touching it: what debug builds check of every part.
    ///
    /// # Panics
    /// If there is no such part; in debug builds, if another worker has claimed some of it since the last barrier,
    /// and one of the two writes.
    pub fn announce(&self, worker: &Worker, rows: Range<usize>, columns: Range<usize>, write: bool) {
        self.claim(worker, &rows, &columns, write);
    }

    /// Part of an array, to be read. No worker may write it before the next barrier.
    pub(crate) fn read<'s>(&'s self, worker: &'s Worker, part: Range<usize>) -> &'s [T] {
        let start = self.claim(worker, &(0..1), &part, false);
        // Safety: in bounds, and by the rule nobody writes it.
        unsafe { std::slice::from_raw_parts(start, part.len()) }
    }

    /// Part of an array, to be written. No other worker may touch it before the next barrier.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn write<'s>(&'s self, worker: &'s Worker, part: Range<usize>) -> &'s mut [T] {
        let start = self.claim(worker, &(0..1), &part, true);
        // Safety: in bounds, and by the rule nobody else touches it.
        unsafe { std::slice::from_raw_parts_mut(start, part.len()) }
    }
}

impl<T> Shared<'_, T> {
    /// Whole rows as one slice, to be read.
    pub(crate) fn contiguous_rows<'s>(&'s self, worker: &'s Worker, rows: Range<usize>) -> &'s [T] {
        let len = rows.len() * self.columns;
        let start = self.claim_whole(worker, &rows, false);
        // Safety: in bounds, and by the rule nobody writes it.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// Whole rows as one slice, to be written.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn rows_mut<'s>(&'s self, worker: &'s Worker, rows: Range<usize>) -> &'s mut [T] {
        let len = rows.len() * self.columns;
        let start = self.claim_whole(worker, &rows, true);
        // Safety: in bounds, and by the rule nobody else touches it.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    /// Claims rows without gaps between them.
    fn claim_whole(&self, worker: &Worker, rows: &Range<usize>, write: bool) -> *mut T {
        assert_eq!(self.columns, self.stride, "rows with gaps");
        self.claim(worker, rows, &(0..self.columns), write)
    }
}

impl Shared<'_, f32> {
    /// A block of the matrix, to be read.
    pub(crate) fn block<'s>(
        &'s self,
        worker: &'s Worker,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> MatrixRef<'s> {
        let start = self.claim(worker, &rows, &columns, false);
        // Safety: in bounds, and by the rule nobody writes it.
        unsafe { MatrixRef::from_raw(start, rows.len(), columns.len(), self.stride) }
    }

    /// A block of the matrix, to be written.
    pub(crate) fn block_mut<'s>(
        &'s self,
        worker: &'s Worker,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> MatrixMut<'s> {
        let start = self.claim(worker, &rows, &columns, true);
        // Safety: in bounds, and by the rule nobody else touches it.
        unsafe { MatrixMut::from_raw(start, rows.len(), columns.len(), self.stride) }
    }
}

#[cfg(debug_assertions)]
mod claims {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    struct Claim {
        worker: usize,
        phase: u64,
        rows: Range<usize>,
        columns: Range<usize>,
        write: bool,
    }

    /// The claims of the current phase.
    #[derive(Default)]
    pub struct Claims(Mutex<Vec<Claim>>);

    fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
        a.start < b.end && b.start < a.end
    }

    impl Claims {
        pub fn add(&self, worker: &Worker, rows: &Range<usize>, columns: &Range<usize>, write: bool) {
            let (index, phase) = (worker.index(), worker.phase());
            let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // All workers have left a phase before any enters the next but one.
            claims.retain(|claim| claim.phase == phase);
            let clash = claims.iter().find(|claim| {
                claim.worker != index
                    && (claim.write || write)
                    && overlap(&claim.rows, rows)
                    && overlap(&claim.columns, columns)
            });
            if let Some(other) = clash {
                let verb = |write| if write { "writes" } else { "reads" };
                panic!(
                    "data race: worker {index} {} rows {rows:?} columns {columns:?}, while worker {} {} rows {:?} columns {:?}",
                    verb(write),
                    other.worker,
                    verb(other.write),
                    other.rows,
                    other.columns
                );
            }
            let (rows, columns) = (rows.clone(), columns.clone());
            claims.push(Claim { worker: index, phase, rows, columns, write });
        }
    }
}
