//! Cross-validation: as many models as folds, each tried on the samples that it was not trained on.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::record::{Evaluation, Observer, TrainRecord, null_is_nan};
use super::run::{Training, check_training, fit};
use super::stop::Ending;
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
    /// How many were asked for, if not all of them are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_of: Option<usize>,
    /// Of the validation accuracies, fractions of 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Spread>,
    /// Of the validation losses.
    pub loss: Spread,
    /// The training of each fold, without a test.
    pub folds: Vec<TrainRecord>,
}

/// Mean and standard deviation of some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// NaN, which is `null` in JSON, if one of the numbers is absent or not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub mean: f64,
    /// Of the sample: the sum of squares is divided by one less than the count. NaN of one number, and where
    /// the mean is.
    #[serde(deserialize_with = "null_is_nan")]
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

impl FoldsRecord {
    fn of(recipe: &Recipe, folds: usize, records: Vec<TrainRecord>) -> FoldsRecord {
        // One that is missing is no reason to average the others as if they were all.
        let spread = |value: fn(&Evaluation) -> f64| {
            let value = |record: &TrainRecord| record.validation.as_ref().map_or(f64::NAN, value);
            Spread::of(&records.iter().map(value).collect::<Vec<_>>())
        };
        let is_of_values =
            |record: &TrainRecord| record.validation.as_ref().is_some_and(|seen| seen.accuracy.is_none());
        let has_classes = !records.iter().any(is_of_values);
        FoldsRecord {
            schema: FOLDS_SCHEMA.into(),
            recipe: recipe.name.clone(),
            incomplete_of: (records.len() < folds).then_some(folds),
            // Of values there is none.
            accuracy: has_classes.then(|| spread(|seen| seen.accuracy.unwrap_or(f64::NAN))),
            loss: spread(|seen| seen.loss),
            folds: records,
        }
    }

    /// How many folds were asked for.
    pub fn asked(&self) -> usize {
        self.incomplete_of.unwrap_or(self.folds.len())
    }
}

/// Trains a model of the recipe on all but one of `folds` parts of the training samples, for each of
/// the parts, and tries it on that part. The test samples are not looked at. Every model begins with
/// the same parameters. If `stop` is set meanwhile, the fold under way is left out, and so are those after
/// it.
///
/// # Errors
/// [`Error::Setting`] if the recipe sets samples aside itself; those of [`split::folds`]; those of
/// [`check`](super::check), for all folds before the first one.
pub fn cross_validate(
    data: &DataSet,
    recipe: &Recipe,
    folds: usize,
    team: &Team,
    stop: &AtomicBool,
    observer: &mut (dyn Observer + Send),
) -> Result<FoldsRecord> {
    if recipe.data.validation.is_some() {
        return Err(Error::Setting {
            place: format!("recipe {}", recipe.name),
            key: "data.validation".into(),
            expected: "none with folds, which set samples aside themselves".into(),
            found: "one".into(),
        });
    }
    let seed = recipe.train.seed;
    let build = || Model::build(&recipe.model, data.train.shape(), data.classes, seed);
    let splits = split::folds(&data.train, folds, recipe.data.stratified, seed)?;
    // What can go wrong depends on how many samples there are, of which there are one or two numbers.
    let mut sizes = HashSet::new();
    for split in splits.iter().filter(|split| sizes.insert((split.kept.len(), split.held.len()))) {
        check_training(&mut build()?, &data.train, Some(split), recipe, team)?;
    }
    let mut done = FoldsRecord::of(recipe, folds, Vec::new());
    for split in splits {
        let record = fit(&mut build()?, &Training::of(data), Some(split), recipe, team, stop, observer)?;
        if record.stop_reason == Ending::Interrupted.name() {
            break;
        }
        done.folds.push(record);
        done = FoldsRecord::of(recipe, folds, done.folds);
        observer.fold(&done);
    }
    Ok(done)
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
        let one = Spread::of(&[2.0]);
        assert!(one.mean == 2.0 && one.deviation.is_nan());
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(json, r#"{"mean":2.0,"deviation":null}"#);
        assert!(serde_json::from_str::<Spread>(&json).unwrap().deviation.is_nan());
    }
}
