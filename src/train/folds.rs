//! Cross-validation: as many models as folds, each tried on the samples that it was not trained on.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use super::record::{Observer, TrainRecord};
use super::run::{Training, fit};
use crate::data::{DataSet, split};
use crate::model::{Model, Recipe};
use crate::team::Team;
use crate::{Error, Result};

/// The schema that [`FoldsRecord`] has as JSON.
pub const FOLDS_SCHEMA: &str = "fallline.folds/1";

/// A cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldsRecord {
    /// [`FOLDS_SCHEMA`]
    pub schema: String,
    /// The recipe's name.
    pub recipe: String,
    /// Of the validation accuracies, fractions of 1.
    pub accuracy: Spread,
    /// Of the validation losses.
    pub loss: Spread,
    /// The training of each fold, without a test.
    pub folds: Vec<TrainRecord>,
}

/// Mean and standard deviation of some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub mean: f64,
    /// Of the sample: the sum of squares is divided by one less than the count, of which there must be
    /// two.
    pub deviation: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Spread {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Spread { mean, deviation: (squares / (count - 1.0)).sqrt() }
    }
}

/// Trains a model of the recipe on all but one of `folds` parts of the training samples, for each of
/// the parts, and tries it on that part. The test samples are not looked at. Every model begins with
/// the same parameters. There is no result if `stop` is set meanwhile.
///
/// # Errors
/// [`Error::Setting`] if the recipe sets samples aside itself; those of [`split::folds`]; those of
/// [`run`](super::run).
pub fn cross_validate(
    data: &DataSet,
    recipe: &Recipe,
    folds: usize,
    team: &Team,
    stop: &AtomicBool,
    observer: &mut (dyn Observer + Send),
) -> Result<Option<FoldsRecord>> {
    if recipe.data.validation.is_some() {
        return Err(Error::Setting {
            place: format!("recipe {}", recipe.name),
            key: "data.validation".into(),
            expected: "none with folds, which set samples aside themselves".into(),
            found: "one".into(),
        });
    }
    let seed = recipe.train.seed;
    let mut records = Vec::new();
    for (fold, split) in
        split::folds(&data.train, folds, recipe.data.stratified, seed)?.into_iter().enumerate()
    {
        let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, seed)?;
        let (record, _) = fit(&mut model, &Training::of(data), Some(split), recipe, team, stop, observer)?;
        if stop.load(Relaxed) {
            return Ok(None);
        }
        observer.fold(fold + 1, folds, &record);
        records.push(record);
    }
    let spread = |value: fn(&TrainRecord) -> Option<f64>| {
        Spread::of(&records.iter().filter_map(value).collect::<Vec<_>>())
    };
    Ok(Some(FoldsRecord {
        schema: FOLDS_SCHEMA.into(),
        recipe: recipe.name.clone(),
        accuracy: spread(|record| Some(record.validation.as_ref()?.accuracy)),
        loss: spread(|record| Some(record.validation.as_ref()?.loss)),
        folds: records,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        // Of 2, 4, 4, 4, 5, 5, 7, 9 the mean is 5 and the squares of the differences add up to 32.
        let spread = Spread::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(spread.mean, 5.0);
        assert!((spread.deviation - (32.0f64 / 7.0).sqrt()).abs() < 1e-15);
    }
}
