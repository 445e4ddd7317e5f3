//! What is tried: networks and ways to train them, and what each comes to.

use std::panic::resume_unwind;
use std::thread;

use super::networks::{Form, Network};
use crate::data::{DataSet, Samples, generate_digits};
use crate::error::{Error, Result};
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::model::recipe::Optimizer;
use crate::train::{LayerNorms, TrainRecord, Trainer, Trouble};

/// Digits to learn from, and to be tested on.
pub(super) const SAMPLES: [usize; 2] = [2000, 1000];
pub(super) const EPOCHS: usize = 20;
/// The rate of all trainings.
pub(super) const RATE: f64 = 0.03;
const BATCH: usize = 32;
/// The norm to which gradients are clipped.
pub(super) const CLIP: f32 = 1.0;
/// Where weights are clipped, and the norm to which those of each unit are shortened: about what He's weights have.
pub(super) const WEIGHT: f32 = 0.5;
pub(super) const UNIT_NORM: f32 = 1.414;
/// How much larger weights are that mend a sigmoid network, and those that do not quite.
pub(super) const LARGER: f32 = 6.0;
pub(super) const LARGE: f32 = 4.0;
/// How much larger weights are with which gradients explode.
pub(super) const RELU_GAIN: f32 = 1.5;
pub(super) const TANH_GAIN: f32 = 8.0;

/// A network and a way to train it.
pub(super) struct Trial {
    /// Its name in tables, and in the names of numbers.
    pub name: String,
    pub key: &'static str,
    pub network: Network,
    pub change: fn(Trainer) -> Trainer,
}

impl Trial {
    fn new(name: &str, key: &'static str, network: Network) -> Trial {
        Trial { name: name.into(), key, network, change: |trainer| trainer }
    }

    fn by(self, change: fn(Trainer) -> Trainer) -> Trial {
        Trial { change, ..self }
    }
}

fn clip_norm(trainer: Trainer) -> Trainer {
    trainer.clip_norm(CLIP)
}

fn clip_weights(trainer: Trainer) -> Trainer {
    trainer.change(|recipe| recipe.constraint.clip_weights = Some(WEIGHT))
}

fn max_norm(trainer: Trainer) -> Trainer {
    trainer.change(|recipe| recipe.constraint.max_norm = Some(UNIT_NORM))
}

/// The deep sigmoid network, and what is said to mend it.
pub(super) fn vanishing() -> Vec<Trial> {
    let sigmoid = Network::plain(Activation::SIGMOID);
    let larger = |gain| Network { init: Some(Init::XavierUniform { gain }), ..sigmoid };
    vec![
        Trial::new("sigmoid as it stands", "sigmoid", sigmoid),
        Trial::new(&format!("weights {LARGE} times as large"), "large_weights", larger(LARGE)),
        Trial::new(&format!("weights {LARGER} times as large"), "larger_weights", larger(LARGER)),
        Trial::new("gradient clipped by norm", "clip_norm", sigmoid).by(clip_norm),
        Trial::new("weights clipped", "clip_weights", sigmoid).by(clip_weights),
        Trial::new("weight normalisation", "weight_norm", sigmoid.with(Form::WeightNorm)),
        Trial::new("batch normalisation", "batch_norm", sigmoid.with(Form::BatchNorm)),
        Trial::new("residual links", "residual", sigmoid.with(Form::Residual)),
        Trial::new("tanh", "tanh", Network::plain(Activation::TANH)),
        Trial::new("ReLU", "relu", Network::plain(Activation::RELU)),
    ]
}

/// Networks whose weights are too large, and what is said to mend them.
pub(super) fn exploding() -> Vec<Trial> {
    let relu = Network::plain(Activation::RELU).scaled(RELU_GAIN);
    let tanh = Network::plain(Activation::TANH).scaled(TANH_GAIN);
    let both = |trainer| max_norm(clip_norm(trainer));
    vec![
        Trial::new(&format!("ReLU, weights {RELU_GAIN} times as large"), "large_relu", relu),
        Trial::new("gradient clipped by norm", "large_relu_clip_norm", relu).by(clip_norm),
        Trial::new("weights clipped", "large_relu_clip_weights", relu).by(clip_weights),
        Trial::new("largest norm of weights", "large_relu_max_norm", relu).by(max_norm),
        Trial::new("largest norm, clipped gradient", "large_relu_both", relu).by(both),
        Trial::new("weight normalisation", "large_relu_weight_norm", relu.with(Form::WeightNorm)),
        Trial::new("batch normalisation", "large_relu_batch_norm", relu.with(Form::BatchNorm)),
        Trial::new(&format!("tanh, weights {TANH_GAIN} times as large"), "large_tanh", tanh),
        Trial::new("tanh, gradient clipped by norm", "large_tanh_clip_norm", tanh).by(clip_norm),
        Trial::new("tanh, batch normalisation", "large_tanh_batch_norm", tanh.with(Form::BatchNorm)),
    ]
}

