//! The observer of a run.

use std::path::Path;

use crate::Error;
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

    /// Called when a training goes on from a checkpoint, before its next step.
    fn resumed(&mut self, _from: &Resumed) {}

    /// Called after a checkpoint was written, or could not be: then those before it are still there, and the training goes
    /// on.
    fn checkpoint(&mut self, _written: Result<&Path, &Error>) {}
}

/// The checkpoint from which a training goes on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Resumed<'a> {
    pub path: &'a Path,
    /// The version of fallline that wrote it: another one may come to other bits.
    pub program: &'a str,
    /// Steps that are done.
    pub step: u64,
    /// The number of the epoch under way or, between two, of the last one; 0 before the first.
    pub epoch: usize,
    /// What is wrong with newer checkpoints, for which this one stands in.
    pub damaged: &'a [Error],
}
