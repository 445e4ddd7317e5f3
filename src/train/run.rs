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
use crate::data::{self, DataSet, Features, Samples, batches};
use crate::kernels::loss::Targets;
use crate::losses::Loss;
use crate::model::recipe::RuleConfig;
use crate::model::{Model, Recipe};
use crate::optim::{Adam, Moment, Rule, Sgd};
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
    // What is wrong with the test samples is better known now than after the training.
    targets_for(model, &data.test)?;
    let mut session = Session::new(model, &data.train, recipe, team)?;
    let mut epochs = Vec::new();
    let mut train_seconds = 0.0;
    let mut stop_reason = "epochs";
    for _ in 0..recipe.train.epochs {
        let record = session.epoch(stop, observer)?;
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
        optimizer: Some(recipe.optimizer.name.clone()),
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
    targets: Targets<'a>,
    loss: Loss,
    recipe: &'a Recipe,
    team: &'a Team,
    rule: Box<dyn Rule>,
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
    /// If memory is short, or the samples do not fit the model or its loss.
    pub fn new(
        model: &'a mut Model,
        samples: &'a Samples,
        recipe: &'a Recipe,
        team: &'a Team,
    ) -> Result<Self> {
        let targets = targets_for(model, samples)?;
        let loss = model.loss().clone();
        let rule = rule(&recipe.optimizer.rule);
        let batch = recipe.train.batch.clamp(1, samples.len());
        let features = samples.features_per_sample();
        let parameters = model.storage().len();
        let layers = model.layers();
        let plan = Plan::new(layers, team.threads());
        let target_width = if matches!(targets, Targets::Values(_)) { model.outputs() } else { 0 };
        let workspace =
            Workspace::new(layers, features, target_width, parameters, batch, rule.slots(), &plan)?;
        if let Features::Bytes(bytes) = samples.features() {
            prefer_huge_pages(bytes);
        }
        let order = Vec::with_capacity(samples.len());
        Ok(Session {
            model,
            samples,
            targets,
            loss,
            recipe,
            team,
            rule,
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
        self.model.storage().len() * size_of::<f32>() * (3 + 2 * self.rule.slots())
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
        let classes = self.model.outputs();
        let (layers, parameters) = self.model.parts_mut();
        let step = Step {
            layers,
            loss: &self.loss,
            classes,
            source: Source::new(self.samples, self.targets, &self.recipe.data),
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
        let learning_rate = self.recipe.optimizer.learning_rate;
        let work = |worker: &Worker| {
            step.derive_all(worker);
            worker.barrier();
            for (index, start) in (0..order.len()).step_by(size).enumerate() {
                let batch = Batch { order, start, size };
                let moment = Moment { step: done + index as u64 + 1, learning_rate, momentum: None };
                if let Some(score) = step.run(worker, batch, moment) {
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
        Ok(about.record(&live.score, learning_rate))
    }
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
        Targets::Values(_) => Err(mismatch("targets", "classes".into(), "values".into())),
    }
}

fn mismatch(what: &str, expected: String, found: String) -> Error {
    Error::Mismatch { what: what.into(), expected, found }
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
        self.score.weight += batch.weight;
        self.score.correct += batch.correct;
        self.score.samples += batch.samples;
        let loss = batch.mean_loss();
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
            loss: score.mean_loss(),
            accuracy: score.accuracy(),
            samples_per_second: samples / self.begun.elapsed().as_secs_f64(),
        }
    }

    fn record(&self, score: &BatchScore, learning_rate: f64) -> EpochRecord {
        let samples = score.samples as f64;
        let seconds = self.begun.elapsed().as_secs_f64();
        EpochRecord {
            epoch: self.epoch,
            train_loss: score.mean_loss(),
            train_accuracy: score.accuracy(),
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

/// The rule that a recipe describes.
fn rule(config: &RuleConfig) -> Box<dyn Rule> {
    match *config {
        RuleConfig::Sgd { momentum, dampening, nesterov, weight_decay } => {
            Box::new(Sgd { momentum, dampening, nesterov, weight_decay })
        }
        RuleConfig::Adam { beta1, beta2, epsilon, weight_decay } => {
            Box::new(Adam { beta1, beta2, epsilon, weight_decay, ..Adam::default() })
        }
    }
}
