//! The reports of the tour. Texts and numbers come from the record; the pictures are with it only in the program that made it.

mod charts;
mod page;
mod terminal;

use std::path::Path;

pub use page::page;
pub use terminal::{case_block, result};

use super::json;
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::tour::{CaseRecord, TourRecord};

/// The name of the record, in the folder of a tour.
pub const JSON: &str = "tour.json";
/// The name of the page, in the folder of a tour.
pub const PAGE: &str = "report.html";

/// Writes each picture of a case as SVG and as PNG, named after the case and the picture, into a folder, which is made if it
/// is missing. Files of the same names are replaced.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn pictures(folder: &Path, case: &CaseRecord) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let write =
        |name: &str, content: &[u8]| atomic_file::write(&folder.join(name), |file| file.write_all(content));
    for figure in &case.figures {
        let (stem, chart) = (format!("{}-{}", case.case, figure.name), charts::chart(figure));
        write(&format!("{stem}.svg"), chart.to_svg().as_bytes())?;
        write(&format!("{stem}.png"), &chart.to_png())?;
    }
    Ok(())
}

/// Writes the record and the page into a folder, which is made if it is missing; returns their paths, the page's first. Files
/// of the same names are replaced.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write(folder: &Path, record: &TourRecord) -> Result<Vec<String>> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let [json_path, page_path] = [JSON, PAGE].map(|name| folder.join(name));
    json::write(&json_path, record)?;
    atomic_file::write(&page_path, |file| file.write_all(page(record).as_bytes()))?;
    Ok([page_path, json_path].map(|path| path.display().to_string()).to_vec())
}

#[cfg(test)]
mod tests;
