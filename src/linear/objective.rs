//! The objective of each fit.

use super::fit::{Linear, LinearKind};
use super::problem::{Coefficients, Problem};

/// The objective of a fit at these coefficients.
pub fn objective(linear: &Linear, problem: &Problem, coefficients: &Coefficients) -> f64 {
    let z = &problem.x * &coefficients.joined();
    let outputs = problem.outputs();
    let loss = |(i, share): (usize, &f64)| {
        let of_row = match linear.kind {
            LinearKind::Logistic => cross_entropy(outputs, |j| (z[(i, j)], problem.t[(i, j)])),
            _ => (0..outputs).map(|j| linear.at(z[(i, j)], problem.t[(i, j)])[0]).sum(),
        };
        share * of_row
    };
    problem.shares.iter().enumerate().map(loss).sum::<f64>() + linear.penalty_of(coefficients)
}

impl Linear {
    /// λ R(W).
    fn penalty_of(&self, coefficients: &Coefficients) -> f64 {
        let weights = || coefficients.weights.col_iter().flat_map(|column| column.iter());
        match self.kind {
            LinearKind::Linear => 0.0,
            LinearKind::Lasso => self.penalty * weights().map(|w| w.abs()).sum::<f64>(),
            _ => 0.5 * self.penalty * weights().map(|w| w * w).sum::<f64>(),
        }
    }

    /// The loss of an output z with the target t, its derivative and its second one: of all kinds but softmax
    /// regression, where the outputs go together.
    pub(super) fn at(&self, z: f64, t: f64) -> [f64; 3] {
        match self.kind {
            LinearKind::Linear | LinearKind::Ridge | LinearKind::Lasso => [0.5 * (z - t).powi(2), z - t, 1.0],
            LinearKind::Huber => {
                let (d, delta) = (z - t, f64::from(self.delta));
                if d.abs() <= delta {
                    [0.5 * d * d, d, 1.0]
                } else {
                    [delta * (d.abs() - 0.5 * delta), delta * d.signum(), 0.0]
                }
            }
            LinearKind::Svm => {
                let sign = 2.0 * t - 1.0;
                let lacking = 1.0 - sign * z;
                match (lacking > 0.0, self.squared) {
                    (false, _) => [0.0; 3],
                    (true, true) => [lacking * lacking, -2.0 * sign * lacking, 2.0 * sign * sign],
                    (true, false) => [lacking, -sign, 0.0],
                }
            }
            LinearKind::Logistic => unreachable!("the outputs of softmax regression go together"),
        }
    }
}

/// The cross-entropy of the softmax of a row, of which `row` gives each output and its target.
fn cross_entropy(outputs: usize, row: impl Fn(usize) -> (f64, f64)) -> f64 {
    let largest = (0..outputs).map(|j| row(j).0).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = (0..outputs).map(|j| (row(j).0 - largest).exp()).sum();
    (0..outputs).map(row).map(|(z, t)| t * (sum.ln() + largest - z)).sum()
}
