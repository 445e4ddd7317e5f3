//! A search along a direction for a step that meets the strong Wolfe conditions: the loss falls by at
//! least a part of what the slope promises, and the slope becomes flat enough.
//!
//! Nocedal, Wright: Numerical optimization, 2nd edition, algorithms 3.5 (bracketing) and 3.6 (zoom), with
//! the cubic of equation 3.59. The safeguards - how far a bracket may reach out, how near to its ends a
//! trial may lie - are those of torch.optim.LBFGS with `line_search_fn="strong_wolfe"`.

use super::settings::Objective;
use super::vector::{add_scaled, dot, max_abs};
use crate::{Result, memory};

/// c₁ of the first condition: the part of the promised decrease that is enough.
const DECREASE: f64 = 1e-4;
/// A bracket reaches out by at least this part of its last stretch...
const LEAST_STRETCH: f64 = 0.01;
/// ...and to at most this many times the last step.
const MOST_STRETCH: f64 = 10.0;
/// The part of a bracket next to its ends in which two trials in a row bring too little.
const MARGIN: f64 = 0.1;

/// A trial step along the line.
#[derive(Debug)]
pub struct Trial {
    /// The step, in lengths of the direction from the beginning of the search.
    pub step: f64,
    pub loss: f64,
    /// The derivative of the loss along the direction.
    pub slope: f64,
    /// The gradient there, \[n\].
    pub gradient: Vec<f64>,
    /// The number of the evaluation that it came from, from 1; 0 at the beginning of the search.
    pub evaluation: usize,
}

impl Trial {
    fn new(count: usize) -> Result<Trial> {
        let gradient = memory::filled(super::settings::USE, 0.0, count)?;
        Ok(Trial { step: 0.0, loss: 0.0, slope: 0.0, gradient, evaluation: 0 })
    }
}

/// The beginning of a search, and its direction.
pub struct Line<'a> {
    /// The point at which the search begins, \[n\].
    pub point: &'a [f64],
    /// The direction of the search, \[n\].
    pub direction: &'a [f64],
    pub loss: f64,
    /// The derivative of the loss along the direction; below 0.
    pub slope: f64,
    /// The gradient at the point, \[n\].
    pub gradient: &'a [f64],
}

/// The limits that end a search.
#[derive(Clone, Copy)]
pub struct Limits {
    /// c₂ of the second condition: the part of the slope that may be left.
    pub curvature: f64,
    /// The search ends if no coordinate differs by more among the places that a bracket may hold.
    pub tolerance: f64,
    /// The most evaluations; at least 1.
    pub most: usize,
}

/// The memory of searches.
#[derive(Debug)]
pub struct LineSearch {
    /// The point under evaluation, \[n\].
    place: Vec<f64>,
    /// The best trial so far: the result of a search. While bracketing, the one before the newest.
    pub low: Trial,
    high: Trial,
    new: Trial,
    /// Evaluations of all searches since [`begin`](LineSearch::begin).
    pub evaluations: usize,
}

