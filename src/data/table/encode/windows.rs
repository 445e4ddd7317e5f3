//! Windows of a series: which rows a sample reads, and which rows it predicts.

use serde::{Deserialize, Serialize};

use super::super::date::{self, DateForm};
use super::encoder::{Encoder, MOST_FEATURES, Target};
use super::feature::How;
use crate::data::unit::Unit;
use crate::error::{Error, Result};

/// The most rows of a window, of a horizon, and from one window to the next.
pub const MOST_ROWS: usize = 1 << 16;

/// How the rows of a series become samples. The one that begins at row i reads the rows from i to i + `window`, and of
/// the `horizon` rows behind them what is known ahead; it predicts their targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Windows {
    pub window: usize,
    pub horizon: usize,
    /// Rows from the start of a window to that of the next.
    pub step: usize,
    /// Feature columns that are known ahead; beside them the month, the weekday and the hour of the dates are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
    /// The dates of the rows, if they have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<Dates>,
    /// Rows of a season, which the window holds at least; none where there is no such thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub season: Option<usize>,
    /// `[targets]`: the mean absolute difference of a target from the row before, in the training rows and in its own
    /// unit, which errors are divided by for MASE (Hyndman, Koehler: Another look at measures of forecast accuracy, 2006).
    pub naive_errors: Vec<f64>,
}

/// The column of the dates of a series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    pub column: String,
    pub form: DateForm,
    /// From one row to the next, if almost all training rows agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing: Option<Spacing>,
}

/// The time from one row to the next, above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    Months(i64),
    Seconds(i64),
}

impl Spacing {
    /// The date so many rows after one in seconds since 1970.
    pub fn after(self, seconds: i64, rows: usize) -> i64 {
        let rows = rows as i64;
        match self {
            Spacing::Months(months) => date::months_later(seconds, months * rows),
            Spacing::Seconds(each) => seconds + each * rows,
        }
    }

    fn is_sound(self) -> bool {
        match self {
            Spacing::Months(months) => (1..=120_000).contains(&months),
            Spacing::Seconds(seconds) => (1..=1 << 40).contains(&seconds),
        }
    }
}

/// Where in the features of a row those of a sample lie.
pub(super) struct Layout {
    /// Of each row of the window.
    pub past: Vec<usize>,
    /// Of each row of the horizon.
    pub ahead: Vec<usize>,
}

impl Windows {
    pub(super) fn layout(&self, encoder: &Encoder) -> Layout {
        let mut layout = Layout { past: Vec::new(), ahead: Vec::new() };
        let mut start = 0;
        for feature in &encoder.features {
            let own = start..start + feature.width();
            start = own.end;
            match &feature.how {
                // The cycles of the calendar alone: no year of the test is one of the training.
                How::Date { indicator, .. } if self.is_date(&feature.column) => {
                    layout.ahead.extend(own.start + 1..own.end - usize::from(*indicator));
                }
                _ => {
                    if self.known.contains(&feature.column) {
                        layout.ahead.extend(own.clone());
                    }
                    layout.past.extend(own);
                }
            }
        }
        layout
    }

    /// Whether this is the column of the dates.
    pub fn is_date(&self, column: &str) -> bool {
        self.dates.as_ref().is_some_and(|dates| dates.column == column)
    }

    /// Rows of a sample, from the first that it reads to the last that it predicts.
    pub fn rows(&self) -> usize {
        self.window + self.horizon
    }

    /// How many windows so many rows hold.
    pub fn count(&self, rows: usize) -> usize {
        rows.checked_sub(self.rows()).map_or(0, |rest| rest / self.step + 1)
    }

