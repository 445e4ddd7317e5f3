//! The search for the best settings of a recipe: grid, random, successive halving, Hyperband, Parzen estimators.
//!
//! A trial is a training from the recipe's seed on one part of the training samples, tried on another; test samples are never
//! looked at. Trials are trained side by side, and neither how many threads there are nor interruptions change what is tried or
//! what comes of it: a [`method`] is told the results of whole rounds alone, and each trial that is done goes to a
//! [file](journal) at once.

pub mod importance;
pub mod journal;
mod kind;
pub mod method;
mod plan;
pub mod range;
pub mod range_test;
mod rates;
mod record;
mod request;
mod rounds;
mod run;
pub mod space;
mod trial;

pub use kind::{MOST_TRIALS, SearchMethod, TRIALS};
pub use plan::Plan;
pub use range::{Over, Range};
pub use rates::{RangeTest, RatePoint};
pub use record::{Rung, SEARCH_SCHEMA, ScoredBy, SearchRecord, Searched, TrialRecord, TrialState};
pub use request::Search;
pub use rounds::{SearchProgress, SearchWatcher};
pub use space::Space;
