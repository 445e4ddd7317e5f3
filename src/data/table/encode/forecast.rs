//! What a network reads to predict the rows behind the last one of a file.

use super::super::date::written;
use super::super::records::format_error;
use super::feature::How;
use super::rows::{RowReader, Rows};
use super::windows::Windows;
use crate::error::Result;

/// Rows beyond those that are needed which are kept, so that few are moved.
const SPARE: usize = 4096;

/// The input of a forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// `[inputs]`.
    pub features: Vec<f32>,
    /// `[horizon]`: the dates of the rows that are predicted, in ISO 8601; empty where they are not known.
    pub dates: Vec<String>,
}

impl RowReader<'_> {
    /// Reads all rows, and makes of the last ones what a network reads to predict those behind them. Rows without
    /// targets at the end are rows to come: what is known ahead is read from them.
    ///
    /// # Errors
    /// Those of [`RowReader::next`]; [`Error::Format`](crate::Error::Format) if there are fewer rows than a window has, a
    /// row that is not in the order of time, or fewer rows to come than are to be predicted although something has to
    /// be known of them.
    pub fn forecast(mut self) -> Result<Forecast> {
        let encoder = self.encoder;
        let path = self.path;
        let fault = |expected: String, found: String| format_error(path, "file".into(), expected, found);
        let Some(windows) = &encoder.windows else {
            return Err(fault("a model that predicts a series".into(), "one of single rows".into()));
        };
        let Windows { window, horizon, .. } = *windows;
        let (width, each) = (encoder.width(), encoder.target.outputs());
        let mut rows = Rows::default();
        while self.add(&mut rows)? {
            if rows.ahead > horizon {
                rows.drop_last(width, each);
            } else if rows.ahead == 0 && rows.count > window.saturating_add(SPARE) {
                rows.drop_first(rows.count - window, width, each);
            }
        }
        let past = rows.count - rows.ahead;
        if past < window {
            let expected = format!("at least {window} rows with the target, as many as a window has");
            return Err(fault(expected, past.to_string()));
        }
        rows.drop_first(past - window, width, each);
        let layout = encoder.layout(windows);
        let mut features = Vec::with_capacity(encoder.inputs());
        for row in rows.features.chunks_exact(width).take(window) {
            features.extend(layout.past.iter().map(|place| place.number(row)));
        }
        let last = rows.dates.get(window - 1).copied();
        let spacing = windows.dates.as_ref().and_then(|dates| dates.spacing);
        let dates: Vec<i64> = match (last, spacing) {
            _ if rows.ahead == horizon => rows.dates.iter().skip(window).copied().collect(),
            (Some(last), Some(spacing)) => (1..=horizon).map(|row| spacing.after(last, row)).collect(),
            _ => Vec::new(),
        };
        // Nothing is needed but dates that go on by themselves.
        let goes_on = rows.ahead == 0 && windows.known.is_empty() && dates.len() == horizon;
        if rows.ahead == horizon {
            for row in rows.features.chunks_exact(width).skip(window) {
                features.extend(layout.ahead.iter().map(|place| place.number(row)));
            }
        } else if goes_on {
            let mut row = vec![0.0; width];
            for &date in &dates {
                let mut start = 0;
                for feature in &encoder.features {
                    if matches!(feature.how, How::Date { .. }) && windows.is_date(&feature.column) {
                        feature.write_date(Some(date), &mut row[start..start + feature.width()]);
                    }
                    start += feature.width();
                }
                features.extend(layout.ahead.iter().map(|place| place.number(&row)));
            }
        } else if !layout.ahead.is_empty() {
            let dates = windows.dates.iter().map(|dates| dates.column.as_str());
            let columns: Vec<&str> = windows.known.iter().map(String::as_str).chain(dates).collect();
            let expected = format!(
                "{horizon} rows to come behind the last one with the target, with `{}` and no target{}",
                columns.join("`, `"),
                if windows.known.is_empty() { ", or none where dates go on at one distance" } else { "" }
            );
            return Err(fault(expected, rows.ahead.to_string()));
        }
        let form = windows.dates.as_ref().map(|dates| dates.form);
        let texts = form.map_or(Vec::new(), |form| dates.iter().map(|&date| written(form, date)).collect());
        Ok(Forecast { features, dates: texts })
    }
}
