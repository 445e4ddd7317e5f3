//! The search of a full-batch method.

use std::ops::Range;

use crate::checkpoint::{Archive, State};
use crate::layers::Role;
use crate::model::{Frozen, Model, PlacedLayer, Recipe};
use crate::optim::full_batch::{Iteration, Objective, Solver};
use crate::optim::global::{BestSearch, Searcher};
use crate::optim::{FullBatch, Search as How};
use crate::train::plan::Plan;
use crate::train::step::BatchScore;
use crate::{Result, memory};

const USE: &str = "the parameters in f64";

/// A search for the least loss, from one iteration to the next.
pub struct Search {
    pub(super) mover: Mover,
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
        let mut start: Vec<f64> = memory::reserved(USE, model.storage().len())?;
        start.extend(model.storage().iter().map(|&p| f64::from(p)));
        let steps =
            recipe.stop.steps.map_or(usize::MAX, |steps| usize::try_from(steps).unwrap_or(usize::MAX));
        let iterations = recipe.train.epochs.min(steps);
        let weight_decay = method.weight_decay;
        // Two searches at most, the second along the gradient.
        let scores = match method.search {
            How::Descent(settings) => Vec::with_capacity(1 + 2 * settings.max_eval),
            How::Global(_) => Vec::new(),
        };
        let mover = Mover::new(method, (model, &plan.frozen), start, iterations, recipe)?;
        let l2 = f64::from(recipe.model.penalty().l2);
        let weights = if l2 != 0.0 { weights_of(model.layers(), plan) } else { Vec::new() };
        let trained = trained(model, &plan.frozen);
        Ok(Search { mover, weight_decay, trained, l2, weights, scores, evaluations: 0 })
    }
}

impl State for Search {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.value("evaluations", &mut self.evaluations)?;
        // The score where an iteration ended is that where the next one begins.
        let mut count = self.scores.len();
        archive.value("scores", &mut count)?;
        self.scores.resize(count.min(1), BatchScore::default());
        for score in &mut self.scores {
            archive.state("score", score)?;
        }
        match &mut self.mover {
            Mover::Descent(solver) => archive.state("descent", &mut **solver),
            Mover::Best(packed) => {
                archive.numbers("point", &mut packed.point)?;
                archive.numbers("gradient", &mut packed.gradient)?;
                archive.state("best", &mut packed.search)
            }
        }
    }
}

/// What is left of the storage of all parameters without what is not trained.
fn trained(model: &Model, frozen: &Frozen) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut start = 0;
    let mut fixed = model.statistics();
    fixed.extend(frozen.places(model.layers()));
    fixed.sort_by_key(|place| place.start);
    for fixed in fixed {
        places.push(start..fixed.start.max(start));
        start = fixed.end.max(start);
    }
    places.push(start..model.storage().len());
    places.retain(|place| !place.is_empty());
    places
}

/// What moves the parameters. Vectors are \[storage\], as the model stores its parameters.
pub enum Mover {
    /// One descent, over all that is stored: what pads it has no gradient and stays 0.
    Descent(Box<Solver>),
    /// All else, over the parameters alone.
    Best(Box<Packed>),
}

/// A search over the parameters without what pads them.
pub struct Packed {
    search: BestSearch,
    /// Where each parameter lies, \[n\].
    places: Vec<usize>,
    point: Vec<f64>,
    gradient: Vec<f64>,
    before: Vec<f64>,
    change: Vec<f64>,
}

impl Mover {
    fn new(
        method: FullBatch,
        (model, frozen): (&Model, &Frozen),
        start: Vec<f64>,
        iterations: usize,
        recipe: &Recipe,
    ) -> Result<Mover> {
        let rate = recipe.optimizer.learning_rate;
        let places = if method.keeps_the_best() { places_of(model, frozen)? } else { Vec::new() };
        let packed = packed(&start, &places)?;
        let from = if method.keeps_the_best() { &packed } else { &start };
        Ok(match Searcher::new(method, rate, from, iterations, recipe.train.seed)? {
            Searcher::Descent(solver) => Mover::Descent(solver),
            Searcher::Best(search) => {
                let zeros = || memory::filled(USE, 0.0, start.len());
                let (gradient, before, change) = (zeros()?, zeros()?, zeros()?);
                let search = *search;
                Mover::Best(Box::new(Packed { search, places, point: start, gradient, before, change }))
            }
        })
    }

