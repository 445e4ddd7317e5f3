//! Rules for the full batch: a step of theirs only takes loss and gradient of all samples, and a search moves the
//! parameters between the steps.

use super::full_batch::settings::{Method, Settings};
use super::global::settings::{Global, GlobalMethod};

/// What moves the parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Search {
    /// Descent along lines.
    Descent(Settings),
    /// A method that goes by the losses of the points that it proposes.
    Global(Global),
}

/// A rule that leaves the parameters alone in a step: a [`Searcher`](super::global::Searcher) moves them between the
/// steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FullBatch {
    pub search: Search,
    /// The coefficient of the penalty weight_decay / 2 · Σ p² over all parameters p, which is part of the objective;
    /// at least 0.
    pub weight_decay: f64,
    /// How often the search begins anew, from another point.
    pub restarts: usize,
    /// The standard deviation of each coordinate of these points about the first one, and of a first population; at
    /// least 0.
    pub spread: f64,
}

impl FullBatch {
    /// A descent with its defaults.
    pub fn new(method: Method) -> FullBatch {
        FullBatch::of(Search::Descent(Settings::new(method)))
    }

    /// A global method without a local step.
    pub fn global(method: GlobalMethod) -> FullBatch {
        FullBatch::of(Search::Global(Global { method, local: None, local_iterations: 10 }))
    }

    fn of(search: Search) -> FullBatch {
        FullBatch { search, weight_decay: 0.0, restarts: 0, spread: 0.5 }
    }

    /// Whether the search goes to points that are no better than where it was, so that the best one is kept beside it.
    pub fn keeps_the_best(&self) -> bool {
        self.restarts > 0 || matches!(self.search, Search::Global(_))
    }
}
