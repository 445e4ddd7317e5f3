//! The epochs of a run.

pub(in crate::train) use crate::train::targets::targets_for;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::data::{DataSet, Samples, Split, split};
use crate::model::{Model, Recipe};
use crate::team::Team;
use crate::train::inference::evaluate::{check_memory, evaluate_in, output_bytes};
use crate::train::inference::order::Order;
use crate::train::observer::Observer;
use crate::train::record::Ending;
use crate::train::record::epoch::{EpochRecord, Evaluation, Phase};
use crate::train::record::machine::Machine;
use crate::train::record::{Divergence, ModelFacts, TRAIN_SCHEMA, TrainRecord};
use crate::train::run::autoregression::autoregression;
use crate::train::run::centres::place_centres;
use crate::train::run::checkpoints::Checkpoints;
use crate::train::run::course::Course;
use crate::train::run::divergence::{Reference, Untrained, last_loss};
use crate::train::run::leakage;
use crate::train::run::training_set::TrainingSet;
use crate::train::session::stop::Watch;
use crate::train::session::{OptimizerState, Session};
use crate::train::targets::check_known;
use crate::{Error, Result, memory};

/// The split of the training samples that `recipe` asks for, if it does: some to train on, some for
/// validation. Of windows of a series those are the last ones, and windows that predict rows which they predict, too, are in
/// neither part.
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
    if let Some(windows) = samples.encoder().and_then(|encoder| encoder.windows.as_ref()) {
        // Of two windows at a distance of the horizon no row is predicted by both.
        let gap = windows.horizon.div_ceil(windows.step) - 1;
        return split::hold_out_last(samples.len(), count, gap).map(Some);
    }
    split::hold_out(samples, count, recipe.data.stratified, recipe.train.seed).map(Some)
}

/// Refuses to draw samples of a stream of text that are set aside: windows that overlap with others would be known. Lines of a
/// text are samples of their own.
///
/// # Errors
/// [`Error::Mismatch`] if the samples are windows of a text.
pub(in crate::train) fn refuse_text(samples: &Samples) -> Result<()> {
    if samples.vocabulary().is_none_or(|vocabulary| vocabulary.is_of_lines()) {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: "samples to set aside by chance".into(),
        expected: "samples of which none tells what is in another, as the lines of a text do by `data.form = \"lines\"`".into(),
        found: "windows of a text, whose end is its validation part".into(),
    })
}

/// [`split()`] of a data set; none of one that has a validation part of its own.
///
/// # Errors
/// Those of [`split()`]; [`Error::Setting`] if the recipe sets samples aside though there is such a part.
pub fn split_of(data: &DataSet, recipe: &Recipe) -> Result<Option<Split>> {
    if !data.validates {
        return split(&data.train, recipe);
    }
    if recipe.data.validation.is_none() {
        return Ok(None);
    }
    Err(Error::Setting {
        place: format!("recipe {}", recipe.name),
        key: "data.validation".into(),
        expected: format!(
            "none with the set `{}`, which has a validation part: `data.held` says how large",
            data.name
        ),
        found: "one".into(),
    })
}

/// Trains `model` on `data` as `recipe` says, until its epochs are done, one of its rules ends the
/// training, or `stop` is set; then evaluates it on the test split. The result is the same, bit for
/// bit, for any number of workers, unless the clock decides when to stop. A training that has failed with
/// finite numbers says so in its record, as [`TrainRecord::diverged`].
///
/// # Errors
/// Those of [`check`] before the first step; [`Error::Diverged`] if something is no longer finite; the model
/// then holds what it had come to.
pub fn run(
    model: &mut Model,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
    stop: &AtomicBool,
    observer: &mut (dyn Observer + Send),
) -> Result<TrainRecord> {
    let mut record = train(model, data, recipe, team, stop, observer)?;
    if let Some(error) = record.diverged.as_ref().and_then(Divergence::error) {
        return Err(error);
    }
    test(&mut record, model, data, recipe, team, observer)?;
    Ok(record)
}

/// [`run`] without the test, which [`test()`] makes up for: the trained model can be saved before. A training
/// that ends in a number that is not finite has a record, too; with patience the model then has its best
/// parameters, and otherwise those it had come to, of which some may not be finite.
///
/// # Errors
/// Those of [`check`], before the first step.
pub fn train(
    model: &mut Model,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
    stop: &AtomicBool,
    observer: &mut (dyn Observer + Send),
) -> Result<TrainRecord> {
    train_under(model, data, recipe, team, Control::new(stop, observer))
}

