//! Samples of the rows of a series: windows of them, each with what follows it.

use std::sync::Arc;

use super::super::column::Values;
use super::super::read::Table;
use super::encoder::Encoder;
use super::rows::Rows;
use crate::data::samples::{Samples, Targets};
use crate::error::{Error, Result};
use crate::memory;

impl Encoder {
    /// Some rows of a table as the encoder sees them, of which windows are made.
    ///
    /// # Errors
    /// Those of [`Encoder::samples`].
    pub fn rows(&self, table: &Table, rows: &[u32]) -> Result<Rows> {
        let values = match self.values(table, rows)?.0 {
            Targets::Values { values, .. } => values,
            Targets::Classes(_) | Targets::Tokens(_) | Targets::None => Vec::new(),
        };
        let mut dates = Vec::new();
        if let Some(column) = self.windows.as_ref().and_then(|windows| windows.dates.as_ref())
            && let Ok(index) = table.find(&column.column)
            && let Values::Dates(_, all) = &table.columns[index].values
        {
            dates = rows.iter().map(|&row| all[row as usize]).collect();
        }
        let features = self.encoded(table, rows)?;
        Ok(Rows { count: rows.len(), features, values, dates, ..Rows::default() })
    }

    /// The windows of rows that follow each other in time, as samples in the order of time.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is no window, since the encoder makes none or the rows are too few, or memory is
    /// short.
    pub fn windows_of(self: &Arc<Self>, rows: &Rows) -> Result<Samples> {
        let Some(windows) = &self.windows else {
            let (expected, found) = ("an encoder of windows".into(), "one of rows".into());
            return Err(Error::Mismatch { what: "windows of a series".into(), expected, found });
        };
        let (window, horizon, count) = (windows.window, windows.horizon, windows.count(rows.count));
        if count == 0 {
            return Err(Error::Mismatch {
                what: "rows of a series".into(),
                expected: format!(
                    "at least {}, {window} of a window and {horizon} behind it",
                    windows.rows()
                ),
                found: rows.count.to_string(),
            });
        }
        let (inputs, outputs, width) = (self.inputs(), self.outputs(), self.width());
        let numbers = inputs.saturating_add(outputs).saturating_mul(count);
        memory::check("the windows of a series", numbers.saturating_mul(size_of::<f32>()))?;
        let mut features = memory::reserved("the windows of a series", inputs.saturating_mul(count))?;
        let mut values = memory::reserved("the targets of a series", outputs.saturating_mul(count))?;
        let layout = self.layout(windows);
        let (each, rows_of) = (self.target.outputs(), |row: usize| &rows.features[row * width..][..width]);
        for start in (0..count).map(|index| index * windows.step) {
            let behind = start + window;
            for row in start..behind {
                features.extend(layout.past.iter().map(|place| place.number(rows_of(row))));
            }
            for row in behind..behind + horizon {
                features.extend(layout.ahead.iter().map(|place| place.number(rows_of(row))));
            }
            values.extend_from_slice(&rows.values[behind * each..(behind + horizon) * each]);
        }
        let targets = Targets::Values { values, width: outputs };
        let samples = Samples::floats(features, self.shape(), targets, 0)?;
        Ok(samples.with_units(self.units())?.with_encoder(self.clone()))
    }

    /// The rows with the last ones of `before` in front, in which their first windows may begin; none if there are no
    /// dates by which the rows follow at once.
    pub fn joined(&self, before: &Rows, rows: &Rows) -> Option<Rows> {
        let dates = self.windows.as_ref()?.dates.as_ref()?;
        let (&last, &first) = (before.dates.last()?, rows.dates.first()?);
        let follows = match dates.spacing {
            Some(spacing) => spacing.after(last, 1) == first,
            None => last < first,
        };
        follows.then(|| Rows {
            count: before.count + rows.count,
            features: [&before.features[..], &rows.features].concat(),
            values: [&before.values[..], &rows.values].concat(),
            dates: [&before.dates[..], &rows.dates].concat(),
            ..Rows::default()
        })
    }
}
