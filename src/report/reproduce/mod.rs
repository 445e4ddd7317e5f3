//! The reports of reproduced recipes. Everything is made from the record alone.

mod charts;
mod numbers;
mod page;
mod terminal;

use std::path::Path;

pub use page::page;
pub use terminal::{heading, missing, result, seed_line, table};

use super::json;
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::train::reproduce::ReproduceRecord;

/// The name of the record, in the folder of a report.
pub const JSON: &str = "reproduce.json";
/// The name of the record while it is not whole.
pub const PARTIAL: &str = "reproduce.json.partial";
/// The name of the page, in the folder of a report.
pub const PAGE: &str = "report.html";

/// Writes the record, the page, and each chart as SVG and as PNG into a folder, which is made if it is
/// missing; returns the path of the page. Files of the same names are replaced.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write(folder: &Path, record: &ReproduceRecord) -> Result<String> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let write =
        |name: &str, content: &[u8]| atomic_file::write(&folder.join(name), |file| file.write_all(content));
    json::write(&folder.join(JSON), record)?;
    for (stem, chart) in charts::all(record).into_iter().flatten() {
        write(&format!("{stem}.svg"), chart.to_svg().as_bytes())?;
        write(&format!("{stem}.png"), &chart.to_png())?;
    }
    write(PAGE, page(record).as_bytes())?;
    Ok(folder.join(PAGE).display().to_string())
}

#[cfg(test)]
mod tests;
