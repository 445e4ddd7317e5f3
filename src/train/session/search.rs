//! The search of a full-batch method.

use std::ops::Range;

use crate::layers::Role;
use crate::model::{Model, PlacedLayer, Recipe};
use crate::optim::FullBatch;
use crate::optim::full_batch::Solver;
use crate::train::plan::Plan;
use crate::train::step::BatchScore;
use crate::{Result, memory};

/// A search for the least loss, from one iteration to the next.
pub struct Search {
    pub(super) solver: Solver,
    pub(super) weight_decay: f64,
    /// Where the parameters lie that it acts on: all but what is fixed.
    pub(super) trained: Vec<Range<usize>>,
    /// The penalty of the model on the squares of its weights, and where these lie.
    pub(super) l2: f64,
    pub(super) weights: Vec<Range<usize>>,
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
    pub fn new(method: FullBatch, model: &Model, plan: &Plan, recipe: &Recipe) -> Result<Search> {
        let mut start: Vec<f64> = memory::reserved("the parameters in f64", model.storage().len())?;
        start.extend(model.storage().iter().map(|&p| f64::from(p)));
        let steps =
            recipe.stop.steps.map_or(usize::MAX, |steps| usize::try_from(steps).unwrap_or(usize::MAX));
        let iterations = recipe.train.epochs.min(steps);
        let FullBatch { settings, weight_decay } = method;
        let solver = Solver::new(settings, recipe.optimizer.learning_rate, &start, iterations)?;
        // Two searches at most, the second along the gradient.
        let scores = Vec::with_capacity(1 + 2 * settings.max_eval);
        let l2 = f64::from(recipe.model.penalty().l2);
        let weights = if l2 != 0.0 { weights_of(model.layers(), plan) } else { Vec::new() };
        let trained = trained(model);
        Ok(Search { solver, weight_decay, trained, l2, weights, scores, evaluations: 0 })
    }
}

/// What is left of the storage of all parameters without what is not trained.
fn trained(model: &Model) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut start = 0;
    for fixed in model.statistics() {
        places.push(start..fixed.start);
        start = fixed.end;
    }
    places.push(start..model.storage().len());
    places.retain(|place| !place.is_empty());
    places
}

/// Where the weights lie among all parameters, of a plan in which shards hold whole columns.
fn weights_of(layers: &[PlacedLayer], plan: &Plan) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for (placed, partition) in layers.iter().zip(&plan.partitions) {
        for shard in 0..partition.shards() {
            let parts = partition.shard_parts(shard).into_iter().zip(partition.shard_roles(shard));
            for (part, _) in parts.filter(|(part, role)| *role == Role::Weights && !part.is_empty()) {
                places.push(placed.storage.start + part.start..placed.storage.start + part.end);
            }
        }
    }
    places
}
