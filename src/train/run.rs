//! The epochs of a run.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::evaluate::evaluate;
use super::machine::Machine;
use super::plan::Plan;
use super::record::{EpochRecord, ModelFacts, Observer, Progress, TRAIN_SCHEMA, TrainRecord};
use super::step::{Batch, BatchScore, Source, Step};
use super::workspace::Workspace;
use crate::data::{DataSet, Features, Samples, batches};
use crate::model::{Model, Recipe};
use crate::optim::Rule;
use crate::optim::schedule::{PlateauState, Span};
use crate::probe::Table;
use crate::team::{Shared, Team, Worker};
use crate::tensor::prefer_huge_pages;
use crate::{Error, Result};

/// How often an observer hears of progress within an epoch.
const PROGRESS: Duration = Duration::from_millis(100);

/// Trains `model` on `data` as `recipe` says, until its epochs are done or `stop` is set, then
/// evaluates it on the test split. The result is the same, bit for bit, for any number of workers.
///
/// # Errors
/// If the data does not fit the model, or training diverges; the model then holds what it had come
/// to.
pub fn run(
    model: &mut Model,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
    stop: &AtomicBool,
    observer: &mut (dyn Observer + Send),
) -> Result<TrainRecord> {
    let mut session = Session::new(model, &data.train, recipe, team)?;
    let mut epochs = Vec::new();
    let mut train_seconds = 0.0;
    let mut stop_reason = "epochs";
    for _ in 0..recipe.train.epochs {
        let record = session.epoch(stop, observer)?;
        session.end_epoch(&record);
        observer.epoch(&record);
        train_seconds += record.seconds;
        epochs.push(record);
        if stop.load(Relaxed) {
            stop_reason = "interrupted";
            break;
        }
    }
    let (steps, epoch, batch) = (session.steps, session.epochs, session.batch);
    let test = evaluate(model, &data.test, &recipe.data, team)?;
    if !test.loss.is_finite() {
        return Err(Error::Diverged { what: "the test loss".into(), value: test.loss, step: steps, epoch });
    }
    Ok(TrainRecord {
        schema: TRAIN_SCHEMA.into(),
        recipe: recipe.name.clone(),
        data: Some(data.name.clone()),
        optimizer: Some(recipe.optimizer.name().into()),
        batch: Some(batch),
        seed: recipe.train.seed,
        threads: team.threads(),
        machine: Machine::current(),
        model: ModelFacts {
            parameters: model.parameters(),
            train_flops_per_sample: model.train_flops_per_sample(),
        },
        epochs,
        test: Some(test),
        train_seconds,
        stop_reason: stop_reason.into(),
        analysis: None,
    })
}

/// A model in training: everything that lives from one epoch to the next.
pub struct Session<'a> {
    model: &'a mut Model,
    samples: &'a Samples,
    labels: &'a [u8],
    recipe: &'a Recipe,
    team: &'a Team,
    rule: Box<dyn Rule>,
    plateau: Option<PlateauState>,
    /// Of the whole run.
    span: Span,
    plan: Plan,
    workspace: Workspace,
    order: Vec<u32>,
    batch: usize,
    epochs: usize,
    steps: u64,
}

impl<'a> Session<'a> {
    /// Plans and allocates all memory of the run.
    ///
    /// # Errors
    /// If memory is short, the samples have no classes, or another number of features than the model's
    /// input, or a schedule does not fit into the run.
    pub fn new(
        model: &'a mut Model,
        samples: &'a Samples,
        recipe: &'a Recipe,
        team: &'a Team,
    ) -> Result<Self> {
        let labels = labels_for(model, samples)?;
        let rule = recipe.optimizer.rule();
        let batch = recipe.train.batch.clamp(1, samples.len());
        let span = span(recipe, samples.len().div_ceil(batch) as u64, rule.as_ref())?;
        let features = samples.features_per_sample();
        let parameters = model.storage().len();
        let layers = model.layers();
        let plan = Plan::new(layers, team.threads());
        let workspace = Workspace::new(layers, features, parameters, batch, rule.slots(), &plan)?;
        if let Features::Bytes(bytes) = samples.features() {
            prefer_huge_pages(bytes);
        }
        let order = Vec::with_capacity(samples.len());
        Ok(Session {
            model,
            samples,
            labels,
            recipe,
            team,
            rule,
            plateau: recipe.schedule.learning_rate.plateau().map(PlateauState::new),
            span,
            plan,
            workspace,
            order,
            batch,
            epochs: 0,
            steps: 0,
        })
    }

