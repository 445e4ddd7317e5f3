//! Training step by step, on batches that the caller hands in.

use std::sync::{Mutex, PoisonError};

use crate::data::idx::ElementType;
use crate::data::{
    FeaturesRef, Samples, TargetsRef, check_lengths, check_targets_behind, check_weights, positions_of,
};
use crate::kernels::loss::{NO_TOKEN, Targets, Tokens};
use crate::model::recipe::ALL_SAMPLES;
use crate::model::{Model, Normalisation, Recipe, Seen};
use crate::optim::StepSettings;
use crate::optim::schedule::{PlateauState, Schedules};
use crate::team::{Team, Worker};
use crate::train::inference::evaluate::evaluate_in;
use crate::train::inference::order::Order;
use crate::train::record::epoch::Evaluation;
use crate::train::session::carry;
use crate::train::session::optimizer::{self, OptimizerState};
use crate::train::session::prepare::{Prepared, Request, needs_two_samples};
use crate::train::source::Source;
use crate::train::step::averages::Due;
use crate::train::step::{Batch, BatchScore};
use crate::train::targets::{check_finite, mismatch};
use crate::{Error, Result, memory};

/// A model in training, one batch a call. Made by [`Trainer::steps`](crate::train::Trainer::steps).
pub struct Stepper<'a> {
    model: &'a mut Model,
    recipe: Recipe,
    team: Team,
    prepared: Prepared,
    normalisation: Normalisation,
    /// The learning rate of the rule, before its schedule.
    learning_rate: f64,
    steps: u64,
    /// Steps of an epoch, if the caller has said so.
    per_epoch: Option<u64>,
    /// The settings of the averages in the epoch under way.
    due: Due,
    /// Whether the model holds an average, and not the parameters that are trained.
    shows_average: bool,
    plateau: Option<PlateauState>,
    /// The loss of the epoch under way: the sum over its samples, or the value that the caller has set.
    epoch_loss: EpochLoss,
    /// The indices of a batch's samples: 0, 1, 2 and so on.
    order: Vec<u32>,
    /// Whether the layers' derived storage has been made.
    has_derived: bool,
}

/// The record of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// The number of the step, from 1.
    pub step: u64,
    /// The mean loss over the batch, before the update.
    pub loss: f64,
    /// The Euclidean norm of the gradient of that mean, over all parameters and before it is clipped by its norm.
    pub gradient_norm: f64,
    /// The part of the batch whose class was predicted, before the update; none where the targets are values.
    pub accuracy: Option<f64>,
}

