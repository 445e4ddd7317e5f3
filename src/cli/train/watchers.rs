//! Those who watch a run from the command line.

use crate::report::progress::TerminalObserver;
use crate::report::tensorboard::EventWriter;
use crate::train::{EpochRecord, Observer, Progress, TrainRecord, Warning};

/// The terminal, and an event file where one was asked for.
pub struct Watchers {
    pub terminal: TerminalObserver,
    pub events: Option<EventWriter>,
}

impl Observer for Watchers {
    fn step(&mut self, step: u64, loss: f64) {
        if let Some(events) = &mut self.events {
            events.step(step, loss);
        }
    }

    fn progress(&mut self, progress: &Progress) {
        self.terminal.progress(progress);
    }

    fn warning(&mut self, warning: &Warning) {
        self.terminal.warning(warning);
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.terminal.epoch(record);
        if let Some(events) = &mut self.events {
            events.epoch(record);
        }
    }

    fn fold(&mut self, fold: usize, folds: usize, record: &TrainRecord) {
        self.terminal.fold(fold, folds, record);
    }
}
