//! A model in training: the state that lives from one epoch to the next, and an epoch.

mod alone;
mod carry;
mod clock;
mod full_batch;
pub(in crate::train) mod live;
mod norms;
mod optimizer;
mod prepare;
mod search;
mod state;
mod stepper;
pub(in crate::train) mod stop;

pub use optimizer::OptimizerState;
pub use stepper::{StepRecord, Stepper};

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::data::augment::{Augmenter, Mixing};
use crate::data::{Features, Samples, batches};
use crate::kernels::loss::Targets;
use crate::model::recipe::{AverageMethod, check_augmentation, check_samples};
use crate::model::{InitialFile, Model, Normalisation, Recipe, Seen};
use crate::optim::schedule::PlateauState;
use crate::probe::Probes;
use crate::team::{Team, Worker};
use crate::tensor::{SparseMatrix, prefer_huge_pages};
use crate::train::inference::evaluate::evaluate_in;
use crate::train::inference::order::Order;
use crate::train::observer::Observer;
use crate::train::plan::takes_sparse;
use crate::train::record::Ending;
use crate::train::record::epoch::{EpochRecord, Evaluation};
use crate::train::session::clock::Clock;
use crate::train::session::live::{About, Diverged, Live, Pause, UnderWay};
use crate::train::session::prepare::{Prepared, Request};
use crate::train::source::Source;
use crate::train::step::augmented::Augmented;
use crate::train::step::{Batch, BatchScore};
use crate::train::targets::{check_codes, targets_for, weight_of};
use crate::{Error, Result};

/// A model in training: everything that lives from one epoch to the next.
pub struct Session<'a> {
    model: &'a mut Model,
    samples: &'a Samples,
    targets: Targets<'a>,
    /// The samples without their zeros, if the first layer takes them so.
    sparse: Option<SparseMatrix>,
    /// The samples that are trained on; all without it.
    subset: Option<Vec<u32>>,
    recipe: &'a Recipe,
    team: &'a Team,
    prepared: Prepared,
    plateau: Option<PlateauState>,
    /// The loss of the last epoch, until the plateau is told of it.
    epoch_loss: Option<f64>,
    augmenter: Option<Augmenter>,
    mixing: Option<Mixing>,
    order: Vec<u32>,
    epochs: usize,
    steps: u64,
    /// The time of the run, once its first epoch has begun.
    clock: Option<Clock>,
    /// The epoch under way, if there is one: its order is drawn, and the model holds the trained parameters.
    under_way: Option<UnderWay>,
    ended: Option<Ending>,
    /// The score of the very first step.
    first: Option<BatchScore>,
    /// The search that moves the parameters, if the rule does not.
    search: Option<search::Search>,
}

impl<'a> Session<'a> {
    /// Plans and allocates all memory of the run. All samples are trained on: whoever calls
    /// [`epoch`](Session::epoch) sets some aside himself, if the recipe asks for it.
    ///
    /// # Errors
    /// If memory is short, the samples do not fit the model, its loss or the recipe's augmentation, a
    /// schedule does not fit into the run, or the optimizer is for the full batch and a step takes less.
    pub fn new(
        model: &'a mut Model,
        samples: &'a Samples,
        recipe: &'a Recipe,
        team: &'a Team,
    ) -> Result<Self> {
        Session::on_part(model, samples, None, recipe, team)
    }

