//! Newton's method for a convex function.

use faer::linalg::solvers::Solve;
use faer::{Col, Mat, Side};

/// The most steps.
const MOST_STEPS: usize = 300;

/// The part of the function's value that the next step would take off it, at which it is done.
const DONE: f64 = 1e-15;

/// The part of the decrease of a linear function that a step must reach (Armijo).
const DECREASE: f64 = 1e-4;

/// A convex function of several numbers.
pub(super) trait Convex {
    /// The value.
    fn value(&self, point: &Col<f64>) -> f64;

    /// The gradient and the matrix of second derivatives.
    fn derivatives(&self, point: &Col<f64>) -> (Col<f64>, Mat<f64>);
}

/// The least of a function, from a point on, and whether it was found. The second derivatives are damped, by a part of
/// `scale`, the size that those have on their diagonal: the more after a step that would not lead far enough down
/// (Levenberg 1944; Nocedal, Wright: Numerical optimization, 2006, section 10.3).
pub(super) fn least(function: &impl Convex, mut point: Col<f64>, scale: f64) -> (Col<f64>, bool) {
    let mut value = function.value(&point);
    let mut damping = 1e-10;
    for _ in 0..MOST_STEPS {
        let (gradient, hessian) = function.derivatives(&point);
        loop {
            if damping > 1e10 {
                return (point, false);
            }
            let mut damped = hessian.clone();
            for i in 0..damped.nrows() {
                damped[(i, i)] += damping * scale;
            }
            let Ok(factor) = damped.llt(Side::Lower) else {
                damping *= 10.0;
                continue;
            };
            let step = factor.solve(&gradient);
            // What the step takes off the function were it linear.
            let slope: f64 = gradient.iter().zip(step.iter()).map(|(g, s)| g * s).sum();
            let next = &point - &step;
            let reached = function.value(&next);
            let is_last = 0.5 * slope <= DONE * value && damping <= 1e-6;
            let is_lower = reached <= value - DECREASE * slope;
            if is_last {
                // Near the end rounding decides what is lower.
                return (if reached <= value { next } else { point }, true);
            }
            if is_lower {
                (point, value) = (next, reached);
                damping = (damping / 10.0).max(1e-14);
                break;
            }
            // Nothing is lower than what differs by rounding.
            if 0.5 * slope <= 1e-13 * value && damping <= 1e-6 {
                return (point, true);
            }
            damping *= 10.0;
        }
    }
    (point, false)
}
