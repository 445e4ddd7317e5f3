//! Those who watch a run from the command line.

use std::path::Path;

use crate::Error;
use crate::cli::partial::Growing;
use crate::cli::resumed;
use crate::report::json;
use crate::report::progress::TerminalObserver;
use crate::report::tensorboard::EventWriter;
use crate::train::{EpochRecord, Evaluation, FoldsRecord, Observer, Phase, Progress, Resumed, Warning};

/// The terminal, an event file where one was asked for, and the file of a cross-validation under way.
pub struct Watchers {
    pub terminal: TerminalObserver,
    pub events: Option<EventWriter>,
    pub results: Option<Growing>,
    /// Whether only warnings are said.
    pub quiet: bool,
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

    fn phase(&mut self, phase: Phase) {
        self.terminal.phase(phase);
    }

    fn evaluated(&mut self, phase: Phase, seen: &Evaluation) {
        self.terminal.evaluated(phase, seen);
    }

    fn resumed(&mut self, from: &Resumed) {
        resumed::resumed(&self.terminal.line(), from, self.quiet);
    }

    fn checkpoint(&mut self, written: Result<&Path, &Error>) {
        resumed::checkpoint(&self.terminal.line(), written);
    }

    fn fold(&mut self, done: &FoldsRecord) {
        self.terminal.fold(done);
        // A failure is met again, and told, at the end; the folds go on.
        if let Some(partial) = self.results.as_ref().and_then(Growing::partial) {
            json::write(partial, done).ok();
        }
    }
}