/// [`train`] with checkpoints: it goes on from the newest one, if there is one, and ends with the same bits as if it had
/// never been interrupted.
///
/// # Errors
/// Those of [`train`]; if the training is another one than that of the checkpoint, or the first one cannot be written.
pub fn train_with(
    model: &mut Model,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
    checkpoints: &mut Checkpoints,
    stop: &AtomicBool,
    observer: &mut (dyn Observer + Send),
) -> Result<TrainRecord> {
    train_under(
        model,
        data,
        recipe,
        team,
        Control { checkpoints: Some(checkpoints), ..Control::new(stop, observer) },
    )
}

/// [`train`] with all that there may be beside it.
///
/// # Errors
/// Those of [`train`] and [`train_with`]; [`Error::Mismatch`] if the state of the optimizer is another one's.
pub fn train_under(
    model: &mut Model,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
    control: Control,
) -> Result<TrainRecord> {
    // What is wrong with the test is better known now than after the training.
    check_test(model, data, recipe, team)?;
    let split = split_of(data, recipe)?;
    fit(model, &TrainingSet::of(data), split, recipe, team, control)
}

/// Evaluates a trained model on the test samples, once, and adds the result to the record of its training; nothing
/// if parameters are not finite.
///
/// # Errors
/// If the samples do not fit the model, or memory is short.
pub fn test(
    record: &mut TrainRecord,
    model: &Model,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
    observer: &mut (dyn Observer + Send),
) -> Result<()> {
    if model.first_not_finite().is_none() && !data.validates {
        observer.phase(Phase::Testing);
        let order = Order::of(&recipe.train, model, &data.test);
        let mut seen = evaluate_in(order, model, &data.test, &recipe.data, team)?;
        if let Some(series) = &mut seen.series {
            series.autoregression = autoregression(&data.train, &data.test)?;
        }
        // Of a training that has failed, samples without a loss are no news.
        if record.diverged.is_none() {
            observer.evaluated(Phase::Testing, &seen);
        }
        record.test = Some(seen);
    }
    Ok(())
}

/// Checks that a training can be done and tested: sizes, shapes, labels, schedules and memory.
///
/// # Errors
/// The error with which the training or its test would fail later.
pub fn check(model: &mut Model, data: &DataSet, recipe: &Recipe, team: &Team) -> Result<()> {
    check_test(model, data, recipe, team)?;
    let split = split_of(data, recipe)?;
    check_training(model, &data.train, split.as_ref(), recipe, team)
}

/// Checks that a model can be tested.
///
/// # Errors
/// The error with which the test would fail later.
pub(in crate::train) fn check_test(
    model: &Model,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
) -> Result<()> {
    targets_for(model, &data.test)?;
    check_known(model, &data.test, &recipe.data)?;
    check_memory(model, data.test.len(), team, output_bytes(model, &data.test, data.test.len()))
}

/// Checks that a training on the samples of a split, or on all, can be done; its first step is the next thing.
///
/// # Errors
/// The error with which the training would fail later.
pub(in crate::train) fn check_training(
    model: &mut Model,
    samples: &Samples,
    split: Option<&Split>,
    recipe: &Recipe,
    team: &Team,
) -> Result<()> {
    let subset = split.map(|split| split.subset.clone());
    prepared(model, samples, subset, split.map_or(0, |split| split.held.len()), recipe, team).map(drop)
}

/// A session whose training is sure to come to its end: memory for the validation of so many samples and
/// the copies of parameters and samples is there.
fn prepared<'a>(
    model: &'a mut Model,
    samples: &'a Samples,
    subset: Option<Vec<u32>>,
    held: usize,
    recipe: &'a Recipe,
    team: &'a Team,
) -> Result<Session<'a>> {
    let session = Session::on_part(model, samples, subset, recipe, team)?;
    let parameters = size_of_val(session.model().storage());
    let copies = if recipe.stop.patience.is_some() { parameters } else { 0 };
    if copies > 0 {
        memory::check("a copy of the parameters", session.bytes().saturating_add(copies))?;
    }
    if held > 0 {
        let own = session.bytes().saturating_add(copies);
        let outputs = output_bytes(session.model(), samples, held);
        check_memory(session.model(), held, team, own.saturating_add(outputs))?;
    }
    Ok(session)
}

