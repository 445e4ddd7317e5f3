//! Raw rows of a file, some at a time, as a network reads them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use csv::ByteRecord;

use super::super::date::{date, written};
use super::super::dialect::Beginning;
use super::super::number::number;
use super::super::options::{Encoding, TableOptions};
use super::super::plan::printable;
use super::super::records::{Records, format_error, ragged};
use super::super::source::Source;
use super::classes::Classes;
use super::encoder::{Encoder, Target};
use super::feature::{Category, Feature, How};
use crate::data::samples::{Samples, Targets};
use crate::error::{Error, Result};
use crate::{foreign, memory};

/// The most letters of a field in a message.
const SHOWN: usize = 40;

/// Reads the rows of a table as an encoder sees them: with a header that has the names of its columns, in any order, or
/// without one and with the columns of the training table, or those without the target.
pub struct RowReader<'a> {
    pub(super) path: &'a Path,
    pub(super) encoder: &'a Arc<Encoder>,
    options: TableOptions,
    records: Records<'a>,
    record: ByteRecord,
    fields: Fields,
    classes: Option<Classes<'a>>,
    /// Columns of the header that the encoder has never seen.
    unknown: Vec<String>,
    /// Whether each row must have the target.
    with_target: bool,
    /// The date of the last row of a series, and whether that is one to come.
    last_date: Option<i64>,
    is_ahead: bool,
}

/// Where the columns lie in a record.
struct Fields {
    /// How many there are in each.
    count: usize,
    /// Where that number is from.
    why: &'static str,
    features: Vec<usize>,
    /// Those of the target; empty where the table has none.
    targets: Vec<usize>,
    id: Option<usize>,
    weights: Option<usize>,
    /// The dates of a series.
    date: Option<usize>,
}

/// Some rows.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub count: usize,
    /// `[count, features]`.
    pub features: Vec<f32>,
    /// The classes, `[count]`, where the table has the target and it is of classes.
    pub classes: Vec<u8>,
    /// The target values in the units of the encoder, `[count, outputs]`, where the table has them.
    pub values: Vec<f32>,
    /// `[count]`, where the table has weights.
    pub weights: Vec<f32>,
    /// The names of the rows, `[count]`, where the table has them.
    pub ids: Vec<String>,
    /// Of a series the dates in seconds since 1970, `[count]`, where the table has them.
    pub dates: Vec<i64>,
    /// How many of the rows, the last ones, are rows of a series to come; their values are NaN.
    pub ahead: usize,
}

impl Rows {
    fn clear(&mut self) {
        self.count = 0;
        self.features.clear();
        self.classes.clear();
        self.values.clear();
        self.weights.clear();
        self.ids.clear();
        self.dates.clear();
        self.ahead = 0;
    }

    /// Drops the first rows of a series, of `width` features and `each` values a row.
    pub(super) fn drop_first(&mut self, rows: usize, width: usize, each: usize) {
        self.count -= rows;
        self.features.drain(..rows * width);
        self.values.drain(..rows * each);
        self.dates.drain(..rows.min(self.dates.len()));
        self.ids.clear();
    }

    /// Drops the last row of a series, one to come.
    pub(super) fn drop_last(&mut self, width: usize, each: usize) {
        self.count -= 1;
        self.ahead -= 1;
        self.features.truncate(self.count * width);
        self.values.truncate(self.count * each);
        self.dates.truncate(self.count);
        self.ids.clear();
    }
}

