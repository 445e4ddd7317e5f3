//! Fits whose outputs have nothing to do with each other: Huber's regression and support vector machines.

use faer::{Col, Mat};

use super::fit::Linear;
use super::newton::{self, Convex};
use super::problem::{Coefficients, Problem};

/// The objective of one output, of weights and below them the bias.
struct Output<'a> {
    linear: &'a Linear,
    problem: &'a Problem,
    output: usize,
}

/// Newton's method for each output by itself, from these coefficients on or from 0, and whether all came to their end:
/// Keerthi, DeCoste: A modified finite Newton method for fast solution of large scale linear SVMs (2005); Huber's
/// loss is as smooth.
pub(super) fn least(linear: &Linear, problem: &Problem, begin: Option<Coefficients>) -> (Coefficients, bool) {
    let mut found = match begin {
        Some(coefficients) => coefficients.joined(),
        None => Mat::zeros(problem.features() + 1, problem.outputs()),
    };
    let (scale, mut converged) = (scale(problem), true);
    for output in 0..problem.outputs() {
        let point = Col::from_fn(found.nrows(), |j| found[(j, output)]);
        let (point, is_done) = newton::least(&Output { linear, problem, output }, point, scale);
        converged &= is_done;
        (0..found.nrows()).for_each(|j| found[(j, output)] = point[j]);
    }
    (Coefficients::of_joined(&found), converged)
}

/// The mean of the squares of all features and of 1.
pub(super) fn scale(problem: &Problem) -> f64 {
    let squares = |(i, share): (usize, &f64)| {
        share * (0..problem.x.ncols()).map(|j| problem.x[(i, j)].powi(2)).sum::<f64>()
    };
    problem.shares.iter().enumerate().map(squares).sum::<f64>() / problem.x.ncols() as f64
}

impl Output<'_> {
    /// The sum over the samples of their shares of a part of [`Linear::at`].
    fn at(&self, point: &Col<f64>) -> Vec<[f64; 3]> {
        let z = &self.problem.x * point;
        (0..self.problem.samples()).map(|i| self.linear.at(z[i], self.problem.t[(i, self.output)])).collect()
    }
}

impl Convex for Output<'_> {
    fn value(&self, point: &Col<f64>) -> f64 {
        let shares = self.problem.shares.iter();
        let loss: f64 = shares.zip(self.at(point)).map(|(share, [value, ..])| share * value).sum();
        let features = self.problem.features();
        loss + 0.5 * self.linear.penalty * (0..features).map(|j| point[j] * point[j]).sum::<f64>()
    }

    fn derivatives(&self, point: &Col<f64>) -> (Col<f64>, Mat<f64>) {
        let (problem, penalty) = (self.problem, self.linear.penalty);
        let all = self.at(point);
        let slopes = Col::from_fn(problem.samples(), |i| problem.shares[i] * all[i][1]);
        let mut gradient = problem.x.transpose() * &slopes;
        let weighted = Mat::from_fn(problem.samples(), problem.x.ncols(), |i, j| {
            problem.shares[i] * all[i][2] * problem.x[(i, j)]
        });
        let mut hessian = problem.x.transpose() * &weighted;
        for j in 0..problem.features() {
            gradient[j] += penalty * point[j];
            hessian[(j, j)] += penalty;
        }
        (gradient, hessian)
    }
}