    /// [`new`](Session::new), to train on the samples of these indices alone.
    ///
    /// # Errors
    /// Those of [`new`](Session::new); also if there are no indices, one of them is not below the number of samples, or
    /// none is that of a sample with a weight above 0.
    pub fn on_part(
        model: &'a mut Model,
        samples: &'a Samples,
        subset: Option<Vec<u32>>,
        recipe: &'a Recipe,
        team: &'a Team,
    ) -> Result<Self> {
        let all = subset.as_ref().map_or(samples.len(), Vec::len);
        let largest =
            subset.as_ref().and_then(|subset| subset.iter().max()).map_or(0, |&index| index as usize);
        if all == 0 || largest >= samples.len() {
            return Err(Error::Mismatch {
                what: "indices of the samples to train on".into(),
                expected: format!("at least one, all below {}", samples.len()),
                found: if all == 0 { "none".into() } else { largest.to_string() },
            });
        }
        let targets = targets_for(model, samples)?;
        check_codes(model, samples, &recipe.data)?;
        carry::check(model, samples, subset.as_deref(), recipe)?;
        let count = recipe.train.samples_of_epoch(all);
        check_samples(recipe, count)?;
        check_augmentation(recipe)?;
        let augmenter = Augmenter::new(&recipe.augment, samples)?;
        if recipe.train.buckets && samples.lengths().is_empty() {
            return Err(Error::Setting {
                place: format!("recipe {}", recipe.name),
                key: "train.buckets".into(),
                expected: "false with samples that all have one length".into(),
                found: "true".into(),
            });
        }
        if recipe.augment.mixup.is_some() && !samples.lengths().is_empty() {
            let (expected, found) = ("one, with `augment.mixup`".into(), "several".into());
            return Err(Error::Mismatch { what: "lengths of samples".into(), expected, found });
        }
        if recipe.augment.mixup.is_some() && matches!(targets, Targets::Values(_) | Targets::Tokens(_)) {
            let are_tokens = matches!(targets, Targets::Tokens(_));
            let found = if are_tokens { "a class for each position" } else { "values" };
            let (expected, found) = ("classes with `augment.mixup`".into(), found.into());
            return Err(Error::Mismatch { what: "targets".into(), expected, found });
        }
        let loss = model.loss().function();
        match &subset {
            Some(subset) => weight_of(&loss, targets, samples, subset.iter().map(|&index| index as usize))?,
            None => weight_of(&loss, targets, samples, 0..all)?,
        };
        let are_values = matches!(targets, Targets::Values(_));
        let augmenting = augmenter.as_ref();
        let takes_sparse = augmenter.is_none() && takes_sparse(model.layers());
        let source = Source::new(samples, targets, &recipe.data);
        let sparse = if takes_sparse { source.without_zeros()? } else { None };
        let request = Request {
            recipe,
            count,
            are_values,
            positions: targets.positions(),
            are_tokens: matches!(targets, Targets::Tokens(_)),
            threads: team.threads(),
            augmenter: augmenting,
            sparse_entries: sparse.as_ref().map(SparseMatrix::most_entries),
            wants_norm: false,
        };
        let prepared = request.prepare(model)?;
        let mixing =
            recipe.augment.mixup.map(|alpha| Mixing::new(alpha, count, prepared.batch)).transpose()?;
        let search = prepared
            .rule
            .full_batch()
            .map(|method| search::Search::new(method, model, &prepared.plan, recipe))
            .transpose()?;
        if let Features::Bytes(bytes) = samples.features() {
            prefer_huge_pages(bytes);
        }
        let normalisation = Normalisation::of(&recipe.data);
        let (encoder, vocabulary) = (samples.encoder().cloned(), samples.vocabulary().cloned());
        let element_type = Some(samples.element_type());
        model.set_seen(Seen { normalisation, element_type, encoder, vocabulary });
        let order = Vec::with_capacity(all);
        Ok(Session {
            model,
            samples,
            targets,
            sparse,
            subset,
            recipe,
            team,
            prepared,
            plateau: recipe.schedule.learning_rate.plateau().map(PlateauState::new),
            epoch_loss: None,
            augmenter,
            mixing,
            order,
            epochs: 0,
            steps: 0,
            clock: None,
            under_way: None,
            ended: None,
            first: None,
            search,
        })
    }

    /// The samples that are trained on.
    fn all(&self) -> usize {
        self.subset.as_ref().map_or(self.samples.len(), Vec::len)
    }

    /// The samples of an epoch.
    fn count(&self) -> usize {
        self.recipe.train.samples_of_epoch(self.all())
    }

    /// The model as it is to be evaluated: between epochs with the averages of the recipe, if it has some, in
    /// the place of the parameters that are trained.
    pub fn model(&self) -> &Model {
        self.model
    }

    /// Puts these parameters, in the order of [`Model::storage`], in place of the model's.
    pub(in crate::train) fn set_parameters(&mut self, parameters: &[f32]) {
        self.model.parts_mut().1.copy_from_slice(parameters);
    }

