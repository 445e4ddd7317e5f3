//! Our use of faer: views handed over with the right strides, plain and transposed.

use super::naive::{Naive, noise};
use super::surrounded::Surrounded;
use faer::linalg::matmul::matmul;
use faer::{Accum, Par};

/// Which factors are stored transposed.
#[derive(Clone, Copy, Debug)]
struct Transposed {
    left: bool,
    right: bool,
}

/// A matrix whose element `(row, column)` is `value(row, column)`, stored as it is or transposed.
fn stored(
    [rows, columns]: [usize; 2],
    transposed: bool,
    gap: usize,
    value: impl Fn(usize, usize) -> f32,
) -> Surrounded {
    match transposed {
        false => Surrounded::new(rows, columns, gap, value),
        true => Surrounded::new(columns, rows, gap, |row, column| value(column, row)),
    }
}

/// faer's product of the same matrices as [`naive`].
fn fast([rows, columns, inner]: [usize; 3], transposed: Transposed, gap: usize) -> Vec<f32> {
    let left = stored([rows, inner], transposed.left, gap, noise(1));
    let right = stored([inner, columns], transposed.right, gap + 1, noise(2));
    let mut result = Surrounded::new(rows, columns, gap, |_, _| f32::NAN);
    let mut view = result.view_mut();
    let lhs = left.view().as_faer();
    let lhs = if transposed.left { lhs.transpose() } else { lhs };
    let rhs = right.view().as_faer();
    let rhs = if transposed.right { rhs.transpose() } else { rhs };
    // [rows x inner] * [inner x columns] -> [rows x columns]
    matmul(view.as_faer(), Accum::Replace, lhs, rhs, 1.0, Par::Seq);
    assert!(result.is_tidy(), "written beside the result");
    result.values()
}

fn naive(shape: [usize; 3]) -> Naive {
    Naive::product(shape, noise(1), noise(2), None)
}

const WAYS: [Transposed; 4] = [
    Transposed { left: false, right: false },
    Transposed { left: false, right: true },
    Transposed { left: true, right: false },
    Transposed { left: true, right: true },
];

fn shapes() -> Vec<[usize; 3]> {
    let mut shapes = Vec::new();
    for rows in [0, 1, 2, 7, 13, 16, 17, 29, 64] {
        for columns in [0, 1, 6, 10, 16, 33, 113] {
            shapes.extend([0, 1, 5, 16, 33, 784].map(|inner| [rows, columns, inner]));
        }
    }
    shapes.extend([[3, 5, 10_000], [300, 10, 128], [1, 1000, 257], [1000, 1, 257]]);
    shapes
}

#[test]
fn faer_gives_the_product_of_our_views() {
    for (gap, shape) in shapes().into_iter().enumerate() {
        let naive = naive(shape);
        for way in WAYS {
            let result = fast(shape, way, gap % 3 * 5);
            naive.check_bounds(&result).unwrap_or_else(|error| panic!("{shape:?} {way:?}: {error}"));
        }
    }
}

#[test]
fn a_wrong_element_or_a_forgotten_transposition_is_seen() {
    let shape = [16, 16, 16];
    let naive = naive(shape);
    for way in WAYS {
        let right = fast(shape, way, 2);
        let mut off = right.clone();
        off[naive.largest()] *= 1.001;
        assert!(naive.check_bounds(&right).is_ok() && naive.check_bounds(&off).is_err());
        let transposed: Vec<f32> = (0..256).map(|i| right[i % 16 * 16 + i / 16]).collect();
        assert!(naive.check_bounds(&transposed).is_err());
    }
}