/// What a trial has come to.
pub(super) struct Outcome {
    /// The norm of the gradient of each dense layer in the first step, of all samples.
    pub gradients: Vec<f64>,
    pub end: End,
}

/// How a training has ended.
pub(super) enum End {
    Trained {
        /// The mean loss of each epoch.
        losses: Vec<f64>,
        /// The gradient's norm in the last step: the first dense layer's over the last one's.
        ratio: f64,
        /// On the test samples.
        accuracy: f64,
        /// Layers that the program warned of, since their gradients vanish.
        warned: usize,
    },
    /// Something was not finite any more: what, and at which step.
    Diverged { what: String, step: u64 },
}

impl Outcome {
    /// The first layer's gradient over the last one's, in the first step.
    pub(super) fn ratio(&self) -> f64 {
        ratio(&self.gradients)
    }

    /// The norm of the gradient of all dense layers, in the first step.
    pub(super) fn norm(&self) -> f64 {
        norm(&self.gradients)
    }
}

/// The norm of a gradient from those of its layers.
pub(super) fn norm(gradients: &[f64]) -> f64 {
    gradients.iter().map(|norm| norm * norm).sum::<f64>().sqrt()
}

pub(super) fn ratio(gradients: &[f64]) -> f64 {
    gradients.first().zip(gradients.last()).map_or(f64::NAN, |(first, last)| first / last)
}

pub(super) fn digits() -> Result<DataSet> {
    generate_digits(SAMPLES, 1)
}

/// The norms of the gradient of each dense layer in a step of all samples, before any has been taken.
pub(super) fn gradients(
    network: Network,
    change: fn(Trainer) -> Trainer,
    samples: &Samples,
) -> Result<Vec<f64>> {
    // The rate does not matter: the norms are those before the step.
    let trainer = Trainer::new().optimizer(Optimizer::sgd(1e-9)).batch(samples.len()).epochs(1).threads(1);
    let record = change(trainer).fit(&mut network.build()?, samples)?;
    Ok(of_dense(network, record.epochs.last().map(|epoch| epoch.layers.as_slice()).unwrap_or_default()))
}

fn of_dense(network: Network, norms: &[LayerNorms]) -> Vec<f64> {
    norms.iter().step_by(network.every()).map(|layer| layer.gradient).collect()
}

fn outcome(trial: &Trial, digits: &DataSet) -> Result<Outcome> {
    let gradients = gradients(trial.network, trial.change, &digits.train)?;
    let mut model = trial.network.build()?;
    let rule = Optimizer::named("momentum")?.rate(RATE);
    let trainer = (trial.change)(Trainer::new().optimizer(rule).batch(BATCH).epochs(EPOCHS).threads(1));
    let end = match trainer.fit(&mut model, &digits.train) {
        Err(Error::Diverged { what, step, .. }) => End::Diverged { what, step },
        Err(error) => return Err(error),
        Ok(TrainRecord { epochs, warnings, .. }) => {
            let last = epochs.last().map(|epoch| epoch.layers.as_slice()).unwrap_or_default();
            let seen = trainer.evaluate(&model, &digits.test)?;
            End::Trained {
                ratio: ratio(&of_dense(trial.network, last)),
                losses: epochs.iter().map(|epoch| epoch.train_loss).collect(),
                accuracy: seen.accuracy.unwrap_or(f64::NAN),
                warned: warnings.iter().filter(|warning| warning.trouble == Trouble::Vanishing).count(),
            }
        }
    };
    Ok(Outcome { gradients, end })
}

/// What all of them come to, in their order; trials are shared among threads, one each.
pub(super) fn outcomes(trials: &[Trial], digits: &DataSet, threads: usize) -> Result<Vec<Outcome>> {
    let threads = threads.clamp(1, trials.len());
    let part = |first: usize| -> Vec<Result<Outcome>> {
        trials.iter().skip(first).step_by(threads).map(|trial| outcome(trial, digits)).collect()
    };
    let part = &part;
    let mut parts = thread::scope(|scope| {
        let start = |first| thread::Builder::new().spawn_scoped(scope, move || part(first));
        let others: Vec<_> = (1..threads).map(start).collect();
        let mut parts = vec![part(0).into_iter()];
        for (first, other) in (1..).zip(others) {
            let done = match other {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // The system has no thread to give.
                Err(_) => part(first),
            };
            parts.push(done.into_iter());
        }
        parts
    });
    (0..trials.len()).filter_map(|index| parts[index % threads].next()).collect()
}
