//! The observer of a run.

use crate::train::record::epoch::{EpochRecord, Evaluation, Phase, Progress};
use crate::train::record::folds::FoldsRecord;
use crate::train::record::norms::Warning;

/// Watches a training run; the training loop itself prints nothing.
pub trait Observer {
    /// Called after each step, its number counted from 1 over all epochs, with the mean loss of its
    /// batch before the update. The workers wait meanwhile.
    fn step(&mut self, _step: u64, _loss: f64) {}

    /// Called now and then within an epoch.
    fn progress(&mut self, _progress: &Progress) {}

    /// Called at the end of each epoch.
    fn epoch(&mut self, _record: &EpochRecord) {}

    /// Called before [`epoch`](Observer::epoch) when the gradients of a layer vanish or explode, and before the first step
    /// when a layer of a model of a text sees the answers: once for each layer and trouble.
    fn warning(&mut self, _warning: &Warning) {}

    /// Called before something else than a step that may take a while.
    fn phase(&mut self, _phase: Phase) {}

    /// Called after [`phase`](Observer::phase) with the result of its evaluation.
    fn evaluated(&mut self, _phase: Phase, _seen: &Evaluation) {}

    /// Called at the end of each training of a cross-validation with the record of all that are done.
    fn fold(&mut self, _done: &FoldsRecord) {}
}
