//! How good forecasts of a series are beside those that take no network.

use crate::data::{Features, Samples};
use crate::train::inference::scores::value_metrics;
use crate::train::record::metrics::{
    ForecastErrors, OutputMetrics, SeasonalErrors, SeriesMetrics, ValueMetrics,
};

/// The errors of forecasts of these metrics, and those of naive forecasts for the same windows; none of samples that are
/// no windows of a series.
///
/// `values`: the targets, `[samples, width]`.
pub(super) fn metrics(
    samples: &Samples,
    values: &[f32],
    width: usize,
    own: &ValueMetrics,
) -> Option<SeriesMetrics> {
    let encoder = samples.encoder()?;
    let windows = encoder.windows.as_ref()?;
    let Features::Floats(features) = samples.features() else { return None };
    let errors = |season| errors_of(samples, values, width, &encoder.naive_forecasts(features, season)?);
    Some(SeriesMetrics {
        mase: mase(own, &windows.naive_errors),
        naive: errors(1)?,
        seasonal: windows.season.and_then(|season| Some(SeasonalErrors { season, errors: errors(season)? })),
        autoregression: None,
    })
}

/// The errors of forecasts `[samples, width]` of windows of a series; none of other samples.
pub(in crate::train) fn errors_of(
    samples: &Samples,
    values: &[f32],
    width: usize,
    forecasts: &[f32],
) -> Option<ForecastErrors> {
    let windows = samples.encoder()?.windows.as_ref()?;
    let metrics = value_metrics(forecasts, values, width, samples.units());
    let mase = mase(&metrics, &windows.naive_errors);
    Some(ForecastErrors { rmse: metrics.rmse, mae: metrics.mae, mase })
}

/// The mean absolute scaled error (Hyndman, Koehler: Another look at measures of forecast accuracy, 2006): the mean
/// absolute error, each output's divided by the mean absolute error of the forecast that nothing changes from one training
/// row to the next, `naive` `[targets]`. None if that is 0.
fn mase(metrics: &ValueMetrics, naive: &[f64]) -> Option<f64> {
    if naive.is_empty() || naive.contains(&0.0) {
        return None;
    }
    let ValueMetrics { rmse, mae, r_squared, outputs } = metrics;
    let only = [OutputMetrics { rmse: *rmse, mae: *mae, r_squared: *r_squared }];
    let outputs = if outputs.is_empty() { &only[..] } else { outputs };
    // The targets of a row lie side by side, row after row.
    let scaled = outputs.iter().zip(naive.iter().cycle()).map(|(output, naive)| output.mae / naive);
    Some(scaled.sum::<f64>() / outputs.len() as f64)
}
