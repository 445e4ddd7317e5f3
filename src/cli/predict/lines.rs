//! Predictions as lines of comma-separated values.

use std::io;

use crate::data::Unit;

/// What says that predictions go to standard output.
pub(super) const STANDARD_OUTPUT: &str = "-";

/// Lines of comma-separated values.
pub(super) fn lines(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer)?;
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// A predicted number, as exact as an f32 is.
pub(super) fn number(unit: Unit, output: f32) -> String {
    (unit.number(f64::from(output)) as f32).to_string()
}
