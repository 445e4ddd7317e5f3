//! What a network reads and predicts of the rows of a table: one of them, or a window.

use super::encoder::{Encoder, MOST_FEATURES, Target};
use super::feature::How;
use super::windows::{MOST_ROWS, Windows};
use crate::data::unit::Unit;
use crate::error::{Error, Result};

/// Where in the features of a row those of a sample lie.
pub(super) struct Layout {
    /// Of each row of the window.
    pub past: Vec<usize>,
    /// Of each row of the horizon.
    pub ahead: Vec<usize>,
}

impl Encoder {
    /// Where the features of a sample lie in those of its rows.
    pub(super) fn layout(&self, windows: &Windows) -> Layout {
        let mut layout = Layout { past: Vec::new(), ahead: Vec::new() };
        let mut start = 0;
        for feature in &self.features {
            let own = start..start + feature.width();
            start = own.end;
            match &feature.how {
                // The cycles of the calendar alone: no year of the test is one of the training.
                How::Date { indicator, .. } if windows.is_date(&feature.column) => {
                    layout.ahead.extend(own.start + 1..own.end - usize::from(*indicator));
                }
                _ => {
                    if windows.known.contains(&feature.column) {
                        layout.ahead.extend(own.clone());
                    }
                    layout.past.extend(own);
                }
            }
        }
        layout
    }

    /// What is wrong with the windows, if the encoder was read from somewhere else.
    pub(super) fn check_windows(&self) -> Result<(), String> {
        let Some(windows) = &self.windows else { return Ok(()) };
        let sizes = [windows.window, windows.horizon, windows.step];
        if sizes.iter().any(|size| !(1..=MOST_ROWS).contains(size)) {
            return Err(format!("windows of sizes {sizes:?}"));
        }
        let Target::Values { columns } = &self.target else {
            return Err("windows of a series of classes".into());
        };
        let is_number = |column: &str| {
            let own = self.features.iter().find(|feature| feature.column == column);
            own.is_some_and(|feature| matches!(feature.how, How::Number { .. }))
        };
        if let Some(target) = columns.iter().find(|target| !is_number(&target.column)) {
            return Err(format!("no past of `{}`", target.column));
        }
        let is_error = |error: &f64| error.is_finite() && *error >= 0.0;
        if windows.naive_errors.len() != columns.len() || !windows.naive_errors.iter().all(is_error) {
            return Err("errors of naive forecasts that are no numbers".into());
        }
        if windows.season.is_some_and(|season| !(2..=windows.window).contains(&season)) {
            return Err("a season that no window holds".into());
        }
        let mut named = windows.known.iter().chain(windows.dates.as_ref().map(|dates| &dates.column));
        if let Some(column) = named.find(|column| !self.columns.contains(column)) {
            return Err(format!("a column `{column}` that is not among the columns"));
        }
        if windows.dates.as_ref().and_then(|dates| dates.spacing).is_some_and(|spacing| !spacing.is_sound()) {
            return Err("dates at no distance".into());
        }
        self.check_size().map_err(|error| error.to_string())
    }

    /// Refuses windows with more features or outputs than there may be.
    pub(super) fn check_size(&self) -> Result<()> {
        let Some(windows) = &self.windows else { return Ok(()) };
        let (inputs, outputs) = (self.inputs(), self.outputs());
        if inputs <= MOST_FEATURES && outputs <= MOST_ROWS {
            return Ok(());
        }
        let what = format!("windows of {} rows and {} to predict", windows.window, windows.horizon);
        let expected = format!("at most {MOST_FEATURES} features and {MOST_ROWS} outputs");
        Err(Error::Mismatch { what, expected, found: format!("{inputs} and {outputs}") })
    }

    /// Features of a sample: of a row, or of a window and what is known ahead of its horizon.
    pub fn inputs(&self) -> usize {
        let Some(windows) = &self.windows else { return self.width() };
        let layout = self.layout(windows);
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
        let past = self.layout(windows).past;
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
