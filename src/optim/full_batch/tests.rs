//! Both methods on functions whose minimum is known.

use super::*;

/// Σ 100 (pᵢ₊₁ - pᵢ²)² + (1 - pᵢ)² (Rosenbrock: An automatic method for finding the greatest or least
/// value of a function, 1960), with its minimum at ones.
fn rosenbrock(p: &[f64], gradient: &mut [f64]) -> Result<f64> {
    gradient.fill(0.0);
    let mut loss = 0.0;
    for i in 0..p.len() - 1 {
        let (bend, rest) = (p[i + 1] - p[i] * p[i], 1.0 - p[i]);
        loss += 100.0 * bend * bend + rest * rest;
        gradient[i] -= 400.0 * bend * p[i] + 2.0 * rest;
        gradient[i + 1] += 200.0 * bend;
    }
    Ok(loss)
}

const METHODS: [Method; 5] = [
    Method::Lbfgs { history_size: 100 },
    Method::Lbfgs { history_size: 2 },
    Method::ConjugateGradient { formula: Formula::FletcherReeves },
    Method::ConjugateGradient { formula: Formula::PolakRibiere },
    Method::ConjugateGradient { formula: Formula::HestenesStiefel },
];

/// Runs until it ends; returns the solver, the reason, the iterations and the evaluations.
fn solved(settings: Settings, start: &[f64], objective: &mut Objective) -> (Solver, Ended, usize, usize) {
    let mut solver = Solver::new(settings, 1.0, start, 5000).unwrap();
    let (mut evaluations, mut loss) = (0, f64::INFINITY);
    for iteration in 1..=5000 {
        let seen = solver.iterate(objective).unwrap();
        evaluations += seen.evaluations;
        assert!(solver.loss() <= loss || solver.loss().is_nan(), "the loss rises");
        loss = solver.loss();
        if let Some(ended) = seen.ended {
            return (solver, ended, iteration, evaluations);
        }
    }
    panic!("{settings:?} does not end: {loss:e}");
}

#[test]
fn rosenbrocks_valley_is_walked_to_its_end() {
    for method in METHODS {
        for count in [2, 3, 20] {
            let start: Vec<f64> = (0..count).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
            let settings = Settings { tolerance_change: 0.0, tolerance_grad: 1e-8, ..Settings::new(method) };
            let (solver, ended, iterations, evaluations) = solved(settings, &start, &mut rosenbrock);
            assert!(
                iterations < 2000 && evaluations < 4000,
                "{method:?}, {count}: {iterations}, {evaluations}"
            );
            assert_eq!(ended, Ended::Gradient, "{method:?} of {count}");
            // From this start, 20 numbers may also end in the other, local minimum near (-1, 1, 1 ...).
            let is_global = solver.loss() < 1e-12;
            let off = solver.point().iter().map(|p| (p - 1.0).abs()).fold(0.0, f64::max);
            assert!(if is_global { off < 1e-6 } else { count == 20 && off < 2.1 }, "{method:?}: {off:e}");
        }
    }
}

/// The counts agree with the calls that the objective saw, and the point that was taken is one of those.
#[test]
fn evaluations_are_counted_and_the_taken_one_is_named() {
    for method in METHODS {
        let mut seen: Vec<f64> = Vec::new();
        let mut solver = Solver::new(Settings::new(method), 1.0, &[-1.2, 1.0], 20).unwrap();
        for turn in 0..20 {
            seen.clear();
            let mut objective = |p: &[f64], gradient: &mut [f64]| {
                let loss = rosenbrock(p, gradient)?;
                seen.push(loss);
                Ok(loss)
            };
            let Iteration { evaluations, taken, step, ended } = solver.iterate(&mut objective).unwrap();
            assert_eq!(evaluations, seen.len());
            // The very first evaluation is that of the start.
            let searched = if turn == 0 { &seen[1..] } else { &seen };
            assert!(step > 0.0 && (1..=25).contains(&searched.len()));
            assert_eq!(searched[taken - 1], solver.loss(), "{method:?}");
            assert_eq!(ended, None);
        }
    }
}

