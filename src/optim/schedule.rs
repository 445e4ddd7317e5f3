//! Schedules: how the learning rate, the momentum and the weight decay change from step to step.
//!
//! A schedule is plain data and gives factors in [0, 1]: the optimizer's learning rate is the highest
//! of the run. All but [`Plateau`] depend on the number of the step alone.

mod check;
mod curve;
mod length;
mod one_cycle;
mod phases;
mod plateau;

pub use check::Misfit;
pub use curve::Curve;
pub use length::{Length, Span};
pub use one_cycle::{Anneal, OneCycle};
pub use phases::{Phase, Schedule, Schedules, Warmup};
pub use plateau::{Plateau, PlateauState};

#[cfg(test)]
mod tests;
