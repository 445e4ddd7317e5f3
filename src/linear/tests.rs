use faer::Mat;

use super::*;
use crate::rng::{self, Purpose};
use rand::RngExt;

const FEATURES: usize = 4;

/// Samples with a linear answer and noise, the features of different sizes; or their classes.
fn problem(outputs: usize, classes: bool, weights: &[f32], samples: usize) -> Problem {
    let mut stream = rng::stream(7, Purpose::Test, outputs as u64);
    Problem::new([samples, FEATURES, outputs], weights, |_, row, targets| {
        for (j, value) in row.iter_mut().enumerate() {
            *value = (1 << j) as f32 * stream.random_range(-1.0..1.0f32) + 3.0;
        }
        for (j, target) in targets.iter_mut().enumerate() {
            *target = row[j % FEATURES] - 0.5 * row[(j + 1) % FEATURES] + stream.random_range(-1.0..1.0f32);
        }
        if classes {
            let class = (0..outputs).max_by(|&a, &b| targets[a].total_cmp(&targets[b])).unwrap();
            targets.fill(0.0);
            targets[class] = 1.0;
        }
    })
    .unwrap()
}

fn fits() -> Vec<(Linear, Problem)> {
    let values = |kind| Linear { penalty: 0.05, delta: 0.7, ..Linear::new(kind, 2) };
    let classes = |kind| Linear { penalty: 0.05, ..Linear::new(kind, 3) };
    let mut fits = Vec::new();
    for kind in [LinearKind::Linear, LinearKind::Ridge, LinearKind::Lasso, LinearKind::Huber] {
        fits.push((values(kind), problem(2, false, &[], 60)));
    }
    for kind in [LinearKind::Logistic, LinearKind::Svm] {
        fits.push((classes(kind), problem(3, true, &[], 60)));
    }
    fits
}

/// The same with one coefficient moved.
fn moved(coefficients: &Coefficients, place: usize, by: f64) -> Coefficients {
    let mut joined = coefficients.joined();
    let rows = joined.nrows();
    joined[(place % rows, place / rows)] += by;
    Coefficients::of_joined(&joined)
}

/// The largest slope of the objective along a coefficient, on its flatter side.
fn steepest(linear: &Linear, problem: &Problem, coefficients: &Coefficients) -> f64 {
    let at = |place: usize, by: f64| objective(linear, problem, &moved(coefficients, place, by));
    let here = objective(linear, problem, coefficients);
    let places = 0..(FEATURES + 1) * problem.outputs();
    let step = 1e-5;
    // Both ways up, a kink has no slope.
    let down = places.map(|place| (here - at(place, step)).max(here - at(place, -step)) / step);
    down.fold(0.0, f64::max)
}

#[test]
fn no_coefficient_of_an_exact_solution_can_be_moved_for_the_better() {
    for (linear, problem) in fits() {
        let found = exact(&linear, &problem).unwrap().unwrap();
        assert!(found.converged, "{linear:?}");
        let slope = steepest(&linear, &problem, &found.coefficients);
        assert!(slope < 1e-7, "{linear:?}: {slope}");
        // It would be seen.
        let wrong = steepest(&linear, &problem, &moved(&found.coefficients, 1, 1e-3));
        assert!(wrong > 1e-6, "{linear:?}: {wrong}");
    }
}

#[test]
fn a_lasso_is_sparse_and_a_larger_penalty_makes_it_more_so() {
    let problem = problem(1, false, &[], 60);
    let zeros = |penalty| {
        let lasso = Linear { penalty, ..Linear::new(LinearKind::Lasso, 1) };
        let found = exact(&lasso, &problem).unwrap().unwrap();
        found.coefficients.weights.col(0).iter().filter(|w| **w == 0.0).count()
    };
    let counts = [0.0, 0.05, 0.5, 100.0].map(zeros);
    assert!(counts[0] == 0 && counts[1] > 0 && counts.is_sorted() && counts[3] == FEATURES, "{counts:?}");
}

