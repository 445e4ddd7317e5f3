//! A flame graph as an SVG file.

use inferno::flamegraph::{self, Options, TextTruncateDirection};

use super::facts::{settings, step_time};
use super::folded::folded;
use crate::bench::profile::ProfileRecord;
use crate::error::{Error, Result};
use crate::report::markup::printable;

/// The content of the file; a browser that opens it can search and enlarge.
///
/// # Errors
/// [`Error::Mismatch`] if nothing took any time.
pub fn flame(record: &ProfileRecord) -> Result<String> {
    let mut options = Options::default();
    options.title = format!("{}: where a step's time goes", printable(&record.settings.recipe));
    options.subtitle =
        Some(format!("{}: {}, all workers", step_time(record.step_seconds), settings(record).join(", ")));
    options.count_name = "ns".into();
    options.font_type = "sans-serif".into();
    // The beginnings of names tell them apart.
    options.text_truncate_direction = TextTruncateDirection::Right;
    // The hash gives the same colours each time.
    options.hash = true;
    let stacks = folded(record);
    let mut svg = Vec::new();
    let wrong = |found: String| Error::Mismatch {
        what: "flame graph".into(),
        expected: "call sites that take time".into(),
        found,
    };
    flamegraph::from_lines(&mut options, stacks.lines(), &mut svg)
        .map_err(|error| wrong(error.to_string()))?;
    String::from_utf8(svg).map_err(|error| wrong(error.to_string()))
}
