//! What people see of recipes being reproduced. Everything is made from the record alone.

mod charts;
mod page;
mod terminal;

use std::path::Path;

pub use page::page;
pub use terminal::{heading, missing, result, seed_line, table};

use super::json;
use super::numbers::percent;
use crate::error::{Error, Result};
use crate::stats::MeanEstimate;
use crate::train::reproduce::ReproduceRecord;
use crate::{atomic_file, train::reproduce::RecipeRecord};

/// The record, in the folder of a report.
pub const JSON: &str = "reproduce.json";
/// The record while it is not whole.
pub const PARTIAL: &str = "reproduce.json.partial";
/// The page, in the folder of a report.
pub const PAGE: &str = "report.html";

/// Writes the record, the page, and each chart as SVG and as PNG into a folder, which is made if it is
/// missing; gives the path of the page. Files of the same names are replaced.
///
/// # Errors
/// [`Error::Io`]
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

/// "98.036 %": of a mean one digit more than of a single accuracy.
fn mean(fraction: f64) -> String {
    format!("{:.3} %", 100.0 * fraction)
}

/// "± 0.071", in percent; empty if one run leaves it open.
fn deviation(estimate: &MeanEstimate) -> String {
    estimate.deviation.map_or(String::new(), |deviation| format!("± {:.3}", 100.0 * deviation))
}

/// "97.985 to 98.087 %"; empty if one run leaves it open.
fn interval(estimate: &MeanEstimate) -> String {
    let text = |[low, high]: [f64; 2]| format!("{:.3} to {}", 100.0 * low, mean(high));
    estimate.interval.map_or(String::new(), text)
}

/// What a recipe has to reach, in words.
fn goal(recipe: &RecipeRecord, until: Option<f64>) -> String {
    match (until, recipe.target) {
        (Some(accuracy), _) => format!("{} validation accuracy", percent(accuracy)),
        (None, Some(target)) => percent(target),
        (None, None) => "none".into(),
    }
}

#[cfg(test)]
mod tests;
