//! Embeddings: rows of a table that codes stand for.

use std::ops::Range;

use crate::tensor::{LANES, MatrixRef};

/// The row of a table of so many that a code stands for: the nearest whole number. What is none of the table's, such as a
/// number below 0, beyond the last row or NaN, stands for row 0.
#[inline(always)]
pub fn row_of(code: f32, rows: usize) -> usize {
    // A conversion saturates, and makes 0 of NaN.
    let row = code.round() as usize;
    if row < rows { row } else { 0 }
}

/// y = the row of `table` `[rows, y.len()]` that the code stands for.
pub fn forward(y: &mut [f32], table: &[f32], code: f32, rows: usize) {
    debug_assert!(rows * y.len() <= table.len());
    let start = row_of(code, rows) * y.len();
    y.copy_from_slice(&table[start..start + y.len()]);
}

/// The same of a table that lies in [panels](crate::kernels::products::panels), `[rows / 16][y.len()][16]`: that of a tied
/// output layer.
pub fn forward_in_panels(y: &mut [f32], table: &[f32], code: f32, rows: usize) {
    let row = row_of(code, rows);
    let len = y.len() * LANES;
    let panel = &table[row / LANES * len..][..len];
    y.iter_mut().zip(panel.chunks_exact(LANES)).for_each(|(y, numbers)| *y = numbers[row % LANES]);
}

/// Where the codes of a table lie in rows, and its vectors in what is made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The columns of the codes, in the input.
    pub codes: Range<usize>,
    /// The column of the vector of the first code, in the output...
    pub first: usize,
    /// ...and columns from one vector to the next.
    pub pitch: usize,
}

/// Adds the gradient of some rows of a table, `dtable` `[own.len(), width]`: of each of them the sum of `dy` over all codes
/// in `x` `[samples, inputs]` that stand for it, sample after sample and code after code. `rows` are those of the whole
/// table, `own` the ones whose gradient this is. Inverts [`forward`].
pub fn add_gradient(
    dtable: &mut [f32],
    [x, dy]: [MatrixRef; 2],
    places: &Places,
    width: usize,
    rows: usize,
    own: &Range<usize>,
) {
    debug_assert!(own.end <= rows && own.len() * width <= dtable.len());
    for sample in 0..x.rows() {
        for (number, &code) in x.row(sample)[places.codes.clone()].iter().enumerate() {
            let row = row_of(code, rows);
            if own.contains(&row) {
                let start = (row - own.start) * width;
                let dy = &dy.row(sample)[places.first + number * places.pitch..][..width];
                dtable[start..start + width].iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
            }
        }
    }
}

/// Adds the gradient of a part of a table that lies in panels, `[rows / 16][width][16]`: `dpart` is that of the range `part`
/// of its storage, in whole vectors. Sums are those of [`add_gradient`], in the same order. Inverts [`forward_in_panels`].
pub fn add_gradient_in_panels(
    dpart: &mut [f32],
    part: &Range<usize>,
    [x, dy]: [MatrixRef; 2],
    places: &Places,
    [rows, width]: [usize; 2],
) {
    debug_assert!(
        dpart.len() == part.len() && part.start.is_multiple_of(LANES) && dpart.len().is_multiple_of(LANES)
    );
    let len = width * LANES;
    for sample in 0..x.rows() {
        let vectors = dy.row(sample);
        for (number, &code) in x.row(sample)[places.codes.clone()].iter().enumerate() {
            let row = row_of(code, rows);
            let panel = row / LANES * len;
            // What the part has of the panel: all rows of some channels.
            let (start, end) = (part.start.max(panel), part.end.min(panel + len));
            if start >= end {
                continue;
            }
            let dy = &vectors[places.first + number * places.pitch + (start - panel) / LANES..];
            let sums = dpart[start - part.start..end - part.start].chunks_exact_mut(LANES);
            sums.zip(dy).for_each(|(sums, dy)| sums[row % LANES] += dy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_for_the_nearest_row_or_for_the_first() {
        for (code, row) in [
            (0.0, 0),
            (2.0, 2),
            (1.6, 2),
            (1.4, 1),
            (4.0, 4),
            (5.0, 0),
            (-1.0, 0),
            (-0.4, 0),
            (1e30, 0),
            (f32::INFINITY, 0),
            (f32::NEG_INFINITY, 0),
            (f32::NAN, 0),
        ] {
            assert_eq!(row_of(code, 5), row, "{code}");
        }
        // All whole numbers below 2^24 are told apart.
        let most = 1 << 24;
        for row in [(1 << 23) - 1, 1 << 23, (1 << 23) + 1, most - 2, most - 1] {
            assert_eq!(row_of(row as f32, most), row);
        }
    }
}
