//! The epochs of a run.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::evaluate::evaluate;
use super::machine::Machine;
use super::norms::Health;
use super::record::{ModelFacts, Observer, TRAIN_SCHEMA, TrainRecord};
use super::session::Session;
use super::stop::{Ending, Watch};
use crate::data::{self, DataSet, Samples, Split, split};
use crate::kernels::loss::Targets;
use crate::model::{Model, Recipe};
use crate::team::Team;
use crate::{Error, Result};

/// The split of the training samples that `recipe` asks for, if it does: some to train on, some for
/// validation.
///
/// # Errors
/// [`Error::Mismatch`] if it leaves nothing to train on; [`Error::Setting`] if the recipe has patience
/// and sets no samples aside.
pub fn split(samples: &Samples, recipe: &Recipe) -> Result<Option<Split>> {
    let Some(held) = recipe.data.validation else {
        if recipe.stop.patience.is_some() {
            return Err(Error::Setting {
                place: format!("recipe {}", recipe.name),
                key: "stop.patience".into(),
                expected: "samples for validation, such as `data.validation = 0.1`".into(),
                found: "none".into(),
            });
        }
        return Ok(None);
    };
    let count = held.count(samples.len());
    split::hold_out(samples, count, recipe.data.stratified, recipe.train.seed).map(Some)
}

/// Trains `model` on `data` as `recipe` says, until its epochs are done, one of its rules ends the
/// training, or `stop` is set; then evaluates it on the test split. The result is the same, bit for
/// bit, for any number of workers, unless the clock decides when to stop.
///
/// # Errors
/// Those of [`split()`]; also if the data does not fit the model, or training diverges; the model then
/// holds what it had come to.
pub fn run(
    model: &mut Model,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
    stop: &AtomicBool,
    observer: &mut (dyn Observer + Send),
) -> Result<TrainRecord> {
    // What is wrong with the test samples is better known now than after the training.
    targets_for(model, &data.test)?;
    let split = split(&data.train, recipe)?;
    let fitted = fit(model, &Training::of(data), split, recipe, team, stop, observer)?;
    tested(fitted, model, data, recipe, team)
}

/// The record of a training and its steps, with the one test that the model is put to when it has ended.
///
/// # Errors
/// [`Error::Diverged`] if the test loss is not finite; if the samples do not fit the model.
pub(super) fn tested(
    (mut record, step): (TrainRecord, u64),
    model: &Model,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
) -> Result<TrainRecord> {
    let test = evaluate(model, &data.test, &recipe.data, team)?;
    if !test.loss.is_finite() {
        let epoch = record.epochs.len();
        return Err(Error::Diverged { what: "the test loss".into(), value: test.loss, step, epoch });
    }
    record.test = Some(test);
    Ok(record)
}

/// What a training is given of a data set. The test samples are not in it, so that nothing can be chosen
/// by looking at them.
pub(super) struct Training<'a> {
    pub name: &'a String,
    pub train: &'a Samples,
}

