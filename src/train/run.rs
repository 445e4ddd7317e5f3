//! Whole runs: of one recipe, in folds, to reproduce a result, or on the samples of a program.

mod autoregression;
mod centres;
pub mod checkpoints;
mod clusters;
mod course;
pub mod dataset;
mod divergence;
mod epochs;
pub mod every;
mod exact;
mod fit;
pub mod folds;
pub mod identity;
mod leakage;
mod mapped;
pub mod reproduce;
pub mod table;
mod trainer;
mod training_set;
pub mod trial;

pub use checkpoints::Checkpoints;
pub use clusters::lloyd;
pub use every::Every;
pub use exact::exact;
pub use fit::{Control, check, run, split, split_of, test, train, train_under, train_with};
pub use folds::cross_validate;
pub use trainer::Trainer;
