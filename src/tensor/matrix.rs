//! Views of row-major f32 matrices whose rows may lie further apart than they are long.

use std::marker::PhantomData;
use std::ops::Range;

use faer::{MatMut, MatRef};

/// A read-only view: `rows` rows of `columns` floats, `stride` floats apart.
#[derive(Clone, Copy)]
pub struct MatrixRef<'a> {
    start: *const f32,
    rows: usize,
    columns: usize,
    stride: usize,
    life: PhantomData<&'a [f32]>,
}

/// A mutable view: `rows` rows of `columns` floats, `stride` floats apart. It owns these elements
/// and not what lies between them, so that workers can write column blocks side by side.
pub struct MatrixMut<'a> {
    start: *mut f32,
    rows: usize,
    columns: usize,
    stride: usize,
    life: PhantomData<&'a mut [f32]>,
}

// Safety: views are references to plain floats.
unsafe impl Send for MatrixRef<'_> {}
unsafe impl Sync for MatrixRef<'_> {}
unsafe impl Send for MatrixMut<'_> {}

/// Whether the last element of such a matrix lies within `len` floats.
fn fits(len: usize, rows: usize, columns: usize, stride: usize) -> bool {
    let last = |rows: usize| (rows - 1).checked_mul(stride).and_then(|x| x.checked_add(columns));
    rows == 0 || columns == 0 || (columns <= stride && last(rows).is_some_and(|end| end <= len))
}

/// The number of rows of a matrix that is cut into rows of so many columns, if it can be cut so.
fn rows_of(rows: usize, columns: usize, stride: usize, new_columns: usize) -> Option<usize> {
    let whole = new_columns > 0 && columns.is_multiple_of(new_columns) && (stride == columns || rows == 1);
    whole.then(|| rows * (columns / new_columns))
}

impl<'a> MatrixRef<'a> {
    /// A view of `data` `[rows, stride]`, of which the first `columns` of each row count.
    ///
    /// # Panics
    /// If `data` is too short or `columns > stride`.
    pub fn new(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(fits(data.len(), rows, columns, stride), "{rows} x {columns} / {stride} in {}", data.len());
        MatrixRef { start: data.as_ptr(), rows, columns, stride, life: PhantomData }
    }

    /// # Safety
    /// The elements must be readable, and not written, for `'a`.
    pub(crate) unsafe fn from_raw(start: *const f32, rows: usize, columns: usize, stride: usize) -> Self {
        MatrixRef { start, rows, columns, stride, life: PhantomData }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Floats from one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    pub fn as_ptr(&self) -> *const f32 {
        self.start
    }

    /// Row `i`, `[columns]`.
    pub fn row(&self, i: usize) -> &'a [f32] {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        // Safety: in bounds by the constructor's check.
        unsafe { std::slice::from_raw_parts(self.start.add(i * self.stride), self.columns) }
    }

    /// The block of these rows and columns.
    pub fn block(&self, rows: Range<usize>, columns: Range<usize>) -> MatrixRef<'a> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        assert!(
            columns.start <= columns.end && columns.end <= self.columns,
            "columns {columns:?} of {}",
            self.columns
        );
        // Safety: within `self`; an empty block is never read.
        unsafe {
            let start = self.start.wrapping_add(rows.start * self.stride + columns.start);
            MatrixRef::from_raw(start, rows.len(), columns.len(), self.stride)
        }
    }

    /// The same numbers in rows of so many columns, if these divide each row and no gaps lie between the rows.
    pub fn in_rows_of(&self, columns: usize) -> Option<MatrixRef<'a>> {
        let rows = rows_of(self.rows, self.columns, self.stride, columns)?;
        // Safety: the same elements.
        Some(unsafe { MatrixRef::from_raw(self.start, rows, columns, columns) })
    }

    /// The same matrix for faer.
    #[doc(hidden)]
    pub fn as_faer(&self) -> MatRef<'a, f32> {
        // Safety: same elements, same lifetime.
        unsafe { MatRef::from_raw_parts(self.start, self.rows, self.columns, self.stride as isize, 1) }
    }
}

