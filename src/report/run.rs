//! Reports of training runs.
use crate::Result;
use crate::train::TrainRecord;
use std::path::Path;
pub mod charts;
pub mod names;
pub const JSON: &str = "run.json";
pub const PAGE: &str = "report.html";
pub fn write(folder: &Path, record: &TrainRecord) -> Result<String> {
    super::json::write(&folder.join(JSON), record)?;
    Ok(folder.join(PAGE).display().to_string())
}
