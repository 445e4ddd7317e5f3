//! Samples of the rows of a table in memory.

use std::sync::Arc;

use super::super::category::{Categories, MISSING};
use super::super::column::{Column, NO_DATE, Values};
use super::super::kind::Kind;
use super::super::read::Table;
use super::classes::Classes;
use super::encoder::{Encoder, Target};
use super::feature::{Category, Feature, How};
use crate::data::samples::{Samples, Targets};
use crate::error::{Error, Result};
use crate::memory;

impl Encoder {
    /// Samples of some rows of a table that has the columns which the encoder was fitted to, with the targets and
    /// weights that it has.
    ///
    /// # Errors
    /// [`Error::Unknown`] if a column is not there; [`Error::Mismatch`] if a value is too large for an f32, a class is
    /// not known, or memory is short.
    ///
    /// Of an encoder of windows the rows follow each other in time, and the samples are their windows:
    /// [`Encoder::windows_of`].
    pub fn samples(self: &Arc<Self>, table: &Table, rows: &[u32]) -> Result<Samples> {
        if self.windows.is_some() {
            return self.windows_of(&self.rows(table, rows)?);
        }
        // What is small comes first, so that nothing of it stands beside the features.
        let (targets, classes) = self.targets(table, rows)?;
        let weights = self.weights.as_ref().map(|name| weights(table, name, rows)).transpose()?;
        let features = self.encoded(table, rows)?;
        let samples = Samples::floats(features, [1, 1, self.width()], targets, classes)?;
        let samples = samples.with_units(self.units())?.with_encoder(self.clone());
        match weights {
            Some(weights) => samples.with_weights(weights),
            None => Ok(samples),
        }
    }

    /// The features of rows, `[rows, width]`.
    pub(super) fn encoded(&self, table: &Table, rows: &[u32]) -> Result<Vec<f32>> {
        let width = self.width();
        let numbers = width.saturating_mul(rows.len());
        memory::check("the samples of a table", numbers.saturating_mul(size_of::<f32>()))?;
        let mut features = memory::reserved("the samples of a table", numbers)?;
        features.resize(numbers, 0.0);
        let mut start = 0;
        for feature in &self.features {
            let column = &table.columns[table.find(&feature.column)?];
            write(table, column, feature, rows, &mut features, Place { start, width })?;
            start += feature.width();
        }
        Ok(features)
    }

    /// The targets of rows, and how many classes there are.
    fn targets(&self, table: &Table, rows: &[u32]) -> Result<(Targets, usize)> {
        if self.target == Target::None {
            return Ok((Targets::None, 0));
        }
        let Some(classes) = Classes::of(&self.target) else {
            return self.values(table, rows);
        };
        let name = self.target.columns()[0];
        let column = &table.columns[table.find(name)?];
        let class: Box<dyn Fn(usize) -> Option<u8>> = match &column.values {
            Values::Categories(Categories { codes, names }) => {
                let of_names: Vec<Option<u8>> =
                    names.iter().map(|name| classes.class(name.as_bytes())).collect();
                Box::new(move |row| of_names.get(codes[row] as usize).copied().flatten())
            }
            Values::Single(values) => Box::new(|row| classes.class_of_number(f64::from(values[row]))),
            _ => return Err(outside(table, column, "classes")),
        };
        let labels = rows.iter().map(|&row| class(row as usize)).collect::<Option<Vec<u8>>>();
        let labels = labels.ok_or_else(|| {
            outside(table, column, "in all rows classes that are among the training rows, too")
        })?;
        Ok((Targets::Classes(labels), self.target.outputs()))
    }

    pub(super) fn values(&self, table: &Table, rows: &[u32]) -> Result<(Targets, usize)> {
        let Target::Values { columns } = &self.target else { return Ok((Targets::Classes(Vec::new()), 0)) };
        let width = columns.len();
        let mut values = memory::reserved("the targets of a table", rows.len().saturating_mul(width))?;
        values.resize(rows.len() * width, 0.0);
        for (output, target) in columns.iter().enumerate() {
            let column = &table.columns[table.find(&target.column)?];
            if matches!(column.values, Values::Dropped) {
                return Err(outside(table, column, "numbers"));
            }
            for (value, &row) in values[output..].iter_mut().step_by(width).zip(rows) {
                *value = target.unit.value(column.number(row as usize)) as f32;
            }
        }
        Ok((Targets::Values { values, width }, 0))
    }
}

/// The weights of rows, from this column.
fn weights(table: &Table, name: &str, rows: &[u32]) -> Result<Vec<f32>> {
    let column = &table.columns[table.find(name)?];
    let numbers = rows.iter().map(|&row| column.number(row as usize) as f32).collect();
    match column.kind {
        Kind::Number | Kind::Code => Ok(numbers),
        _ => Err(outside(table, column, "weights, numbers of at least 0")),
    }
}

/// Where the features of a column lie in a row.
#[derive(Clone, Copy)]
struct Place {
    start: usize,
    width: usize,
}

/// Writes the features of a column into all rows of `features`, which are 0.
fn write(
    table: &Table,
    column: &Column,
    feature: &Feature,
    rows: &[u32],
    features: &mut [f32],
    place: Place,
) -> Result<()> {
    let Place { start, width } = place;
    let own = feature.width();
    let rows_of = features.chunks_exact_mut(width).map(|row| &mut row[start..start + own]).zip(rows);
    match (&feature.how, &column.values) {
        (How::Number { .. }, Values::Single(_) | Values::Double(_)) => {
            for (features, &row) in rows_of {
                let number = Some(column.number(row as usize)).filter(|number| !number.is_nan());
                if !feature.write_number(number, features) {
                    return Err(outside(table, column, "numbers that an f32 holds once they are scaled"));
                }
            }
        }
        (How::Category { .. } | How::Embedding { .. }, Values::Categories(categories)) => {
            let names = feature.categories().unwrap_or_default();
            let known = |name: &String| names.binary_search(name).map_or(Category::Other, Category::Known);
            let of_codes: Vec<Category> = categories.names.iter().map(known).collect();
            for (features, &row) in rows_of {
                let category = match categories.codes[row as usize] {
                    MISSING => Category::Missing,
                    code => of_codes[code as usize],
                };
                feature.write_category(category, features);
            }
        }
        (How::Date { .. }, Values::Dates(_, values)) => {
            for (features, &row) in rows_of {
                let value = values[row as usize];
                feature.write_date((value != NO_DATE).then_some(value), features);
            }
        }
        _ => return Err(outside(table, column, "values of the type that it has in the training rows")),
    }
    Ok(())
}

fn outside(table: &Table, column: &Column, expected: &str) -> Error {
    let what = format!("{}: column `{}`", table.path.display(), column.name);
    Error::Mismatch { what, expected: expected.into(), found: "others".into() }
}
