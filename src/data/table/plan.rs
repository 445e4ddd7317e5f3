//! How a table is to be read, by its options and its beginning, and its rows read in that way.

use std::collections::HashMap;
use std::path::Path;

use csv::ByteRecord;

use super::blocks::Block;
use super::column::{Fault, Reading, too_many};
use super::columns::Columns;
use super::date::date;
use super::dialect::{Beginning, Counts};
use super::kind::Kind;
use super::number::number;
use super::options::TableOptions;
use super::records::{format_error, ragged};
use super::source::Source;
use super::splitter::Splitter;
use crate::error::{Error, Result};
use crate::foreign;

/// The most columns of a table.
pub const MOST_COLUMNS: usize = 16_384;

/// The most letters of a field in a message.
const SHOWN: usize = 40;

/// How a table is to be read.
pub(super) struct Plan<'a> {
    pub path: &'a Path,
    pub options: &'a TableOptions,
    pub delimiter: u8,
    pub header: bool,
    pub counts: Option<Counts>,
    /// Records before the first row.
    pub skipped: usize,
    pub names: Vec<String>,
    /// For each column what it was said to be, and how it is read.
    pub said: Vec<Option<Kind>>,
    pub readings: Vec<Reading>,
}

impl<'a> Plan<'a> {
    /// Says how to read a table that begins so.
    ///
    /// # Errors
    /// [`Error::Format`] if it is empty or its header is wrong; [`Error::Unknown`] and [`Error::Mismatch`] if the
    /// options do not fit it.
    pub fn of(path: &'a Path, source: &Source, options: &'a TableOptions) -> Result<Plan<'a>> {
        let beginning = Beginning::of(source.whole_lines(), options);
        let skipped = beginning.skipped();
        let Beginning { delimiter, counts, header, rows } = beginning;
        let Some(first) = header.as_ref().or(rows.first()) else {
            return Err(format_error(path, "line 1".into(), "a table".into(), "an empty file".into()));
        };
        let columns = first.len();
        if columns > MOST_COLUMNS {
            let (expected, found) = (format!("at most {MOST_COLUMNS} columns"), columns.to_string());
            return Err(format_error(path, format!("line {}", skipped.max(1)), expected, found));
        }
        let names = names(path, options, header.as_ref(), columns, skipped as u64)?;
        let mut said = vec![None; columns];
        for (name, kind) in &options.kinds {
            said[find(path, names.iter().map(String::as_str), name)?] = Some(*kind);
        }
        let readings = said.iter().enumerate().map(|(column, said)| match said {
            Some(Kind::Number | Kind::Code) => Reading::Numbers,
            Some(Kind::Date) => Reading::Dates,
            Some(_) => Reading::Texts,
            None => reading_of(&rows, column, options),
        });
        let readings = readings.collect();
        let header = header.is_some();
        Ok(Plan { path, options, delimiter, header, counts, skipped, names, said, readings })
    }

    /// Adds the rows of a block to the columns.
    ///
    /// # Errors
    /// [`Error::Format`], with line and column, for a row of another length and for a value that its column does not
    /// take; [`Error::Mismatch`] if memory does not suffice.
    pub fn read(&self, block: &Block, columns: &mut Columns) -> Result<()> {
        let mut records = Splitter::new(&block.bytes, block.line, self.delimiter);
        while let Some(record) = records.next() {
            let (line, count) = (record.line, columns.builders.len());
            if record.len() != count {
                let of = if self.header { "the header" } else { "the first row" };
                let why = format!("as many as {of} has");
                return Err(ragged(self.path, line, record.fields(), count, &why));
            }
            columns.reserve(self.path, 1)?;
            for (column, (builder, field)) in columns.builders.iter_mut().zip(record.fields()).enumerate() {
                let field = field.trim_ascii();
                if let Err(fault) = builder.push(field, line, self.options) {
                    return Err(self.fault(line, column, field, fault));
                }
            }
            columns.rows += 1;
        }
        Ok(())
    }

    fn fault(&self, line: u64, column: usize, field: &[u8], fault: Fault) -> Error {
        let shown = foreign::line(&String::from_utf8_lossy(field), SHOWN);
        let (expected, found) = match fault {
            Fault::Memory(error) => return error,
            Fault::Kind(kind) => (kind.value().to_string(), format!("`{shown}`")),
            Fault::Categories => (too_many(), "more".to_string()),
            Fault::Encoding => {
                let valid = std::str::from_utf8(field).map_or_else(|error| error.valid_up_to(), str::len);
                let byte = field.get(valid).copied().unwrap_or_default();
                (
                    "UTF-8".to_string(),
                    format!("the byte 0x{byte:02X} in `{shown}`; --encoding latin-1 reads it"),
                )
            }
        };
        format_error(self.path, place(line, column, &self.names[column]), expected, found)
    }
}

