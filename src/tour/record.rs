//! What the tour has found.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::figure::{Figure, Listing};
use crate::train::record::machine::Machine;

/// The schema that a [`TourRecord`] has as JSON.
pub const TOUR_SCHEMA: &str = "fallline.tour/1";

/// What a case has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finding {
    /// What to see, in paragraphs.
    pub text: Vec<String>,
    /// The numbers that the text stands on, each under a name of its own, in small letters with underscores.
    pub numbers: Vec<(String, f64)>,
    pub tables: Vec<Listing>,
    /// The pictures, the most important first.
    pub figures: Vec<Figure>,
}

impl Finding {
    /// Keeps a number.
    pub fn note(&mut self, name: impl Into<String>, value: f64) {
        self.numbers.push((name.into(), value));
    }

    /// A number of this name; NaN if there is none.
    pub fn number(&self, name: &str) -> f64 {
        self.numbers.iter().find(|(own, _)| own == name).map_or(f64::NAN, |&(_, value)| value)
    }
}

/// A number of any size in two digits: 6.5e-4, or 0.
pub(super) fn small(number: f64) -> String {
    if number == 0.0 { "0".into() } else { format!("{number:.1e}") }
}

/// The tour, as JSON; pictures are files beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TourRecord {
    /// The schema, [`TOUR_SCHEMA`].
    pub schema: String,
    /// The program's version.
    pub version: String,
    /// The command line that made it; empty if it was no command.
    pub command: String,
    pub machine: Machine,
    pub threads: usize,
    pub cases: Vec<CaseRecord>,
    /// Whether cases are missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub incomplete: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseRecord {
    /// Its name.
    pub case: String,
    pub title: String,
    /// The example program that does the same in few lines.
    pub example: String,
    pub text: Vec<String>,
    /// From names to numbers; null where one is not finite.
    pub numbers: Map<String, Value>,
    pub tables: Vec<Listing>,
    pub seconds: f64,
    /// The pictures; they are not in the JSON.
    #[serde(skip)]
    pub figures: Vec<Figure>,
}
