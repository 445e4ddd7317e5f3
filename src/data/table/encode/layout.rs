//! What a network reads and predicts of the rows of a table: one of them, or a window.

use std::collections::BTreeSet;

use super::encoder::{Encoder, MOST_FEATURES, Target};
use super::feature::How;
use super::windows::{MOST_ROWS, Windows};
use crate::data::unit::Unit;
use crate::error::{Error, Result};

/// What a sample has in the place of one number of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// The feature of the row at this place.
    Of(usize),
    /// The same in all rows.
    Constant(f32),
}

impl Place {
    /// The number, of a row with these features.
    pub fn number(self, row: &[f32]) -> f32 {
        match self {
            Place::Of(place) => row[place],
            Place::Constant(number) => number,
        }
    }
}

/// Where in the features of a row those of a sample lie.
pub(super) struct Layout {
    /// Of each row of the window.
    pub past: Vec<Place>,
    /// Of each row of the horizon; as long as `past` where a sample is a sequence, or empty.
    pub ahead: Vec<Place>,
}

impl Encoder {
    /// Where the features of a sample lie in those of its rows. Of a sequence all positions have the same channels: what is
    /// read of either kind of rows, 0 in rows to predict where it is not known of them, and then a channel that is 1 in
    /// these rows.
    pub(super) fn layout(&self, windows: &Windows) -> Layout {
        let [past, ahead] = self.places(windows);
        if !windows.sequence || ahead.is_empty() {
            let [past, ahead] = [past, ahead].map(|places| places.into_iter().map(Place::Of).collect());
            return Layout { past, ahead };
        }
        let all: BTreeSet<usize> = past.iter().chain(&ahead).copied().collect();
        let known: BTreeSet<usize> = ahead.into_iter().collect();
        let of_ahead = |place: &usize| match known.contains(place) {
            true => Place::Of(*place),
            false => Place::Constant(0.0),
        };
        Layout {
            past: all.iter().map(|&place| Place::Of(place)).chain([Place::Constant(0.0)]).collect(),
            ahead: all.iter().map(of_ahead).chain([Place::Constant(1.0)]).collect(),
        }
    }

