//! The record of an analysis: what a trained model gets right and wrong.

use serde::{Deserialize, Serialize};

use super::metrics::ClusterMetrics;
use super::nulls::{null_is_nan, nulls_are_nan};

/// The most mistakes that an [`Analysis`] shows.
pub const MOST_MISTAKES: usize = 25;

/// The most samples, and the most outputs, whose predicted values an [`Analysis`] shows.
pub const MOST_PREDICTED: usize = 2000;
pub const MOST_OUTPUTS: usize = 4;

/// A model's predictions for a set of samples: class by class, or value by value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The confusion matrix `[classes, classes]`: how many samples of the class of the row were predicted as that of
    /// the column. Absent in JSON, as the next two, where targets are values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<usize>>,
    /// The names of the classes, `[classes]`; empty, and absent in JSON, where they have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// The scores of each class, `[classes]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassScore>,
    /// The mistakes with the largest losses, the largest first; at most [`MOST_MISTAKES`].
    #[serde(default)]
    pub mistakes: Vec<Mistake>,
    /// Predicted values beside their targets; only where targets are values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<PredictedValues>,
    /// What lies in which cluster; only of k-means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<ClusterMetrics>,
}

impl Analysis {
    /// The analysis with these names of its classes; with none unless there is one for each.
    pub fn named(self, names: &[String]) -> Analysis {
        let of_clusters = || self.clusters.as_ref()?.clusters.first().map(|cluster| cluster.classes.len());
        let classes = of_clusters().unwrap_or(self.classes.len());
        let class_names = if names.len() == classes { names.to_vec() } else { Vec::new() };
        Analysis { class_names, ..self }
    }

    /// The name of a class, or its number if it has none.
    pub fn class_name(&self, class: usize) -> String {
        self.class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }
}

/// Predicted values beside their targets, in the units of the samples: of at most [`MOST_PREDICTED`] samples, evenly
/// chosen, and the first [`MOST_OUTPUTS`] outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedValues {
    /// The indices of the samples in their set, from 0, rising.
    pub samples: Vec<usize>,
    /// `[outputs]`.
    pub outputs: Vec<PredictedOutput>,
}

/// The predicted values of one output, and their targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedOutput {
    /// `[samples]`.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub targets: Vec<f64>,
    /// `[samples]`; `null` in JSON where a prediction is not finite.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub predictions: Vec<f64>,
}

/// A sample that was read as another class than its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// The index of the sample in its set, from 0.
    pub index: usize,
    pub label: usize,
    pub predicted: usize,
    /// The probability that the model gave to the predicted class, as a fraction of 1; this and the loss are `null` in
    /// JSON where they are not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub probability: f64,
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The sample as a PNG file in base64 (RFC 4648, §4); absent if it is no picture, or a large one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub png: Option<String>,
}

/// How well one class is told from the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Samples of the class.
    pub samples: usize,
    /// The part of the samples predicted as this class that are of it; absent if none was.
    pub precision: Option<f64>,
    /// The part of the samples of this class that were predicted as it; absent if there are none.
    pub recall: Option<f64>,
    /// The harmonic mean of both; absent if one of them is.
    pub f1: Option<f64>,
}
