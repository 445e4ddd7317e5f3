//! The search of a full-batch method.

use crate::model::{Model, Recipe};
use crate::optim::FullBatch;
use crate::optim::full_batch::Solver;
use crate::train::step::BatchScore;
use crate::{Result, memory};

/// A search for the least loss, from one iteration to the next.
pub struct Search {
    pub(super) solver: Solver,
    pub(super) weight_decay: f64,
    /// The scores of all samples, where the iteration begins and in each of its evaluations.
    pub(super) scores: Vec<BatchScore>,
    /// How often loss and gradient were computed, in all iterations.
    pub(super) evaluations: u64,
}

impl Search {
    /// A search that begins with the parameters of the model.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(method: FullBatch, model: &Model, recipe: &Recipe) -> Result<Search> {
        let mut start: Vec<f64> = memory::reserved("the parameters in f64", model.storage().len())?;
        start.extend(model.storage().iter().map(|&p| f64::from(p)));
        let steps =
            recipe.stop.steps.map_or(usize::MAX, |steps| usize::try_from(steps).unwrap_or(usize::MAX));
        let iterations = recipe.train.epochs.min(steps);
        let FullBatch { settings, weight_decay } = method;
        let solver = Solver::new(settings, recipe.optimizer.learning_rate, &start, iterations)?;
        // Two searches at most, the second along the gradient.
        let scores = Vec::with_capacity(1 + 2 * settings.max_eval);
        Ok(Search { solver, weight_decay, scores, evaluations: 0 })
    }
}