    /// Remembers what the model began with, where a checkpoint says so.
    pub(in crate::train) fn set_initial(&mut self, initial: Option<InitialFile>) {
        self.model.set_initial(initial);
    }

    /// Lets the training begin with what an optimizer has kept elsewhere.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if it has begun, or the state is not one of its rule and its model.
    pub fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        optimizer::put(state, &mut self.prepared, self.model, self.steps)
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Samples of a step.
    pub fn batch(&self) -> usize {
        self.prepared.batch
    }

    /// Samples that are trained on.
    pub fn samples(&self) -> usize {
        self.all()
    }

    pub fn recipe(&self) -> &Recipe {
        self.recipe
    }

    /// The reason why the last epoch was the end, or would have let no further step follow, if there is one.
    pub fn ended(&self) -> Option<Ending> {
        self.ended
    }

    /// The score of the very first step, once it is done.
    pub(in crate::train) fn first(&self) -> Option<&BatchScore> {
        self.first.as_ref()
    }

    /// Bytes of gradients, optimizer and batch.
    pub(in crate::train) fn bytes(&self) -> usize {
        self.prepared.workspace.bytes()
    }

    /// Mean loss, by the weights of the samples, of the model as it is, on other samples; and the accuracy, or how close
    /// it comes to values. The loss is not finite where that of
    /// one of them is not, which is then named. A training that carries states carries them here, too.
    ///
    /// # Errors
    /// If the samples do not fit the model, or memory is short.
    pub fn evaluate(&self, samples: &Samples) -> Result<Evaluation> {
        let order = Order::of(&self.recipe.train, self.model, samples);
        evaluate_in(order, self.model, samples, &self.recipe.data, self.team)
    }

    /// Checks all parameters, those behind an average too.
    ///
    /// # Errors
    /// [`Error::Diverged`] with the name of the first one that is not finite.
    pub fn check_parameters(&self) -> Result<()> {
        let Prepared { averages, workspace, .. } = &self.prepared;
        let trained = || self.model.first_not_finite_among(averages.set_aside(workspace)?);
        match self.model.first_not_finite().or_else(trained) {
            None => Ok(()),
            Some((name, value)) => Err(self.diverged(format!("an element of {name}"), value.into())),
        }
    }

    fn diverged(&self, what: String, value: f64) -> Error {
        let learning_rate = self.recipe.optimizer.learning_rate;
        Error::Diverged { what, value, step: self.steps, epoch: self.epochs, learning_rate }
    }

    /// The name of a loss that is not finite: with the first layer whose output is not, among the
    /// rows that went through the network last.
    fn lost(&self) -> String {
        match self.prepared.workspace.first_output_not_finite() {
            Some(index) => format!("the output of layer {}, and with it the loss,", self.layer_name(index)),
            None => "the loss".into(),
        }
    }

    /// The name of a gradient that is not finite: with the first layer whose gradient is not.
    fn lost_gradient(&self) -> String {
        let Prepared { plan, workspace, .. } = &self.prepared;
        let shard = workspace.first_square_not_finite().unwrap_or(0);
        let index = plan.numbers.partition_point(|&first| first <= shard).saturating_sub(1);
        format!("the norm of the gradient of layer {}", self.layer_name(index))
    }

    fn layer_name(&self, index: usize) -> String {
        let placed = &self.model.layers()[index];
        format!("{} ({})", placed.module, placed.layer.kind())
    }

    /// Bytes that the updates of a step read and write: the gradient; the parameters that are trained, the slots and a
    /// moving average twice.
    pub fn update_bytes(&self) -> usize {
        let moves =
            self.recipe.average.is_some_and(|average| matches!(average.method, AverageMethod::Ema(_)));
        let frozen: usize =
            self.prepared.plan.frozen.places(self.model.layers()).iter().map(Range::len).sum();
        (self.model.storage().len() - frozen)
            * size_of::<f32>()
            * (3 + 2 * (self.prepared.rule.slots() + usize::from(moves)))
    }

    /// Puts the loss on validation samples in the place of the last epoch's training loss, for a schedule that
    /// waits for a plateau: the next [`epoch`](Session::epoch) reads it. If it is never called, the schedule goes
    /// by the training loss.
    pub fn validated(&mut self, loss: f64) {
        self.epoch_loss = Some(loss);
    }

