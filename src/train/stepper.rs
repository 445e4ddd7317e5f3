//! Training step by step, on batches that the caller hands in.

use std::sync::{Mutex, PoisonError};

use super::averages::Due;
use super::epoch_record::Evaluation;
use super::evaluate::evaluate;
use super::prepare::{Prepared, Request, needs_two_samples};
use super::step::{Batch, BatchScore, Source, Step};
use crate::data::idx::ElementType;
use crate::data::{FeaturesRef, Samples, TargetsRef};
use crate::kernels::simd::reduce;
use crate::losses::{LossFunction, Targets};
use crate::model::recipe::ALL_SAMPLES;
use crate::model::{Model, Normalisation, Recipe, Seen};
use crate::optim::StepSettings;
use crate::optim::schedule::Schedules;
use crate::team::{Shared, Team, Worker};
use crate::{Error, Result, memory};

/// A model in training, one batch a call. Made by [`Trainer::steps`](super::Trainer::steps).
pub struct Stepper<'a> {
    model: &'a mut Model,
    recipe: Recipe,
    team: Team,
    prepared: Prepared,
    loss: LossFunction,
    normalisation: Normalisation,
    learning_rate: f64,
    steps: u64,
    /// The numbers of a batch's samples: 0, 1, 2 and so on.
    order: Vec<u32>,
    /// Whether what layers derive from their parameters has been made.
    has_derived: bool,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// The number of the step, from 1.
    pub step: u64,
    /// The mean over the batch, before the update.
    pub loss: f64,
    /// The Euclidean norm of the gradient of that mean, over all parameters and before it is clipped by its norm.
    pub gradient_norm: f64,
    /// The part of the batch whose class was found, before the update; none where the targets are values.
    pub accuracy: Option<f64>,
}

impl<'a> Stepper<'a> {
    /// Plans the steps of a recipe that has been checked, and allocates all their memory.
    ///
    /// # Errors
    /// If the recipe asks for what only whole epochs have, or memory is short.
    pub(super) fn new(model: &'a mut Model, recipe: Recipe, team: Team) -> Result<Stepper<'a>> {
        check(&recipe)?;
        let batch = recipe.train.batch.saturating_mul(recipe.train.accumulate);
        let request = Request {
            recipe: &recipe,
            count: batch,
            // Room for both kinds, of which nobody knows yet which it will be.
            are_values: true,
            threads: team.threads(),
            augmenter: None,
            wants_norm: true,
        };
        let prepared = request.prepare(model)?;
        let mut order = memory::reserved("a batch", batch)?;
        order.extend((0..).take(batch));
        Ok(Stepper {
            normalisation: Normalisation::of(&recipe.data),
            loss: model.loss().function(),
            learning_rate: recipe.optimizer.learning_rate,
            model,
            recipe,
            team,
            prepared,
            steps: 0,
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
        let x = x.into();
        let (count, targets) = self.checked(x, targets.into())?;
        let element_type = match x {
            FeaturesRef::Bytes(_) => ElementType::U8,
            FeaturesRef::Floats(_) => ElementType::F32,
        };
        let normalisation = self.normalisation;
        self.model.set_seen(Seen { normalisation, element_type: Some(element_type) });
        let factor_and_shift = self.recipe.data.factor_and_shift(element_type);
        let width = self.model.input().iter().product();
        let classes = self.model.outputs();
        let Prepared { rule, plan, workspace, .. } = &mut self.prepared;
        let (layers, parameters) = self.model.parts_mut();
        let step = Step {
            layers,
            loss: &self.loss,
            classes,
            source: Source::of(x, width, targets, factor_and_shift),
            augmented: None,
            rule: rule.as_ref(),
            treatment: &self.recipe.gradient,
            constraint: &self.recipe.constraint,
            averages: Due::default(),
            plan,
            parameters: Shared::array(parameters),
            memory: workspace.share(),
            seed: self.recipe.train.seed,
        };
        let batch = Batch { order: &self.order[..count], start: 0, size: count, mixing: None };
        let settings = StepSettings::new(self.steps + 1, self.learning_rate);
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
                return Err(Error::Diverged { what, value, step, epoch: 1, learning_rate });
            }
        }
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
        };
        self.model.loss().check_targets(targets, outputs)?;
        Ok((count, targets))
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Takes steps of another learning rate from the next one on.
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

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The model as it is after the last step.
    pub fn model(&self) -> &Model {
        self.model
    }

    /// Mean loss and accuracy of the model as it is, on these samples. The training is as it was.
    ///
    /// # Errors
    /// If the samples do not fit the model, or memory is short.
    pub fn evaluate(&self, samples: &Samples) -> Result<Evaluation> {
        evaluate(self.model, samples, &self.recipe.data, &self.team)
    }
}

/// Refuses what needs to know of epochs, or of all samples.
fn check(recipe: &Recipe) -> Result<()> {
    if recipe.train.batch == ALL_SAMPLES {
        return Err(refused("batch", "a number of samples, the most of a step", "all samples"));
    }
    let name = recipe.optimizer.name();
    let parts = [
        ("optimizer", recipe.optimizer.kind().full_batch, name),
        // The model has the average between epochs only.
        ("optimizer", recipe.optimizer.rule().evaluated().is_some(), name),
        ("schedule", recipe.schedule != Schedules::constant(), "a schedule"),
        ("augment", !recipe.augment.is_off(), "augmentation"),
        ("lookahead", recipe.lookahead.is_some(), "lookahead"),
        ("average", recipe.average.is_some(), "an average"),
    ];
    match parts.iter().find(|(_, is_there, _)| *is_there) {
        Some((key, _, found)) => Err(refused(key, "nothing that goes by epochs or by all samples", found)),
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

/// That all numbers are.
pub(super) fn check_finite(what: &str, numbers: &[f32]) -> Result<()> {
    if reduce::all_finite(numbers) {
        return Ok(());
    }
    let place = numbers.iter().position(|number| !number.is_finite()).unwrap_or(0);
    Err(mismatch(what, "finite numbers".into(), format!("{} at index {place}", numbers[place])))
}

pub(super) fn mismatch(what: &str, expected: String, found: impl std::fmt::Display) -> Error {
    Error::Mismatch { what: what.into(), expected, found: found.to_string() }
}