/// Those who look into a training while it is under way, and what it goes on from.
pub struct Control<'a> {
    /// Ends it after the step under way.
    pub stop: &'a AtomicBool,
    pub observer: &'a mut (dyn Observer + Send),
    /// Where its state is kept, if it is.
    pub checkpoints: Option<&'a mut Checkpoints>,
    /// What the optimizer has of a training before, if it is not to begin anew; a checkpoint goes first.
    pub optimizer: Option<&'a OptimizerState>,
}

impl<'a> Control<'a> {
    /// A new training without checkpoints.
    pub fn new(stop: &'a AtomicBool, observer: &'a mut (dyn Observer + Send)) -> Control<'a> {
        Control { stop, observer, checkpoints: None, optimizer: None }
    }
}

/// An epoch, or what is left of it, with the checkpoints that are due in its middle.
fn epoch(
    session: &mut Session,
    course: &mut Course,
    checkpoints: Option<&mut Checkpoints>,
    stop: &AtomicBool,
    observer: &mut (dyn Observer + Send),
) -> Result<EpochRecord> {
    let Some(checkpoints) = checkpoints.filter(|_| !session.searches()) else {
        return session.epoch(stop, observer);
    };
    session.begin_epoch();
    while session.advance(stop, checkpoints.pause(), observer, None)? {
        checkpoints.keep(session, course, observer);
    }
    if stop.load(Relaxed) && session.is_incomplete() && session.ended().is_none() {
        checkpoints.keep(session, course, observer);
    }
    Ok(session.finish_epoch())
}

