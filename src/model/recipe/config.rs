//! A recipe, read: the settings of a training run.

use super::average::AverageConfig;
use super::constraint::ConstraintConfig;
use super::data::DataConfig;
use super::gradient::GradientConfig;
use super::network::ModelConfig;
use super::optimizer::Optimizer;
use super::reproduce::ReproduceConfig;
use super::stop::StopConfig;
use super::train::TrainConfig;
use crate::data::augment::Augmentation;
use crate::linear::Penalty;
use crate::optim::Lookahead;
use crate::optim::schedule::Schedules;

/// A training run: data, model, optimizer, length, target.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Letters, digits and `-_.`, at most 64.
    pub name: String,
    /// One line on what the recipe shows; may be empty.
    pub summary: String,
    /// Which samples are trained on, and what the network sees of them.
    pub data: DataConfig,
    /// What is done to samples that are trained on.
    pub augment: Augmentation,
    /// The layers and the loss.
    pub model: ModelConfig,
    /// The update rule with its learning rate.
    pub optimizer: Optimizer,
    /// The course of the learning rate, and of momentum and weight decay.
    pub schedule: Schedules,
    /// Epochs, batch, accumulation, seed and order.
    pub train: TrainConfig,
    /// Penalty and clipping.
    pub gradient: GradientConfig,
    /// What parameters are brought back to after each update.
    pub constraint: ConstraintConfig,
    /// Slow parameters that the fast ones go back to now and then.
    pub lookahead: Option<Lookahead>,
    /// The average that takes the parameters' place where the model is tried or saved.
    pub average: Option<AverageConfig>,
    /// What ends the training before its epochs are done.
    pub stop: StopConfig,
    /// The test accuracy that the recipe is known to reach, as a fraction of 1.
    pub target: Option<f64>,
    /// The loss that the recipe is known to come down to, where that is what it is judged by: on the validation part of a
    /// data set that has one, else on the test samples. None beside [`target`](Recipe::target).
    pub target_loss: Option<f64>,
    /// How many seeds `fallline reproduce` trains with, and what it asks for.
    pub reproduce: ReproduceConfig,
}

impl Recipe {
    /// Whether something acts on all incoming weights of an output together, or on weights and not on biases.
    pub(crate) fn needs_whole_columns(&self) -> bool {
        let is_penalised = self.model.penalty() != Penalty::default();
        self.gradient.clip_adaptive.is_some() || self.constraint.max_norm.is_some() || is_penalised
    }

    /// The names of the averages that the training takes: none, `lookahead`, `ema` or `swa`, or the first
    /// and one of the others.
    pub fn averages(&self) -> Vec<&'static str> {
        let lookahead = self.lookahead.map(|_| "lookahead");
        let average = self.average.map(|average| average.method.name());
        lookahead.into_iter().chain(average).collect()
    }
}