impl<'a> MatrixMut<'a> {
    /// A view of `data` `[rows, stride]`, of which the first `columns` of each row count.
    ///
    /// # Panics
    /// If `data` is too short or `columns > stride`.
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(fits(data.len(), rows, columns, stride), "{rows} x {columns} / {stride} in {}", data.len());
        MatrixMut { start: data.as_mut_ptr(), rows, columns, stride, life: PhantomData }
    }

    /// # Safety
    /// The elements must be this view's alone for `'a`.
    pub(crate) unsafe fn from_raw(start: *mut f32, rows: usize, columns: usize, stride: usize) -> Self {
        MatrixMut { start, rows, columns, stride, life: PhantomData }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Floats from one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    pub fn as_mut_ptr(&mut self) -> *mut f32 {
        self.start
    }

    /// Row `i`, `[columns]`.
    pub fn row(&mut self, i: usize) -> &mut [f32] {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        // Safety: in bounds by the constructor's check, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(i * self.stride), self.columns) }
    }

    /// The same numbers in rows of so many columns, mutable: see [`MatrixRef::in_rows_of`].
    pub fn in_rows_of(&mut self, columns: usize) -> Option<MatrixMut<'_>> {
        let rows = rows_of(self.rows, self.columns, self.stride, columns)?;
        // Safety: the same elements, and `self` is borrowed mutably.
        Some(unsafe { MatrixMut::from_raw(self.start, rows, columns, columns) })
    }

    /// Some of the rows.
    pub fn into_rows(self, rows: Range<usize>) -> MatrixMut<'a> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        // Within `self`; an empty view is never written.
        MatrixMut { start: self.start.wrapping_add(rows.start * self.stride), rows: rows.len(), ..self }
    }

    /// The block of these rows and columns.
    pub fn into_block(self, rows: Range<usize>, columns: Range<usize>) -> MatrixMut<'a> {
        assert!(
            columns.start <= columns.end && columns.end <= self.columns,
            "columns {columns:?} of {}",
            self.columns
        );
        let rows = self.into_rows(rows);
        // Within `self`; an empty view is never written.
        MatrixMut { start: rows.start.wrapping_add(columns.start), columns: columns.len(), ..rows }
    }

    /// A shorter borrow of the same view.
    pub fn reborrow(&mut self) -> MatrixMut<'_> {
        MatrixMut { life: PhantomData, ..*self }
    }

    /// The same elements, read only.
    pub fn as_ref(&self) -> MatrixRef<'_> {
        MatrixRef {
            start: self.start,
            rows: self.rows,
            columns: self.columns,
            stride: self.stride,
            life: PhantomData,
        }
    }

    /// The same matrix for faer.
    #[doc(hidden)]
    pub fn as_faer(&mut self) -> MatMut<'_, f32> {
        // Safety: same elements, borrowed mutably through `self`.
        unsafe { MatMut::from_raw_parts_mut(self.start, self.rows, self.columns, self.stride as isize, 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_rows_address_the_right_elements() {
        let data: Vec<f32> = (0..40).map(|i| i as f32).collect();
        let matrix = MatrixRef::new(&data, 4, 7, 10);
        assert_eq!(matrix.row(2), &[20., 21., 22., 23., 24., 25., 26.]);
        let block = matrix.block(1..3, 2..5);
        assert_eq!((block.row(0), block.row(1)), (&[12., 13., 14.][..], &[22., 23., 24.][..]));
        assert_eq!(block.as_faer()[(1, 2)], 24.0);
    }

    #[test]
    fn rows_are_cut_where_no_gaps_are() {
        let mut data: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let cut = MatrixRef::new(&data, 2, 12, 12).in_rows_of(4).unwrap();
        assert_eq!((cut.rows(), cut.row(4)), (6, &[16.0, 17.0, 18.0, 19.0][..]));
        assert!(MatrixRef::new(&data, 2, 12, 12).in_rows_of(5).is_none());
        assert!(MatrixRef::new(&data, 2, 8, 12).in_rows_of(4).is_none());
        assert_eq!(MatrixRef::new(&data, 1, 8, 12).in_rows_of(4).unwrap().rows(), 2);
        MatrixMut::new(&mut data, 2, 12, 12).in_rows_of(6).unwrap().row(3)[5] = 7.0;
        assert_eq!(data[23], 7.0);
    }

    #[test]
    fn blocks_are_written_in_their_places_alone() {
        let mut data = [0.0; 24];
        let mut block = MatrixMut::new(&mut data, 3, 6, 8).into_block(1..3, 2..5);
        assert_eq!((block.rows(), block.columns(), block.stride()), (2, 3, 8));
        (0..2).for_each(|row| block.row(row).fill(1.0));
        let written: Vec<usize> = (0..24).filter(|&i| data[i] == 1.0).collect();
        assert_eq!(written, [10, 11, 12, 18, 19, 20]);
    }

    #[test]
    #[should_panic(expected = "in 36")]
    fn a_view_beyond_its_slice_is_refused() {
        MatrixRef::new(&[0.0; 36], 4, 7, 10);
    }
}
