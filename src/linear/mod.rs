//! Fits that are linear in the features: one layer, a convex loss and perhaps a penalty on the weights.
//!
//! The objective of n samples x with targets t, for weights W and a bias b, is
//! F(W, b) = Σᵢ cᵢ ℓ(W xᵢ + b, tᵢ) + λ R(W), where cᵢ is 1 / n, or a sample's part of the sum of all weights of samples.
//! The bias is never penalised.
//!
//! | kind | ℓ(z, t), summed over the outputs | R(W) |
//! |---|---|---|
//! | linear | (z - t)² / 2 | none |
//! | ridge | (z - t)² / 2 | ‖W‖² / 2 |
//! | lasso | (z - t)² / 2 | ‖W‖₁ |
//! | logistic | -ln softmax(z) of the class | ‖W‖² / 2 |
//! | svm | max(0, 1 - s z)², or without the square; s is 1 for the class and -1 for all others | ‖W‖² / 2 |
//! | huber | d² / 2 up to δ, δ (d - δ / 2) above, d = abs(z - t) | ‖W‖² / 2 |
//!
//! Training descends on it; here it is minimised in f64 by methods that are exact: [`exact`].

mod fit;
mod lasso;
mod newton;
mod objective;
mod problem;
mod separable;
mod softmax;
mod squares;

pub use fit::{Linear, LinearKind, Penalty};
pub use objective::objective;
pub use problem::{Coefficients, Problem};

use crate::Result;

/// The least of an objective, and where it is.
#[derive(Clone, Debug)]
pub struct Exact {
    pub coefficients: Coefficients,
    pub objective: f64,
    /// Whether the method came to its end: of classes that a plane separates there is no least without a penalty.
    pub converged: bool,
}

/// The least of the objective of a fit; None where [`Linear::method`] is. Of several solutions of least squares it is
/// the one of the least norm.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) if features or targets are not finite, or a factorisation fails.
pub fn exact(linear: &Linear, problem: &Problem) -> Result<Option<Exact>> {
    if linear.method().is_none() {
        return Ok(None);
    }
    problem.check_finite()?;
    let (coefficients, converged) = match linear.kind {
        LinearKind::Linear => (squares::least(problem)?, true),
        // The limit of ridges is the solution of the least norm.
        LinearKind::Ridge | LinearKind::Lasso if linear.penalty == 0.0 => (squares::least(problem)?, true),
        LinearKind::Ridge => (squares::ridge(problem, linear.penalty)?, true),
        LinearKind::Lasso => lasso::least(problem, linear.penalty),
        LinearKind::Logistic => softmax::least(problem, linear.penalty),
        LinearKind::Svm => separable::least(linear, problem, None),
        LinearKind::Huber => separable::least(linear, problem, Some(squares::least(problem)?)),
    };
    let objective = objective(linear, problem, &coefficients);
    Ok(Some(Exact { coefficients, objective, converged }))
}

#[cfg(test)]
mod tests;
