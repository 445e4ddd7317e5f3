//! The covariance of CMA-ES and its root.

use faer::{Mat, Side};

use super::proposals::{USE, zeros};
use super::settings::Covariance;
use crate::checkpoint::{Archive, State};
use crate::{Result, memory};

/// The least eigenvalue, in parts of the largest: what is less is rounding.
const LEAST: f64 = 1e-14;

/// C and √C.
#[derive(Debug)]
pub(super) enum Shape {
    Full {
        /// Both `[n, n]`; of C the lower triangle.
        covariance: Mat<f64>,
        root: Mat<f64>,
    },
    Diagonal {
        /// Both \[n\].
        covariance: Vec<f64>,
        root: Vec<f64>,
    },
}

impl Shape {
    /// The identity.
    pub fn new(kind: Covariance, count: usize) -> Result<Shape> {
        let mut shape = match kind {
            Covariance::Full => {
                // Both matrices, and what the eigenvalues take.
                let numbers = count.saturating_mul(count).saturating_mul(6);
                memory::check(USE, numbers.saturating_mul(size_of::<f64>()))?;
                Shape::Full { covariance: Mat::zeros(count, count), root: Mat::zeros(count, count) }
            }
            Covariance::Diagonal => Shape::Diagonal { covariance: zeros(1, count)?, root: zeros(1, count)? },
        };
        shape.reset();
        Ok(shape)
    }

    pub fn reset(&mut self) {
        match self {
            Shape::Full { covariance, root } => {
                for matrix in [covariance, root] {
                    matrix.fill(0.0);
                    for i in 0..matrix.nrows() {
                        matrix[(i, i)] = 1.0;
                    }
                }
            }
            Shape::Diagonal { covariance, root } => {
                covariance.fill(1.0);
                root.fill(1.0);
            }
        }
    }

    pub fn covariance(&self, i: usize, j: usize) -> f64 {
        match self {
            Shape::Full { covariance, .. } => covariance[(i.max(j), i.min(j))],
            Shape::Diagonal { covariance, .. } => {
                if i == j {
                    covariance[i]
                } else {
                    0.0
                }
            }
        }
    }

    /// y ← √C z, both \[n\].
    pub fn scale(&self, z: &[f64], y: &mut [f64]) {
        match self {
            Shape::Full { root, .. } => {
                y.fill(0.0);
                for (j, &z) in z.iter().enumerate() {
                    for (y, r) in y.iter_mut().zip(root.col(j).iter()) {
                        *y += r * z;
                    }
                }
            }
            Shape::Diagonal { root, .. } => {
                y.iter_mut().zip(z.iter().zip(root)).for_each(|(y, (z, root))| *y = root * z);
            }
        }
    }

    /// C ← a C.
    pub fn shrink(&mut self, a: f64) {
        match self {
            Shape::Full { covariance, .. } => {
                for j in 0..covariance.ncols() {
                    covariance.col_mut(j).iter_mut().for_each(|c| *c *= a);
                }
            }
            Shape::Diagonal { covariance, .. } => covariance.iter_mut().for_each(|c| *c *= a),
        }
    }

    /// C ← C + a v vᵀ, v \[n\].
    pub fn add(&mut self, a: f64, v: &[f64]) {
        match self {
            Shape::Full { covariance, .. } => {
                for (j, &other) in v.iter().enumerate() {
                    let part = a * other;
                    let column = covariance.col_mut(j).iter_mut().skip(j);
                    column.zip(&v[j..]).for_each(|(c, v)| *c += part * v);
                }
            }
            Shape::Diagonal { covariance, .. } => {
                covariance.iter_mut().zip(v).for_each(|(c, v)| *c += a * v * v);
            }
        }
    }

    /// Brings the root up to date. Where the eigenvalues cannot be found, it stays what it is.
    pub fn update_root(&mut self) {
        match self {
            Shape::Full { covariance, root } => {
                let Ok(found) = covariance.self_adjoint_eigen(Side::Lower) else { return };
                let (values, vectors) = (found.S().column_vector(), found.U());
                let largest = values.iter().copied().fold(0.0, f64::max);
                if !largest.is_finite() {
                    return;
                }
                let scaled = Mat::from_fn(vectors.nrows(), vectors.ncols(), |i, j| {
                    vectors[(i, j)] * values[j].max(LEAST * largest).sqrt()
                });
                // B D [n x n] * Bᵀ [n x n] -> [n x n]
                *root = scaled * vectors.transpose();
            }
            Shape::Diagonal { covariance, root } => {
                root.iter_mut().zip(covariance).for_each(|(root, c)| *root = c.sqrt());
            }
        }
    }

    /// The largest standard deviation of a parameter.
    pub fn widest(&self) -> f64 {
        let variance = match self {
            Shape::Full { covariance, .. } => {
                (0..covariance.ncols()).map(|i| covariance[(i, i)]).fold(0.0, larger)
            }
            Shape::Diagonal { covariance, .. } => covariance.iter().copied().fold(0.0, larger),
        };
        variance.sqrt()
    }
}

impl State for Shape {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        match self {
            Shape::Full { covariance, root } => {
                visit_matrix(archive, "covariance", covariance)?;
                visit_matrix(archive, "root", root)
            }
            Shape::Diagonal { covariance, root } => {
                archive.numbers("covariance", covariance)?;
                archive.numbers("root", root)
            }
        }
    }
}

/// A matrix column by column.
fn visit_matrix(archive: &mut Archive, name: &str, matrix: &mut Mat<f64>) -> Result<()> {
    let rows = matrix.nrows();
    let mut numbers = zeros(rows, matrix.ncols())?;
    for (place, number) in numbers.iter_mut().enumerate() {
        *number = matrix[(place % rows, place / rows)];
    }
    archive.numbers(name, &mut numbers)?;
    for (place, number) in numbers.iter().enumerate() {
        matrix[(place % rows, place / rows)] = *number;
    }
    Ok(())
}

/// The larger of two, or NaN if one is.
fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_covariance_is_its_root() {
        let vectors = [[1.0, 2.0, -1.0], [0.5, 0.0, 3.0], [-2.0, 1.0, 1.0], [0.1, -0.3, 0.2]];
        for kind in [Covariance::Full, Covariance::Diagonal] {
            let mut shape = Shape::new(kind, 3).unwrap();
            shape.shrink(0.5);
            vectors.iter().for_each(|v| shape.add(0.25, v));
            shape.update_root();
            let mut widest = 0.0f64;
            for i in 0..3 {
                let expected = |j: usize| {
                    let sum: f64 = vectors.iter().map(|v| 0.25 * v[i] * v[j]).sum();
                    if i == j { sum + 0.5 } else { sum }
                };
                let mut unit = [0.0; 3];
                unit[i] = 1.0;
                let (mut once, mut twice) = ([0.0; 3], [0.0; 3]);
                shape.scale(&unit, &mut once);
                shape.scale(&once, &mut twice);
                for (j, twice) in twice.into_iter().enumerate() {
                    let expected = if i == j || kind == Covariance::Full { expected(j) } else { 0.0 };
                    assert!((twice - expected).abs() < 1e-12, "{kind:?} {i} {j}");
                    assert!((shape.covariance(i, j) - expected).abs() < 1e-12, "{kind:?} {i} {j}");
                }
                widest = widest.max(expected(i));
            }
            assert!((shape.widest() - widest.sqrt()).abs() < 1e-12);
        }
    }
}
