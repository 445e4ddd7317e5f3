//! Cross-validation: as many models as folds, each tried on the samples that it was not trained on.

pub use crate::train::record::folds::{FOLDS_SCHEMA, FoldsRecord, Spread};
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use crate::data::{DataSet, split};
use crate::model::{Model, Recipe};
use crate::team::Team;
use crate::train::observer::Observer;
use crate::train::record::Ending;
use crate::train::run::fit::{TrainingSet, check_training, fit};
use crate::{Error, Result};

/// Trains a model of the recipe on all but one of `folds` parts of the training samples, for each of
/// the parts, and evaluates it on that part. The test samples are not looked at. Every model begins with
/// the same parameters. If `stop` is set meanwhile, the fold under way is left out, and so are those after
/// it.
///
/// # Errors
/// [`Error::Setting`] if the recipe sets samples aside itself; those of [`split::folds`]; those of
/// [`check`](crate::train::check), for all folds before the first one.
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
    for split in splits.iter().filter(|split| sizes.insert((split.subset.len(), split.held.len()))) {
        check_training(&mut build()?, &data.train, Some(split), recipe, team)?;
    }
    let mut done = FoldsRecord::of(recipe, folds, Vec::new());
    for split in splits {
        let record = fit(&mut build()?, &TrainingSet::of(data), Some(split), recipe, team, stop, observer)?;
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