impl LineSearch {
    /// Memory for vectors of `count` numbers.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn new(count: usize) -> Result<LineSearch> {
        let (low, high, new) = (Trial::new(count)?, Trial::new(count)?, Trial::new(count)?);
        Ok(LineSearch {
            place: memory::filled(super::settings::USE, 0.0, count)?,
            low,
            high,
            new,
            evaluations: 0,
        })
    }

    /// Counts evaluations from 0 again.
    pub fn begin(&mut self) {
        self.evaluations = 0;
    }

    /// Searches from the step `first` on, and leaves the best trial in [`low`](LineSearch::low). Returns
    /// whether it is lower than the loss at the beginning, which it is whenever the conditions are met.
    ///
    /// # Errors
    /// Those of the objective.
    pub fn run(
        &mut self,
        objective: &mut Objective,
        line: &Line,
        first: f64,
        limits: Limits,
    ) -> Result<bool> {
        let end = self.evaluations + limits.most;
        self.low.step = 0.0;
        self.low.loss = line.loss;
        self.low.slope = line.slope;
        self.low.gradient.copy_from_slice(line.gradient);
        self.low.evaluation = 0;
        if self.bracket(objective, line, first, limits, end)? {
            self.zoom(objective, line, limits, end)?;
        }
        Ok(self.low.step > 0.0 && self.low.loss < line.loss)
    }

    /// Algorithm 3.5: larger and larger steps, until one is right, or a right one lies between the last
    /// two; then it returns true, and these are `low` and `high`.
    fn bracket(
        &mut self,
        objective: &mut Objective,
        line: &Line,
        first: f64,
        limits: Limits,
        end: usize,
    ) -> Result<bool> {
        let mut step = first;
        for turn in 0.. {
            self.evaluate(objective, line, step)?;
            let rises = turn > 0 && self.new.loss >= self.low.loss;
            if !line.falls_enough(&self.new) || rises {
                break;
            }
            if line.is_flat_enough(&self.new, limits) || self.evaluations >= end {
                std::mem::swap(&mut self.low, &mut self.new);
                return Ok(false);
            }
            if self.new.slope >= 0.0 {
                break;
            }
            let least = self.new.step + LEAST_STRETCH * (self.new.step - self.low.step);
            step = cubic_minimum(&self.low, &self.new, [least, MOST_STRETCH * self.new.step]);
            std::mem::swap(&mut self.low, &mut self.new);
        }
        std::mem::swap(&mut self.high, &mut self.new);
        if self.high.loss < self.low.loss {
            std::mem::swap(&mut self.low, &mut self.high);
        }
        Ok(true)
    }

    /// Algorithm 3.6: narrows the bracket between `low` and `high`, in which a right step lies.
    fn zoom(&mut self, objective: &mut Objective, line: &Line, limits: Limits, end: usize) -> Result<()> {
        let size = max_abs(line.direction);
        let mut was_near_an_end = false;
        while self.evaluations < end {
            let (left, right) = (self.low.step.min(self.high.step), self.low.step.max(self.high.step));
            if (right - left) * size < limits.tolerance {
                break;
            }
            let mut step = cubic_minimum(&self.low, &self.high, [left, right]);
            let margin = MARGIN * (right - left);
            let is_near_an_end = (right - step).min(step - left) < margin;
            let moves_in = is_near_an_end && (was_near_an_end || step <= left || step >= right);
            if moves_in {
                step = if right - step < step - left { right - margin } else { left + margin };
            }
            was_near_an_end = is_near_an_end && !moves_in;
            self.evaluate(objective, line, step)?;
            if !line.falls_enough(&self.new) || self.new.loss >= self.low.loss {
                std::mem::swap(&mut self.high, &mut self.new);
                // The end is lower, if not by enough.
                if self.high.loss < self.low.loss {
                    std::mem::swap(&mut self.low, &mut self.high);
                }
                continue;
            }
            let is_right = line.is_flat_enough(&self.new, limits);
            if self.new.slope * (self.high.step - self.low.step) >= 0.0 {
                std::mem::swap(&mut self.high, &mut self.low);
            }
            std::mem::swap(&mut self.low, &mut self.new);
            if is_right {
                break;
            }
        }
        Ok(())
    }

    /// Makes `new` the place at this step. Where loss or slope is not finite, the loss counts as infinite:
    /// the search then turns back.
    fn evaluate(&mut self, objective: &mut Objective, line: &Line, step: f64) -> Result<()> {
        self.place.copy_from_slice(line.point);
        add_scaled(&mut self.place, step, line.direction);
        let loss = objective(&self.place, &mut self.new.gradient)?;
        self.evaluations += 1;
        let slope = dot(&self.new.gradient, line.direction);
        let is_finite = loss.is_finite() && slope.is_finite();
        self.new.loss = if is_finite { loss } else { f64::INFINITY };
        self.new.slope = slope;
        self.new.step = step;
        self.new.evaluation = self.evaluations;
        Ok(())
    }
}

impl Line<'_> {
    /// The first condition (3.7a).
    fn falls_enough(&self, trial: &Trial) -> bool {
        trial.loss <= self.loss + DECREASE * trial.step * self.slope
    }

    /// The second condition (3.7b).
    fn is_flat_enough(&self, trial: &Trial, limits: Limits) -> bool {
        trial.slope.abs() <= -limits.curvature * self.slope
    }
}