    /// Bytes that the updates of a step read and write: the gradient; the parameters and the slots
    /// twice.
    pub fn update_bytes(&self) -> usize {
        size_of_val(self.model.storage()) * (3 + 2 * self.rule.slots())
    }

    /// Tells the schedule how an epoch went, which a plateau waits for: by its validation loss if it has
    /// one, else by its training loss. [`run`] calls it; a loop of one's own has to.
    pub fn end_epoch(&mut self, record: &EpochRecord) {
        if let Some(plateau) = &mut self.plateau {
            plateau.observe(record.validation_loss.unwrap_or(record.train_loss));
        }
    }

    /// One pass over the samples, or less if `stop` is set meanwhile.
    ///
    /// # Errors
    /// [`Error::Diverged`] when a batch's loss is not finite.
    pub fn epoch(&mut self, stop: &AtomicBool, observer: &mut (dyn Observer + Send)) -> Result<EpochRecord> {
        self.probed_epoch(stop, observer, None)
    }

    /// [`epoch`](Session::epoch), with one table of what the probes saw for each worker.
    ///
    /// # Errors
    /// As there.
    pub fn probed_epoch(
        &mut self,
        stop: &AtomicBool,
        observer: &mut (dyn Observer + Send),
        probes: Option<&mut Vec<Table>>,
    ) -> Result<EpochRecord> {
        let begun = Instant::now();
        let train = &self.recipe.train;
        batches::order(self.samples.len(), train.seed, self.epochs as u64, train.shuffle, &mut self.order);
        self.epochs += 1;
        let loss = self.model.loss();
        let classes = self.model.outputs();
        let (layers, parameters) = self.model.parts_mut();
        let step = Step {
            layers,
            loss,
            classes,
            source: Source::new(self.samples, self.labels, &self.recipe.data),
            rule: self.rule.as_ref(),
            plan: &self.plan,
            parameters: Shared::array(parameters),
            memory: self.workspace.share(),
        };
        let live = Mutex::new(Live {
            score: BatchScore::default(),
            steps: self.steps,
            diverged: None,
            observer,
            told: begun,
        });
        let about = About { epoch: self.epochs, epochs: train.epochs, of: self.samples.len(), begun };
        let halt = AtomicBool::new(false);
        let (order, size, done) = (&self.order[..], self.batch, self.steps);
        let (recipe, span, momentum) = (self.recipe, self.span, self.rule.momentum());
        let reduced = self.plateau.as_ref().map_or(1.0, PlateauState::factor);
        let learning_rate = recipe.optimizer.learning_rate * reduced;
        let moment = |step| recipe.schedule.moment(step, span, learning_rate, momentum);
        let work = |worker: &Worker| {
            step.derive_all(worker);
            worker.barrier();
            for (index, start) in (0..order.len()).step_by(size).enumerate() {
                let batch = Batch { order, start, size };
                if let Some(score) = step.run(worker, batch, moment(done + index as u64 + 1)) {
                    let go_on = live.lock().unwrap_or_else(PoisonError::into_inner).add(score, &about);
                    // Read by the others only after the barrier, and written again only after the next.
                    halt.store(!go_on || stop.load(Relaxed), Relaxed);
                }
                worker.barrier();
                if halt.load(Relaxed) {
                    break;
                }
            }
        };
        self.team.run(work, probes);
        let live = live.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.steps = live.steps;
        if let Some(value) = live.diverged {
            return Err(Error::Diverged {
                what: "the loss".into(),
                value,
                step: self.steps,
                epoch: self.epochs,
            });
        }
        Ok(about.record(&live.score, moment(self.steps).learning_rate))
    }
}

