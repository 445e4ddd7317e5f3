//! What is heard of a training.

use fallline::engine::train::{FoldsRecord, Observer, Warning};

/// Keeps what it is told.
#[derive(Default)]
pub struct Recorder {
    /// The numbers of the steps.
    pub steps: Vec<u64>,
    /// Of each step.
    pub losses: Vec<f64>,
    pub warnings: Vec<Warning>,
    /// All that are done, after each.
    pub folds: Vec<FoldsRecord>,
}

impl Recorder {
    /// With memory for so many steps, so that it takes none in them.
    pub fn with_room(steps: usize) -> Recorder {
        let (steps, losses) = (Vec::with_capacity(steps), Vec::with_capacity(steps));
        Recorder { steps, losses, ..Recorder::default() }
    }
}

impl Observer for Recorder {
    fn step(&mut self, step: u64, loss: f64) {
        self.steps.push(step);
        self.losses.push(loss);
    }

    fn warning(&mut self, warning: &Warning) {
        self.warnings.push(warning.clone());
    }

    fn fold(&mut self, done: &FoldsRecord) {
        self.folds.push(done.clone());
    }
}
