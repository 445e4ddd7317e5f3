//! The record of a cross-validation.

use serde::{Deserialize, Serialize};

use crate::model::Recipe;
use crate::train::record::epoch::Evaluation;
use crate::train::record::nulls::null_is_nan;
use crate::train::record::training::TrainRecord;

/// The schema that [`FoldsRecord`] has as JSON.
pub const FOLDS_SCHEMA: &str = "fallline.folds/1";

/// A cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldsRecord {
    /// The schema of the record, [`FOLDS_SCHEMA`].
    pub schema: String,
    /// The recipe's name.
    pub recipe: String,
    /// How many folds were asked for, if not all of them are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_of: Option<usize>,
    /// Mean and deviation of the validation accuracies, fractions of 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Spread>,
    /// Mean and deviation of the validation RMSE and R²; only where targets are values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rmse: Option<Spread>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_squared: Option<Spread>,
    /// Mean and deviation of the validation losses.
    pub loss: Spread,
    /// The training of each fold, without a test.
    pub folds: Vec<TrainRecord>,
}

/// Mean and standard deviation of some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean. NaN, which is `null` in JSON, if one of the numbers is absent or not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub mean: f64,
    /// The standard deviation of the sample: the sum of squares is divided by one less than the count. NaN of one
    /// number, and where the mean is.
    #[serde(deserialize_with = "null_is_nan")]
    pub deviation: f64,
}

impl Spread {
    pub(in crate::train) fn of(values: &[f64]) -> Spread {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Spread { mean, deviation: (squares / (count - 1.0)).sqrt() }
    }
}

impl FoldsRecord {
    pub(in crate::train) fn of(recipe: &Recipe, folds: usize, records: Vec<TrainRecord>) -> FoldsRecord {
        // A number that is missing is no reason to average the others as if they were all.
        let spread = |value: fn(&Evaluation) -> f64| {
            let value = |record: &TrainRecord| record.validation.as_ref().map_or(f64::NAN, value);
            Spread::of(&records.iter().map(value).collect::<Vec<_>>())
        };
        let any = |is: fn(&Evaluation) -> bool| records.iter().filter_map(|r| r.validation.as_ref()).any(is);
        let has_values = any(|seen| seen.values.is_some());
        let has_classes = !any(|seen| seen.accuracy.is_none());
        let of_values = |value: fn(&Evaluation) -> f64| has_values.then(|| spread(value));
        FoldsRecord {
            schema: FOLDS_SCHEMA.into(),
            recipe: recipe.name.clone(),
            incomplete_of: (records.len() < folds).then_some(folds),
            // Target values have no accuracy, nor has a model without targets.
            accuracy: has_classes.then(|| spread(|seen| seen.accuracy.unwrap_or(f64::NAN))),
            rmse: of_values(|seen| seen.values.as_ref().map_or(f64::NAN, |values| values.rmse)),
            r_squared: of_values(|seen| seen.values.as_ref().map_or(f64::NAN, |values| values.r_squared)),
            loss: spread(|seen| seen.loss),
            folds: records,
        }
    }

    /// How many folds were asked for.
    pub fn asked(&self) -> usize {
        self.incomplete_of.unwrap_or(self.folds.len())
    }
}
