//! Sparse matrices: of each row the numbers that are not 0, with their columns.

use crate::Result;
use crate::memory::{check, reserved};

/// The use of the memory, in messages.
const USE: &str = "samples without their zeros";

/// A number of a row that is not 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    pub column: u32,
    pub value: f32,
}

/// A matrix by its rows, each without its zeros (compressed sparse rows).
#[derive(Clone, Debug, PartialEq)]
pub struct SparseMatrix {
    columns: usize,
    /// Where each row's entries begin, and where the last one's end, `[rows + 1]`.
    starts: Vec<usize>,
    /// By rows, and within one by columns.
    entries: Vec<Entry>,
}

impl SparseMatrix {
    /// The matrix of so many rows and columns, of which `write` writes a row, all of it, each time that it is asked for
    /// one: twice.
    ///
    /// # Errors
    /// If memory is short, or there are more columns than a u32 counts.
    pub fn from_rows(
        [rows, columns]: [usize; 2],
        mut write: impl FnMut(usize, &mut [f32]),
    ) -> Result<SparseMatrix> {
        check(USE, rows.saturating_add(1).saturating_mul(size_of::<usize>()))?;
        let mut starts = reserved(USE, rows + 1)?;
        let mut line = reserved(USE, columns)?;
        line.resize(columns, 0.0);
        starts.push(0);
        let mut len = 0;
        for row in 0..rows {
            write(row, &mut line);
            len += line.iter().filter(|&&value| value != 0.0).count();
            starts.push(len);
        }
        check(USE, len.saturating_mul(size_of::<Entry>()))?;
        let mut entries = reserved(USE, len)?;
        for row in 0..rows {
            write(row, &mut line);
            let all = (0..).zip(&line).filter(|&(_, &value)| value != 0.0);
            entries.extend(all.map(|(column, &value)| Entry { column, value }));
        }
        assert_eq!(entries.len(), len, "rows are the same when they are written again");
        Ok(SparseMatrix { columns, starts, entries })
    }

    /// The entries of a row, by columns.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &[Entry] {
        &self.entries[self.starts[row]..self.starts[row + 1]]
    }

    /// The most entries of a row.
    pub fn most_entries(&self) -> usize {
        self.starts.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0)
    }
}

/// Some rows of a sparse matrix, in any order.
#[derive(Clone, Copy, Debug)]
pub struct SparseRef<'a> {
    matrix: &'a SparseMatrix,
    rows: &'a [u32],
}

impl<'a> SparseRef<'a> {
    /// The rows of these indices.
    pub fn new(matrix: &'a SparseMatrix, rows: &'a [u32]) -> SparseRef<'a> {
        SparseRef { matrix, rows }
    }

    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    #[inline(always)]
    pub fn columns(&self) -> usize {
        self.matrix.columns
    }

    /// The entries of one of the rows; their columns are below [`columns`](SparseRef::columns), and ascend.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [Entry] {
        self.matrix.row(self.rows[row] as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_is_not_zero() {
        let dense = [[0.0, -1.5, 0.0], [0.0, -0.0, 0.0], [f32::NAN, 0.0, f32::INFINITY]];
        let matrix = SparseMatrix::from_rows([3, 3], |row, line| line.copy_from_slice(&dense[row])).unwrap();
        assert_eq!(matrix.row(0), [Entry { column: 1, value: -1.5 }]);
        assert_eq!(matrix.row(1), []);
        assert_eq!(matrix.row(2).iter().map(|entry| entry.column).collect::<Vec<_>>(), [0, 2]);
        let chosen = SparseRef::new(&matrix, &[2, 0, 0]);
        assert_eq!([chosen.rows(), chosen.columns(), chosen.row(0).len(), chosen.row(2).len()], [3, 3, 2, 1]);
        assert_eq!(matrix.most_entries(), 2);
    }
}
