//! The lasso by coordinate descent.

use faer::Mat;

use super::problem::{Coefficients, Problem};

/// The gap between the objective and its dual, beside the objective at 0, at which a solution is exact.
const GAP: f64 = 1e-14;

/// The most rounds over all weights.
const MOST_ROUNDS: usize = 100_000;

/// Rounds from one look at the gap to the next.
const ROUNDS: usize = 10;

/// Cyclic coordinate descent on the products of the features, each step a soft threshold (Friedman, Hastie, Tibshirani:
/// Regularization paths for generalized linear models via coordinate descent, 2010, section 2), until the duality gap
/// says that it is done; and whether it does.
pub(super) fn least(problem: &Problem, penalty: f64) -> (Coefficients, bool) {
    let ([x, t], means) = problem.centred();
    let (gram, along) = (x.transpose() * &x, x.transpose() * &t);
    let mut weights = Mat::zeros(problem.features(), problem.outputs());
    let mut converged = true;
    for output in 0..problem.outputs() {
        let squares = (0..t.nrows()).map(|i| t[(i, output)].powi(2)).sum();
        let along: Vec<f64> = (0..along.nrows()).map(|j| along[(j, output)]).collect();
        let (found, is_done) = one_output(&gram, &along, squares, penalty);
        converged &= is_done;
        found.iter().enumerate().for_each(|(j, &w)| weights[(j, output)] = w);
    }
    (Coefficients::through_means(weights, &means), converged)
}

/// The weights of one output, of the products of the features with each other and `along` the target, and the target's
/// sum of `squares`.
fn one_output(gram: &Mat<f64>, along: &[f64], squares: f64, penalty: f64) -> (Vec<f64>, bool) {
    let mut weights = vec![0.0; along.len()];
    // Products of each feature with what is left of the target.
    let mut left = along.to_vec();
    let mut least_gap = f64::INFINITY;
    for round in 1..=MOST_ROUNDS {
        for j in 0..weights.len() {
            let own = gram[(j, j)];
            if own <= 0.0 {
                continue;
            }
            let without = left[j] + own * weights[j];
            let new = without.signum() * (without.abs() - penalty).max(0.0) / own;
            let change = new - weights[j];
            if change != 0.0 {
                weights[j] = new;
                left.iter_mut().enumerate().for_each(|(k, left)| *left -= change * gram[(k, j)]);
            }
        }
        if round % ROUNDS == 0 {
            let gap = gap(&weights, &left, along, squares, penalty);
            // Rounding may leave a gap that no round closes.
            let stands_still = gap >= least_gap && gap <= 1e-10 * squares;
            if gap <= GAP * squares || stands_still {
                return (weights, true);
            }
            least_gap = least_gap.min(gap);
        }
    }
    (weights, false)
}

/// The duality gap: what is left of the target, scaled until no feature's product with it is beyond the penalty, is a
/// point of the dual.
fn gap(weights: &[f64], left: &[f64], along: &[f64], squares: f64, penalty: f64) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let left_by_target = squares - dot(weights, along);
    let left_squares = left_by_target - dot(weights, left);
    let largest = left.iter().fold(0.0f64, |largest, left| largest.max(left.abs()));
    let scale = if largest > penalty { penalty / largest } else { 1.0 };
    let primal = 0.5 * left_squares + penalty * weights.iter().map(|w| w.abs()).sum::<f64>();
    primal - (scale * left_by_target - 0.5 * scale * scale * left_squares)
}
