//! The reports of a profile. Everything is made from its record alone, one file for each format.

mod charts;
mod comparison;
mod csv;
mod facts;
mod flame;
mod folded;
mod names;
mod page;
mod terminal;
mod trace;
mod workers;

pub use charts::{Family, charts};
pub use comparison::text as comparison;
pub use csv::csv;
pub use flame::flame;
pub use folded::folded;
pub use page::page;
pub use terminal::table;
pub use trace::{MOST_EVENTS, write as write_trace};

use std::path::Path;

use crate::atomic_file;
use crate::bench::profile::ProfileRecord;
use crate::bench::profile::compare::ProfileComparison;
use crate::error::{Error, Result};
use crate::report::json;

/// The files that [`write_all`] makes.
pub const RECORD: &str = "profile.json";
pub const PAGE: &str = "report.html";
const SITES: &str = "sites.csv";
const FLAME: &str = "flame.svg";
/// The names of all these files, without the charts.
pub const FILES: [&str; 4] = [RECORD, PAGE, SITES, FLAME];

/// Writes `report.html`, `profile.json`, `sites.csv`, `flame.svg`, and the charts as SVG and PNG into a folder,
/// which is made if it is missing.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write_all(folder: &Path, record: &ProfileRecord, compared: Option<&ProfileComparison>) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let write =
        |name: &str, content: &[u8]| atomic_file::write(&folder.join(name), |file| file.write_all(content));
    json::write(&folder.join(RECORD), record)?;
    write(PAGE, page(record, compared).as_bytes())?;
    write(SITES, csv(record).as_bytes())?;
    write(FLAME, flame(record)?.as_bytes())?;
    for (stem, chart) in charts(record) {
        write(&format!("{stem}.svg"), chart.to_svg().as_bytes())?;
        write(&format!("{stem}.png"), &chart.to_png())?;
    }
    Ok(())
}