impl<'a> RowReader<'a> {
    /// Opens a table, which may be compressed; `-` is standard input. Unless `with_target`, it need not have the target.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Format`] if it is empty, or a column is not there.
    pub fn open(path: &'a Path, encoder: &'a Arc<Encoder>, with_target: bool) -> Result<RowReader<'a>> {
        let source = Source::open(path)?;
        let options = encoder.reading.options();
        let beginning =
            Beginning::of(source.whole_lines(), &TableOptions { header: Some(false), ..options.clone() });
        let Some(first) = beginning.rows.first() else {
            return Err(format_error(path, "line 1".into(), "rows".into(), "an empty file".into()));
        };
        let skipped = usize::from(beginning.counts.is_some());
        let names = texts(first, options.encoding);
        let own = encoder.features.iter().map(|feature| feature.column.as_str());
        let named = own.clone().filter(|column| names.iter().any(|name| name == column)).count();
        // Of the names in a header most are right; no row of values has so many of them.
        let is_header = 2 * named > own.count();
        let (fields, unknown) = if is_header {
            let line = skipped as u64 + 1;
            (Fields::named(path, encoder, &names, line)?, unknown_of(encoder, &names))
        } else {
            let looks_so = Beginning::of(source.whole_lines(), &options).header.is_some();
            (Fields::in_order(path, encoder, &names, looks_so)?, Vec::new())
        };
        if with_target && fields.targets.is_empty() && encoder.target != Target::None {
            let place = if is_header { "header" } else { "first row" };
            let columns = encoder.target.columns().join("`, `");
            let expected = format!("the target `{columns}`, to compare predictions with");
            return Err(format_error(
                path,
                place.into(),
                expected,
                format!("{} columns without it", names.len()),
            ));
        }
        let mut records = Records::of(path, beginning.delimiter, source);
        let mut record = ByteRecord::new();
        for _ in 0..skipped + usize::from(is_header) {
            records.next(&mut record)?;
        }
        let classes = Classes::of(&encoder.target).filter(|_| !fields.targets.is_empty());
        let (last_date, is_ahead) = (None, false);
        Ok(RowReader {
            path,
            encoder,
            options,
            records,
            record,
            fields,
            classes,
            unknown,
            with_target,
            last_date,
            is_ahead,
        })
    }

    /// Columns of the header that were not in the training table; nothing is made of them.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Whether the table has the target.
    pub fn has_target(&self) -> bool {
        !self.fields.targets.is_empty()
    }

    /// Whether the table has the names of the rows.
    pub fn has_id(&self) -> bool {
        self.fields.id.is_some()
    }

    /// Reads the next rows, `most` or fewer, into `rows`, whose content is replaced; none at the end.
    ///
    /// # Errors
    /// [`Error::Format`], with line and column, for a row of another length, a value that is none of its column's kind,
    /// and an unknown class or a missing target; an error if memory is short.
    pub fn next(&mut self, most: usize, rows: &mut Rows) -> Result<usize> {
        rows.clear();
        while rows.count < most && self.add(rows)? {}
        Ok(rows.count)
    }

    /// All rows as samples, without targets where the table has none.
    ///
    /// # Errors
    /// Those of [`RowReader::next`]; [`Error::Format`] if there are none.
    pub fn samples(self) -> Result<Samples> {
        let (encoder, width, has_target) = (self.encoder, self.encoder.width(), self.has_target());
        let rows = self.rows()?;
        if encoder.windows.is_some() {
            return encoder.windows_of(&rows);
        }
        let targets = match &encoder.target {
            _ if !has_target => Targets::None,
            Target::Classes { .. } => Targets::Classes(rows.classes),
            Target::Values { columns } => Targets::Values { values: rows.values, width: columns.len() },
            Target::None => Targets::None,
        };
        let samples = Samples::floats(rows.features, [1, 1, width], targets, encoder.outputs())?;
        let units = if has_target { encoder.units() } else { Vec::new() };
        let samples = samples.with_units(units)?.with_encoder(encoder.clone());
        if rows.weights.is_empty() { Ok(samples) } else { samples.with_weights(rows.weights) }
    }

    /// All rows.
    ///
    /// # Errors
    /// Those of [`RowReader::next`]; [`Error::Format`] if there are none.
    pub fn rows(mut self) -> Result<Rows> {
        let mut rows = Rows::default();
        while self.add(&mut rows)? {}
        if rows.count == 0 {
            return Err(format_error(self.path, "file".into(), "rows".into(), "none".into()));
        }
        Ok(rows)
    }

    /// Adds the next row; false at the end.
    pub(super) fn add(&mut self, rows: &mut Rows) -> Result<bool> {
        let Some(line) = self.records.next(&mut self.record)? else { return Ok(false) };
        let (record, fields) = (&self.record, &self.fields);
        if record.len() != fields.count {
            return Err(ragged(self.path, line, record.iter(), fields.count, fields.why));
        }
        let width = self.encoder.width();
        let start = rows.features.len();
        if rows.features.capacity() - start < width {
            memory::reserve("the rows of a table", &mut rows.features, width.max(start / 2))?;
        }
        rows.features.resize(start + width, 0.0);
        let mut features = &mut rows.features[start..];
        for (feature, &place) in self.encoder.features.iter().zip(&fields.features) {
            let (own, rest) = std::mem::take(&mut features).split_at_mut(feature.width());
            features = rest;
            let field = record[place].trim_ascii();
            if let Err(expected) = write(feature, field, own, &self.options) {
                return Err(self.refused(line, place, &feature.column, expected));
            }
        }
        if !self.add_ahead(line, rows)? {
            self.add_target(line, rows)?;
        }
        let (record, fields) = (&self.record, &self.fields);
        if let (Some(place), Some(name)) = (fields.weights, &self.encoder.weights) {
            let weight = number(record[place].trim_ascii()).filter(|weight| *weight >= 0.0);
            let weight = weight.map(|weight| weight as f32).filter(|weight| weight.is_finite());
            let expected = "a weight, a number of at least 0";
            rows.weights.push(weight.ok_or_else(|| self.refused(line, place, name, expected))?);
        }
        if let Some(place) = fields.id {
            let text = self.options.encoding.text(record[place].trim_ascii());
            let name = self.encoder.id.as_deref().unwrap_or_default();
            rows.ids.push(text.ok_or_else(|| self.refused(line, place, name, "UTF-8"))?);
        }
        rows.count += 1;
        Ok(true)
    }

    /// What a series asks of a row beside: a date that is later than the one above. True of a row to come, which has no
    /// target and which no row with one follows.
    fn add_ahead(&mut self, line: u64, rows: &mut Rows) -> Result<bool> {
        let encoder = self.encoder;
        let Some(windows) = &encoder.windows else { return Ok(false) };
        if let (Some(place), Some(dates)) = (self.fields.date, &windows.dates) {
            let found = date(self.record[place].trim_ascii()).filter(|(form, _)| *form == dates.form);
            let later = found.filter(|(_, at)| self.last_date.is_none_or(|last| last < *at));
            let expected = match (found, self.last_date) {
                (Some(_), Some(last)) => {
                    let last = written(dates.form, last);
                    format!(
                        "a later date than {last} in the row above, as rows of a series come in the order of time"
                    )
                }
                _ => "a date of the form that the training rows have".to_string(),
            };
            let (_, at) = later.ok_or_else(|| self.refused(line, place, &dates.column, &expected))?;
            rows.dates.push(at);
            self.last_date = Some(at);
        }
        let targets = encoder.target.columns();
        let is_missing = |&place: &usize| self.options.is_missing(self.record[place].trim_ascii());
        if !self.with_target && self.fields.targets.iter().all(is_missing) {
            self.is_ahead = true;
            rows.ahead += 1;
            rows.values.extend(targets.iter().map(|_| f32::NAN));
            return Ok(true);
        }
        if let (true, Some(&place), Some(name)) =
            (self.is_ahead, self.fields.targets.first(), targets.first())
        {
            let expected = "nothing, as the row above has no target: rows to come are the last ones";
            return Err(self.refused(line, place, name, expected));
        }
        Ok(false)
    }

    fn add_target(&self, line: u64, rows: &mut Rows) -> Result<()> {
        let (record, places) = (&self.record, &self.fields.targets);
        match (&self.encoder.target, &self.classes) {
            (Target::Classes { column, values, .. }, Some(classes)) => {
                let class = places.first().and_then(|&place| classes.class(record[place].trim_ascii()));
                let expected = || match values.len() {
                    ..=10 => {
                        format!("a class of the training rows: {}", foreign::shortened(&values.join(", ")))
                    }
                    more => format!("one of the {more} classes of the training rows"),
                };
                let place = places.first().copied().unwrap_or(0);
                rows.classes.push(class.ok_or_else(|| self.refused(line, place, column, &expected()))?);
            }
            (Target::Values { columns }, _) => {
                for (column, &place) in columns.iter().zip(places) {
                    let value =
                        number(record[place].trim_ascii()).map(|value| column.unit.value(value) as f32);
                    let expected = "a number, the target";
                    let value = value.filter(|value| value.is_finite());
                    rows.values
                        .push(value.ok_or_else(|| self.refused(line, place, &column.column, expected))?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The error for a field.
    fn refused(&self, line: u64, place: usize, name: &str, expected: &str) -> Error {
        let shown = foreign::line(&String::from_utf8_lossy(self.record[place].trim_ascii()), SHOWN);
        let found = if shown.is_empty() { "nothing".to_string() } else { format!("`{shown}`") };
        let name = foreign::line(name, SHOWN);
        let place = format!("line {line}, column {} (`{name}`)", place + 1);
        format_error(self.path, place, expected.to_string(), found)
    }
}

/// Writes the features of a field, or says what was expected.
fn write(
    feature: &Feature,
    field: &[u8],
    row: &mut [f32],
    options: &TableOptions,
) -> Result<(), &'static str> {
    let is_missing = options.is_missing(field);
    match &feature.how {
        How::Number { .. } => {
            let value = if is_missing { None } else { Some(number(field).ok_or("a number")?) };
            let fits = feature.write_number(value, row);
            fits.then_some(()).ok_or("a number that an f32 holds once it is scaled")
        }
        How::Date { form, .. } => {
            let expected = "a date of the form that the training rows have";
            let seconds = match date(field) {
                _ if is_missing => None,
                Some((found, seconds)) if found == *form => Some(seconds),
                _ => return Err(expected),
            };
            feature.write_date(seconds, row);
            Ok(())
        }
        How::Category { names, .. } | How::Embedding { names, .. } => {
            let decoded;
            let text = match options.encoding {
                Encoding::Utf8 => field,
                Encoding::Latin1 => {
                    decoded = options.encoding.text(field).unwrap_or_default();
                    decoded.as_bytes()
                }
            };
            let category = match names.binary_search_by(|name| name.as_bytes().cmp(text)) {
                _ if is_missing => Category::Missing,
                Ok(place) => Category::Known(place),
                Err(_) => Category::Other,
            };
            feature.write_category(category, row);
            Ok(())
        }
    }
}

impl Fields {
    /// The places of the columns by the names of a header.
    fn named(path: &Path, encoder: &Encoder, names: &[String], line: u64) -> Result<Fields> {
        let mut places = HashMap::new();
        for (place, name) in names.iter().enumerate() {
            if let Some(first) = places.insert(name.as_str(), place) {
                let found = format!("that of column {} once more", first + 1);
                let place = format!("line {line}, column {} (`{name}`)", place + 1);
                return Err(format_error(path, place, "a name that no other column has".into(), found));
            }
        }
        let place_of = |column: &str| places.get(column).copied();
        let mut features = Vec::with_capacity(encoder.features.len());
        for feature in &encoder.features {
            let place = place_of(&feature.column).ok_or_else(|| {
                let known = names.iter().map(String::as_str);
                Error::unknown(format!("{}: line {line}", path.display()), "column", &feature.column, known)
            });
            features.push(place?);
        }
        let targets: Option<Vec<usize>> = encoder.target.columns().into_iter().map(place_of).collect();
        let [id, weights] = [&encoder.id, &encoder.weights].map(|name| name.as_deref().and_then(place_of));
        let (why, count) = ("as many as the header has", names.len());
        let date = date_of(encoder).and_then(place_of);
        Ok(Fields { count, why, features, targets: targets.unwrap_or_default(), id, weights, date })
    }

    /// The places of the columns in the order of the training table, with the target or without.
    fn in_order(path: &Path, encoder: &Encoder, first: &[String], looks_like_header: bool) -> Result<Fields> {
        let targets = encoder.target.columns();
        let (all, count) = (encoder.columns.len(), first.len());
        // A series is predicted from its own past.
        let is_series = encoder.windows.is_some();
        let without = if is_series { all } else { all - targets.len() };
        if looks_like_header || ![all, without].contains(&count) {
            let columns =
                if looks_like_header { "such as a header with the names that the model knows: " } else { "" };
            let listed: Vec<&str> =
                encoder.features.iter().map(|feature| feature.column.as_str()).take(8).collect();
            let expected = format!(
                "{columns}{}{}; or rows of {all} fields as the training table has{}",
                listed.join(", "),
                if encoder.features.len() > 8 { ", and so on" } else { "" },
                if without == all { String::new() } else { format!(", or of {without} without the target") }
            );
            let found = if looks_like_header {
                format!("`{}`", first.join(", ").chars().take(SHOWN).collect::<String>())
            } else {
                format!("{count} fields")
            };
            return Err(format_error(path, "line 1".into(), expected, found));
        }
        let there = encoder.columns.iter().filter(|name| count == all || !targets.contains(&name.as_str()));
        let places: HashMap<&str, usize> =
            there.enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let place_of = |column: &str| places.get(column).copied();
        let features: Option<Vec<usize>> =
            encoder.features.iter().map(|feature| place_of(&feature.column)).collect();
        let own: Option<Vec<usize>> = targets.into_iter().map(place_of).collect();
        let [id, weights] = [&encoder.id, &encoder.weights].map(|name| name.as_deref().and_then(place_of));
        // All features are among the columns, as whoever read the encoder has seen.
        let (features, targets) = (features.unwrap_or_default(), own.unwrap_or_default());
        let date = date_of(encoder).and_then(place_of);
        Ok(Fields { count, why: "as many as the first row has", features, targets, id, weights, date })
    }
}

/// The column of the dates of a series.
fn date_of(encoder: &Encoder) -> Option<&str> {
    encoder.windows.as_ref()?.dates.as_ref().map(|dates| dates.column.as_str())
}

fn unknown_of(encoder: &Encoder, names: &[String]) -> Vec<String> {
    names.iter().filter(|name| !encoder.columns.contains(name)).cloned().collect()
}

fn texts(record: &ByteRecord, encoding: Encoding) -> Vec<String> {
    let text = |field: &[u8]| match encoding.text(field) {
        Some(text) => printable(&text),
        None => printable(&String::from_utf8_lossy(field)),
    };
    record.iter().map(text).collect()
}