    /// What is wrong with it beside its encoder, if it was read from somewhere else.
    pub(super) fn check(&self, encoder: &Encoder) -> Result<(), String> {
        let sizes = [self.window, self.horizon, self.step];
        if sizes.iter().any(|size| !(1..=MOST_ROWS).contains(size)) {
            return Err(format!("windows of sizes {sizes:?}"));
        }
        let Target::Values { columns } = &encoder.target else {
            return Err("windows of a series of classes".into());
        };
        let is_number = |column: &str| {
            let own = encoder.features.iter().find(|feature| feature.column == column);
            own.is_some_and(|feature| matches!(feature.how, How::Number { .. }))
        };
        if let Some(target) = columns.iter().find(|target| !is_number(&target.column)) {
            return Err(format!("no past of `{}`", target.column));
        }
        let is_error = |error: &f64| error.is_finite() && *error >= 0.0;
        if self.naive_errors.len() != columns.len() || !self.naive_errors.iter().all(is_error) {
            return Err("errors of naive forecasts that are no numbers".into());
        }
        if self.season.is_some_and(|season| !(2..=self.window).contains(&season)) {
            return Err("a season that no window holds".into());
        }
        let mut named = self.known.iter().chain(self.dates.as_ref().map(|dates| &dates.column));
        if let Some(column) = named.find(|column| !encoder.columns.contains(column)) {
            return Err(format!("a column `{column}` that is not among the columns"));
        }
        if self.dates.as_ref().and_then(|dates| dates.spacing).is_some_and(|spacing| !spacing.is_sound()) {
            return Err("dates at no distance".into());
        }
        self.check_size(encoder).map_err(|error| error.to_string())
    }

    /// Refuses windows with more features or outputs than there may be.
    pub(super) fn check_size(&self, encoder: &Encoder) -> Result<()> {
        let (inputs, outputs) = (encoder.inputs(), encoder.outputs());
        if inputs <= MOST_FEATURES && outputs <= MOST_ROWS {
            return Ok(());
        }
        let what = format!("windows of {} rows and {} to predict", self.window, self.horizon);
        let expected = format!("at most {MOST_FEATURES} features and {MOST_ROWS} outputs");
        Err(Error::Mismatch { what, expected, found: format!("{inputs} and {outputs}") })
    }
}

impl Encoder {
    /// Features of a sample: of a row, or of a window and what is known ahead of its horizon.
    pub fn inputs(&self) -> usize {
        let Some(windows) = &self.windows else { return self.width() };
        let layout = windows.layout(self);
        let past = windows.window.saturating_mul(layout.past.len());
        past.saturating_add(windows.horizon.saturating_mul(layout.ahead.len()))
    }

    /// Outputs of a network: those of a row's target, or of the targets of each row of the horizon, row by row.
    pub fn outputs(&self) -> usize {
        let horizon = self.windows.as_ref().map_or(1, |windows| windows.horizon);
        self.target.outputs().saturating_mul(horizon)
    }

    /// What the values of a sample are measured in, `[outputs]`; empty where classes are predicted.
    pub fn units(&self) -> Vec<Unit> {
        self.target.units().repeat(self.windows.as_ref().map_or(1, |windows| windows.horizon))
    }

    /// For each sample of `features` `[samples, inputs]` the forecast that the targets are those of `season` rows before,
    /// the last ones that the window has: with a season of 1 the last value, and else that of the same place in the last
    /// season. `[samples, outputs]`, in the units of target values; none without windows, or if they are shorter than
    /// the season.
    pub fn naive_forecasts(&self, features: &[f32], season: usize) -> Option<Vec<f32>> {
        let windows = self.windows.as_ref().filter(|windows| (1..=windows.window).contains(&season))?;
        let Target::Values { columns } = &self.target else { return None };
        let past = windows.layout(self).past;
        let mut sources = Vec::with_capacity(columns.len());
        for target in columns {
            let mut start = 0;
            for feature in &self.features {
                if let (How::Number { scale, .. }, true) = (&feature.how, feature.column == target.column) {
                    sources.push((past.iter().position(|&place| place == start)?, *scale, target.unit));
                }
                start += feature.width();
            }
        }
        let mut forecasts = Vec::with_capacity(features.len() / self.inputs() * self.outputs());
        for sample in features.chunks_exact(self.inputs()) {
            for ahead in 0..windows.horizon {
                let row = windows.window - season + ahead % season;
                forecasts.extend(sources.iter().map(|(place, scale, unit)| {
                    unit.value(scale.number(sample[row * past.len() + place])) as f32
                }));
            }
        }
        Some(forecasts)
    }
}