    /// One pass over the samples, or one iteration of an optimizer that searches along lines; less if
    /// `stop` is set meanwhile or a rule of the recipe [ends](Session::ended) it: a number of steps, a
    /// time, the norm of a gradient. It trains on from the parameters of the last epoch, whatever average
    /// the model holds now, and leaves the average there; after an error, the parameters that were
    /// trained.
    ///
    /// # Errors
    /// [`Error::Diverged`] when a batch's loss, or the norm of its gradient where that is needed, is not
    /// finite.
    pub fn epoch(&mut self, stop: &AtomicBool, observer: &mut (dyn Observer + Send)) -> Result<EpochRecord> {
        self.probed_epoch(stop, observer, None)
    }

    /// [`epoch`](Session::epoch); what the probes see is added to `probes`. Whether there are any changes no
    /// number that is trained.
    ///
    /// # Errors
    /// Those of [`epoch`](Session::epoch).
    pub fn probed_epoch(
        &mut self,
        stop: &AtomicBool,
        observer: &mut (dyn Observer + Send),
        probes: Option<&mut Probes>,
    ) -> Result<EpochRecord> {
        self.begin_epoch();
        let record = match self.search {
            Some(_) => self.searched_epoch(observer, probes)?,
            None => {
                self.advance(stop, Pause::default(), observer, probes)?;
                self.finish_epoch()
            }
        };
        self.epoch_loss = Some(record.train_loss);
        Ok(record)
    }

    /// Puts the samples into the order of an epoch.
    fn put_in_order(&mut self, epoch: u64) {
        let (train, all) = (&self.recipe.train, self.all());
        match train.carry_state {
            true => batches::in_streams(all, self.prepared.batch, &mut self.order),
            false => batches::order(all, train.seed, epoch, train.shuffle, &mut self.order),
        }
        if let Some(subset) = &self.subset {
            self.order.iter_mut().for_each(|place| *place = subset[*place as usize]);
        }
    }

    /// Begins an epoch, if none is under way.
    pub(in crate::train) fn begin_epoch(&mut self) {
        if self.under_way.is_some() {
            return;
        }
        // Only now is it known whether a validation loss has taken the place of the training loss.
        if let (Some(plateau), Some(loss)) = (&mut self.plateau, self.epoch_loss.take()) {
            plateau.observe(loss);
        }
        self.ended = None;
        if self.search.is_none() {
            let clock = Clock::at(Duration::ZERO);
            self.clock.get_or_insert(clock);
            self.prepared.clear_carried();
            self.draw(self.epochs as u64);
            self.epochs += 1;
            let due = self.prepared.begin_epoch(self.epochs, self.steps, self.model);
            self.under_way = Some(UnderWay { spent: clock.elapsed(), ..UnderWay::new(due) });
        }
    }

    /// Draws the order of the epoch of this number, from 0, and what is mixed with what in it.
    fn draw(&mut self, epoch: u64) {
        let count = self.count();
        self.put_in_order(epoch);
        let train = &self.recipe.train;
        self.order.truncate(count);
        if train.buckets && !self.samples.lengths().is_empty() {
            let (lengths, size) = (self.samples.lengths(), self.prepared.batch);
            batches::bucket(&mut self.order, lengths, size, train.seed, epoch);
        }
        if let Some(mixing) = &mut self.mixing {
            mixing.draw(&self.order, train.seed, epoch);
        }
    }

