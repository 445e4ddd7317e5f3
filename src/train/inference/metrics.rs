//! How good predictions are: of classes, and of values. Definitions are in `docs/losses.md`.

pub use crate::train::inference::scores::{
    area_under_curve, balanced_accuracy, log_loss, macro_means, rank, top_k, value_metrics,
};
pub use crate::train::record::metrics::{
    AutoregressionErrors, ClassMetrics, Cluster, ClusterMetrics, ForecastErrors, MOST_CONFUSED, Metrics,
    OutputMetrics, SeasonalErrors, SeriesMetrics, ValueMetrics,
};

use crate::data::{Samples, Targets};
use crate::model::Model;
use crate::model::recipe::DataConfig;
use crate::team::Team;
use crate::train::inference::analysis::confusion;
use crate::train::inference::clusters;
use crate::train::inference::evaluate::{evaluate_in, outputs_in, predictions};
use crate::train::inference::order::Order;
use crate::train::targets::labels_for;
use crate::{Error, Result};

/// The metrics of `model` on `samples` that fit their targets. None of them counts the samples' weights.
///
/// # Errors
/// If the samples do not fit the model.
pub fn of(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Metrics> {
    of_in(Order::Apart, model, samples, data, team)
}

/// The same where samples go through the network in an order.
///
/// # Errors
/// Those of [`of`].
pub fn of_in(
    order: Order,
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<Metrics> {
    if let Some(clusters) = clusters::metrics(model, samples, data, team)? {
        return Ok(Metrics::Clusters(clusters));
    }
    match samples.targets() {
        Targets::Classes(_) => classes_in(order, model, samples, data, team).map(Metrics::Classes),
        Targets::Values { .. } => values_in(order, model, samples, data, team).map(Metrics::Values),
        // Of a network whose loss takes none there is nothing more to say than the loss.
        // Of tokens an evaluation says all.
        Targets::Tokens(_) | Targets::None => Ok(Metrics::None {}),
    }
}

/// Classification metrics of `model` on `samples`.
///
/// # Errors
/// If the samples do not fit the model, or their targets are values.
pub fn of_classes(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<ClassMetrics> {
    classes_in(Order::Apart, model, samples, data, team)
}

fn classes_in(
    order: Order,
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<ClassMetrics> {
    let labels = labels_for(model, samples)?;
    let classes = model.outputs();
    let predictions = predictions(order, model, samples, data, team)?;
    let ranks: Vec<usize> = predictions.iter().map(|prediction| prediction.rank).collect();
    let confusion = confusion(&predictions, labels, classes);
    let [precision, recall, f1] = macro_means(&confusion);
    let outputs = outputs_in(order, model, samples, data, team)?;
    Ok(ClassMetrics {
        top_5: (classes > 5).then(|| top_k(&ranks, 5)),
        precision,
        recall,
        f1,
        balanced_accuracy: balanced_accuracy(&confusion),
        log_loss: log_loss(&outputs, classes, labels),
        auc: area_under_curve(&outputs, classes, labels),
        confusion: if classes <= MOST_CONFUSED { confusion } else { Vec::new() },
    })
}

/// Regression metrics of `model` on `samples`, in their units.
///
/// # Errors
/// If the samples do not fit the model, or their targets are classes.
pub fn of_values(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<ValueMetrics> {
    values_in(Order::Apart, model, samples, data, team)
}

fn values_in(
    order: Order,
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<ValueMetrics> {
    let mismatch = || {
        let found = if *samples.targets() == Targets::None { "none" } else { "classes" }.to_string();
        let expected = "values".to_string();
        Error::Mismatch { what: "targets".into(), expected, found }
    };
    if !matches!(samples.targets(), Targets::Values { .. }) {
        return Err(mismatch());
    }
    evaluate_in(order, model, samples, data, team)?.values.ok_or_else(mismatch)
}

#[cfg(test)]
mod tests;
