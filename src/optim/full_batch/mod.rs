//! Methods that use all samples in each iteration, or any smooth function: L-BFGS and nonlinear conjugate
//! gradient, each with a strong-Wolfe line search.
//!
//! They work on flat vectors of f64, on the thread that calls them; all sums run in an order that the
//! length alone decides. An iteration is one direction and the search along it.
//!
//! ```
//! use fallline::engine::optim::full_batch::{Method, Settings, Solver};
//!
//! // (x - 3)² + 10 (y + 1)²
//! let mut bowl = |p: &[f64], gradient: &mut [f64]| {
//!     gradient.copy_from_slice(&[2.0 * (p[0] - 3.0), 20.0 * (p[1] + 1.0)]);
//!     Ok((p[0] - 3.0).powi(2) + 10.0 * (p[1] + 1.0).powi(2))
//! };
//! let settings = Settings::new(Method::Lbfgs { history_size: 100 });
//! let mut solver = Solver::new(settings, 1.0, &[0.0, 0.0], 50)?;
//! while solver.iterate(&mut bowl)?.ended.is_none() {}
//! assert!((solver.point()[0] - 3.0).abs() < 1e-6 && (solver.point()[1] + 1.0).abs() < 1e-6);
//! # Ok::<(), fallline::Error>(())
//! ```

mod conjugate;
mod lbfgs;
mod line_search;
mod rule;
pub(super) mod settings;
pub mod vector;

pub use conjugate::Formula;
use settings::USE;
pub use settings::{Method, Objective, Settings};

use crate::checkpoint::{Archive, State};
use crate::{Result, memory};
use lbfgs::History;
use line_search::{Limits, Line, LineSearch};
use vector::{add_scaled, dot, max_abs, set_negative, sum_abs};

/// The vectors of a solver beside those of its method: point, gradient, the one before, direction; the
/// search's place and three gradients.
const VECTORS: usize = 8;

/// The reason why a minimisation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The gradient is as small as was asked for.
    Gradient,
    /// The step, or what the loss lost by it, is as small as was asked for.
    Change,
    /// Not even along the gradient is there a lower loss: the result is as exact as the objective.
    LineSearch,
    /// The loss, or the gradient, is not finite where the iteration begins.
    NotFinite,
}

/// The result of an iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Iteration {
    /// Evaluations of the objective, that of the starting point included in the first iteration.
    pub evaluations: usize,
    /// Which of the iteration's line-search evaluations, from 1, was at the new point; 0 if the point is the old
    /// one.
    pub taken: usize,
    /// The step in lengths of the direction; 0 if the point did not move.
    pub step: f64,
    pub ended: Option<Ended>,
}

/// The memory of earlier directions.
#[derive(Debug)]
enum Past {
    Lbfgs(History),
    ConjugateGradient { formula: Formula, since_restart: usize },
}

/// The last step.
#[derive(Clone, Copy, Debug)]
struct Last {
    step: f64,
    /// The slope along its direction, where it began.
    slope: f64,
}

/// A minimisation under way.
#[derive(Debug)]
pub struct Solver {
    settings: Settings,
    learning_rate: f64,
    /// The point; it and the other vectors are \[n\].
    point: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
    /// The gradient before the last step.
    before: Vec<f64>,
    direction: Vec<f64>,
    past: Past,
    last: Option<Last>,
    search: LineSearch,
    is_evaluated: bool,
}

impl Solver {
    /// A minimisation from `start` \[n\] that will take up to so many iterations. All memory is taken here.
    /// `learning_rate`, above 0, is the first step that L-BFGS tries in each iteration; in the first of
    /// all, and with conjugate gradients, it is made smaller if the sum of the gradient's sizes is above 1.
    ///
    /// # Errors
    /// If the machine has less memory free.
    pub fn new(settings: Settings, learning_rate: f64, start: &[f64], iterations: usize) -> Result<Solver> {
        let count = start.len();
        // One pair an iteration.
        let pairs = |history_size: usize| history_size.min(iterations).max(1);
        let history = match settings.method {
            Method::Lbfgs { history_size } => History::bytes(count, pairs(history_size)),
            Method::ConjugateGradient { .. } => 0,
        };
        let vectors = count.saturating_mul(VECTORS * size_of::<f64>());
        memory::check(USE, history.saturating_add(vectors))?;
        let zeros = || memory::filled(USE, 0.0, count);
        Ok(Solver {
            settings,
            learning_rate,
            point: memory::copied(USE, start)?,
            loss: 0.0,
            gradient: zeros()?,
            before: zeros()?,
            direction: zeros()?,
            past: match settings.method {
                Method::Lbfgs { history_size } => Past::Lbfgs(History::new(count, pairs(history_size))?),
                Method::ConjugateGradient { formula } => {
                    Past::ConjugateGradient { formula, since_restart: 0 }
                }
            },
            last: None,
            search: LineSearch::new(count)?,
            is_evaluated: false,
        })
    }

