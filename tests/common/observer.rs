//! What is heard of a training.

use fallline::engine::train::{FoldsRecord, Observer, Warning};

/// Keeps what it is told.
#[derive(Default)]
pub struct Recorder {
    /// Of each step.
    pub losses: Vec<f64>,
    pub warnings: Vec<Warning>,
    /// All that are done, after each.
    pub folds: Vec<FoldsRecord>,
}

impl Observer for Recorder {
    fn step(&mut self, _: u64, loss: f64) {
        self.losses.push(loss);
    }

    fn warning(&mut self, warning: &Warning) {
        self.warnings.push(warning.clone());
    }

    fn fold(&mut self, done: &FoldsRecord) {
        self.folds.push(done.clone());
    }
}