/// How long the run of a recipe is, once its schedules have been found to fit.
fn span(recipe: &Recipe, steps_per_epoch: u64, rule: &dyn Rule) -> Result<Span> {
    let epochs = recipe.train.epochs;
    let refused = |key: &str, expected: String, found: String| Error::Setting {
        place: format!("recipe {}", recipe.name),
        key: format!("schedule.{key}"),
        expected,
        found,
    };
    if let Err(misfit) = recipe.schedule.check(epochs, Some(steps_per_epoch)) {
        return Err(refused(&misfit.key, misfit.expected, misfit.found));
    }
    // A recipe that was read has been checked for it; one that a program made may have not.
    if recipe.schedule.needs_momentum() && rule.momentum().is_none() {
        let expected = format!("none with the optimizer `{}`", recipe.optimizer.name());
        return Err(refused("momentum", expected, "a scheduled momentum".into()));
    }
    Ok(Span { steps: steps_per_epoch.saturating_mul(epochs as u64), steps_per_epoch })
}

/// The labels of samples that `model` can be trained or tested on.
pub(super) fn labels_for<'a>(model: &Model, samples: &'a Samples) -> Result<&'a [u8]> {
    let mismatch =
        |what: &str, expected: String, found: String| Error::Mismatch { what: what.into(), expected, found };
    if samples.shape() != model.input() {
        let text = |[height, width, channels]: [usize; 3]| format!("{height} x {width} x {channels}");
        return Err(mismatch("shape of the samples", text(model.input()), text(samples.shape())));
    }
    let labels = samples.labels().ok_or_else(|| mismatch("targets", "classes".into(), "values".into()))?;
    match labels.iter().find(|&&label| usize::from(label) >= model.outputs()) {
        Some(label) => Err(mismatch("labels", format!("below {}", model.outputs()), label.to_string())),
        None => Ok(labels),
    }
}

/// What worker 0 keeps during an epoch.
struct Live<'a> {
    score: BatchScore,
    steps: u64,
    diverged: Option<f64>,
    observer: &'a mut (dyn Observer + Send),
    told: Instant,
}

/// What does not change during an epoch.
struct About {
    epoch: usize,
    epochs: usize,
    of: usize,
    begun: Instant,
}

impl Live<'_> {
    /// Takes a batch's score; says whether to go on.
    fn add(&mut self, batch: BatchScore, about: &About) -> bool {
        self.steps += 1;
        self.score.loss_sum += batch.loss_sum;
        self.score.correct += batch.correct;
        self.score.samples += batch.samples;
        let loss = batch.loss_sum / batch.samples as f64;
        if !loss.is_finite() {
            self.diverged = Some(loss);
        }
        self.observer.step(self.steps, loss);
        if self.told.elapsed() > PROGRESS {
            self.told = Instant::now();
            self.observer.progress(&about.progress(&self.score));
        }
        self.diverged.is_none()
    }
}

impl About {
    fn progress(&self, score: &BatchScore) -> Progress {
        let samples = score.samples as f64;
        Progress {
            epoch: self.epoch,
            epochs: self.epochs,
            samples: score.samples,
            of: self.of,
            loss: score.loss_sum / samples,
            accuracy: score.correct as f64 / samples,
            samples_per_second: samples / self.begun.elapsed().as_secs_f64(),
        }
    }

    fn record(&self, score: &BatchScore, learning_rate: f64) -> EpochRecord {
        let samples = score.samples as f64;
        let seconds = self.begun.elapsed().as_secs_f64();
        EpochRecord {
            epoch: self.epoch,
            train_loss: score.loss_sum / samples,
            train_accuracy: score.correct as f64 / samples,
            validation_loss: None,
            validation_accuracy: None,
            seconds,
            samples_per_second: samples / seconds,
            samples: Some(score.samples),
            incomplete: score.samples < self.of,
            learning_rate: Some(learning_rate),
        }
    }
}
