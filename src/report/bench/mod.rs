//! The reports of a benchmark. Everything is made from its record alone.

mod charts;
mod csv;
mod lines;
mod machine;
mod page;
mod tasks;
mod terminal;

pub use charts::{Group, groups};
pub use csv::csv;
pub use page::page;
use tasks::tasks;
pub use terminal::table;

use std::path::Path;

use super::chart::Chart;
use crate::atomic_file;
use crate::bench::record::BenchRecord;
use crate::error::{Error, Result};

/// All charts of a record, each with the stem of its file's name; none without values.
pub fn charts(record: &BenchRecord) -> Vec<(String, Chart)> {
    groups(record).into_iter().flat_map(|group| group.charts).collect()
}

/// Writes `report.html`, `cases.csv`, and every chart as SVG and PNG into a folder, which is made if
/// it is missing.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write_all(folder: &Path, record: &BenchRecord) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let write =
        |name: &str, content: &[u8]| atomic_file::write(&folder.join(name), |file| file.write_all(content));
    write("report.html", page(record).as_bytes())?;
    write("cases.csv", csv(record).as_bytes())?;
    for (stem, chart) in charts(record) {
        write(&format!("{stem}.svg"), chart.to_svg().as_bytes())?;
        write(&format!("{stem}.png"), &chart.to_png())?;
    }
    Ok(())
}
