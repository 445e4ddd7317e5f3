//! The records of training runs. All reports are made from these.

pub mod analysis;
mod divergence;
mod ending;
pub(crate) mod epoch;
pub mod exact;
pub mod folds;
pub mod lloyd;
pub mod machine;
pub mod metrics;
pub mod norms;
mod nulls;
mod training;

pub use divergence::Divergence;
pub use ending::Ending;
pub use epoch::{EpochRecord, Evaluation, NotFinite, Phase, Progress};
pub use folds::FoldsRecord;
pub use training::{ModelFacts, TRAIN_SCHEMA, TrainRecord};
