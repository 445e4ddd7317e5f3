//! The settings of a full-batch method.

use super::conjugate::Formula;
use crate::Result;

/// c₂ of the strong Wolfe conditions, the part of a slope that a search may leave: with L-BFGS, whose
/// first trial is mostly right...
const LOOSE: f64 = 0.9;
/// ...and with conjugate gradients, which need an almost exact search (Nocedal, Wright, §3.1).
const TIGHT: f64 = 0.1;

/// The objective that is minimised: writes the gradient at a point, both \[n\], and returns the loss. A loss that is
/// not finite is no error but a place that a search turns back from.
pub type Objective<'a> = dyn FnMut(&[f64], &mut [f64]) -> Result<f64> + 'a;

/// The method that finds a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the last `history_size` steps, at least 1. Liu, Nocedal: On the limited memory BFGS method
    /// for large scale optimization (1989).
    Lbfgs { history_size: usize },
    /// By the direction before. It begins anew with the gradient after as many iterations as there are
    /// numbers, where a direction would not lead down, and where the formula says so.
    ConjugateGradient { formula: Formula },
}

/// The settings of a solver. Names and defaults are those of torch.optim.LBFGS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub method: Method,
    /// The most evaluations of a line search; at least 1.
    pub max_eval: usize,
    /// The end is reached when no element of the gradient is larger; at least 0.
    pub tolerance_grad: f64,
    /// The end is reached when no parameter, or not the loss, changes by more; at least 0.
    pub tolerance_change: f64,
}

impl Settings {
    /// A method with the defaults.
    pub fn new(method: Method) -> Settings {
        Settings { method, max_eval: 25, tolerance_grad: 1e-7, tolerance_change: 1e-9 }
    }

    pub(super) fn curvature(&self) -> f64 {
        match self.method {
            Method::Lbfgs { .. } => LOOSE,
            Method::ConjugateGradient { .. } => TIGHT,
        }
    }
}

/// The use of a minimisation's memory, in messages.
pub(super) const USE: &str = "the history and the line search";
