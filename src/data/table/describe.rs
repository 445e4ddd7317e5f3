//! The description of a table, as data.

use std::path::Path;

use serde::Serialize;

use super::category::MISSING;
use super::column::{Column, Values};
use super::dialect::{Counts, DELIMITERS};
use super::kind::Kind;
use super::options::{Encoding, TableOptions};
use super::read::Table;
use super::strength::{Strength, TargetValues};
use super::summary::{ColumnRecord, Frequent};
use super::warnings::{TableWarning, warnings};
use crate::error::{Error, Result};

/// The version of the form that [`TableRecord`] has as JSON.
pub const SCHEMA: &str = "fallline.table/1";

/// The most classes that are told.
const MOST_CLASSES: usize = 1000;

/// A table, described.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableRecord {
    pub schema: &'static str,
    /// The path, or the name of a set that needs no file.
    pub file: String,
    /// What such a set is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    pub rows: usize,
    /// "comma", "semicolon", "tab", "pipe", or the letter itself.
    pub delimiter: String,
    /// Whether the file has the names of its columns.
    pub header: bool,
    pub encoding: Encoding,
    pub gzip: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts_line: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetRecord>,
    pub columns: Vec<ColumnRecord>,
    pub warnings: Vec<TableWarning>,
}

/// The column that is to be predicted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetRecord {
    /// From 1 on.
    pub number: usize,
    pub name: String,
    /// Whether it is the last column because none was named.
    pub is_last: bool,
    /// The classes, the most frequent first, at most a thousand; empty where the target is a number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Frequent>,
    /// How many classes there are; 0 where the target is a number.
    pub class_count: usize,
}

impl TableRecord {
    /// Describes a table that was read with these options. `target` is a column's name or number; without it the last
    /// column is the target, if it can be one.
    ///
    /// # Errors
    /// [`Error::Unknown`] or [`Error::Mismatch`] if there is no such column, if its values are no target, or if memory
    /// does not suffice for a copy of one column.
    pub fn of(table: &Table, options: &TableOptions, target: Option<&str>) -> Result<TableRecord> {
        let index = target.map_or(Ok(table.columns.len() - 1), |name| table.find(name))?;
        let values = TargetValues::of(&table.columns[index])?;
        if target.is_some() && values.is_none() {
            return Err(no_target(&table.path, &table.columns[index]));
        }
        let mut columns = Vec::with_capacity(table.columns.len());
        for (number, column) in table.columns.iter().enumerate() {
            let mut record = ColumnRecord::of(number, column, table.rows)?;
            if let Some(values) = values.as_ref().filter(|_| number != index) {
                record.strength = Strength::of(column, values)?;
            }
            columns.push(record);
        }
        let classes = values.as_ref().map_or(Vec::new(), |_| classes(table, index));
        let of_target = values.as_ref().map(|_| (&columns[index], &classes[..]));
        let mut warnings = warnings(&columns, table.rows, of_target);
        if let Some(counts) = table.counts.as_ref().filter(|counts| counts.rows != table.rows) {
            warnings.insert(0, TableWarning::Rows { promised: counts.rows, found: table.rows });
        }
        let (name, class_count) = (table.columns[index].name.clone(), classes.len());
        let classes: Vec<Frequent> = classes.into_iter().take(MOST_CLASSES).collect();
        let is_last = target.is_none();
        let target = values.map(|_| TargetRecord { number: index + 1, name, is_last, classes, class_count });
        let delimiter = DELIMITERS.iter().find(|(_, byte)| *byte == table.delimiter);
        Ok(TableRecord {
            schema: SCHEMA,
            file: table.path.display().to_string(),
            about: None,
            rows: table.rows,
            delimiter: delimiter
                .map_or(char::from(table.delimiter).to_string(), |(name, _)| name.to_string()),
            header: table.header,
            encoding: options.encoding,
            gzip: table.gzip,
            counts_line: table.counts.clone(),
            target,
            columns,
            warnings,
        })
    }
}

fn no_target(path: &Path, column: &Column) -> Error {
    Error::Mismatch {
        what: format!("{}: target `{}`", path.display(), column.name),
        expected: "a column of numbers or of categories".into(),
        found: format!("one of kind {}", column.kind.name()),
    }
}

/// The classes of a column, the most frequent first; none where it is one of numbers. Classes that a line of counts
/// names are called so.
fn classes(table: &Table, index: usize) -> Vec<Frequent> {
    let column = &table.columns[index];
    let mut classes: Vec<Frequent> = match (&column.values, column.kind) {
        (Values::Categories(categories), Kind::Category | Kind::Code) => {
            let mut counts = vec![0; categories.names.len()];
            for &code in categories.codes.iter().filter(|&&code| code != MISSING) {
                counts[code as usize] += 1;
            }
            let named = categories.names.iter().zip(counts);
            named.map(|(name, count)| Frequent { value: name.clone(), count }).collect()
        }
        (_, Kind::Code) => {
            let mut values: Vec<f64> =
                column.numbers().into_iter().flatten().filter(|value| !value.is_nan()).collect();
            values.sort_unstable_by(f64::total_cmp);
            let names = table.counts.as_ref().filter(|_| index + 1 == table.columns.len());
            let name = |value: f64| {
                let name =
                    names.and_then(|counts| counts.classes.get(value as usize)).filter(|_| value >= 0.0);
                name.map_or(value.to_string(), |name| format!("{value} {name}"))
            };
            let runs = values.chunk_by(|a, b| a == b);
            runs.map(|run| Frequent { value: name(run[0]), count: run.len() }).collect()
        }
        _ => Vec::new(),
    };
    classes.sort_by_key(|class| std::cmp::Reverse(class.count));
    classes
}
