//! L-BFGS and conjugate gradients on least squares in f64, against the closed form.

use crate::common::splitmix;
use fallline::engine::optim::full_batch::{Formula, Method, Settings, Solver};

const ROWS: usize = 50;
const UNKNOWNS: usize = 20;
/// Of the solution's distance to the closed form, relative to its size.
const TOLERANCE: f64 = 1e-6;

const METHODS: [Method; 5] = [
    Method::Lbfgs { history_size: 100 },
    Method::Lbfgs { history_size: UNKNOWNS },
    Method::ConjugateGradient { formula: Formula::FletcherReeves },
    Method::ConjugateGradient { formula: Formula::PolakRibiere },
    Method::ConjugateGradient { formula: Formula::HestenesStiefel },
];

/// Minimise |A x - b|² / 2.
struct LeastSquares {
    /// `[ROWS][UNKNOWNS]`
    matrix: Vec<Vec<f64>>,
    /// `[ROWS]`
    right: Vec<f64>,
    /// `[UNKNOWNS]`, by the singular values.
    solution: Vec<f64>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// So many orthonormal columns of so many numbers: Gram and Schmidt, twice.
fn orthonormal(seed: u64, columns: usize, rows: usize) -> Vec<Vec<f64>> {
    let numbers: Vec<f64> = splitmix::uniform(seed, columns * rows).into_iter().map(f64::from).collect();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for column in numbers.chunks(rows) {
        let mut column = column.to_vec();
        for other in basis.iter().chain(&basis) {
            let part = dot(&column, other);
            column.iter_mut().zip(other).for_each(|(x, o)| *x -= part * o);
        }
        let size = dot(&column, &column).sqrt();
        column.iter_mut().for_each(|x| *x /= size);
        basis.push(column);
    }
    basis
}

impl LeastSquares {
    /// Singular values from 1 down to 1 / `condition`; what no x reaches of b has the size `residual`.
    fn new(condition: f64, residual: f64) -> LeastSquares {
        // The last column is orthogonal to what A reaches.
        let left = orthonormal(1, UNKNOWNS + 1, ROWS);
        let right = orthonormal(2, UNKNOWNS, UNKNOWNS);
        let value = |k: usize| condition.powf(-(k as f64) / (UNKNOWNS - 1) as f64);
        let entry = |i: usize, j: usize| (0..UNKNOWNS).map(|k| left[k][i] * value(k) * right[k][j]).sum();
        let matrix: Vec<Vec<f64>> = (0..ROWS).map(|i| (0..UNKNOWNS).map(|j| entry(i, j)).collect()).collect();
        let wanted: Vec<f64> = splitmix::uniform(3, UNKNOWNS).into_iter().map(f64::from).collect();
        let b: Vec<f64> =
            (0..ROWS).map(|i| dot(&matrix[i], &wanted) + residual * left[UNKNOWNS][i]).collect();
        // V S⁻¹ Uᵀ b
        let parts: Vec<f64> = (0..UNKNOWNS).map(|k| dot(&left[k], &b) / value(k)).collect();
        let solution = (0..UNKNOWNS).map(|j| (0..UNKNOWNS).map(|k| right[k][j] * parts[k]).sum()).collect();
        LeastSquares { matrix, right: b, solution }
    }

    fn loss(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut loss = 0.0;
        for (row, b) in self.matrix.iter().zip(&self.right) {
            let off = dot(row, x) - b;
            loss += off * off / 2.0;
            gradient.iter_mut().zip(row).for_each(|(g, a)| *g += off * a);
        }
        loss
    }

    /// How far x is from the solution, relative to it.
    fn deviation(&self, x: &[f64]) -> f64 {
        let off: Vec<f64> = x.iter().zip(&self.solution).map(|(x, s)| x - s).collect();
        (dot(&off, &off) / dot(&self.solution, &self.solution)).sqrt()
    }

    /// The deviation after up to so many iterations, how many were made, and with how many evaluations.
    fn solved(&self, method: Method, iterations: usize) -> (f64, usize, usize) {
        let settings = Settings { tolerance_grad: 1e-14, tolerance_change: 0.0, ..Settings::new(method) };
        let mut solver = Solver::new(settings, 1.0, &[0.0; UNKNOWNS], iterations).unwrap();
        let mut objective = |x: &[f64], gradient: &mut [f64]| Ok(self.loss(x, gradient));
        let mut evaluations = 0;
        for iteration in 1..=iterations {
            let seen = solver.iterate(&mut objective).unwrap();
            evaluations += seen.evaluations;
            if seen.ended.is_some() {
                return (self.deviation(solver.point()), iteration, evaluations);
            }
        }
        (self.deviation(solver.point()), iterations, evaluations)
    }
}

#[test]
fn least_squares_are_solved() {
    // A residual leaves the loss above 0, and what a step of f64 changes of it is then too small to see:
    // the larger the condition, the smaller it must be for this many digits.
    let all = &METHODS[..];
    let cases = [
        (3.0, 1.0, all),
        (30.0, 0.1, all),
        (100.0, 1e-3, all),
        (1000.0, 0.0, all),
        (1000.0, 1e-3, &all[..2]),
    ];
    let mut missed = Vec::new();
    for (condition, residual, methods) in cases {
        let case = LeastSquares::new(condition, residual);
        let mut gradient = [0.0; UNKNOWNS];
        case.loss(&case.solution, &mut gradient);
        assert!(gradient.iter().all(|g| g.abs() < 1e-14), "the closed form is no minimum");
        for &method in methods {
            let (off, iterations, evaluations) = case.solved(method, 20_000);
            println!(
                "condition {condition}, residual {residual}, {method:?}: {off:.1e} after {iterations} \
                 iterations, {evaluations} evaluations"
            );
            if off > TOLERANCE {
                missed.push(format!("condition {condition}, {method:?}: {off:e}"));
            }
            // There was something to find.
            let (early, ..) = case.solved(method, 3);
            assert!(early > TOLERANCE, "condition {condition}, {method:?}: {early:e}");
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
