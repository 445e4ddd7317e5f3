//! Training: the plan, the step, the sessions and runs made of it, and models in use.
//!
//! Each module here imports those above it in this list, and none below: what a run leaves behind ([`record`]), who does
//! what in which memory (`plan`), the forward pass alone ([`inference`]), one training step (`step`), steps and epochs
//! (`session`), and whole runs (`run`).

pub mod inference;
pub(crate) mod observer;
pub(crate) mod plan;
pub mod record;
mod run;
mod session;
mod source;
mod step;
mod targets;

pub use inference::{
    Order, Predictor, analyse, analyse_in, analysis, clusters, evaluate, evaluate_in, generate, metrics,
    outputs, outputs_in, predict,
};
pub use observer::{Observer, Resumed};
pub use record::exact::{CoefficientRecord, ExactRecord};
pub use record::lloyd::{ClusterSizes, LloydRecord};
pub use record::norms::{self, Health, LayerNorms, Trouble, Warning};
pub use record::{
    Divergence, Ending, EpochRecord, Evaluation, FoldsRecord, ModelFacts, NotFinite, Phase, Progress,
    TrainRecord, machine,
};
pub use run::{
    Checkpoints, Control, Every, Trainer, check, checkpoints, cross_validate, dataset, exact, folds,
    identity, lloyd, reproduce, run, split, split_of, table, test, train, train_under, train_with, trial,
};
pub use session::{OptimizerState, Session, StepRecord, Stepper};
