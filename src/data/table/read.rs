//! Reading a table: its beginning says how, then all of it is read in one pass, and in a second one only where a
//! column turns out to be something else than its beginning.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use super::column::{Builder, Column, Fault, Reading, too_many};
use super::date::date;
use super::dialect::{Beginning, Counts};
use super::kind::Kind;
use super::number::number;
use super::options::TableOptions;
use super::records::{Records, format_error, ragged};
use super::source::Source;
use crate::error::{Error, Result};
use crate::{foreign, memory};

/// The most columns of a table.
pub const MOST_COLUMNS: usize = 16_384;

/// Rows that there is room for at first, and bytes below which no one asks whether they are there.
const FIRST_ROWS: usize = 16;
const SMALL: usize = 1 << 20;

/// The most letters of a field in a message.
const SHOWN: usize = 40;

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
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Format`], with line and column, if it is empty or damaged, if
    /// a row has more or fewer fields than the first one, if two columns have one name, if a text is not in the
    /// encoding, or a value not of the kind that its column was said to be; [`Error::Unknown`] and
    /// [`Error::Mismatch`] if the options do not fit the table, or memory does not suffice.
    pub fn read(path: &Path, options: &TableOptions) -> Result<Table> {
        let source = Source::open(path)?;
        let is_file = source.is_file;
        let mut plan = Plan::of(path, &source, options)?;
        let misread = match plan.pass(source)? {
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
        match plan.pass(Source::open(path)?)? {
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
    /// [`Error::Unknown`] with the nearest name.
    pub fn find(&self, name: &str) -> Result<usize> {
        let names = self.columns.iter().map(|column| column.name.as_str());
        find(&self.path, names, name)
    }
}

/// The most names that are listed where none is near.
const LISTED: usize = 20;

fn find<'a>(path: &Path, names: impl Iterator<Item = &'a str> + Clone, wanted: &str) -> Result<usize> {
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
fn place(line: u64, column: usize, name: &str) -> String {
    let name = foreign::line(name, SHOWN);
    format!("line {line}, column {} (`{name}`)", column + 1)
}

/// How a table is to be read.
struct Plan<'a> {
    path: &'a Path,
    options: &'a TableOptions,
    delimiter: u8,
    header: bool,
    counts: Option<Counts>,
    /// Records before the first row.
    skipped: usize,
    names: Vec<String>,
    /// For each column what it was said to be, and how it is read.
    said: Vec<Option<Kind>>,
    readings: Vec<Reading>,
}

/// What came of a pass: a table, or columns that are something else, each with a line where that is seen.
enum Pass {
    Table(Table),
    Misread(Vec<(usize, u64)>),
}

impl<'a> Plan<'a> {
    fn of(path: &'a Path, source: &Source, options: &'a TableOptions) -> Result<Plan<'a>> {
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

    fn pass(&self, source: Source) -> Result<Pass> {
        let gzip = source.gzip;
        let mut records = Records::of(self.path, self.delimiter, source);
        let mut builders: Vec<Builder> = self
            .readings
            .iter()
            .zip(&self.said)
            .map(|(&reading, &said)| Builder::new(reading, said))
            .collect();
        let mut record = ByteRecord::new();
        for _ in 0..self.skipped {
            records.next(&mut record)?;
        }
        let (mut rows, mut room) = (0, 0);
        while let Some(line) = records.next(&mut record)? {
            if record.len() != builders.len() {
                let of = if self.header { "the header" } else { "the first row" };
                return Err(ragged(
                    self.path,
                    line,
                    &record,
                    builders.len(),
                    &format!("as many as {of} has"),
                ));
            }
            if rows == room {
                room = FIRST_ROWS.max(room + room / 2);
                self.reserve(&mut builders, room)?;
            }
            for (column, (builder, field)) in builders.iter_mut().zip(&record).enumerate() {
                let field = field.trim_ascii();
                if let Err(fault) = builder.push(field, line, self.options) {
                    return Err(self.fault(line, column, field, fault));
                }
            }
            rows += 1;
        }
        if rows == 0 {
            let expected = "rows below the header".to_string();
            return Err(format_error(
                self.path,
                format!("line {}", self.skipped + 1),
                expected,
                "none".into(),
            ));
        }
        let misread = builders.iter().enumerate().filter(|(_, builder)| builder.is_misread(rows));
        let misread: Vec<(usize, u64)> =
            misread.map(|(column, builder)| (column, builder.first_unreadable())).collect();
        if !misread.is_empty() {
            return Ok(Pass::Misread(misread));
        }
        let finish = |(builder, name): (Builder, &String)| builder.finish(name.clone(), rows, self.options);
        let columns = builders.into_iter().zip(&self.names).map(finish).collect();
        let Plan { path, delimiter, header, ref counts, .. } = *self;
        let (path, counts) = (path.to_path_buf(), counts.clone());
        Ok(Pass::Table(Table { path, rows, columns, delimiter, header, gzip, counts }))
    }

    /// Makes room for so many rows.
    fn reserve(&self, builders: &mut [Builder], rows: usize) -> Result<()> {
        let each: usize = builders.iter().map(Builder::value_bytes).sum();
        let bytes = each.saturating_mul(rows);
        // What there is room for already is taken; the growth alone, a third of all, is new.
        if bytes > SMALL {
            memory::check(&format!("the table {}", self.path.display()), bytes / 3)?;
        }
        builders.iter_mut().try_for_each(|builder| builder.reserve("the columns of a table", rows))
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