impl<'a> Stepper<'a> {
    /// Plans the steps of a recipe that has been checked, so many an epoch, and allocates all their memory.
    ///
    /// # Errors
    /// If the recipe asks for something that needs whole epochs, or memory is short.
    pub(in crate::train) fn new(
        model: &'a mut Model,
        recipe: Recipe,
        per_epoch: Option<u64>,
        team: Team,
    ) -> Result<Stepper<'a>> {
        check(&recipe, per_epoch)?;
        carry::check_network(model, &recipe)?;
        let batch = recipe.train.batch.saturating_mul(recipe.train.accumulate);
        let request = Request {
            recipe: &recipe,
            count: batch.saturating_mul(per_epoch.map_or(1, |steps| steps as usize)),
            // Room for all kinds of targets: any may come.
            are_values: true,
            positions: model.positions(),
            are_tokens: true,
            threads: team.threads(),
            augmenter: None,
            sparse_entries: None,
            wants_norm: true,
        };
        let prepared = request.prepare(model)?;
        let mut order = memory::reserved("a batch", batch)?;
        order.extend((0..).take(batch));
        let plateau = recipe.schedule.learning_rate.plateau().map(PlateauState::new);
        // Whoever takes steps goes on from what the model began with.
        model.set_initial(None);
        Ok(Stepper {
            normalisation: Normalisation::of(&recipe.data),
            learning_rate: recipe.optimizer.learning_rate,
            model,
            recipe,
            team,
            prepared,
            steps: 0,
            per_epoch,
            due: Due::default(),
            shows_average: false,
            plateau,
            epoch_loss: EpochLoss::default(),
            order,
            has_derived: false,
        })
    }

    /// Trains on a batch: `x` `[samples, features]`, floats or bytes; `targets` a class, as bytes, for each sample,
    /// or `[samples, outputs]` floats. There may be fewer samples than the trainer's batch, but not more. After an
    /// error that is not [`Error::Diverged`] the model is as it was.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the sizes disagree or are not those of the model, a number is not finite, or a target
    /// is not one that the loss takes; [`Error::Diverged`] if the loss or the norm of the gradient is not finite.
    pub fn step<'b>(
        &mut self,
        x: impl Into<FeaturesRef<'b>>,
        targets: impl Into<TargetsRef<'b>>,
    ) -> Result<StepRecord> {
        self.step_on(x.into(), targets.into(), None, None)
    }

    /// [`step`](Stepper::step) on samples that have weights, `[samples]`: the loss and the gradient of each count so
    /// many times, and their means divide by the sum of the weights (times those of the classes, if the loss has
    /// some). If that is 0, the loss and the gradient are 0, and the update rule does with it what it does with any
    /// gradient. Layers that normalise by batch see all samples, and the accuracy counts them alike.
    ///
    /// ```
    /// # use fallline::{Activation, Loss, Model, Optimizer, Trainer};
    /// # let model = || {
    /// #     Model::sequential(2).dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build()
    /// # };
    /// # let (mut model, mut other) = (model()?, model()?);
    /// let trainer = Trainer::new().optimizer(Optimizer::sgd(0.1)).batch(4);
    /// let (x, y) = ([0.0, 1.0, 1.0, 0.0], [1.0, -1.0]); // two samples
    /// let weighted = trainer.steps(&mut model)?.step_weighted(&x, &y, &[3.0, 0.0])?;
    /// let alone = trainer.steps(&mut other)?.step(&x[..2], &y[..1])?;
    /// assert!((weighted.loss - alone.loss).abs() < 1e-6);
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`step`](Stepper::step); also if there are not as many weights as samples, or one is not a finite number
    /// of at least 0.
    pub fn step_weighted<'b>(
        &mut self,
        x: impl Into<FeaturesRef<'b>>,
        targets: impl Into<TargetsRef<'b>>,
        weights: &[f32],
    ) -> Result<StepRecord> {
        self.step_on(x.into(), targets.into(), Some(weights), None)
    }

    /// [`step`](Stepper::step) on sequences of which the first `lengths[i]` positions of sample `i` count, `[samples]`, as
    /// [`Samples::with_lengths`](crate::Samples::with_lengths) has it; what lies behind is to have no target.
    ///
    /// # Errors
    /// Those of [`step`](Stepper::step); also if there are not as many lengths as samples, or one is 0 or more than the
    /// positions of a sample.
    pub fn step_sequences<'b>(
        &mut self,
        x: impl Into<FeaturesRef<'b>>,
        targets: impl Into<TargetsRef<'b>>,
        lengths: &[u32],
    ) -> Result<StepRecord> {
        self.step_on(x.into(), targets.into(), None, Some(lengths))
    }

    /// Trains on a batch of samples that have weights and lengths, both `[samples]`, or none.
    pub(crate) fn step_on(
        &mut self,
        x: FeaturesRef,
        targets: TargetsRef,
        weights: Option<&[f32]>,
        lengths: Option<&[u32]>,
    ) -> Result<StepRecord> {
        let (count, targets) = self.checked(x, targets)?;
        let positions = positions_of(self.model.input());
        if let Some(lengths) = lengths {
            check_lengths("lengths of the batch", lengths, count, positions)?;
            if let Targets::Tokens(tokens) = targets {
                check_targets_behind(tokens, lengths, positions)?;
            }
        }
        if let Some(weights) = weights {
            check_weights("weights of the batch", weights, count)?;
        }
        let element_type = match x {
            FeaturesRef::Bytes(_) => ElementType::U8,
            FeaturesRef::Floats(_) => ElementType::F32,
        };
        let normalisation = self.normalisation;
        let seen = Seen { normalisation, element_type: Some(element_type), ..self.model.seen().clone() };
        self.model.set_seen(seen);
        let factor_and_shift = self.recipe.data.factor_and_shift(element_type);
        let width = self.model.input().iter().product();
        self.begin_step();
        let settings = self.settings();
        let source =
            Source::of(x, width, targets, factor_and_shift).with_weights(weights.unwrap_or_default());
        let source = source.with_lengths(lengths.unwrap_or_default(), positions);
        let step = self.prepared.step(self.model, &self.recipe, source, None, self.due);
        let batch = Batch { order: &self.order[..count], start: 0, size: count, mixing: None };
        let derives = !self.has_derived;
        let seen = Mutex::new(BatchScore::default());
        let work = |worker: &Worker| {
            if derives {
                step.derive_all(worker);
                worker.barrier();
            }
            if let Some(score) = step.run(worker, batch, settings) {
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = score;
            }
        };
        self.team.run(work, None);
        drop(step);
        (self.steps, self.has_derived) = (self.steps + 1, true);
        let score = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (loss, gradient_norm) = (score.mean_loss(), score.gradient_norm.unwrap_or(f64::NAN));
        for (what, value) in [("the loss", loss), ("the norm of the gradient", gradient_norm)] {
            if !value.is_finite() {
                let (what, step, learning_rate) = (what.into(), self.steps, self.learning_rate);
                let epoch = self.epoch_of(step);
                return Err(Error::Diverged { what, value, step, epoch, learning_rate });
            }
        }
        self.end_step(&score);
        Ok(StepRecord { step: self.steps, loss, gradient_norm, accuracy: score.accuracy() })
    }

    /// The number of samples, and their targets, if all fits the model.
    fn checked<'b>(&self, x: FeaturesRef, targets: TargetsRef<'b>) -> Result<(usize, Targets<'b>)> {
        let width: usize = self.model.input().iter().product();
        let (most, outputs) = (self.prepared.batch, self.model.outputs());
        let count = x.len() / width;
        if !x.len().is_multiple_of(width) || count == 0 || count > most {
            let expected = format!("1 to {most} samples of {width}, one after the other");
            return Err(mismatch("number of features of the batch", expected, x.len()));
        }
        if let FeaturesRef::Floats(floats) = x {
            check_finite("features of the batch", floats)?;
        }
        let (norms, layers) = (&self.prepared.plan.rows.norms, self.model.layers());
        if let Some(layer) = needs_two_samples(layers, norms).next().filter(|_| count == 1) {
            let (module, kind) = (&layers[layer].module, layers[layer].layer.kind());
            let expected = format!("at least 2 with layer {module} ({kind})");
            return Err(mismatch("samples of the batch", expected, count));
        }
        let targets = match targets {
            TargetsRef::Classes(classes) => {
                check_count("classes of the batch", count, classes.len())?;
                if let Some(place) = classes.iter().position(|&class| usize::from(class) >= outputs) {
                    let found = format!("{} at index {place}", classes[place]);
                    return Err(mismatch("classes of the batch", format!("below {outputs}"), found));
                }
                Targets::Classes(classes)
            }
            TargetsRef::Values(values) => {
                check_count("target values of the batch", count * outputs, values.len())?;
                check_finite("target values of the batch", values)?;
                Targets::Values(values)
            }
            TargetsRef::Tokens(ids) => {
                let positions = self.model.positions();
                check_count("tokens of the batch", count * positions, ids.len())?;
                let is_class = |id: &u32| *id == NO_TOKEN || (*id as usize) < self.model.classes();
                if let Some(place) = ids.iter().position(|id| !is_class(id)) {
                    let expected = format!("below {}", self.model.classes());
                    return Err(mismatch(
                        "tokens of the batch",
                        expected,
                        format!("{} at index {place}", ids[place]),
                    ));
                }
                Targets::Tokens(Tokens { ids, positions, step: positions })
            }
            TargetsRef::None => Targets::None,
        };
        self.model.loss().check_targets(targets, outputs)?;
        Ok((count, targets))
    }

    /// The settings of the next step.
    fn settings(&self) -> StepSettings {
        let reduced = self.plateau_of_next().map_or(1.0, |plateau| plateau.factor());
        let (rate, momentum) = (self.learning_rate * reduced, self.prepared.rule.momentum());
        self.recipe.schedule.settings(self.steps + 1, self.prepared.span, rate, momentum)
    }

    /// Whether the next step is the first one of an epoch.
    fn begins_epoch(&self) -> bool {
        self.per_epoch.is_some_and(|steps| self.steps.is_multiple_of(steps))
    }

    /// The plateau as the next step sees it: the first one of an epoch knows of the epoch before.
    fn plateau_of_next(&self) -> Option<PlateauState> {
        let mut plateau = self.plateau?;
        if let (true, Some(loss)) = (self.begins_epoch(), self.epoch_loss.value()) {
            plateau.observe(loss);
        }
        Some(plateau)
    }

    /// The epoch to which a step belongs, both from 1.
    fn epoch_of(&self, step: u64) -> usize {
        self.per_epoch.map_or(1, |steps| ((step - 1) / steps) as usize + 1)
    }

    /// Puts the trained parameters back into the model, and begins an epoch with its first step.
    fn begin_step(&mut self) {
        let is_first = self.begins_epoch();
        if is_first {
            self.prepared.clear_carried();
        }
        if !self.shows_average && !is_first {
            return;
        }
        let epoch = self.epoch_of(self.steps + 1);
        self.due = self.prepared.begin_epoch(epoch, self.steps, self.model);
        self.shows_average = false;
        if is_first {
            self.plateau = self.plateau_of_next();
            self.epoch_loss = EpochLoss::default();
        }
    }

    /// Ends an epoch with its last step.
    fn end_step(&mut self, score: &BatchScore) {
        self.epoch_loss.add(score);
        if self.begins_epoch() {
            self.show(true);
        }
    }

    fn show(&mut self, is_complete: bool) {
        let epoch = self.epoch_of(self.steps.max(1));
        self.prepared.end_epoch(epoch, is_complete, self.model);
        self.shows_average = true;
    }

    /// Puts the average of the settings, or of the update rule, into the model if there is one, as the last step of
    /// each epoch does anyway: to be evaluated, saved or used. The next step trains on from where the last one was.
    pub fn show_average(&mut self) -> &Model {
        if !self.shows_average && self.per_epoch.is_some() {
            self.show(false);
        }
        self.model
    }

    /// Lets the next step begin without the states that the steps before have left, where the settings
    /// [carry](crate::Trainer::carry_state) them: at the beginning of another stream. Each epoch begins so anyway.
    pub fn forget_states(&mut self) {
        self.prepared.clear_carried();
    }

    /// Tells a schedule that waits for a plateau the loss on validation samples after an epoch; without it, it goes by
    /// the mean training loss.
    pub fn validated(&mut self, loss: f64) {
        self.epoch_loss.validated = Some(loss);
    }

    /// The learning rate of the next step, after the schedule.
    pub fn learning_rate(&self) -> f64 {
        self.settings().learning_rate
    }

    /// Sets the learning rate of the next steps; a schedule multiplies this one.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is below 0 or not finite; the rate is unchanged then.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        if !(rate >= 0.0 && rate.is_finite()) {
            return Err(refused("learning_rate", "a finite number of at least 0", &rate.to_string()));
        }
        self.learning_rate = rate;
        Ok(())
    }

    /// What the optimizer has kept of each parameter, such as Adam's moments, with PyTorch's shapes: another training,
    /// of PyTorch too, goes on from there.
    ///
    /// # Errors
    /// [`Error::Mismatch`] of a rule that does not work element by element.
    pub fn optimizer_state(&self) -> Result<OptimizerState> {
        optimizer::taken(&self.prepared, self.model, self.steps)
    }

    /// Lets the optimizer begin with what one of another training has kept, before the first step. Steps count from 1
    /// all the same, for schedules and random numbers; the rule alone counts on.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there has been a step, or the state is not one of this rule and this model; nothing is
    /// changed then.
    pub fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        optimizer::put(state, &mut self.prepared, self.model, self.steps)
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The model as it is after the last step; after the last one of an epoch with the average, if there is one.
    pub fn model(&self) -> &Model {
        self.model
    }

    /// Mean loss of the model as it is, on these samples; and the accuracy, or how close it comes to values. The training
    /// is not changed. Where states are [carried](crate::Trainer::carry_state), they are here, too, in streams of the
    /// samples' own.
    ///
    /// # Errors
    /// If the samples do not fit the model, or memory is short.
    pub fn evaluate(&self, samples: &Samples) -> Result<Evaluation> {
        let order = Order::of(&self.recipe.train, self.model, samples);
        evaluate_in(order, self.model, samples, &self.recipe.data, &self.team)
    }
}

