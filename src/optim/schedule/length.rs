//! Lengths of time in training.

/// How long something lasts, or when it happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// At least 1.
    Steps(u64),
    /// Above 0; need not be whole.
    Epochs(f64),
}

impl Length {
    /// In steps, at least 1; a part of an epoch is rounded to the nearest step.
    pub fn steps(self, steps_per_epoch: u64) -> u64 {
        match self {
            Length::Steps(steps) => steps.max(1),
            // `as` saturates.
            Length::Epochs(epochs) => ((epochs * steps_per_epoch as f64).round() as u64).max(1),
        }
    }
}

/// How long a run, or a phase of it, is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub steps: u64,
    pub steps_per_epoch: u64,
}