#[test]
fn each_ending_has_its_reason() {
    for method in METHODS {
        let settings = Settings::new(method);
        let ended = |settings, objective: &mut Objective| solved(settings, &[-1.2, 1.0], objective).1;
        assert_eq!(ended(Settings { tolerance_grad: 1e9, ..settings }, &mut rosenbrock), Ended::Gradient);
        assert_eq!(ended(Settings { tolerance_change: 1e9, ..settings }, &mut rosenbrock), Ended::Change);
        let change = Settings { tolerance_change: 1e-6, tolerance_grad: 0.0, ..settings };
        assert_eq!(ended(change, &mut rosenbrock), Ended::Change);
        // At the limit of precision, nothing lower is found.
        let never = Settings { tolerance_change: 0.0, tolerance_grad: 0.0, ..settings };
        let mut bent = |p: &[f64], gradient: &mut [f64]| {
            gradient.copy_from_slice(&[p[0].signum(), p[1].signum()]);
            Ok(p[0].abs() + p[1].abs() + 1.0)
        };
        assert_eq!(solved(never, &[0.3, -0.7], &mut bent).1, Ended::LineSearch);
        let mut wrong = |p: &[f64], gradient: &mut [f64]| {
            let loss = rosenbrock(p, gradient)?;
            gradient.iter_mut().for_each(|g| *g = -*g);
            Ok(loss)
        };
        assert_eq!(ended(settings, &mut wrong), Ended::LineSearch);
        assert_eq!(ended(settings, &mut |_, _| Ok(f64::NAN)), Ended::NotFinite);
        let mut steep = |_: &[f64], gradient: &mut [f64]| {
            gradient.fill(f64::INFINITY);
            Ok(1.0)
        };
        assert_eq!(ended(settings, &mut steep), Ended::NotFinite);
    }
}

/// A history that misleads is forgotten, once.
#[test]
fn a_failed_search_falls_back_to_the_gradient() {
    for method in METHODS {
        let mut solver = Solver::new(Settings::new(method), 1.0, &[-1.2, 1.0], 20).unwrap();
        for _ in 0..3 {
            solver.iterate(&mut rosenbrock).unwrap();
        }
        // All but the gradient's own direction is infinitely high.
        let (from, loss) = (solver.point().to_vec(), solver.loss());
        let down = solver.gradient().to_vec();
        let mut tried = 0;
        let mut ridge = |p: &[f64], gradient: &mut [f64]| {
            tried += 1;
            let moved = [p[0] - from[0], p[1] - from[1]];
            let sideways = moved[0] * down[1] - moved[1] * down[0];
            let loss = rosenbrock(p, gradient)?;
            let size = (dot(&moved, &moved) * dot(&down, &down)).sqrt();
            Ok(if sideways.abs() > 1e-6 * size { f64::INFINITY } else { loss })
        };
        let seen = solver.iterate(&mut ridge).unwrap();
        assert_eq!(seen.evaluations, tried, "{method:?}");
        assert!(seen.step > 0.0 && solver.loss() < loss, "{method:?}: {seen:?}");
        assert!(solver.is_steepest(), "{method:?}");
    }
}

/// From another point, L-BFGS continues with its history of the curvature, and conjugate gradients begin anew.
#[test]
fn a_point_that_is_moved_is_gone_on_from() {
    for method in METHODS {
        let settings = Settings::new(method);
        let mut solver = Solver::new(settings, 1.0, &[-1.2, 1.0], 200).unwrap();
        for _ in 0..5 {
            solver.iterate(&mut rosenbrock).unwrap();
        }
        let elsewhere = [0.4, 0.3];
        solver.move_to(elsewhere);
        assert_eq!(solver.point(), elsewhere);
        let seen = solver.iterate(&mut rosenbrock).unwrap();
        let mut anew = Solver::new(settings, 1.0, &elsewhere, 200).unwrap();
        let expected = anew.iterate(&mut rosenbrock).unwrap();
        let keeps = matches!(method, Method::Lbfgs { .. });
        assert_eq!((seen, solver.point()) == (expected, anew.point()), !keeps, "{method:?}");
        let mut gradient = [0.0; 2];
        rosenbrock(&elsewhere, &mut gradient).unwrap();
        assert_eq!(solver.gradient_before(), gradient);
        let moved = |i: usize| elsewhere[i] + seen.step * solver.direction()[i];
        assert_eq!(solver.point(), [moved(0), moved(1)]);
        while solver.iterate(&mut rosenbrock).unwrap().ended.is_none() {}
        assert!(solver.point().iter().all(|x| (x - 1.0).abs() < 1e-3), "{method:?} {:?}", solver.point());
    }
}

#[test]
fn too_large_a_history_is_refused() {
    let settings = Settings::new(Method::Lbfgs { history_size: usize::MAX });
    assert!(Solver::new(settings, 1.0, &[0.0; 3], 10).is_ok());
    if memory::available().is_some() {
        let error = Solver::new(settings, 1.0, &[0.0; 3], usize::MAX).unwrap_err().to_string();
        assert!(error.starts_with("memory for the history and the line search: expected at most"), "{error}");
    }
}
