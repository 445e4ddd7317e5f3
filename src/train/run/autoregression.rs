//! The linear autoregression that forecasts of a series are compared with.

use crate::Result;
use crate::data::{Features, Samples, Targets, split};
use crate::linear::{self, Coefficients, Linear, LinearKind, Problem};
use crate::train::inference::series::errors_of;
use crate::train::record::metrics::AutoregressionErrors;

/// The most multiply-adds of the largest product of one fit: a part of a second of one core. Fits of more rows are left out.
const MOST_WORK: f64 = 1e9;

/// One in so many training windows, the last ones, say how many rows are read.
const TRIED: usize = 5;

/// The errors, on the windows of `test`, of the forecast that each value is a weighted sum of the numbers in the last rows of
/// its window, by least squares with an intercept on the windows of `train` (Box, Jenkins: Time series analysis, 1970, with a
/// regression for each row of the horizon). How many rows, 1, 2, 4 and so on, is what does best on the last fifth of the
/// training windows; the regression is then fitted to all of them. None of samples that are no windows of a series, or if one
/// row takes too long.
///
/// # Errors
/// If memory is short.
pub fn autoregression(train: &Samples, test: &Samples) -> Result<Option<AutoregressionErrors>> {
    let (Some(train), Some(test_windows)) = (Series::of(train), Series::of(test)) else { return Ok(None) };
    let candidates: Vec<usize> = train.candidates().collect();
    let Some(rows) = train.best(&candidates)? else { return Ok(None) };
    let all: Vec<u32> = (0..train.count as u32).collect();
    let Some(fit) = train.fit(rows, &all)? else { return Ok(None) };
    let forecasts: Vec<f32> =
        (0..test_windows.count).flat_map(|window| test_windows.forecast(&fit, rows, window)).collect();
    let errors = errors_of(test, test_windows.values, test_windows.width, &forecasts);
    Ok(errors.map(|errors| AutoregressionErrors { rows, errors }))
}

/// Windows of a series as numbers.
struct Series<'a> {
    /// `[count, inputs]`: the rows of the window, each of `each` numbers, then what is known ahead. Of a row the numbers at
    /// the places `own` are read, which are those of no calendar.
    features: &'a [f32],
    /// `[count, width]`
    values: &'a [f32],
    count: usize,
    inputs: usize,
    width: usize,
    each: usize,
    own: Vec<usize>,
    /// Rows of a window.
    window: usize,
    /// Windows before one that predict rows which it predicts, too.
    overlapping: usize,
}

impl<'a> Series<'a> {
    fn of(samples: &'a Samples) -> Option<Series<'a>> {
        let encoder = samples.encoder()?;
        let windows = encoder.windows.as_ref()?;
        let (Features::Floats(features), Targets::Values { values, width }) =
            (samples.features(), samples.targets())
        else {
            return None;
        };
        let (each, own) = encoder.numbers_of_a_row()?;
        Some(Series {
            features,
            values,
            count: samples.len(),
            inputs: encoder.inputs(),
            width: *width,
            each,
            own,
            window: windows.window,
            overlapping: windows.horizon.div_ceil(windows.step) - 1,
        })
    }

    /// How many rows may be read: powers of 2 and the window, as far as a fit of them is soon done.
    fn candidates(&self) -> impl Iterator<Item = usize> {
        let fit = self.linear();
        let powers = (0u32..).map(|power| 1usize << power).take_while(move |&rows| rows < self.window);
        let is_quick = move |rows: &usize| fit.work(self.count, rows * self.own.len()) <= MOST_WORK;
        powers.chain([self.window]).filter(is_quick)
    }

    fn linear(&self) -> Linear {
        let (kind, outputs) = (LinearKind::Linear, self.width);
        Linear { kind, outputs, penalty: 0.0, delta: 1.0, squared: false }
    }

    /// The number of rows whose regression on all but the last windows does best on these; the fewest where there are too few
    /// windows to tell.
    fn best(&self, candidates: &[usize]) -> Result<Option<usize>> {
        let Ok(parts) = split::hold_out_last(self.count, self.count / TRIED, self.overlapping) else {
            return Ok(candidates.first().copied());
        };
        let mut best = None;
        for &rows in candidates {
            let Some(fit) = self.fit(rows, &parts.subset)? else { continue };
            let error: f64 = parts.held.iter().map(|&window| self.error(&fit, rows, window as usize)).sum();
            if best.is_none_or(|(least, _)| error < least) {
                best = Some((error, rows));
            }
        }
        Ok(best.map(|(_, rows)| rows))
    }

    /// The regression on the last `rows` of each of these windows.
    fn fit(&self, rows: usize, windows: &[u32]) -> Result<Option<Coefficients>> {
        let features = rows * self.own.len();
        let problem = Problem::new([windows.len(), features, self.width], &[], |place, row, targets| {
            let window = windows[place] as usize;
            row.iter_mut().zip(self.read(rows, window)).for_each(|(to, number)| *to = number);
            targets.copy_from_slice(self.targets(window));
        })?;
        Ok(linear::exact(&self.linear(), &problem)?.map(|exact| exact.coefficients))
    }

    /// What the regression reads of a window.
    fn read(&self, rows: usize, window: usize) -> impl Iterator<Item = f32> {
        let past = &self.features[window * self.inputs..][..self.window * self.each];
        let last = past[(self.window - rows) * self.each..].chunks_exact(self.each);
        last.flat_map(move |row| self.own.iter().map(move |&place| row[place]))
    }

    fn targets(&self, window: usize) -> &'a [f32] {
        &self.values[window * self.width..][..self.width]
    }

