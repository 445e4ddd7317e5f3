//! Training: the step, the epochs, evaluation, the record of a run, and who watches it.

mod activations;
pub mod analysis;
mod averages;
pub mod dataset;
mod divergence;
mod epochs;
mod evaluate;
pub mod folds;
pub mod inference;
pub mod machine;
pub mod metrics;
pub mod norms;
mod plan;
mod predictor;
mod prepare;
pub mod record;
pub mod reproduce;
mod run;
mod session;
mod step;
mod stepper;
mod stop;
mod trainer;
mod workspace;

pub use analysis::analyse;
pub use divergence::Divergence;
pub use evaluate::{evaluate, outputs, predict};
pub use folds::{FoldsRecord, cross_validate};
pub use norms::{Health, LayerNorms, Trouble, Warning};
pub use predictor::Predictor;
pub use record::{EpochRecord, Evaluation, ModelFacts, NotFinite, Observer, Phase, Progress, TrainRecord};
pub use run::{check, run, split, test, train};
pub use session::Session;
pub use stepper::{StepRecord, Stepper};
pub use stop::Ending;
pub use trainer::Trainer;