    /// The places of the features that are read in each row of the window, and in each row of the horizon, ascending.
    fn places(&self, windows: &Windows) -> [Vec<usize>; 2] {
        let [mut past, mut ahead] = [Vec::new(), Vec::new()];
        let mut start = 0;
        for feature in &self.features {
            let own = start..start + feature.width();
            start = own.end;
            match &feature.how {
                // The cycles of the calendar alone: no year of the test is one of the training.
                How::Date { indicator, .. } if windows.is_date(&feature.column) => {
                    ahead.extend(own.start + 1..own.end - usize::from(*indicator));
                }
                _ => {
                    if windows.known.contains(&feature.column) {
                        ahead.extend(own.clone());
                    }
                    past.extend(own);
                }
            }
        }
        [past, ahead]
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

    /// Height, width and channels of a sample: features in one row, or a sequence of the rows of a window and, where
    /// something is known of them, of those to predict.
    pub fn shape(&self) -> [usize; 3] {
        match &self.windows {
            Some(windows) if windows.sequence => {
                let Layout { past, ahead } = self.layout(windows);
                let to_predict = if ahead.is_empty() { 0 } else { windows.horizon };
                [1, windows.window + to_predict, past.len()]
            }
            _ => [1, 1, self.inputs()],
        }
    }

    /// How many numbers a sample has of each row of its window, with which it begins, and the places among them of those that
    /// no calendar says; none without windows.
    pub fn numbers_of_a_row(&self) -> Option<(usize, Vec<usize>)> {
        let windows = self.windows.as_ref()?;
        let [own, _] = self.places(windows);
        let past = self.layout(windows).past;
        let is_own = |place: &Place| matches!(place, Place::Of(place) if own.binary_search(place).is_ok());
        let places = (0..past.len()).filter(|&place| is_own(&past[place])).collect();
        Some((past.len(), places))
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
                    sources.push((
                        past.iter().position(|&place| place == Place::Of(start))?,
                        *scale,
                        target.unit,
                    ));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Features;
    use crate::data::table::{RowReader, Setup, Table, TableOptions, WindowSetup};
    use std::sync::Arc;

    /// Months with a `sale` that is known ahead, another feature and the target.
    fn content() -> String {
        (0..40).fold("month,price,sale,load\n".to_string(), |text, row| {
            let (year, month) = (2001 + row / 12, row % 12 + 1);
            let (price, sale, load) = (row * 7 % 11, row * 5 % 3, row * row % 17);
            text + &format!("{year}-{month:02},{price}.5,{sale}.25,{load}.75\n")
        })
    }

    /// A sequence has the numbers of the features in one row, each at the position of its row.
    #[test]
    fn a_sequence_has_a_position_for_each_row() {
        const WINDOW: usize = 5;
        const HORIZON: usize = 3;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, content()).unwrap();
        let table = Table::read(&path, &TableOptions::default()).unwrap();
        let all: Vec<u32> = (0..40).collect();
        let [plain, sequence] = [false, true].map(|sequence| {
            let known = vec!["sale".to_string()];
            let windows = WindowSetup { horizon: HORIZON, known, sequence, ..WindowSetup::of(WINDOW) };
            let setup = Setup { windows: Some(windows), ..Setup::default() };
            Arc::new(Encoder::fit(&table, &all, &setup, &TableOptions::default()).unwrap().encoder)
        });
        // Sine and cosine of the month, price, sale, load, and a mark of the rows to predict.
        assert_eq!((plain.shape(), sequence.shape()), ([1, 1, 24], [1, WINDOW + HORIZON, 6]));
        assert_eq!(sequence.numbers_of_a_row().unwrap(), (6, vec![2, 3, 4]));
        assert_eq!(plain.numbers_of_a_row().unwrap(), (3, vec![0, 1, 2]));
        let [one, other] = [&plain, &sequence].map(|encoder| encoder.samples(&table, &all).unwrap());
        let (Features::Floats(one), Features::Floats(other)) = (one.features(), other.features()) else {
            panic!("no table has bytes")
        };
        assert_eq!(one.len() / plain.inputs(), other.len() / sequence.inputs());
        for (one, other) in one.chunks_exact(plain.inputs()).zip(other.chunks_exact(sequence.inputs())) {
            let (past, ahead) = one.split_at(WINDOW * 3);
            for (row, numbers) in other.chunks_exact(6).enumerate() {
                let cycle = numbers[0].mul_add(numbers[0], numbers[1] * numbers[1]);
                assert!((cycle - 1.0).abs() < 1e-5, "{numbers:?}");
                match row.checked_sub(WINDOW) {
                    None => assert_eq!((&numbers[2..5], numbers[5]), (&past[row * 3..][..3], 0.0)),
                    Some(row) => {
                        let [sine, cosine, sale] = ahead[row * 3..][..3] else { panic!("three numbers") };
                        assert_eq!(numbers, [sine, cosine, 0.0, sale, 0.0, 1.0]);
                    }
                }
            }
        }
        assert_eq!(plain.naive_forecasts(one, 4), sequence.naive_forecasts(other, 4));
        assert_eq!(Encoder::from_json(&sequence.to_json()).unwrap(), *sequence);

        // Of the rows to come the dates and the sale are known.
        let later = (40..43).fold(content(), |text, row| text + &format!("2004-{:02},,1.25,\n", row - 35));
        std::fs::write(&path, later).unwrap();
        let forecast = RowReader::open(&path, &sequence, false).unwrap().forecast().unwrap();
        assert_eq!(forecast.features.len(), sequence.inputs());
        let marks: Vec<f32> = forecast.features.chunks_exact(6).map(|row| row[5]).collect();
        assert_eq!(marks, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    }
}
