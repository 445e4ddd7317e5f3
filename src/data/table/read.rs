//! Reading a table: its beginning says how, then all of it is read in one pass, and in a second one only where a
//! column turns out to be something else than its beginning.

use std::path::{Path, PathBuf};

use super::column::{Builder, Column, Reading};
use super::columns::Columns;
use super::dialect::Counts;
use super::options::TableOptions;
use super::plan::{Plan, find, place};
use super::records::format_error;
use super::source::Source;
use super::workers::{Work, read_all};
use crate::error::Result;

/// A table, column by column.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub path: PathBuf,
    pub rows: usize,
    pub columns: Vec<Column>,
    /// The byte between two fields.
    pub delimiter: u8,
    /// Whether the file has the names of the columns.
    pub header: bool,
    pub gzip: bool,
    /// What a first line says that is neither a header nor a row.
    pub counts: Option<Counts>,
}

impl Table {
    /// Reads a file of comma-separated values (RFC 4180), or of values separated by semicolons, tabs or pipes, plain
    /// or compressed with gzip; `-` is standard input. Blanks around fields are dropped, and so are blank lines.
    ///
    /// Numbers are read to the nearest f64; texts are kept once each. A number that is missing among others does not
    /// make its column one of texts, nor do texts that are 1 in 20 or fewer: those are counted.
    ///
    /// All cores take part, where it is more than a block or two; the table is the same on any number of them.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the file cannot be read; [`Error::Format`](crate::Error::Format), with line and
    /// column, if it is empty or damaged, if a row has more or fewer fields than the first one, if two columns have one
    /// name, if a text is not in the encoding, or a value not of the kind that its column was said to be;
    /// [`Error::Unknown`](crate::Error::Unknown) and [`Error::Mismatch`](crate::Error::Mismatch) if the options do not fit
    /// the table, or memory does not suffice. It is the first error of the file.
    pub fn read(path: &Path, options: &TableOptions) -> Result<Table> {
        Table::read_by(path, options, Work::default())
    }

    /// [`Table::read`] on so many threads; 0 is as good as 1.
    ///
    /// # Errors
    /// Those of [`Table::read`].
    pub fn read_on(path: &Path, options: &TableOptions, threads: usize) -> Result<Table> {
        Table::read_by(path, options, Work { threads, ..Work::default() })
    }

    fn read_by(path: &Path, options: &TableOptions, work: Work) -> Result<Table> {
        let source = Source::open(path)?;
        let is_file = source.is_file;
        let mut plan = Plan::of(path, &source, options)?;
        let misread = match pass(&plan, source, work)? {
            Pass::Table(table) => return Ok(table),
            Pass::Misread(columns) => columns,
        };
        if let Some(&(column, line)) = misread.first().filter(|_| !is_file) {
            let expected = "a column that is of one kind to its end, as a pipe is read but once".to_string();
            let name = &plan.names[column];
            let found = format!("many texts among its numbers or dates; --type {name}=category reads it");
            return Err(format_error(path, place(line, column, name), expected, found));
        }
        for (column, _) in misread {
            plan.readings[column] = Reading::Texts;
        }
        match pass(&plan, Source::open(path)?, work)? {
            Pass::Table(table) => Ok(table),
            Pass::Misread(_) => {
                let expected = "the file as it was a moment ago".to_string();
                Err(format_error(path, "second reading".into(), expected, "another content".into()))
            }
        }
    }

    /// The index of a column, by its name or else by its number, from 1 on.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) with the nearest name.
    pub fn find(&self, name: &str) -> Result<usize> {
        let names = self.columns.iter().map(|column| column.name.as_str());
        find(&self.path, names, name)
    }
}

/// What came of a pass: a table, or columns that are something else, each with a line where that is seen.
enum Pass {
    Table(Table),
    Misread(Vec<(usize, u64)>),
}

fn pass(plan: &Plan, source: Source, work: Work) -> Result<Pass> {
    let gzip = source.gzip;
    let Columns { builders, rows, .. } = read_all(plan, source, work)?;
    if rows == 0 {
        let place = format!("line {}", plan.skipped + 1);
        return Err(format_error(plan.path, place, "rows below the header".into(), "none".into()));
    }
    let misread = builders.iter().enumerate().filter(|(_, builder)| builder.is_misread(rows));
    let misread: Vec<(usize, u64)> =
        misread.map(|(column, builder)| (column, builder.first_unreadable())).collect();
    if !misread.is_empty() {
        return Ok(Pass::Misread(misread));
    }
    let finish = |(builder, name): (Builder, &String)| builder.finish(name.clone(), rows, plan.options);
    let columns = builders.into_iter().zip(&plan.names).map(finish).collect();
    let Plan { path, delimiter, header, ref counts, .. } = *plan;
    let (path, counts) = (path.to_path_buf(), counts.clone());
    Ok(Pass::Table(Table { path, rows, columns, delimiter, header, gzip, counts }))
}

#[cfg(test)]
mod tests;
