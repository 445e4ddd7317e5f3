//! Windows of a series: which rows a sample reads, and which rows it predicts.

use serde::{Deserialize, Serialize};

use super::super::date::{self, DateForm};

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
    /// Whether a sample is a sequence of rows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sequence: bool,
    /// `[targets]`: the mean absolute difference of a target from the row before, in the training rows and in its own
    /// unit, which errors are divided by for MASE (Hyndman, Koehler: Another look at measures of forecast accuracy, 2006).
    pub naive_errors: Vec<f64>,
}

fn is_false(value: &bool) -> bool {
    !value
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

    pub(super) fn is_sound(self) -> bool {
        match self {
            Spacing::Months(months) => (1..=120_000).contains(&months),
            Spacing::Seconds(seconds) => (1..=1 << 40).contains(&seconds),
        }
    }
}

impl Windows {
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
}
