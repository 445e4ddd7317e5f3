//! Global search beside descent, for small problems: simulated annealing, a genetic algorithm, CMA-ES, and descents from
//! several points. They go by the losses at the points that they propose; the best point is kept.
//!
//! Like [`full_batch`](super::full_batch) they work on flat vectors of f64 on the thread that calls them. All random
//! numbers follow from a seed.
//!
//! ```
//! use fallline::engine::optim::FullBatch;
//! use fallline::engine::optim::functions::RASTRIGIN;
//! use fallline::engine::optim::global::{CmaEsSettings, GlobalMethod, Searcher};
//!
//! let mut function = |p: &[f64], gradient: &mut [f64]| Ok((RASTRIGIN.evaluate)(p, gradient));
//! let method = GlobalMethod::CmaEs(CmaEsSettings { population: 40, ..CmaEsSettings::default() });
//! let mut search = Searcher::new(FullBatch::global(method), 3.0, &[3.2, -4.1], 200, 1)?;
//! while search.iterate(&mut function)?.ended.is_none() {}
//! assert!(search.loss() < 3.0, "one of the lowest valleys: {}", search.loss());
//! # Ok::<(), fallline::Error>(())
//! ```

mod annealing;
mod best;
mod cma_es;
mod covariance;
mod genetic;
mod proposals;
mod searcher;
pub(super) mod settings;

pub use annealing::Annealing;
pub use best::BestSearch;
pub use cma_es::CmaEs;
pub use genetic::Genetic;
pub use proposals::Proposals;
pub use searcher::Searcher;
pub use settings::{
    AnnealingSettings, CmaEsSettings, Cooling, Covariance, GeneticSettings, Global, GlobalMethod,
};

#[cfg(test)]
mod tests;