    /// `[width]`
    fn forecast(&self, fit: &Coefficients, rows: usize, window: usize) -> Vec<f32> {
        let read: Vec<f32> = self.read(rows, window).collect();
        let output = |output: usize| {
            let column = fit.weights.col(output);
            let sum: f64 = read.iter().zip(column.iter()).map(|(&x, weight)| f64::from(x) * weight).sum();
            (sum + fit.bias[output]) as f32
        };
        (0..self.width).map(output).collect()
    }

    /// The sum of the squared errors of a window, in the units of the samples' values.
    fn error(&self, fit: &Coefficients, rows: usize, window: usize) -> f64 {
        let forecast = self.forecast(fit, rows, window);
        let square = |(&y, &t): (&f32, &f32)| (f64::from(y) - f64::from(t)).powi(2);
        forecast.iter().zip(self.targets(window)).map(square).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table::{Encoder, Setup, Table, TableOptions, WindowSetup};
    use std::sync::Arc;

    /// A damped swing, x(t) = 1.8 x(t - 1) - 0.9 x(t - 2) and a shock now and then: two rows say all.
    fn samples(sequence: bool) -> [Samples; 2] {
        // A column that never changes is no feature.
        let mut text = "t,x\n".to_string();
        let [mut before, mut now] = [1.0f64, 1.5];
        for row in 0..400usize {
            let shock = ((row * row * 7919) % 101) as f64 / 500.0 - 0.1;
            (before, now) = (now, 1.8 * now - 0.9 * before + shock);
            text += &format!("1,{now:.9}\n");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        let table = Table::read(&path, &TableOptions::default()).unwrap();
        let windows = WindowSetup { horizon: 2, sequence, ..WindowSetup::of(8) };
        let setup = Setup { windows: Some(windows), ..Setup::default() };
        let trained: Vec<u32> = (0..300).collect();
        let encoder = Encoder::fit(&table, &trained, &setup, &TableOptions::default()).unwrap().encoder;
        let encoder = Arc::new(encoder);
        let tested: Vec<u32> = (292..400).collect();
        [trained, tested].map(|rows| encoder.samples(&table, &rows).unwrap())
    }

    /// Of the next row the error is the shock, whose deviation is 0.058; of the one behind it 1.8 times as much is added.
    #[test]
    fn two_rows_of_an_autoregression_of_order_two_are_enough() {
        let [train, test] = samples(false);
        let found = autoregression(&train, &test).unwrap().unwrap();
        let expected = 0.0583 * ((1.0 + 1.0 + 1.8f64.powi(2)) / 2.0).sqrt();
        assert!((2..=8).contains(&found.rows), "{found:?}");
        assert!((found.errors.rmse / expected - 1.0).abs() < 0.15, "{found:?} {expected}");
        // A sequence without anything known ahead has the same numbers.
        let [train, test] = samples(true);
        assert_eq!(train.shape(), [1, 8, 1]);
        assert_eq!(autoregression(&train, &test).unwrap().unwrap(), found);
    }

    #[test]
    fn samples_that_are_no_windows_have_none() {
        let data = crate::data::generate_digits([4, 2], 1).unwrap();
        assert_eq!(autoregression(&data.train, &data.test).unwrap(), None);
    }
}
