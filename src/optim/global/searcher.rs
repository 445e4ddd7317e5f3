//! A minimisation under way by any rule for the full batch.

use super::best::BestSearch;
use crate::Result;
use crate::optim::full_batch::settings::Objective;
use crate::optim::full_batch::{Iteration, Solver};
use crate::optim::search::{FullBatch, Search};

/// The search of a rule for the full batch.
#[derive(Debug)]
pub enum Searcher {
    /// One descent, which is never at a worse point than before.
    Descent(Box<Solver>),
    /// All else.
    Best(Box<BestSearch>),
}

impl Searcher {
    /// The search from `start` \[n\] that will take up to so many iterations; its random numbers follow from the seed. The
    /// penalty is the objective's own affair.
    ///
    /// # Errors
    /// Those of [`Solver::new`] and [`BestSearch::new`].
    pub fn new(
        how: FullBatch,
        learning_rate: f64,
        start: &[f64],
        iterations: usize,
        seed: u64,
    ) -> Result<Searcher> {
        Ok(match how.search {
            Search::Descent(settings) if !how.keeps_the_best() => {
                Searcher::Descent(Box::new(Solver::new(settings, learning_rate, start, iterations)?))
            }
            _ => Searcher::Best(Box::new(BestSearch::new(how, learning_rate, start, iterations, seed)?)),
        })
    }

    /// Runs one iteration.
    ///
    /// # Errors
    /// Those of the objective; the search cannot go on then.
    pub fn iterate(&mut self, objective: &mut Objective) -> Result<Iteration> {
        match self {
            Searcher::Descent(solver) => solver.iterate(objective),
            Searcher::Best(search) => search.iterate(objective),
        }
    }

    /// The best point so far, \[n\].
    pub fn point(&self) -> &[f64] {
        match self {
            Searcher::Descent(solver) => solver.point(),
            Searcher::Best(search) => search.point(),
        }
    }

    /// The loss at this point.
    pub fn loss(&self) -> f64 {
        match self {
            Searcher::Descent(solver) => solver.loss(),
            Searcher::Best(search) => search.loss(),
        }
    }
}