/// The mean loss of an epoch: of its steps, or as the caller has set it.
#[derive(Clone, Copy, Debug, Default)]
struct EpochLoss {
    sum: f64,
    weight: f64,
    validated: Option<f64>,
}

impl EpochLoss {
    fn add(&mut self, score: &BatchScore) {
        self.sum += score.loss_sum;
        self.weight += score.weight;
    }

    /// The mean loss of an epoch that has had steps, or what the caller says of it.
    fn value(&self) -> Option<f64> {
        self.validated.or((self.weight > 0.0).then(|| self.sum / self.weight))
    }
}

/// Refuses settings that need to know all samples, or epochs where their number of steps was not given.
fn check(recipe: &Recipe, per_epoch: Option<u64>) -> Result<()> {
    if recipe.train.batch == ALL_SAMPLES {
        return Err(refused("batch", "a number of samples, the most of a step", "all samples"));
    }
    let name = recipe.optimizer.name();
    let of_samples = [
        ("optimizer", recipe.optimizer.kind().full_batch, name),
        ("augment", !recipe.augment.is_off(), "augmentation"),
    ];
    if let Some((key, _, found)) = of_samples.iter().find(|(_, is_there, _)| *is_there) {
        return Err(refused(key, "nothing that goes by all samples", found));
    }
    let of_epochs = [
        // The model has the average between epochs only.
        ("optimizer", recipe.optimizer.rule().evaluated().is_some(), name),
        ("schedule", recipe.schedule != Schedules::constant(), "a schedule"),
        ("lookahead", recipe.lookahead.is_some(), "lookahead"),
        ("average", recipe.average.is_some(), "an average"),
    ];
    match of_epochs.iter().find(|(_, is_there, _)| *is_there && per_epoch.is_none()) {
        Some((key, _, found)) => {
            Err(refused(key, "nothing that goes by epochs without `steps_per_epoch`", found))
        }
        None => Ok(()),
    }
}

fn refused(key: &str, expected: &str, found: &str) -> Error {
    let (place, expected, found) = ("steps".into(), expected.into(), found.into());
    Error::Setting { place, key: key.into(), expected, found }
}

fn check_count(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(mismatch(what, expected.to_string(), found)) }
}
