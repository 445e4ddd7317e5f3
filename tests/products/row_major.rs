//! Products of row-major matrices: bit for bit the chains that `kernels::products::gemm` promises.

use crate::naive::{Naive, noise};
use crate::surrounded::Surrounded;
use fallline::engine::kernels::products::gemm;
use fallline::engine::tensor::LANES;

/// Rows, panels and inner dimension.
const SHAPES: [[usize; 3]; 14] = [
    [0, 1, 3],
    [3, 0, 3],
    [3, 1, 0],
    [1, 1, 1],
    [2, 3, 5],
    [5, 1, 784],
    [13, 2, 17],
    [14, 2, 16],
    [15, 3, 33],
    [16, 4, 7],
    [31, 5, 128],
    [33, 2, 257],
    [129, 8, 129],
    [784, 8, 128],
];

#[test]
fn row_major_products_have_the_bits_of_nested_loops() {
    for (variant, [rows, panels, inner]) in SHAPES.into_iter().enumerate() {
        let gap = [0, 1, 16, 7][variant % 4];
        let columns = panels * LANES;
        let left = Surrounded::new(rows, inner, gap, noise(6));
        let left_transposed = Surrounded::new(inner, rows, gap, |row, column| left.at(column, row));
        let right = Surrounded::new(inner, columns, gap + 3, noise(7));
        let naive =
            Naive::product([rows, columns, inner], |row, i| left.at(row, i), |i, c| right.at(i, c), None);
        for transposed in [false, true] {
            let mut y = Surrounded::new(rows, columns, gap, |_, _| f32::NAN);
            if transposed {
                gemm::multiply_transposed(y.view_mut(), left_transposed.view(), right.view());
            } else {
                gemm::multiply(y.view_mut(), left.view(), right.view());
            }
            assert!(y.is_tidy(), "written beside the result");
            let about = || format!("{rows} x {columns} x {inner}, transposed: {transposed}");
            naive.check_bits(&y.values()).unwrap_or_else(|error| panic!("{}: {error}", about()));
            naive.check_bounds(&y.values()).unwrap_or_else(|error| panic!("{}: {error}", about()));
        }
    }
}

/// The other factor, or another order of it, has other bits.
#[test]
fn a_factor_that_is_not_transposed_is_seen() {
    let (left, right) = (Surrounded::new(9, 9, 0, noise(8)), Surrounded::new(9, LANES, 0, noise(9)));
    let naive = Naive::product([9, LANES, 9], |row, i| left.at(row, i), |i, c| right.at(i, c), None);
    let mut y = Surrounded::new(9, LANES, 0, |_, _| f32::NAN);
    gemm::multiply_transposed(y.view_mut(), left.view(), right.view());
    assert!(naive.check_bits(&y.values()).is_err() && naive.check_bounds(&y.values()).is_err());
}
