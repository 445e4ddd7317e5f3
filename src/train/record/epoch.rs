//! The records of an epoch, and of its progress.

use serde::{Deserialize, Serialize};

use super::nulls::{null_is_nan, null_is_some_nan};
use crate::train::record::metrics::{SeriesMetrics, TokenMetrics, ValueMetrics};
use crate::train::record::norms::LayerNorms;

/// One pass over the training samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The number of the epoch, from 1.
    pub epoch: usize,
    /// The mean loss over the samples, by their weights if they have some, each at the moment it was trained on; with
    /// an optimizer that searches along lines, at the end of the epoch.
    pub train_loss: f64,
    /// The accuracy on the training samples, as a fraction of 1, in which all count alike; absent where the targets are
    /// values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Absent without validation samples; `null` in JSON if it is not finite.
    #[serde(default, deserialize_with = "null_is_some_nan", skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// The accuracy on the samples set aside, as a fraction of 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Wall-clock time of the training steps.
    pub seconds: f64,
    pub samples_per_second: f64,
    /// Samples that were trained on; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Positions of sequences that were trained on, where each has a target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<usize>,
    /// Whether the epoch was ended before all samples had been trained on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub incomplete: bool,
    /// The learning rate of the epoch's last step, as a line search found it if there is one; absent in records of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// How often loss and gradient of all samples were computed; only with an optimizer that searches
    /// along lines, where [`samples_per_second`](EpochRecord::samples_per_second) counts all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluations: Option<usize>,
    /// The norms of each layer with parameters, from the input on, in the epoch's last step; absent if the epoch is
    /// incomplete, and in records of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerNorms>,
}

pub(in crate::train) fn is_false(value: &bool) -> bool {
    !value
}

/// The result of a model on a set of samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The mean loss over the samples, by their weights if they have some; `null` in JSON if it is not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The accuracy, as a fraction of 1, in which all samples count alike; absent where the targets are values. Earlier
    /// versions wrote `null` there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// How close the outputs come to targets that are values; absent where the targets are classes, and in records of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValueMetrics>,
    /// Of windows of a series, how good the forecasts are beside naive ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<SeriesMetrics>,
    /// Of sequences with a class for each position, what language models are measured by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenMetrics>,
    /// The samples whose own loss is not finite, but for those without weight; absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_finite: Option<NotFinite>,
}

impl Evaluation {
    /// An evaluation on samples with classes, all of which have finite losses.
    pub fn new(loss: f64, accuracy: f64) -> Evaluation {
        let accuracy = Some(accuracy);
        Evaluation { loss, accuracy, values: None, series: None, tokens: None, not_finite: None }
    }
}

/// Samples whose loss is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotFinite {
    /// How many there are.
    pub samples: usize,
    /// The index of the first one in its set, from 0: of samples set aside, among the training samples.
    pub first: usize,
}

/// An activity beside the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Validating,
    Testing,
}

impl Phase {
    /// The activity in words: "validating", "testing".
    pub fn text(self) -> &'static str {
        match self {
            Phase::Validating => "validating",
            Phase::Testing => "testing",
        }
    }
}

/// How far training is, within an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The epoch under way, from 1.
    pub epoch: usize,
    /// Epochs of the run.
    pub epochs: usize,
    /// Samples of this epoch that are done so far.
    pub samples: usize,
    /// Samples of an epoch.
    pub of: usize,
    /// The mean loss over the samples done.
    pub loss: f64,
    /// The accuracy on the samples done, as a fraction of 1; none where the targets are values.
    pub accuracy: Option<f64>,
    pub samples_per_second: f64,
}