impl<'a> Training<'a> {
    pub fn of(data: &'a DataSet) -> Training<'a> {
        Training { name: &data.name, train: &data.train }
    }
}

/// [`run`] without the test, for the samples of a split; also returns the number of steps.
pub(super) fn fit(
    model: &mut Model,
    data: &Training,
    split: Option<Split>,
    recipe: &Recipe,
    team: &Team,
    stop: &AtomicBool,
    observer: &mut (dyn Observer + Send),
) -> Result<(TrainRecord, u64)> {
    let (kept, held) = split.map_or((None, None), |Split { kept, held }| (Some(kept), Some(held)));
    let of_held = |held: Vec<u32>| data.train.take(&held.iter().map(|&i| i as usize).collect::<Vec<_>>());
    let held = held.map(of_held).transpose()?;
    let mut session = Session::on_part(model, data.train, kept, recipe, team)?;
    let mut watch = Watch::new(&recipe.stop, session.model().storage().len())?;
    let mut epochs = Vec::new();
    let mut train_seconds = 0.0;
    let mut ending = Ending::Epochs;
    let mut validation = None;
    let (mut health, mut warnings) =
        (Health::new(recipe.optimizer.rule().full_batch().is_some()), Vec::new());
    for _ in 0..recipe.train.epochs {
        let mut record = session.epoch(stop, observer)?;
        for warning in health.after_epoch(record.epoch, session.steps(), &record.layers) {
            observer.warning(&warning);
            warnings.push(warning);
        }
        session.check_parameters()?;
        if let Some(held) = &held {
            let seen = session.evaluate(held)?;
            (record.validation_loss, record.validation_accuracy) = (Some(seen.loss), Some(seen.accuracy));
            validation = Some(seen);
        }
        session.end_epoch(&record);
        observer.epoch(&record);
        train_seconds += record.seconds;
        let after_epoch = watch.after_epoch(&record, session.model().storage());
        epochs.push(record);
        let interrupted = stop.load(Relaxed).then_some(Ending::Interrupted);
        if let Some(early) = interrupted.or(session.ended()).or(after_epoch) {
            ending = early;
            break;
        }
    }
    let (steps, batch) = (session.steps(), session.batch());
    if let (Some((epoch, parameters)), Some(held)) = (watch.best(), &held) {
        // The last epoch's validation is that of its own parameters.
        if epoch < epochs.len() {
            session.set_parameters(parameters);
            validation = Some(session.evaluate(held)?);
        }
    }
    let record = TrainRecord {
        schema: TRAIN_SCHEMA.into(),
        recipe: recipe.name.clone(),
        data: Some(data.name.clone()),
        optimizer: Some(recipe.optimizer.name().into()),
        averages: recipe.averages().into_iter().map(String::from).collect(),
        batch: Some(batch),
        seed: recipe.train.seed,
        threads: team.threads(),
        machine: Machine::current(),
        model: ModelFacts {
            parameters: model.parameters(),
            train_flops_per_sample: model.train_flops_per_sample(),
        },
        epochs,
        warnings,
        test: None,
        train_seconds,
        stop_reason: ending.name().into(),
        best_epoch: watch.best().map(|(epoch, _)| epoch),
        validation,
        analysis: None,
    };
    Ok((record, steps))
}

/// The targets of samples that `model` can be trained or tested on.
pub(super) fn targets_for<'a>(model: &Model, samples: &'a Samples) -> Result<Targets<'a>> {
    if samples.shape() != model.input() {
        let text = |[height, width, channels]: [usize; 3]| format!("{height} x {width} x {channels}");
        return Err(mismatch("shape of the samples", text(model.input()), text(samples.shape())));
    }
    let outputs = model.outputs();
    let targets = match samples.targets() {
        data::Targets::Classes(labels) => {
            if let Some(label) = labels.iter().find(|&&label| usize::from(label) >= outputs) {
                return Err(mismatch("labels", format!("below {outputs}"), label.to_string()));
            }
            Targets::Classes(labels)
        }
        data::Targets::Values { width, .. } if *width != outputs => {
            let expected = format!("{outputs} a sample, one for each output");
            return Err(mismatch("target values", expected, width.to_string()));
        }
        data::Targets::Values { values, .. } => Targets::Values(values),
    };
    model.loss().check_targets(targets, outputs)?;
    Ok(targets)
}

/// [`targets_for`] that must be classes.
pub(super) fn labels_for<'a>(model: &Model, samples: &'a Samples) -> Result<&'a [u8]> {
    match targets_for(model, samples)? {
        Targets::Classes(labels) => Ok(labels),
        _ => Err(mismatch("targets", "classes".into(), "values".into())),
    }
}

fn mismatch(what: &str, expected: String, found: String) -> Error {
    Error::Mismatch { what: what.into(), expected, found }
}
