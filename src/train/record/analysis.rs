//! The record of an analysis: what a trained model gets right and wrong.

use serde::{Deserialize, Serialize};

use super::nulls::null_is_nan;

/// The most mistakes that an [`Analysis`] shows.
pub const MOST_MISTAKES: usize = 25;

/// A model's predictions for a set of samples, class by class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The confusion matrix `[classes, classes]`: how many samples of the class of the row were predicted as that of
    /// the column.
    pub confusion: Vec<Vec<usize>>,
    /// The scores of each class, `[classes]`.
    pub classes: Vec<ClassScore>,
    /// The mistakes with the largest losses, the largest first; at most [`MOST_MISTAKES`].
    pub mistakes: Vec<Mistake>,
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