    /// The best point so far, \[n\].
    pub fn point(&self) -> &[f64] {
        &self.point
    }

    /// The loss at this point; 0 before the first iteration.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The gradient at this point, \[n\]; zeros before the first iteration.
    pub fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    /// The direction of the last iteration that moved the point, \[n\].
    pub fn direction(&self) -> &[f64] {
        &self.direction
    }

    /// The gradient where that iteration began, \[n\].
    pub fn gradient_before(&self) -> &[f64] {
        &self.before
    }

    /// Continues from another point, \[n\], with an evaluation there. L-BFGS keeps its history of the
    /// curvature; conjugate gradients begin anew.
    pub fn move_to(&mut self, point: impl IntoIterator<Item = f64>) {
        if let (Past::Lbfgs(history), Some(last)) = (&mut self.past, self.last) {
            history.add(last.step, &self.direction, &self.before, &self.gradient);
        }
        self.last = None;
        self.is_evaluated = false;
        self.point.iter_mut().zip(point).for_each(|(to, from)| *to = from);
    }

    /// Begins anew at another point, \[n\], with an evaluation there and nothing of what the method remembers.
    pub fn begin(&mut self, point: &[f64]) {
        self.restart();
        self.is_evaluated = false;
        self.point.copy_from_slice(point);
    }

    /// Runs one iteration: one direction and the search along it. Nothing is allocated.
    ///
    /// # Errors
    /// Those of the objective; the solver cannot go on then.
    pub fn iterate(&mut self, objective: &mut Objective) -> Result<Iteration> {
        let mut first_ever = 0;
        if !self.is_evaluated {
            self.loss = objective(&self.point, &mut self.gradient)?;
            self.is_evaluated = true;
            first_ever = 1;
        }
        self.search.begin();
        let size = max_abs(&self.gradient);
        let stays = |evaluations, ended| Iteration { evaluations, taken: 0, step: 0.0, ended: Some(ended) };
        if !(self.loss.is_finite() && size.is_finite()) {
            return Ok(stays(first_ever, Ended::NotFinite));
        }
        if size <= self.settings.tolerance_grad {
            return Ok(stays(first_ever, Ended::Gradient));
        }
        let mut slope = self.turn();
        if slope > -self.settings.tolerance_change {
            return Ok(stays(first_ever, Ended::Change));
        }
        if !self.find(objective, slope)? {
            // The history may mislead; the gradient does not.
            if !self.is_steepest() {
                slope = self.restart();
                self.find(objective, slope)?;
            }
            if self.search.low.step == 0.0 || self.search.low.loss >= self.loss {
                return Ok(stays(first_ever + self.search.evaluations, Ended::LineSearch));
            }
        }
        let (step, change) = self.take(slope);
        let Settings { tolerance_grad, tolerance_change, .. } = self.settings;
        let ended = if max_abs(&self.gradient) <= tolerance_grad {
            Some(Ended::Gradient)
        } else if max_abs(&self.direction) * step <= tolerance_change || change < tolerance_change {
            Some(Ended::Change)
        } else {
            None
        };
        let evaluations = first_ever + self.search.evaluations;
        Ok(Iteration { evaluations, taken: self.search.low.evaluation, step, ended })
    }

