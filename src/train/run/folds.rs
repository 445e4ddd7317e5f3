//! Cross-validation: as many models as folds, each tried on the samples that it was not trained on.

pub use crate::train::record::folds::{FOLDS_SCHEMA, FoldsRecord, Spread};
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use crate::data::{DataSet, split};
use crate::model::{Model, Recipe};
use crate::team::Team;
use crate::train::observer::Observer;
use crate::train::record::Ending;
use crate::train::run::fit::{Control, check_training, fit, refuse_text};
use crate::train::run::training_set::TrainingSet;
use crate::{Error, Result};

/// Trains a model of the recipe on all but one of `folds` parts of the training samples, for each of
/// the parts, and evaluates it on that part. The test samples are not looked at. Every model begins with
/// the same parameters. If `stop` is set meanwhile, the fold under way is left out, and so are those after
/// it.
///
/// # Errors
/// [`Error::Setting`] if the recipe sets samples aside itself; [`Error::Mismatch`] for windows of a series or a text; those of
/// [`split::folds`]; those of [`check`](crate::train::check), for all folds before the first one.
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
    refuse_text(&data.train)?;
    if data.train.encoder().is_some_and(|encoder| encoder.windows.is_some()) {
        return Err(Error::Mismatch {
            what: "folds".into(),
            expected: "samples of which none tells what comes before it; `data.validation` sets the last windows of a series \
                       aside"
                .into(),
            found: "windows of a series, which would learn from rows behind those that they are tried on".into(),
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
        let record = fit(
            &mut build()?,
            &TrainingSet::of(data),
            Some(split),
            recipe,
            team,
            Control::new(stop, observer),
        )?;
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
    use crate::data::{Origin, Samples, Targets, Unit};
    use crate::train::record::TrainRecord;
    use crate::train::run::fit::run;

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

    /// y = 2 x + noise: each fold finds out, and its errors are told in the units of the data.
    #[test]
    fn folds_of_values_have_errors_in_place_of_accuracies() {
        let samples = |count: u32| {
            let x: Vec<f32> = (0..count).map(|place| (place * 37 % 101) as f32 / 101.0).collect();
            let values = x.iter().enumerate().map(|(place, x)| 2.0 * x + 0.01 * (place % 3) as f32).collect();
            let targets = Targets::Values { values, width: 1 };
            let units = vec![Unit { factor: 1000.0, offset: 5.0 }];
            Samples::floats(x, [1, 1, 1], targets, 1).unwrap().with_units(units).unwrap()
        };
        let origin = Origin::Generated { seed: 0 };
        let data = DataSet::new("line", 1, samples(300), samples(20), origin).unwrap();
        let changes = [
            "model.layers=[{type='dense', units=1}]",
            "model.loss=mean-squared-error",
            "data.mean=0.0",
            "data.deviation=1.0",
            "optimizer.name=adam",
            "optimizer.learning_rate=0.02",
            "train.batch=16",
            "train.epochs=100",
        ]
        .map(|change| change.parse().unwrap());
        let recipe = Recipe::load("digits-mlp", &changes).unwrap();
        let team = Team::new(2).unwrap();
        let stop = AtomicBool::new(false);
        let record = cross_validate(&data, &recipe, 3, &team, &stop, &mut Quiet).unwrap();
        let (rmse, r_squared) = (record.rmse.unwrap(), record.r_squared.unwrap());
        assert!(record.accuracy.is_none() && record.folds.len() == 3);
        // The noise has a deviation of 0.0082, of which the bias takes the mean.
        assert!((5.0..30.0).contains(&rmse.mean) && rmse.deviation < rmse.mean, "{rmse:?}");
        assert!(r_squared.mean > 0.99 && r_squared.deviation < 0.01, "{r_squared:?}");
        let own = |fold: &TrainRecord| fold.validation.as_ref().unwrap().values.as_ref().unwrap().rmse;
        let mean = record.folds.iter().map(own).sum::<f64>() / 3.0;
        assert!((mean - rmse.mean).abs() < 1e-9);
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<FoldsRecord>(&json).unwrap(), record);

        let mut model = Model::build(&recipe.model, [1, 1, 1], 1, 1).unwrap();
        let record = run(&mut model, &data, &recipe, &team, &stop, &mut Quiet).unwrap();
        let test = record.test.unwrap();
        assert_eq!((test.accuracy, record.validation), (None, None));
        assert!(test.values.unwrap().rmse < 30.0);
    }

    struct Quiet;

    impl Observer for Quiet {}
}
