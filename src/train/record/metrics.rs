//! How good predictions are, of classes and of values; definitions are in `docs/losses.md`.

use serde::{Deserialize, Serialize};

use super::nulls::{null_is_nan, null_is_some_nan};
use crate::kernels::loss::Tokens;

/// The most classes of a confusion matrix among metrics.
pub const MOST_CONFUSED: usize = 64;

/// The metrics that fit the targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metrics {
    Classes(ClassMetrics),
    Values(ValueMetrics),
    Clusters(ClusterMetrics),
    /// There are no targets, and no clusters.
    None {},
}

/// How well classes are told apart; all but the log loss are fractions of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The part of the samples whose class is among the five with the largest outputs; absent if there
    /// are no more than five classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_5: Option<f64>,
    /// Precision, the mean over the classes.
    pub precision: f64,
    /// Recall, the mean over the classes.
    pub recall: f64,
    /// F1, the mean over the classes.
    pub f1: f64,
    /// Balanced accuracy: recall, the mean over the classes that occur as labels.
    pub balanced_accuracy: f64,
    /// The mean of -ln p, where p is the softmax of the outputs at the sample's class, whatever the loss of the training;
    /// `null` in JSON if it is not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub log_loss: f64,
    /// The area under the ROC curve of each class against all others, the mean over the classes that occur; absent
    /// if fewer than two classes occur, or an output is not finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// The confusion matrix `[classes, classes]`: how many samples of the class of the row were predicted as that of
    /// the column; empty, and absent in JSON, with more than [`MOST_CONFUSED`] classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<usize>>,
}

/// What language models are measured by, on sequences with a class for each position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenMetrics {
    /// e to the mean loss of a position, which is cross-entropy; `null` in JSON if it is not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub perplexity: f64,
    /// The mean loss of a position in bits: of characters, bits per character.
    #[serde(deserialize_with = "null_is_nan")]
    pub bits: f64,
    /// The part of the sequences all of whose positions are predicted right.
    pub sequence_accuracy: f64,
    /// Positions that count.
    pub positions: usize,
}

impl TokenMetrics {
    /// Of the mean loss of a position, and of which positions were predicted right, `[sequences, positions]`.
    pub(in crate::train) fn of(loss: f64, correct: &[u8], tokens: Tokens) -> TokenMetrics {
        let hits = |row: &[u8]| row.iter().map(|&hit| usize::from(hit)).sum::<usize>();
        let (mut whole, mut positions) = (0, 0);
        for (sequence, row) in correct.chunks_exact(tokens.positions).enumerate() {
            let counted = tokens.counted(sequence);
            whole += usize::from(hits(row) == counted);
            positions += counted;
        }
        let sequences = correct.len() / tokens.positions;
        TokenMetrics {
            perplexity: loss.exp(),
            bits: loss / std::f64::consts::LN_2,
            sequence_accuracy: whole as f64 / sequences as f64,
            positions,
        }
    }
}

/// How close predicted values come to their targets, in the units of the samples. What is not finite, because an output
/// is not, is `null` in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueMetrics {
    /// The root of the mean squared error, over all values.
    #[serde(deserialize_with = "null_is_nan")]
    pub rmse: f64,
    /// The mean absolute error, over all values.
    #[serde(deserialize_with = "null_is_nan")]
    pub mae: f64,
    /// The coefficient of determination, the mean over the outputs.
    #[serde(deserialize_with = "null_is_nan")]
    pub r_squared: f64,
    /// The same of each output, `[outputs]`; empty, and absent in JSON, if there is one only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputMetrics>,
}

/// How close the predicted values of one output come to their targets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputMetrics {
    #[serde(deserialize_with = "null_is_nan")]
    pub rmse: f64,
    #[serde(deserialize_with = "null_is_nan")]
    pub mae: f64,
    /// 1 - (sum of squared errors) / (sum of squared differences of the targets from their mean); of targets that are
    /// all equal, 1 if they are met exactly and 0 if not.
    #[serde(deserialize_with = "null_is_nan")]
    pub r_squared: f64,
}

/// How samples lie around the centres of k-means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterMetrics {
    /// The mean squared distance to the nearest centre, by the samples' weights if they have some.
    #[serde(deserialize_with = "null_is_nan")]
    pub inertia: f64,
    /// The part of the samples whose class is the most frequent one of their cluster; absent without classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purity: Option<f64>,
    /// `[clusters]`
    pub clusters: Vec<Cluster>,
}

/// The samples that are nearest to one centre.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub samples: usize,
    /// Their mean squared distance to the centre, each counting alike; absent without samples.
    #[serde(default, deserialize_with = "null_is_some_nan", skip_serializing_if = "Option::is_none")]
    pub inertia: Option<f64>,
    /// How many of them there are of each class, `[classes]`; empty, and absent in JSON, without classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<usize>,
}

impl Cluster {
    /// The most frequent class, the first of several, and the part of the samples that are of it; None without samples or
    /// classes.
    pub fn most_frequent(&self) -> Option<(usize, f64)> {
        let most = *self.classes.iter().max().filter(|most| **most > 0)?;
        let class = self.classes.iter().position(|&count| count == most)?;
        Some((class, most as f64 / self.samples as f64))
    }
}

/// How good forecasts of a series are, beside those that take no network for the same windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesMetrics {
    /// The mean absolute scaled error: the mean absolute error divided by that of the forecast, in the training rows, that
    /// the next value is the last one; the mean over the targets. Absent if the training rows never change.
    #[serde(default, deserialize_with = "null_is_some_nan", skip_serializing_if = "Option::is_none")]
    pub mase: Option<f64>,
    /// The errors of the forecast that all values are the last one of the window.
    pub naive: ForecastErrors,
    /// Those of the forecast that the last season of the window comes again; absent where no season is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seasonal: Option<SeasonalErrors>,
    /// Those of a linear autoregression that was fitted to the training windows; of the test of a training alone, and absent
    /// where the fit would take long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoregression: Option<AutoregressionErrors>,
}

/// The errors of a forecast over all values of the horizon, in the units of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastErrors {
    #[serde(deserialize_with = "null_is_nan")]
    pub rmse: f64,
    #[serde(deserialize_with = "null_is_nan")]
    pub mae: f64,
    /// As [`SeriesMetrics::mase`].
    #[serde(default, deserialize_with = "null_is_some_nan", skip_serializing_if = "Option::is_none")]
    pub mase: Option<f64>,
}

/// The errors of a linear autoregression.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoregressionErrors {
    /// Rows that it reads.
    pub rows: usize,
    #[serde(flatten)]
    pub errors: ForecastErrors,
}

/// The errors of a seasonal naive forecast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeasonalErrors {
    /// Rows of a season.
    pub season: usize,
    #[serde(flatten)]
    pub errors: ForecastErrors,
}