#[test]
fn a_weight_counts_as_many_times_a_sample() {
    for kind in LinearKind::ALL {
        let linear = Linear { penalty: 0.1, ..Linear::new(kind, 2) };
        let rows = |samples: usize, row_of: fn(usize) -> usize, weights: &[f32]| {
            let values: Vec<f32> = (0..80).map(|i| ((i * 37) % 19) as f32 / 7.0).collect();
            Problem::new([samples, FEATURES, 2], weights, |sample, row, targets| {
                let from = row_of(sample) * FEATURES;
                row.copy_from_slice(&values[from..from + FEATURES]);
                let class = usize::from((row[0] - 1.3).abs() > 0.6);
                targets.fill(0.0);
                targets[class] = 1.0;
            })
            .unwrap()
        };
        // One sample twice, and one of the other class not at all.
        let mut weights = vec![1.0f32; 20];
        weights[1..3].copy_from_slice(&[2.0, 0.0]);
        let weighted = exact(&linear, &rows(20, |i| i, &weights)).unwrap().unwrap();
        let twice = exact(&linear, &rows(20, |i| if i == 2 { 1 } else { i }, &[])).unwrap().unwrap();
        let plain = exact(&linear, &rows(20, |i| i, &[])).unwrap().unwrap();
        assert!((weighted.objective - twice.objective).abs() < 1e-9 * twice.objective, "{kind:?}");
        assert!((weighted.objective - plain.objective).abs() > 1e-6 * plain.objective, "{kind:?}");
    }
}

#[test]
fn of_several_solutions_of_least_squares_it_is_the_shortest() {
    // The second feature is the first once more.
    let problem = Problem::new([5, 2, 1], &[], |sample, row, targets| {
        row.fill(sample as f32);
        targets[0] = 2.0 * sample as f32 + 1.0;
    });
    let problem = problem.unwrap();
    for kind in [LinearKind::Linear, LinearKind::Ridge, LinearKind::Lasso] {
        let linear = Linear { penalty: 0.0, ..Linear::new(kind, 1) };
        let found = exact(&linear, &problem).unwrap().unwrap();
        let expected = Mat::from_fn(2, 1, |_, _| 1.0);
        let difference = (&found.coefficients.weights - &expected).norm_max();
        assert!(difference < 1e-12 && (found.coefficients.bias[0] - 1.0).abs() < 1e-12);
        assert!(found.objective < 1e-24);
    }
}

#[test]
fn more_features_than_samples_are_met_exactly() {
    let problem = problem(2, false, &[], 3);
    let found = exact(&Linear::new(LinearKind::Linear, 2), &problem).unwrap().unwrap();
    assert!(found.objective < 1e-20, "{}", found.objective);
}

/// Without a penalty a plane that separates classes gets ever better by growing.
#[test]
fn what_has_no_least_does_not_converge() {
    let problem = Problem::new([6, 1, 2], &[], |sample, row, targets| {
        row[0] = sample as f32;
        targets.fill(0.0);
        targets[usize::from(sample > 2)] = 1.0;
    });
    let problem = problem.unwrap();
    let logistic = |penalty| {
        let linear = Linear { penalty, ..Linear::new(LinearKind::Logistic, 2) };
        exact(&linear, &problem).unwrap().unwrap()
    };
    assert!(logistic(1e-3).converged);
    let endless = logistic(0.0);
    assert!(!endless.converged && endless.objective < 1e-6);
    let hinge = Linear { squared: false, ..Linear::new(LinearKind::Svm, 2) };
    assert!(exact(&hinge, &problem).unwrap().is_none());
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let problem = Problem::new([4, 2, 1], &[], |sample, row, targets| {
        row.fill(if sample == 2 { f32::INFINITY } else { sample as f32 });
        targets[0] = 1.0;
    });
    let problem = problem.unwrap();
    for kind in LinearKind::ALL {
        let error = exact(&Linear::new(kind, 1), &problem).unwrap_err();
        assert_eq!(error.to_string(), "features: expected finite numbers, found inf");
    }
}
