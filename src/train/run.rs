//! Whole runs: of one recipe, in folds, to reproduce a result, or on the samples of a program.

mod autoregression;
mod centres;
mod clusters;
pub mod dataset;
mod divergence;
mod epochs;
mod exact;
mod fit;
pub mod folds;
mod mapped;
pub mod reproduce;
pub mod table;
mod trainer;
pub mod trial;

pub use clusters::lloyd;
pub use exact::exact;
pub use fit::{check, run, split, split_of, test, train};
pub use folds::cross_validate;
pub use trainer::Trainer;
