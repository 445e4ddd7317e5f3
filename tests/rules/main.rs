//! What moves the parameters: update rules, averages, schedules, clipping, penalties and constraints.

#[path = "../common/mod.rs"]
pub mod common;

mod averaged_runs;
mod averages;
mod clipping;
mod full_batch;
mod global;
mod grouped;
mod least_squares;
mod per_output;
mod per_tensor;
mod rules;
mod scheduled_runs;
mod schedules;