    /// Runs one iteration of an objective on what is stored.
    pub(super) fn iterate(&mut self, objective: &mut Objective) -> Result<Iteration> {
        let packed = match self {
            Mover::Descent(solver) => return solver.iterate(objective),
            Mover::Best(packed) => packed,
        };
        let Packed { search, places, point, gradient, before, change } = &mut **packed;
        let seen = search.iterate(&mut |at, packed_gradient| {
            scatter(point, places, at);
            let loss = objective(point, gradient)?;
            packed_gradient.iter_mut().zip(&*places).for_each(|(to, &place)| *to = gradient[place]);
            Ok(loss)
        })?;
        scatter(point, places, search.point());
        scatter(gradient, places, search.gradient());
        scatter(before, places, search.gradient_before());
        scatter(change, places, search.change());
        Ok(seen)
    }

    pub(super) fn point(&self) -> &[f64] {
        match self {
            Mover::Descent(solver) => solver.point(),
            Mover::Best(packed) => &packed.point,
        }
    }

    pub(super) fn gradient(&self) -> &[f64] {
        match self {
            Mover::Descent(solver) => solver.gradient(),
            Mover::Best(packed) => &packed.gradient,
        }
    }

    /// The gradient where the last iteration began that moved the point.
    pub(super) fn gradient_before(&self) -> &[f64] {
        match self {
            Mover::Descent(solver) => solver.gradient_before(),
            Mover::Best(packed) => &packed.before,
        }
    }

    /// By how much an iteration that took this step has moved a parameter.
    pub(super) fn moved(&self, step: f64, place: usize) -> f64 {
        match self {
            Mover::Descent(solver) => step * solver.direction()[place],
            Mover::Best(packed) => packed.change[place],
        }
    }

    /// Continues from another point. Recipes in which that may happen have a descent alone.
    pub(super) fn move_to(&mut self, point: impl IntoIterator<Item = f64>) {
        if let Mover::Descent(solver) = self {
            solver.move_to(point);
        }
    }
}

fn scatter(to: &mut [f64], places: &[usize], values: &[f64]) {
    places.iter().zip(values).for_each(|(&place, value)| to[place] = *value);
}

/// The values at these places.
fn packed(storage: &[f64], places: &[usize]) -> Result<Vec<f64>> {
    let mut values = memory::reserved(USE, places.len())?;
    values.extend(places.iter().map(|&place| storage[place]));
    Ok(values)
}

/// Where the parameters that are trained lie among all that is stored.
fn places_of(model: &Model, frozen: &Frozen) -> Result<Vec<usize>> {
    let what = "the places of the parameters";
    let mut marks = memory::filled(what, 0.0f32, model.storage().len())?;
    let trained = model.layers().iter().enumerate().filter(|(index, _)| !frozen.is_frozen(*index));
    for (_, placed) in trained {
        for spec in placed.layer.parameters() {
            let ones = memory::filled(what, 1.0, spec.shape.iter().product())?;
            spec.store(&mut marks[placed.storage.clone()], &ones);
        }
    }
    let mut places = memory::reserved(what, model.parameters())?;
    places.extend((0..marks.len()).filter(|&place| marks[place] != 0.0));
    Ok(places)
}

/// Where the weights that are trained lie among all parameters, of a plan in which shards hold whole columns.
fn weights_of(layers: &[PlacedLayer], plan: &Plan) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for (index, (placed, partition)) in layers.iter().zip(&plan.partitions).enumerate() {
        for shard in plan.trained_shards(index) {
            let parts = partition.shard_parts(shard).into_iter().zip(partition.shard_roles(shard));
            for (part, _) in parts.filter(|(part, role)| *role == Role::Weights && !part.is_empty()) {
                places.push(placed.storage.start + part.start..placed.storage.start + part.end);
            }
        }
    }
    places
}
