//! Lengths of time in training.

/// A duration, or a moment, in training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// A number of steps; at least 1.
    Steps(u64),
    /// A number of epochs; above 0, need not be whole.
    Epochs(f64),
}

impl Length {
    /// The length in steps, at least 1; a part of an epoch is rounded to the nearest step.
    pub fn steps(self, steps_per_epoch: u64) -> u64 {
        match self {
            Length::Steps(steps) => steps.max(1),
            // `as` saturates.
            Length::Epochs(epochs) => ((epochs * steps_per_epoch as f64).round() as u64).max(1),
        }
    }
}

/// The length of a run, or of a phase of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub steps: u64,
    pub steps_per_epoch: u64,
}
