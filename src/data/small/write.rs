//! Small sets as files of comma-separated values.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use super::super::table::{Column, Table, Values, date_text};
use super::{Part, SmallSet};
use crate::atomic_file;
use crate::error::{Error, Result};

/// Writes the tables of a set into a folder, which is created if need be, and returns their paths: training and test
/// samples of a generated set, `moons-train.csv` and `moons-test.csv`, or all rows of another, `iris.csv`. Numbers are
/// written with all their digits: whoever trains on the files comes to what the set gives.
///
/// `samples`: how many training and test samples, as many as by default where there is no number; and `seed`: both of
/// generated sets.
///
/// # Errors
/// [`Error::Io`] if a file exists and may not be replaced by `force` (nothing is written then), or cannot be written;
/// those of [`Generated::draw`](super::Generated::draw).
pub fn write(
    set: &SmallSet,
    samples: [Option<usize>; 2],
    seed: u64,
    folder: &Path,
    how: WriteOptions,
) -> Result<Vec<PathBuf>> {
    let name = set.name();
    let tables = match set {
        SmallSet::Embedded(embedded) => vec![(format!("{name}.csv"), (embedded.table)())],
        SmallSet::Generated(drawn) => vec![
            (format!("{name}-train.csv"), drawn.rows(Part::Train, samples[0], seed)?),
            (format!("{name}-test.csv"), drawn.rows(Part::Test, samples[1], seed)?),
        ],
    };
    let ending = if how.gzip { ".gz" } else { "" };
    let path_of = |(file, _): &(String, Table)| folder.join(format!("{file}{ending}"));
    let paths: Vec<PathBuf> = tables.iter().map(path_of).collect();
    if let Some(path) = paths.iter().find(|path| !how.force && path.symlink_metadata().is_ok()) {
        let reason = "it exists; --force replaces it";
        return Err(Error::io(path, "replace")(io::Error::new(io::ErrorKind::AlreadyExists, reason)));
    }
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    for ((_, table), path) in tables.iter().zip(&paths) {
        atomic_file::write(path, |out| {
            if !how.gzip {
                return write_table(table, out);
            }
            let mut compressed = GzEncoder::new(out, flate2::Compression::default());
            write_table(table, &mut compressed)?;
            compressed.finish().map(drop)
        })?;
    }
    Ok(paths)
}

/// How files are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions {
    /// Compress them.
    pub gzip: bool,
    /// Replace files that exist.
    pub force: bool,
}

fn write_table(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(table.columns.iter().map(|column| &column.name))?;
    for row in 0..table.rows {
        writer.write_record(table.columns.iter().map(|column| field(column, row)))?;
    }
    writer.flush()
}

/// A value that is not missing.
fn field(column: &Column, row: usize) -> String {
    match &column.values {
        Values::Categories(categories) => categories.names[categories.codes[row] as usize].clone(),
        Values::Dates(form, seconds) => date_text(*form, seconds[row]),
        _ => column.number(row).to_string(),
    }
}
