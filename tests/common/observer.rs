//! What is heard of a training.

use std::sync::atomic::AtomicBool;

use fallline::engine::train::{FoldsRecord, Observer, Session, Warning};

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

/// The losses of the first `steps` steps of a session, over as many epochs as they take.
pub fn first_losses(session: &mut Session, steps: usize) -> Vec<f64> {
    let mut recorder = Recorder::default();
    while recorder.losses.len() < steps {
        session.epoch(&AtomicBool::new(false), &mut recorder).unwrap();
    }
    assert!(recorder.steps.iter().copied().eq(1..=recorder.steps.len() as u64), "{:?}", recorder.steps);
    recorder.losses.truncate(steps);
    recorder.losses
}