/// The minimum of the cubic through two places with their slopes (equation 3.59), but not outside of
/// `[least, most]`; the middle of these if there is none.
fn cubic_minimum(a: &Trial, b: &Trial, [least, most]: [f64; 2]) -> f64 {
    let (left, right) = if a.step <= b.step { (a, b) } else { (b, a) };
    let width = right.step - left.step;
    let d1 = left.slope + right.slope - 3.0 * (right.loss - left.loss) / width;
    let d2 = (d1 * d1 - left.slope * right.slope).sqrt();
    let minimum = right.step - width * (right.slope + d2 - d1) / (right.slope - left.slope + 2.0 * d2);
    // NaN for the root of a negative number, and wherever an end is infinitely high.
    if minimum.is_nan() { f64::midpoint(least, most) } else { minimum.max(least).min(most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(step: f64, loss: f64, slope: f64) -> Trial {
        Trial { step, loss, slope, ..Trial::new(1).unwrap() }
    }

    #[test]
    fn the_minimum_of_a_cubic_is_found_from_its_ends() {
        // x³ - 3x has its minimum at 1, x² + 1 at 0.
        let cubic = |x: f64| trial(x, x * x * x - 3.0 * x, 3.0 * x * x - 3.0);
        assert!((cubic_minimum(&cubic(0.0), &cubic(3.0), [0.0, 3.0]) - 1.0).abs() < 1e-12);
        assert!((cubic_minimum(&cubic(3.0), &cubic(0.0), [0.0, 3.0]) - 1.0).abs() < 1e-12);
        assert_eq!(cubic_minimum(&cubic(0.0), &cubic(3.0), [1.5, 3.0]), 1.5);
        let square = |x: f64| trial(x, x * x + 1.0, 2.0 * x);
        assert!(cubic_minimum(&square(-1.0), &square(2.0), [-1.0, 2.0]).abs() < 1e-12);
        // A line has no minimum; nor is there one beside an infinite loss.
        let line = |x: f64| trial(x, -x, -1.0);
        assert!((0.0..=3.0).contains(&cubic_minimum(&line(0.0), &line(3.0), [0.0, 3.0])));
        assert_eq!(cubic_minimum(&line(0.0), &trial(3.0, f64::INFINITY, 1.0), [0.0, 3.0]), 1.5);
    }

    /// Searches along x from `from` by 1, and returns the step, whether it was found and how many
    /// evaluations that took.
    fn searched(
        function: fn(f64) -> [f64; 2],
        from: f64,
        first: f64,
        curvature: f64,
        most: usize,
    ) -> (Trial, bool, usize) {
        let [loss, slope] = function(from);
        let direction = [-slope.signum()];
        let line =
            Line { point: &[from], direction: &direction, loss, slope: -slope.abs(), gradient: &[slope] };
        let mut search = LineSearch::new(1).unwrap();
        let mut objective = |x: &[f64], gradient: &mut [f64]| {
            let [loss, slope] = function(x[0]);
            gradient[0] = slope;
            Ok(loss)
        };
        let limits = Limits { curvature, tolerance: 1e-9, most };
        let found = search.run(&mut objective, &line, first, limits).unwrap();
        (search.low, found, search.evaluations)
    }

    /// Both conditions, written independently.
    fn is_wolfe(trial: &Trial, [loss, slope]: [f64; 2], curvature: f64) -> bool {
        trial.loss <= loss - 1e-4 * trial.step * slope.abs() && trial.slope.abs() <= curvature * slope.abs()
    }

    /// Functions with flat and steep parts, from steps far too small to far too large.
    #[test]
    fn what_is_found_meets_both_conditions() {
        let functions: [fn(f64) -> [f64; 2]; 4] = [
            |x| [x * x, 2.0 * x],
            |x| [(x * x + 1.0).ln(), 2.0 * x / (x * x + 1.0)],
            |x| [x.exp() - 3.0 * x, x.exp() - 3.0],
            |x| [x.powi(4) - x * x + (5.0 * x).sin() / 5.0, 4.0 * x.powi(3) - 2.0 * x + (5.0 * x).cos()],
        ];
        for (number, function) in functions.into_iter().enumerate() {
            for from in [-2.0, 1.7] {
                for first in [1e-4, 0.1, 1.0, 30.0, 700.0] {
                    for curvature in [0.9, 0.1] {
                        let (trial, found, evaluations) = searched(function, from, first, curvature, 25);
                        let what = format!("function {number} from {from} by {first}: {trial:?}");
                        assert!(found && is_wolfe(&trial, function(from), curvature), "{what}");
                        assert!(evaluations <= 25, "{what}: {evaluations}");
                    }
                }
            }
        }
        // The conditions can be missed.
        let (trial, found, _) = searched(functions[0], -2.0, 1e-4, 0.1, 2);
        assert!(found && !is_wolfe(&trial, functions[0](-2.0), 0.1));
    }

    #[test]
    fn a_search_turns_back_from_where_nothing_is_finite() {
        // The logarithm of 0, and overflow.
        let (trial, found, _) = searched(|x| [x - x.ln(), 1.0 - 1.0 / x], 4.0, 100.0, 0.9, 25);
        assert!(found && trial.loss.is_finite() && trial.step < 4.0, "{trial:?}");
        let (trial, found, _) =
            searched(|x| [if x.abs() > 3.0 { f64::INFINITY } else { x * x }, 2.0 * x], -2.0, 1e3, 0.1, 25);
        assert!(found && trial.step < 5.0, "{trial:?}");
    }

    /// A gradient that is wrong: upwards is called downwards.
    #[test]
    fn a_search_that_finds_nothing_says_so() {
        let (trial, found, evaluations) = searched(|x| [-x * x, 2.0 * x], -2.0, 1.0, 0.9, 25);
        assert!(!found && trial.step == 0.0 && trial.loss == -4.0, "{trial:?}");
        assert!((1..=25).contains(&evaluations));
    }
}
