//! Trainings that are compared with each other by samples set aside, perhaps after some of their epochs only.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::data::{DataSet, Split, split};
use crate::model::recipe::Held;
use crate::model::{Model, Recipe};
use crate::team::Team;
use crate::train::observer::Observer;
use crate::train::record::epoch::EpochRecord;
use crate::train::record::{Ending, TrainRecord};
use crate::train::run::fit::{self, Control, check_test, check_training, fit, refuse_text};
use crate::train::run::reproduce::HELD;
use crate::train::run::training_set::TrainingSet;
use crate::{Error, Result};

/// The samples that a training learns from and is tried on: one split, by the recipe or of a tenth of the samples where it
/// says nothing; or as many as there are to be folds. Test samples are in none of them. No split is one of a data set with a
/// validation part of its own, which is what is tried on there.
///
/// # Errors
/// Those of the split; [`Error::Setting`] for folds of a recipe that sets samples aside itself; [`Error::Mismatch`] for
/// folds of windows of a text or of a series.
pub fn splits(data: &DataSet, recipe: &Recipe, folds: Option<usize>) -> Result<Vec<Option<Split>>> {
    let samples = &data.train;
    let Some(folds) = folds else {
        let mut recipe = recipe.clone();
        if !data.validates {
            recipe.data.validation = recipe.data.validation.or(Some(Held::Part(HELD)));
        }
        return Ok(vec![fit::split_of(data, &recipe)?]);
    };
    refuse_text(samples)?;
    if recipe.data.validation.is_some() {
        return Err(Error::Setting {
            place: format!("recipe {}", recipe.name),
            key: "data.validation".into(),
            expected: "none with folds, which set samples aside themselves".into(),
            found: "one".into(),
        });
    }
    if samples.encoder().is_some_and(|encoder| encoder.windows.is_some()) {
        return Err(Error::Mismatch {
            what: "folds".into(),
            expected: "samples of which none tells what comes before it".into(),
            found: "windows of a series, which would learn from rows behind those that they are tried on"
                .into(),
        });
    }
    let folds = split::folds(samples, folds, recipe.data.stratified, recipe.train.seed)?;
    Ok(folds.into_iter().map(Some).collect())
}

/// Checks that a recipe can be trained on the samples of a split.
///
/// # Errors
/// The error with which the training would begin.
pub fn check(data: &DataSet, recipe: &Recipe, split: Option<&Split>, team: &Team) -> Result<()> {
    let recipe = &recipe.clone().for_samples(&data.train)?;
    let mut model = build(data, recipe)?;
    if data.validates {
        check_test(&model, data, recipe, team)?;
    }
    check_training(&mut model, &data.train, split, recipe, team)
}

/// Trains a model of the recipe on a split, for the first `epochs` of its epochs, and tries it on the samples set aside.
/// Schedules go by all epochs of the recipe, so that the result is what the whole training has come to by then. Nothing if
/// `stop` has ended it.
///
/// # Errors
/// Those of [`check`].
pub fn validated(
    data: &DataSet,
    recipe: &Recipe,
    split: Option<&Split>,
    epochs: usize,
    team: &Team,
    stop: &AtomicBool,
) -> Result<Option<TrainRecord>> {
    let recipe = &recipe.clone().for_samples(&data.train)?;
    let own = AtomicBool::new(false);
    let mut until = Until { epochs, own: &own, stop };
    let mut model = build(data, recipe)?;
    let set = TrainingSet::of(data);
    let record = fit(&mut model, &set, split.cloned(), recipe, team, Control::new(&own, &mut until))?;
    let is_cut = record.stop_reason == Ending::Interrupted.name() && stop.load(Relaxed);
    Ok((!is_cut).then_some(record))
}

fn build(data: &DataSet, recipe: &Recipe) -> Result<Model> {
    Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)
}

/// Ends a training after some epochs, or when all are to end.
struct Until<'a> {
    epochs: usize,
    own: &'a AtomicBool,
    stop: &'a AtomicBool,
}

impl Observer for Until<'_> {
    fn step(&mut self, _step: u64, _loss: f64) {
        if self.stop.load(Relaxed) {
            self.own.store(true, Relaxed);
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        if record.epoch >= self.epochs || self.stop.load(Relaxed) {
            self.own.store(true, Relaxed);
        }
    }
}