/// [`train`] on the samples of a split.
///
/// # Errors
/// Those of [`check_training`], before the first step.
pub(in crate::train) fn fit(
    model: &mut Model,
    data: &TrainingSet,
    split: Option<Split>,
    recipe: &Recipe,
    team: &Team,
    control: Control,
) -> Result<TrainRecord> {
    let Control { stop, observer, mut checkpoints, optimizer } = control;
    let (subset, held) = split.map_or((None, None), |Split { subset, held }| (Some(subset), Some(held)));
    let held = held.map(|indices| Held::of(data.train, indices)).transpose()?;
    let held = held.or(data.validation.map(Held::all));
    let batch = recipe.train.batch.saturating_mul(recipe.train.accumulate.max(1));
    let frozen = model.frozen(recipe)?;
    // What follows from the untrained model is in a checkpoint.
    let goes_on = checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.goes_on());
    let mut untrained = None;
    if !goes_on {
        place_centres(model, data.train, subset.as_deref(), recipe)?;
        untrained = Untrained::of(model, data.train, subset.as_deref(), batch, recipe, team);
    }
    let count = held.as_ref().map_or(0, |held| held.samples.len());
    let mut session = prepared(model, data.train, subset, count, recipe, team)?;
    if let Some(state) = optimizer.filter(|_| !goes_on) {
        session.set_optimizer_state(state)?;
    }
    let watch = Watch::new(&recipe.stop, session.model().storage().len())?;
    let mut course = Course::new(watch, session.searches());
    course.untrained = untrained;
    course.optimizer = optimizer.map(OptimizerState::told);
    course.warnings = leakage::warnings(session.model(), data.train);
    course.warnings.iter().for_each(|warning| observer.warning(warning));
    if let Some(checkpoints) = &mut checkpoints {
        checkpoints.start(recipe, data, &mut session, &mut course, observer)?;
    }
    let (mut ending, mut diverged) = (Ending::Epochs, None);
    while course.ended.is_none() && (session.is_within_epoch() || session.epochs() < recipe.train.epochs) {
        let mut record = match epoch(&mut session, &mut course, checkpoints.as_deref_mut(), stop, observer) {
            Ok(record) => record,
            Err(error) => {
                (ending, diverged) = (Ending::Diverged, Some(Divergence::of(error)?));
                break;
            }
        };
        let reference = session.first().and_then(|first| Reference::new(first, course.untrained));
        let diverges = reference.is_some_and(|reference| reference.is_above(record.train_loss));
        for warning in course.health.after_epoch(record.epoch, session.steps(), &record.layers, diverges) {
            observer.warning(&warning);
            course.warnings.push(warning);
        }
        if let Err(error) = session.check_parameters() {
            (ending, diverged) = (Ending::Diverged, Some(Divergence::of(error)?));
            observer.epoch(&record);
            course.train_seconds += record.seconds;
            course.epochs.add(record, course.watch.best().map(|(epoch, _)| epoch));
            break;
        }
        if let Some(held) = &held {
            let seen = held.try_on(&session, observer)?;
            (record.validation_loss, record.validation_accuracy) = (Some(seen.loss), seen.accuracy);
            session.validated(seen.loss);
            course.validation = Some(seen);
        }
        observer.epoch(&record);
        course.train_seconds += record.seconds;
        let after_epoch = course.watch.after_epoch(&record, session.model().storage());
        let interrupted = stop.load(Relaxed).then_some(Ending::Interrupted);
        // What a rule has ended would not have gone on.
        let could_fall = interrupted.is_some() && session.ended().is_none();
        course.last = reference.zip(last_loss(course.epochs.last(), Some(&record), could_fall));
        let is_complete = !record.incomplete;
        course.epochs.add(record, course.watch.best().map(|(epoch, _)| epoch));
        course.ended = session.ended().or(after_epoch);
        if let Some(checkpoints) = checkpoints.as_deref_mut() {
            // Of an epoch that was interrupted the state is kept as it was in the middle of it.
            let is_last = course.ended.is_some() || session.epochs() == recipe.train.epochs;
            let is_wanted = is_last || interrupted.is_some() || checkpoints.is_due(&session);
            if is_wanted && (is_complete || session.ended().is_some()) {
                checkpoints.keep(&mut session, &mut course, observer);
            }
        }
        if interrupted.is_some() {
            ending = Ending::Interrupted;
            break;
        }
    }
    if let Some(early) = course.ended.filter(|_| ending == Ending::Epochs) {
        ending = early;
    }
    let Course { watch, epochs, train_seconds, mut validation, warnings, last, optimizer: begun, .. } =
        course;
    let (steps, batch) = (session.steps(), session.batch());
    let epoch = epochs.last().map_or(0, |last| last.epoch);
    let learning_rate = recipe.optimizer.learning_rate;
    let failed = last.filter(|(reference, loss)| reference.is_above(*loss));
    let diverged = diverged.or(failed.map(|(reference, value)| Divergence {
        what: "the mean training loss".into(),
        value,
        first: Some(reference.first()),
        step: steps,
        epoch,
        learning_rate,
    }));
    if ending == Ending::Diverged {
        // The validation was that of parameters that are gone.
        validation = None;
    }
    if let (Some((best, parameters)), Some(held)) = (watch.best(), &held) {
        // The last epoch's validation is that of its own parameters.
        if best < epoch || ending == Ending::Diverged {
            session.set_parameters(parameters);
            validation = Some(held.try_on(&session, observer)?);
        }
    }
    let (epochs, epochs_every) = epochs.into_parts();
    Ok(TrainRecord {
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
            train_flops_per_sample: model.train_flops_per_sample_with(&frozen),
            trained: (!frozen.is_empty()).then(|| model.trained_parameters(&frozen)),
        },
        // Whoever trains it further begins with what this training has made of it.
        init: model.take_initial(),
        init_optimizer: begun,
        epochs,
        epochs_every,
        warnings,
        test: None,
        train_seconds,
        stop_reason: ending.name().into(),
        signal: None,
        diverged,
        best_epoch: watch.best().map(|(epoch, _)| epoch),
        validation,
        analysis: None,
        exact: None,
        lloyd: None,
    })
}

/// Samples set aside for validation.
struct Held<'a> {
    samples: Cow<'a, Samples>,
    /// The indices of the samples among the training samples; none where they are a set of their own.
    indices: Option<Vec<u32>>,
}

impl<'a> Held<'a> {
    fn of(samples: &Samples, indices: Vec<u32>) -> Result<Held<'a>> {
        let places: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
        Ok(Held { samples: Cow::Owned(samples.take(&places)?), indices: Some(indices) })
    }

    fn all(samples: &'a Samples) -> Held<'a> {
        Held { samples: Cow::Borrowed(samples), indices: None }
    }

    fn try_on(&self, session: &Session, observer: &mut (dyn Observer + Send)) -> Result<Evaluation> {
        observer.phase(Phase::Validating);
        let mut seen = session.evaluate(&self.samples)?;
        if let (Some(not_finite), Some(indices)) = (&mut seen.not_finite, &self.indices) {
            not_finite.first = indices[not_finite.first] as usize;
        }
        observer.evaluated(Phase::Validating, &seen);
        Ok(seen)
    }
}
