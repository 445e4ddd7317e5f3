//! Training: the step, the epochs, evaluation, the record of a run, and who watches it.

pub mod analysis;
pub mod dataset;
mod evaluate;
pub mod machine;
pub mod metrics;
mod plan;
pub mod record;
mod run;
mod step;
mod workspace;

pub use analysis::analyse;
pub use evaluate::{evaluate, outputs, predict};
pub use record::{EpochRecord, Evaluation, ModelFacts, Observer, Progress, TrainRecord};
pub use run::{Session, run};
