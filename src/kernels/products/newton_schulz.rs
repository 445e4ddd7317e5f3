//! What the Newton-Schulz iteration does besides its products: moves a matrix out of panels and back,
//! the longer side along the rows, and makes a polynomial of its Gram matrix.

use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, MatrixMut, MatrixRef};

/// Writes some inputs of one panel, `panel` `[inputs][16]`, times `factor`. Upright, `to` is
/// `[inputs, 16]`; else transposed, `[outputs, inputs]` with the up to 16 outputs of the panel that are
/// not padding.
pub fn spread(mut to: MatrixMut, panel: &[f32], upright: bool, factor: f32) {
    check(to.rows(), to.columns(), panel, upright);
    if upright {
        for (row, values) in panel.chunks_exact(LANES).enumerate() {
            to.row(row).iter_mut().zip(values).for_each(|(to, value)| *to = factor * value);
        }
        return;
    }
    for output in 0..to.rows() {
        let values = panel.iter().skip(output).step_by(LANES);
        to.row(output).iter_mut().zip(values).for_each(|(to, value)| *to = factor * value);
    }
}

/// The inverse of [`spread`]; padding becomes zeros.
pub fn gather(panel: &mut [f32], from: MatrixRef, upright: bool, factor: f32) {
    check(from.rows(), from.columns(), panel, upright);
    if upright {
        for (row, values) in panel.chunks_exact_mut(LANES).enumerate() {
            values.iter_mut().zip(from.row(row)).for_each(|(to, value)| *to = factor * value);
        }
        return;
    }
    panel.fill(0.0);
    for output in 0..from.rows() {
        let values = panel.iter_mut().skip(output).step_by(LANES);
        values.zip(from.row(output)).for_each(|(to, value)| *to = factor * value);
    }
}

fn check(rows: usize, columns: usize, panel: &[f32], upright: bool) {
    let (inputs, outputs) = if upright { (rows, columns) } else { (columns, rows) };
    assert_eq!(panel.len(), inputs * LANES, "{inputs} inputs of a panel");
    assert!(if upright { outputs == LANES } else { outputs <= LANES }, "{outputs} outputs in a panel");
}

/// Some rows, from the row `first`, of a I + b A + c A²: `result` holds those of A² and takes them,
/// `gram` holds those of A; both are `[rows, n]`.
pub fn polynomial(mut result: MatrixMut, gram: MatrixRef, first: usize, [a, b, c]: [f32; 3]) {
    assert_eq!((result.rows(), result.columns()), (gram.rows(), gram.columns()));
    for row in 0..gram.rows() {
        let result = result.row(row);
        vectorise(
            #[inline(always)]
            || {
                for (square, gram) in result.iter_mut().zip(gram.row(row)) {
                    *square = c.mul_add(*square, b * gram);
                }
            },
        );
        result[first + row] += a;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::products::panels;

    #[test]
    fn a_panel_spread_is_the_matrix_and_gathered_again_is_itself() {
        for (outputs, inputs) in [(16, 5), (16, 1), (3, 7), (1, 20)] {
            let matrix: Vec<f32> = (1..=outputs * inputs).map(|i| i as f32).collect();
            let mut panel = vec![0.0; LANES * inputs];
            panels::pack(&mut panel, &matrix, outputs, inputs);
            for upright in [true, false] {
                let (rows, columns) = if upright { (inputs, LANES) } else { (outputs, inputs) };
                let mut spread_out = vec![9.0; rows * (columns + 1)];
                spread(MatrixMut::new(&mut spread_out, rows, columns, columns + 1), &panel, upright, 0.5);
                let at = |row: usize, column: usize| spread_out[row * (columns + 1) + column];
                for output in 0..outputs {
                    for input in 0..inputs {
                        let found = if upright { at(input, output) } else { at(output, input) };
                        assert_eq!(2.0 * found, matrix[output * inputs + input]);
                    }
                }
                assert_eq!(at(0, columns), 9.0, "beside the matrix");
                let mut back = vec![7.0; panel.len()];
                gather(&mut back, MatrixRef::new(&spread_out, rows, columns, columns + 1), upright, 2.0);
                assert_eq!(back, panel);
            }
        }
    }

    #[test]
    fn a_polynomial_has_its_constant_on_the_diagonal() {
        let gram: Vec<f32> = (0..32).map(|i| i as f32).collect();
        let mut result: Vec<f32> = (0..32).map(|i| 100.0 * i as f32).collect();
        let view = MatrixMut::new(&mut result, 2, 16, 16);
        polynomial(view, MatrixRef::new(&gram, 2, 16, 16), 3, [5.0, 2.0, 0.5]);
        for (place, value) in result.iter().enumerate() {
            let diagonal = if place == 3 || place == 16 + 4 { 5.0 } else { 0.0 };
            assert_eq!(*value, 52.0 * place as f32 + diagonal);
        }
    }
}