/// The name of a column as it can stand in messages and in recipes: without control characters.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The most names that are listed where none is near.
const LISTED: usize = 20;

/// The index of a column, by its name or else by its number, from 1 on.
pub(super) fn find<'a>(
    path: &Path,
    names: impl Iterator<Item = &'a str> + Clone,
    wanted: &str,
) -> Result<usize> {
    if let Some(index) = names.clone().position(|name| name == wanted) {
        return Ok(index);
    }
    let count = names.clone().count();
    match wanted.parse::<usize>() {
        Ok(number) if (1..=count).contains(&number) => Ok(number - 1),
        Ok(number) => Err(Error::Mismatch {
            what: format!("{}: column", path.display()),
            expected: format!("a name, or a number from 1 to {count}"),
            found: number.to_string(),
        }),
        Err(_) => {
            let mut error = Error::unknown(path.display().to_string(), "column", wanted, names);
            if let Error::Unknown { known, .. } = &mut error
                && known.len() > LISTED
            {
                known.truncate(LISTED);
                known.push(format!("and {} more", count - LISTED));
            }
            Err(error)
        }
    }
}

/// "line 3, column 2 (`age`)".
pub(super) fn place(line: u64, column: usize, name: &str) -> String {
    let name = foreign::line(name, SHOWN);
    format!("line {line}, column {} (`{name}`)", column + 1)
}

/// The names of the columns: those that are given, or those of the header, or `column_1` and so on.
fn names(
    path: &Path,
    options: &TableOptions,
    header: Option<&ByteRecord>,
    columns: usize,
    line: u64,
) -> Result<Vec<String>> {
    let given = &options.names;
    if !given.is_empty() && given.len() != columns {
        return Err(Error::Mismatch {
            what: format!("names of columns for {}", path.display()),
            expected: format!("{columns}, as many as there are columns"),
            found: given.len().to_string(),
        });
    }
    let mut names = Vec::with_capacity(columns);
    let mut seen: HashMap<String, usize> = HashMap::new();
    for column in 0..columns {
        let field = header.and_then(|header| header.get(column)).unwrap_or_default();
        let text = match given.get(column) {
            Some(name) => name.clone(),
            None => options.encoding.text(field).ok_or_else(|| {
                let found = format!(
                    "`{}`; --encoding latin-1 reads it",
                    foreign::line(&String::from_utf8_lossy(field), SHOWN)
                );
                format_error(path, format!("line {line}, column {}", column + 1), "UTF-8".into(), found)
            })?,
        };
        let text = printable(&text);
        let name = if text.is_empty() { format!("column_{}", column + 1) } else { text };
        if let Some(first) = seen.insert(name.clone(), column) {
            let found = format!("that of column {} once more", first + 1);
            let place =
                if given.is_empty() { place(line, column, &name) } else { format!("--columns, `{name}`") };
            return Err(format_error(path, place, "a name that no other column has".into(), found));
        }
        names.push(name);
    }
    Ok(names)
}

/// How a column is read, by its first values.
fn reading_of(rows: &[ByteRecord], column: usize, options: &TableOptions) -> Reading {
    let (mut numbers, mut texts) = (0, 0);
    let mut dates: HashMap<_, usize> = HashMap::new();
    let fields = rows.iter().filter_map(|row| row.get(column)).filter(|field| !options.is_missing(field));
    for field in fields {
        if number(field).is_some() {
            numbers += 1;
        } else if let Some((form, _)) = date(field) {
            *dates.entry(form as u8).or_default() += 1;
        } else {
            texts += 1;
        }
    }
    let most_dates = dates.values().copied().max().unwrap_or(0);
    let all = numbers + texts + dates.values().sum::<usize>();
    match all {
        0 => Reading::Unknown,
        _ if 20 * numbers >= 19 * all => Reading::Numbers,
        _ if 20 * most_dates >= 19 * all => Reading::Dates,
        _ => Reading::Texts,
    }
}
