//! Matrices that lie in the midst of other memory.

use fallline::engine::tensor::{MatrixMut, MatrixRef};

/// What lies around and between the rows. It is NaN, so that whoever reads it spoils a result, and of
/// an uncommon bit pattern, so that whoever writes it is found out.
const FOREIGN: f32 = f32::from_bits(0x7fc0_beef);

/// Floats before and after a matrix: not a multiple of a vector, so that rows start anywhere.
const MARGIN: usize = 21;

/// A row-major matrix, `[rows, columns]`, with foreign memory on all sides.
pub struct Surrounded {
    memory: Vec<f32>,
    pub rows: usize,
    pub columns: usize,
    stride: usize,
}

impl Surrounded {
    /// A matrix of `value(row, column)`, with `gap` floats between its rows.
    pub fn new(rows: usize, columns: usize, gap: usize, value: impl Fn(usize, usize) -> f32) -> Surrounded {
        let stride = columns + gap;
        let mut memory = vec![FOREIGN; MARGIN + rows * stride + MARGIN];
        for row in 0..rows {
            for column in 0..columns {
                memory[MARGIN + row * stride + column] = value(row, column);
            }
        }
        Surrounded { memory, rows, columns, stride }
    }

    pub fn view(&self) -> MatrixRef<'_> {
        MatrixRef::new(&self.memory[MARGIN..], self.rows, self.columns, self.stride)
    }

    pub fn view_mut(&mut self) -> MatrixMut<'_> {
        MatrixMut::new(&mut self.memory[MARGIN..], self.rows, self.columns, self.stride)
    }

    /// The elements as one slice, for a matrix without gaps.
    pub fn slice(&self) -> &[f32] {
        assert_eq!(self.columns, self.stride);
        &self.memory[MARGIN..][..self.rows * self.columns]
    }

    /// [`slice`](Surrounded::slice), to be written.
    pub fn slice_mut(&mut self) -> &mut [f32] {
        assert_eq!(self.columns, self.stride);
        &mut self.memory[MARGIN..][..self.rows * self.columns]
    }

    pub fn at(&self, row: usize, column: usize) -> f32 {
        self.memory[MARGIN + row * self.stride + column]
    }

    pub fn set(&mut self, row: usize, column: usize, value: f32) {
        self.memory[MARGIN + row * self.stride + column] = value;
    }

    /// All elements, row by row.
    pub fn values(&self) -> Vec<f32> {
        (0..self.rows).flat_map(|row| (0..self.columns).map(move |column| self.at(row, column))).collect()
    }

    /// Whether the memory around the elements is as it was.
    pub fn is_tidy(&self) -> bool {
        self.memory.iter().enumerate().all(|(place, value)| {
            let inside = place
                .checked_sub(MARGIN)
                .is_some_and(|place| place < self.rows * self.stride && place % self.stride < self.columns);
            inside || value.to_bits() == FOREIGN.to_bits()
        })
    }
}

#[test]
fn a_write_beside_the_matrix_is_seen() {
    let mut matrix = Surrounded::new(3, 4, 2, |_, _| 0.0);
    matrix.view_mut().row(2).fill(1.0);
    assert!(matrix.is_tidy());
    for place in [MARGIN - 1, MARGIN + 4, MARGIN + 3 * 6] {
        let mut touched = Surrounded::new(3, 4, 2, |_, _| 0.0);
        touched.memory[place] = f32::NAN;
        assert!(!touched.is_tidy(), "{place}");
    }
}
