//! Softmax regression.

use faer::{Col, Mat};

use super::newton::{self, Convex};
use super::problem::{Coefficients, Problem};
use super::separable::scale;

/// The objective, of the weights of each class and after them its bias, class after class.
struct Softmax<'a> {
    problem: &'a Problem,
    penalty: f64,
}

/// Newton's method, and whether it came to its end (Hastie, Tibshirani, Friedman: The elements of statistical learning,
/// 2009, section 4.4.1, of several classes). The biases, which may all grow alike, keep the sum of 0 that they begin
/// with.
pub(super) fn least(problem: &Problem, penalty: f64) -> (Coefficients, bool) {
    let unknowns = problem.x.ncols();
    let begin = Col::zeros(unknowns * problem.outputs());
    let (point, converged) = newton::least(&Softmax { problem, penalty }, begin, scale(problem));
    (Coefficients::of_joined(&joined(&point, unknowns)), converged)
}

/// The unknowns, class after class, as columns.
fn joined(point: &Col<f64>, unknowns: usize) -> Mat<f64> {
    Mat::from_fn(unknowns, point.nrows() / unknowns, |j, class| point[class * unknowns + j])
}

impl Softmax<'_> {
    /// The logarithms of the probabilities, \[n, classes\].
    fn logarithms(&self, point: &Col<f64>) -> Mat<f64> {
        let mut z = &self.problem.x * &joined(point, self.problem.x.ncols());
        let classes = z.ncols();
        for i in 0..z.nrows() {
            let largest = (0..classes).map(|j| z[(i, j)]).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = (0..classes).map(|j| (z[(i, j)] - largest).exp()).sum();
            (0..classes).for_each(|j| z[(i, j)] -= largest + sum.ln());
        }
        z
    }

    /// Whether an unknown is a weight.
    fn is_weight(&self, unknown: usize) -> bool {
        unknown % self.problem.x.ncols() < self.problem.features()
    }
}

impl Convex for Softmax<'_> {
    fn value(&self, point: &Col<f64>) -> f64 {
        let logarithms = self.logarithms(point);
        let t = &self.problem.t;
        // 0 of what has no part is 0, however small its probability.
        let term = |i: usize, j: usize| if t[(i, j)] == 0.0 { 0.0 } else { t[(i, j)] * logarithms[(i, j)] };
        let shares = self.problem.shares.iter().enumerate();
        let loss: f64 =
            shares.map(|(i, share)| -share * (0..t.ncols()).map(|j| term(i, j)).sum::<f64>()).sum();
        let squares = (0..point.nrows()).filter(|&u| self.is_weight(u)).map(|u| point[u] * point[u]);
        loss + 0.5 * self.penalty * squares.sum::<f64>()
    }

    fn derivatives(&self, point: &Col<f64>) -> (Col<f64>, Mat<f64>) {
        let Problem { x, t, shares } = self.problem;
        let (unknowns, classes) = (x.ncols(), t.ncols());
        let logarithms = self.logarithms(point);
        let p = Mat::from_fn(x.nrows(), classes, |i, j| logarithms[(i, j)].exp());
        let slopes = Mat::from_fn(x.nrows(), classes, |i, j| shares[i] * (p[(i, j)] - t[(i, j)]));
        let slopes = x.transpose() * &slopes;
        let mut gradient = Col::from_fn(unknowns * classes, |u| slopes[(u % unknowns, u / unknowns)]);
        let mut hessian = Mat::zeros(unknowns * classes, unknowns * classes);
        for a in 0..classes {
            for b in 0..=a {
                let weighted = Mat::from_fn(x.nrows(), unknowns, |i, j| {
                    let own = if a == b { 1.0 } else { 0.0 };
                    shares[i] * p[(i, a)] * (own - p[(i, b)]) * x[(i, j)]
                });
                let block = x.transpose() * &weighted;
                for j in 0..unknowns {
                    for k in 0..unknowns {
                        hessian[(a * unknowns + j, b * unknowns + k)] = block[(j, k)];
                        hessian[(b * unknowns + k, a * unknowns + j)] = block[(j, k)];
                    }
                }
            }
        }
        for u in (0..unknowns * classes).filter(|&u| self.is_weight(u)) {
            gradient[u] += self.penalty * point[u];
            hessian[(u, u)] += self.penalty;
        }
        (gradient, hessian)
    }
}