    /// Goes on with the epoch under way of a rule that does not search, until it is over, `stop` is set, a rule of the
    /// recipe ends it, or it is to pause: then it says so, and can go on. Where it paused changes no number.
    ///
    /// # Errors
    /// Those of [`epoch`](Session::epoch), which is over then.
    pub(in crate::train) fn advance(
        &mut self,
        stop: &AtomicBool,
        pause: Pause,
        observer: &mut (dyn Observer + Send),
        probes: Option<&mut Probes>,
    ) -> Result<bool> {
        let Some(under_way) = self.under_way.filter(|_| self.ended.is_none()) else { return Ok(false) };
        let clock = Clock::at(under_way.spent);
        let run_clock = *self.clock.get_or_insert(Clock::at(Duration::ZERO));
        let train = &self.recipe.train;
        let epoch = self.epochs as u64 - 1;
        let augmented =
            self.augmenter.as_ref().map(|augmenter| Augmented { augmenter, seed: train.seed, epoch });
        let (recipe, span, size) = (self.recipe, self.prepared.span, self.prepared.batch);
        let momentum = self.prepared.rule.momentum();
        let source = Source::new(self.samples, self.targets, &recipe.data).with_sparse(self.sparse.as_ref());
        let step = self.prepared.step(self.model, recipe, source, augmented, under_way.due);
        let live = Mutex::new(Live {
            score: under_way.score,
            steps: self.steps,
            first: None,
            diverged: None,
            ended: None,
            observer,
            told: under_way.told,
            pause,
            pauses: false,
        });
        let stop_rules = &recipe.stop;
        let (order, done) = (&self.order[..], self.steps);
        let about =
            About { epoch: self.epochs, epochs: train.epochs, of: order.len(), clock, run_clock, stop_rules };
        let halt = AtomicBool::new(false);
        let mixing = self.mixing.as_ref();
        let learning_rate = recipe.optimizer.learning_rate * reduced(self.plateau.as_ref());
        let settings = |step| recipe.schedule.settings(step, span, learning_rate, momentum);
        let begin = (under_way.steps as usize).saturating_mul(size).min(order.len());
        let work = |worker: &Worker| {
            step.derive_all(worker);
            worker.barrier();
            for (index, start) in (begin..order.len()).step_by(size).enumerate() {
                worker.begin_step(done + index as u64, Some(size.min(order.len() - start) as u64));
                let batch = Batch { order, start, size, mixing };
                if let Some(score) = step.run(worker, batch, settings(done + index as u64 + 1)) {
                    let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
                    let go_on = live.add(score, &about) && !live.pauses;
                    // Read by the others only after the barrier, and written again only after the next.
                    halt.store(!go_on || stop.load(Relaxed), Relaxed);
                }
                worker.barrier();
                worker.end_step();
                if halt.load(Relaxed) {
                    break;
                }
            }
        };
        self.team.run(work, probes);
        let live = live.into_inner().unwrap_or_else(PoisonError::into_inner);
        let steps = under_way.steps + (live.steps - self.steps);
        (self.steps, self.ended) = (live.steps, live.ended);
        self.first = self.first.or(live.first);
        let (score, spent, told) = (live.score, clock.elapsed(), live.told);
        self.under_way = Some(UnderWay { steps, score, spent, told, ..under_way });
        if let Some(diverged) = live.diverged {
            self.under_way = None;
            return Err(match diverged {
                Diverged::Loss(value) => self.diverged(self.lost(), value),
                Diverged::Gradient(value) => self.diverged(self.lost_gradient(), value),
            });
        }
        let is_over = live.score.samples >= self.order.len() || self.ended.is_some();
        Ok(live.pauses && !is_over && !stop.load(Relaxed))
    }

    /// Ends the epoch under way, and gives its record: of an incomplete one, if steps are missing.
    pub(in crate::train) fn finish_epoch(&mut self) -> EpochRecord {
        let Some(under_way) = self.under_way.take() else { unreachable!("an epoch was begun") };
        let clock = Clock::at(under_way.spent);
        let recipe = self.recipe;
        let about = About {
            epoch: self.epochs,
            epochs: recipe.train.epochs,
            of: self.count(),
            clock,
            run_clock: clock,
            stop_rules: &recipe.stop,
        };
        let rate = recipe.optimizer.learning_rate * reduced(self.plateau.as_ref());
        let momentum = self.prepared.rule.momentum();
        let settings = recipe.schedule.settings(self.steps, self.prepared.span, rate, momentum);
        let mut record = about.record(&under_way.score, settings.learning_rate);
        if !record.incomplete {
            let Prepared { plan, workspace, .. } = &self.prepared;
            record.layers = norms::of_layers(self.model.layers(), plan, workspace.norms());
        }
        self.prepared.end_epoch(self.epochs, !record.incomplete, self.model);
        self.epoch_loss = Some(record.train_loss);
        record
    }
}

/// By what a plateau has multiplied the rate.
fn reduced(plateau: Option<&PlateauState>) -> f64 {
    plateau.map_or(1.0, PlateauState::factor)
}
