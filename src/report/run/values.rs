//! Runs whose targets are values: their metrics, and predicted values beside true ones.

use super::charts::Figure;
use crate::report::chart::{Axis, Chart, Guide, ScatterChart};
use crate::report::metrics::part;
use crate::report::numbers::{counted, significant};
use crate::report::page::{Cell, Column, Part, Section, Table};
use crate::train::analysis::{MOST_OUTPUTS, MOST_PREDICTED, PredictedOutput, PredictedValues};
use crate::train::metrics::{ForecastErrors, OutputMetrics, SeriesMetrics, ValueMetrics};
use crate::train::{Evaluation, TrainRecord};

/// The names of the files of each output.
const FILES: [[&str; 2]; MOST_OUTPUTS] = [
    ["predicted", "residuals"],
    ["predicted-1", "residuals-1"],
    ["predicted-2", "residuals-2"],
    ["predicted-3", "residuals-3"],
];

/// The charts of the predictions of a run of this name.
pub fn figures(name: &str, values: &PredictedValues) -> Vec<Figure> {
    let several = values.outputs.len() > 1;
    let of_output = |(index, (output, files)): (usize, (&PredictedOutput, [&'static str; 2]))| {
        let of = if several { format!("output {index} of {name}") } else { name.to_string() };
        let pairs = || output.targets.iter().zip(&output.predictions).take(MOST_PREDICTED);
        let chart = |title: &str, x: &str, y: &str, dots: Vec<(f64, f64)>, guide: Guide| {
            let (title, x, y) = (format!("{title}: {of}"), Axis::new(x), Axis::new(y));
            Chart::Scatter(ScatterChart { title, x, y, dots, guide })
        };
        let predicted = chart(
            "Predicted and true values",
            "true value",
            "predicted value",
            pairs().map(|(&target, &prediction)| (target, prediction)).collect(),
            Guide::Diagonal,
        );
        let residuals = chart(
            "Residuals",
            "predicted value",
            "true value less predicted value",
            pairs().map(|(&target, &prediction)| (prediction, target - prediction)).collect(),
            Guide::Zero,
        );
        let [first, second] = files;
        [Figure { file: first, chart: predicted }, Figure { file: second, chart: residuals }]
    };
    values.outputs.iter().zip(FILES).enumerate().flat_map(of_output).collect()
}

/// The section of predicted values of a run of this name.
pub fn section(name: &str, of: &str, values: &PredictedValues, record: &TrainRecord) -> Section {
    let text = format!(
        "{}, evenly chosen. On the line a prediction is right; above the line of the residuals it is too low.",
        counted(values.samples.len(), "test sample")
    );
    let charts = figures(name, values).into_iter().map(|figure| figure.chart).collect();
    let mut parts = vec![Part::Text(text), Part::Charts(charts)];
    let metrics = record.test.as_ref().and_then(|test| test.values.as_ref());
    if let Some(metrics) = metrics.filter(|metrics| !metrics.outputs.is_empty()) {
        parts.push(Part::Table(outputs(metrics)));
    }
    if let Some((own, series)) = metrics.zip(record.test.as_ref().and_then(|test| test.series.as_ref())) {
        parts.push(Part::Table(forecasts(own, series)));
    }
    Section { heading: format!("Predictions{of}"), parts }
}

/// The errors of the forecasts of a series, beside those that take no network.
fn forecasts(own: &ValueMetrics, series: &SeriesMetrics) -> Table {
    let own = ForecastErrors { rmse: own.rmse, mae: own.mae, mase: series.mase };
    let mut rows =
        vec![("this model".to_string(), own), ("the last value again (naive)".into(), series.naive)];
    rows.extend(
        series
            .seasonal
            .map(|of| (format!("the last season of {} rows again (seasonal naive)", of.season), of.errors)),
    );
    rows.extend(
        series
            .autoregression
            .map(|of| (format!("a linear autoregression of {}", counted(of.rows, "row")), of.errors)),
    );
    let row = |(name, errors): &(String, ForecastErrors)| {
        let ForecastErrors { rmse, mae, mase } = *errors;
        vec![
            Cell::text(name),
            Cell::number(significant(rmse), rmse),
            Cell::number(significant(mae), mae),
            mase.map_or(Cell::text("–"), |mase| Cell::number(part(mase), mase)),
        ]
    };
    let columns = [
        ("forecast", ""),
        ("RMSE", "root of the mean squared error, over all rows of the horizon"),
        ("MAE", "mean absolute error, over all rows of the horizon"),
        ("MASE", "MAE divided by that of the naive forecast of one row in the training rows"),
    ];
    Table {
        caption: "Forecasts of the test windows".into(),
        columns: columns.map(|(title, hint)| Column::new(title, hint)).to_vec(),
        rows: rows.iter().map(row).collect(),
    }
}

/// The metrics of each output.
fn outputs(metrics: &ValueMetrics) -> Table {
    let row = |(index, output): (usize, &OutputMetrics)| {
        let OutputMetrics { rmse, mae, r_squared } = *output;
        vec![
            Cell::number(index.to_string(), index as f64),
            Cell::number(significant(rmse), rmse),
            Cell::number(significant(mae), mae),
            Cell::number(part(r_squared), r_squared),
        ]
    };
    let columns = [
        ("output", ""),
        ("RMSE", "root of the mean squared error, in the units of the output"),
        ("MAE", "mean absolute error, in the units of the output"),
        ("R²", "the part of the variance that is explained"),
    ];
    Table {
        caption: "Test metrics of each output".into(),
        columns: columns.map(|(title, hint)| Column::new(title, hint)).to_vec(),
        rows: metrics.outputs.iter().enumerate().map(row).collect(),
    }
}

/// A number of an evaluation's values.
pub fn metric(seen: Option<&Evaluation>, of: fn(&ValueMetrics) -> f64) -> Option<f64> {
    seen?.values.as_ref().map(of)
}