    /// Finds the next direction; returns the slope along it, which is below 0.
    fn turn(&mut self) -> f64 {
        match (&mut self.past, self.last) {
            (Past::Lbfgs(history), last) => {
                if let Some(last) = last {
                    history.add(last.step, &self.direction, &self.before, &self.gradient);
                }
                history.direct(&mut self.direction, &self.gradient);
            }
            (Past::ConjugateGradient { .. }, None) => return self.restart(),
            (Past::ConjugateGradient { formula, since_restart }, Some(_)) => {
                let mut part = formula.part(&self.gradient, &self.before, &self.direction);
                *since_restart += 1;
                if *since_restart >= self.point.len() {
                    part = 0.0;
                }
                if part == 0.0 {
                    *since_restart = 0;
                }
                for (d, g) in self.direction.iter_mut().zip(&self.gradient) {
                    *d = part * *d - g;
                }
            }
        }
        let slope = dot(&self.gradient, &self.direction);
        // The comparison is false for NaN, too.
        if slope < 0.0 && max_abs(&self.direction).is_finite() { slope } else { self.restart() }
    }

    /// Takes the negative gradient as direction, with an empty history; returns the slope.
    fn restart(&mut self) -> f64 {
        match &mut self.past {
            Past::Lbfgs(history) => history.forget(),
            Past::ConjugateGradient { since_restart, .. } => *since_restart = 0,
        }
        self.last = None;
        set_negative(&mut self.direction, &self.gradient);
        -dot(&self.gradient, &self.gradient)
    }

    /// Whether the direction is that of the gradient.
    fn is_steepest(&self) -> bool {
        match &self.past {
            Past::Lbfgs(history) => history.is_empty(),
            Past::ConjugateGradient { since_restart, .. } => *since_restart == 0,
        }
    }

    /// Searches along the direction; returns whether a lower loss was found.
    fn find(&mut self, objective: &mut Objective, slope: f64) -> Result<bool> {
        let first = self.first_trial(slope);
        let line = Line {
            point: &self.point,
            direction: &self.direction,
            loss: self.loss,
            slope,
            gradient: &self.gradient,
        };
        let limits = Limits {
            curvature: self.settings.curvature(),
            tolerance: self.settings.tolerance_change,
            most: self.settings.max_eval,
        };
        self.search.run(objective, &line, first, limits)
    }

    /// The step that a search begins with.
    fn first_trial(&self, slope: f64) -> f64 {
        let careful = self.learning_rate * (1.0 / sum_abs(&self.gradient)).min(1.0);
        match (&self.past, self.last) {
            (Past::Lbfgs(history), _) if !history.is_empty() => self.learning_rate,
            // The first-order change is that of the last step (Nocedal, Wright, §3.5).
            (Past::ConjugateGradient { .. }, Some(last)) => {
                let step = last.step * last.slope / slope;
                if step > 0.0 && step.is_finite() { step } else { careful }
            }
            _ => careful,
        }
    }

    /// Moves to the result of the search. Returns the step and by how much the loss fell.
    fn take(&mut self, slope: f64) -> (f64, f64) {
        let found = &mut self.search.low;
        add_scaled(&mut self.point, found.step, &self.direction);
        std::mem::swap(&mut self.before, &mut self.gradient);
        std::mem::swap(&mut self.gradient, &mut found.gradient);
        let change = self.loss - found.loss;
        self.loss = found.loss;
        self.last = Some(Last { step: found.step, slope });
        (found.step, change)
    }
}

/// What a search along a line leaves behind is gone through anew by the next one.
impl State for Solver {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.numbers("point", &mut self.point)?;
        archive.double("loss", &mut self.loss)?;
        archive.numbers("gradient", &mut self.gradient)?;
        archive.numbers("before", &mut self.before)?;
        archive.numbers("direction", &mut self.direction)?;
        match &mut self.past {
            Past::Lbfgs(history) => archive.state("history", history)?,
            Past::ConjugateGradient { since_restart, .. } => archive.value("since_restart", since_restart)?,
        }
        let [mut step, mut slope] = [self.last.map(|last| last.step), self.last.map(|last| last.slope)];
        archive.maybe("last_step", &mut step)?;
        archive.maybe("last_slope", &mut slope)?;
        self.last = step.zip(slope).map(|(step, slope)| Last { step, slope });
        archive.value("is_evaluated", &mut self.is_evaluated)
    }
}

#[cfg(test)]
mod tests;
