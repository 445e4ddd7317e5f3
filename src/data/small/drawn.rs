//! Samples that were drawn: as numbers, as samples to train on, and as a table.

use std::path::PathBuf;

use super::super::samples::{Samples, Targets};
use super::super::table::{Categories, Column, Kind, Table, Values};
use crate::error::Result;
use crate::memory;

/// Drawn samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The name of the generator.
    pub set: &'static str,
    /// The names of the features, `[width]`.
    pub names: Vec<String>,
    /// `[samples, width]`
    pub features: Vec<f32>,
    pub target: DrawnTarget,
}

/// What is predicted of drawn samples.
#[derive(Clone, Debug, PartialEq)]
pub enum DrawnTarget {
    /// `[samples]`
    Values(Vec<f32>),
    Classes {
        /// `[samples]`, each below `classes`.
        labels: Vec<u8>,
        classes: usize,
        /// `[classes]`, or none where classes are numbers.
        names: Vec<String>,
    },
}

impl Drawn {
    /// The samples, their features as they are.
    ///
    /// # Errors
    /// Those of [`Samples::floats`], if the fields have been changed.
    pub fn samples(self) -> Result<Samples> {
        let (targets, classes) = match self.target {
            DrawnTarget::Values(values) => (Targets::Values { values, width: 1 }, 0),
            DrawnTarget::Classes { labels, classes, .. } => (Targets::Classes(labels), classes),
        };
        Samples::floats(self.features, [1, 1, self.names.len()], targets, classes)
    }

    /// The samples as a table: a column for each feature, and one for the target, `y` or `class`.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if memory is short.
    pub fn table(self) -> Result<Table> {
        let width = self.names.len();
        let rows = self.features.len() / width.max(1);
        let mut columns = Vec::with_capacity(width + 1);
        for (index, name) in self.names.into_iter().enumerate() {
            let mut values = memory::reserved("a generated table", rows)?;
            values.extend(self.features.iter().skip(index).step_by(width));
            columns.push(column(&name, Kind::Number, Values::Single(values)));
        }
        columns.push(match self.target {
            DrawnTarget::Values(values) => column("y", Kind::Number, Values::Single(values)),
            DrawnTarget::Classes { labels, names, .. } if names.is_empty() => {
                let numbers = labels.into_iter().map(f32::from).collect();
                column("class", Kind::Code, Values::Single(numbers))
            }
            DrawnTarget::Classes { labels, names, .. } => {
                let codes = labels.into_iter().map(u32::from).collect();
                column("class", Kind::Category, Values::Categories(Categories { codes, names }))
            }
        });
        Ok(table(self.set, rows, columns))
    }
}

/// A column of which no value is missing.
pub(super) fn column(name: &str, kind: Kind, values: Values) -> Column {
    let (missing, first_missing, first_descent) = (0, 0, 0);
    Column { name: name.into(), kind, values, missing, first_missing, first_descent, unreadable: None }
}

/// A table that no file holds.
pub(super) fn table(name: &str, rows: usize, columns: Vec<Column>) -> Table {
    let path = PathBuf::from(name);
    Table { path, rows, columns, delimiter: b',', header: true, gzip: false, counts: None }
}
