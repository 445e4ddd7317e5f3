//! Limits that several tables of a recipe have.

/// The most samples that a recipe may ask for.
pub(super) const MOST_SAMPLES: usize = 100_000_000;
/// The most epochs that a recipe may ask for, and that it may wait for something.
pub(super) const MOST_EPOCHS: usize = 1_000_000;
/// The most steps that it may ask for, and that a length may have.
pub(super) const MOST_STEPS: usize = 1_000_000_000_000;
