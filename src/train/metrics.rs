//! How good answers are: of classes, and of values. Definitions are in `docs/losses.md`.

pub use super::scores::{macro_means, r_squared, rank, rmse, top_k};
use serde::{Deserialize, Serialize};

use super::analysis::confusion;
use super::evaluate::{outputs, predictions};
use super::targets::labels_for;
use crate::data::{Samples, Targets};
use crate::model::Model;
use crate::model::recipe::DataConfig;
use crate::team::Team;
use crate::{Error, Result};

/// How well classes are told apart; all are fractions of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The part of the samples whose class is among the five with the largest outputs; absent if there
    /// are no more than five classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_5: Option<f64>,
    /// Mean over the classes.
    pub precision: f64,
    /// Mean over the classes.
    pub recall: f64,
    /// Mean over the classes.
    pub f1: f64,
}

/// How close values are come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueMetrics {
    /// The root of the mean squared error, over all values.
    pub rmse: f64,
    /// The coefficient of determination, by [`r_squared`].
    pub r_squared: f64,
}

/// How well `model` tells the classes of `samples`.
///
/// # Errors
/// If the samples do not fit the model, or their targets are values.
pub fn of_classes(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<ClassMetrics> {
    let labels = labels_for(model, samples)?;
    let predictions = predictions(model, samples, data, team)?;
    let ranks: Vec<usize> = predictions.iter().map(|prediction| prediction.rank).collect();
    let [precision, recall, f1] = macro_means(&confusion(&predictions, labels, model.outputs()));
    let top_5 = (model.outputs() > 5).then(|| top_k(&ranks, 5));
    Ok(ClassMetrics { top_5, precision, recall, f1 })
}

/// How close `model` comes to the target values of `samples`.
///
/// # Errors
/// If the samples do not fit the model, or their targets are classes.
pub fn of_values(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<ValueMetrics> {
    let Targets::Values { values, width } = samples.targets() else {
        let (expected, found) = ("values".to_string(), "classes".to_string());
        return Err(Error::Mismatch { what: "targets".into(), expected, found });
    };
    let outputs = outputs(model, samples, data, team)?;
    Ok(ValueMetrics { rmse: rmse(&outputs, values), r_squared: r_squared(&outputs, values, *width) })
}

#[cfg(test)]
mod tests;
