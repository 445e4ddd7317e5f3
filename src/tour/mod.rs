//! The tour of gradient descent: ten short cases that every text on it walks through, run as they stand, each with what to
//! see in it, its numbers, and pictures.
//!
//! A case is a file of its own with a [`Case`]; programs in `examples/` do the same in few lines.

mod boundaries;
mod case;
mod digits;
pub mod figure;
mod forecast;
mod gradients;
mod line;
mod paths;
mod rates;
mod record;
mod stop_rules;
mod two_features;
mod valleys;

pub use case::{Case, Setting};
pub use record::{CaseRecord, Finding, TOUR_SCHEMA, TourRecord};

use std::time::Instant;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::train::record::machine::Machine;

/// All cases, in the order of the tour.
pub static CASES: [&Case; 10] = [
    &line::CASE,
    &two_features::CASE,
    &stop_rules::CASE,
    &paths::CASE,
    &rates::CASE,
    &gradients::CASE,
    &digits::CASE,
    &boundaries::CASE,
    &forecast::CASE,
    &valleys::CASE,
];

/// The case of this name.
///
/// # Errors
/// [`Error::Unknown`] with the nearest name.
pub fn case(name: &str) -> Result<&'static Case> {
    let found = CASES.into_iter().find(|case| case.name == name);
    found.ok_or_else(|| {
        Error::unknown("command line", "case of the tour", name, CASES.iter().map(|case| case.name))
    })
}

/// Runs a case.
///
/// # Errors
/// Those of its trainings; none is expected.
pub fn run(case: &Case, setting: &Setting) -> Result<CaseRecord> {
    let start = Instant::now();
    let Finding { text, numbers, tables, figures } = (case.run)(setting)?;
    Ok(CaseRecord {
        case: case.name.into(),
        title: case.title.into(),
        example: case.example.into(),
        text,
        numbers: numbers.into_iter().map(|(name, value)| (name, Value::from(value))).collect(),
        tables,
        seconds: start.elapsed().as_secs_f64(),
        figures,
    })
}

impl TourRecord {
    /// The record of these cases.
    pub fn of(cases: Vec<CaseRecord>, setting: &Setting) -> TourRecord {
        TourRecord {
            schema: TOUR_SCHEMA.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            command: String::new(),
            machine: Machine::current(),
            threads: setting.threads,
            cases,
            incomplete: false,
        }
    }
}
