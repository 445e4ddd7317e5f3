//! What a case is.

use super::record::Finding;
use crate::error::Result;

/// A case of the tour.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The name on the command line, of small letters and hyphens.
    pub name: &'static str,
    pub title: &'static str,
    /// A line on what it shows.
    pub summary: &'static str,
    /// The name of the program in `examples/`.
    pub example: &'static str,
    /// Runs it.
    pub run: fn(&Setting) -> Result<Finding>,
}

/// What cases run with. No number depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The threads of trainings.
    pub threads: usize,
}
