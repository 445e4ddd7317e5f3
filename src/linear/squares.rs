//! Least squares, with and without a penalty on the squares of the weights.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use super::problem::{Coefficients, Problem};
use crate::{Error, Result};

/// Least squares of centred samples: their matrix is Q R, and the pseudoinverse of R, from its singular values, gives
/// the solution of the least norm where there are several (Golub, Van Loan: Matrix computations, 2013, section 5.5).
pub(super) fn least(problem: &Problem) -> Result<Coefficients> {
    let ([x, t], means) = problem.centred();
    let factors = x.qr();
    let projected = factors.compute_thin_Q().transpose() * &t;
    let svd = factors.thin_R().thin_svd().map_err(|_| failed("the singular values of the features"))?;
    let singular = svd.S().column_vector();
    let largest = singular.iter().copied().fold(0.0, f64::max);
    let negligible = largest * f64::EPSILON * x.nrows().max(x.ncols()) as f64;
    let mut along = svd.U().transpose() * &projected;
    for (i, &value) in singular.iter().enumerate() {
        for j in 0..along.ncols() {
            along[(i, j)] = if value > negligible { along[(i, j)] / value } else { 0.0 };
        }
    }
    Ok(Coefficients::through_means(svd.V() * &along, &means))
}

/// Ridge regression: (XᵀX + λ) W = Xᵀ T of centred samples, by Cholesky's factorisation (Hoerl, Kennard: Ridge
/// regression, 1970).
pub(super) fn ridge(problem: &Problem, penalty: f64) -> Result<Coefficients> {
    let ([x, t], means) = problem.centred();
    let mut gram = x.transpose() * &x;
    for j in 0..gram.ncols() {
        gram[(j, j)] += penalty;
    }
    let factor = gram.llt(Side::Lower).map_err(|_| failed("the products of the features"))?;
    let weights: Mat<f64> = factor.solve(x.transpose() * &t);
    Ok(Coefficients::through_means(weights, &means))
}

fn failed(what: &str) -> Error {
    Error::Mismatch {
        what: what.into(),
        expected: "finite numbers that can be factorised".into(),
        found: "some that cannot".into(),
    }
}
