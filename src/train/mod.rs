//! Training: the record of a run, who watches it, and on what machine.

mod engine;

pub mod dataset;
pub mod machine;
pub mod record;

pub use engine::{evaluate, predict, run};
pub use record::{EpochRecord, Evaluation, ModelFacts, Observer, Progress, TrainRecord};
