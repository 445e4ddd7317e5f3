//! The reports of a search. Everything is made from the record alone.

mod charts;
mod numbers;
mod page;
mod terminal;

use std::path::Path;

pub use numbers::named;
pub use page::page;
pub use terminal::{heading, result, trial_line};

use super::json;
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::search::SearchRecord;

/// The name of the record, in the folder of a search.
pub const JSON: &str = "search.json";
/// The name of the page, in the folder of a search.
pub const PAGE: &str = "report.html";
/// The name of the winner's recipe, in the folder of a search.
pub const BEST: &str = "best.toml";
/// The name of the file of the trials that are done, in the folder of a search.
pub const TRIALS: &str = "trials.jsonl";

/// Writes the record, the page, the winner's recipe if there is one, and each chart as SVG and as PNG into a folder, which is
/// made if it is missing; returns the paths of page and recipe. Files of the same names are replaced.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write(folder: &Path, record: &SearchRecord) -> Result<Vec<String>> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let write =
        |name: &str, content: &[u8]| atomic_file::write(&folder.join(name), |file| file.write_all(content));
    json::write(&folder.join(JSON), record)?;
    for (stem, chart) in charts::all(record) {
        write(&format!("{stem}.svg"), chart.to_svg().as_bytes())?;
        write(&format!("{stem}.png"), &chart.to_png())?;
    }
    let mut written = Vec::new();
    if let Some(winner) = &record.winner {
        write(BEST, winner.as_bytes())?;
        written.push(folder.join(BEST).display().to_string());
    }
    write(PAGE, page(record).as_bytes())?;
    written.insert(0, folder.join(PAGE).display().to_string());
    Ok(written)
}

#[cfg(test)]
mod tests;
