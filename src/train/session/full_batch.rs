//! Training by a search: an epoch is one iteration, such as one direction and the search along it, or a generation.
//! Loss and gradient of all samples come from the step that other rules take, too; here its rule leaves the
//! parameters alone.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Session;
use super::clock::Clock;
use super::live::{About, PROGRESS};
use super::norms;
use super::search::{Mover, Search};
use crate::data::batches;
use crate::linear::Penalty;
use crate::model::{Frozen, PlacedLayer};
use crate::optim::StepSettings;
use crate::optim::average::{blend, synchronise};
use crate::optim::full_batch::{Ended, Iteration, vector};
use crate::probe::{Operation, Probes};
use crate::team::Worker;
use crate::train::observer::Observer;
use crate::train::plan::Plan;
use crate::train::record::Ending;
use crate::train::record::epoch::EpochRecord;
use crate::train::record::norms::LayerNorms;
use crate::train::session::prepare::Prepared;
use crate::train::session::stop::after_step;
use crate::train::source::Source;
use crate::train::step::averages::Due;
use crate::train::step::{Batch, BatchScore, Step};
use crate::{Error, Result};

impl Session<'_> {
    /// Runs one iteration.
    ///
    /// # Errors
    /// [`Error::Diverged`] where the loss, or an element of its gradient, is not finite where the iteration begins.
    pub(super) fn searched_epoch(
        &mut self,
        observer: &mut (dyn Observer + Send),
        mut probes: Option<&mut Probes>,
    ) -> Result<EpochRecord> {
        let clock = Clock::at(Duration::ZERO);
        let run_clock = *self.clock.get_or_insert(clock);
        let train = &self.recipe.train;
        // The order changes only the rounding of a gradient of all samples, which is then the same in
        // each evaluation.
        batches::order(self.count(), train.seed, 0, false, &mut self.order);
        if let Some(subset) = &self.subset {
            self.order.iter_mut().for_each(|place| *place = subset[*place as usize]);
        }
        let count = self.order.len();
        self.epochs += 1;
        let averages = self.prepared.begin_epoch(self.epochs, self.steps, self.model);
        let about = About {
            epoch: self.epochs,
            epochs: train.epochs,
            of: count,
            clock,
            run_clock,
            stop_rules: &self.recipe.stop,
        };
        // A search has the numbers of all, and those of frozen layers may lose the sign of a zero there.
        let (layers, len) = (self.model.layers(), self.model.storage().len());
        let open = self.prepared.plan.frozen.rest(layers, len);
        let settings = StepSettings::new(self.steps + 1, self.recipe.optimizer.learning_rate);
        let batch = Batch { order: &self.order, start: 0, size: self.prepared.batch, mixing: None };
        let Some(Search { mover, weight_decay, trained, l2, weights, scores, evaluations: done }) =
            &mut self.search
        else {
            unreachable!("whoever calls this has a search")
        };
        let mut told = Instant::now();
        // An evaluation is a step to the probes, with what was decided and computed before it.
        let mut searching = probes.as_ref().map(|probes| (probes.now)());
        let mut evaluate = |point: &[f64], gradient: &mut [f64]| {
            round(self.model.parts_mut().1, point, &open);
            let source =
                Source::new(self.samples, self.targets, &self.recipe.data).with_sparse(self.sparse.as_ref());
            let step = self.prepared.step(self.model, self.recipe, source, None, Due::default());
            // The search has it in f64.
            let step = Step { penalty: Penalty::default(), ..step };
            let seen = Mutex::new(BatchScore::default());
            let number = *done;
            *done += 1;
            let work = |worker: &Worker| {
                worker.begin_step_alone(number, searching, Operation::Search);
                step.derive_all(worker);
                worker.barrier();
                if let Some(score) = step.run(worker, batch, settings) {
                    *seen.lock().unwrap_or_else(PoisonError::into_inner) = score;
                }
                worker.barrier();
                worker.end_step();
            };
            self.team.run(work, probes.as_deref_mut());
            searching = probes.as_ref().map(|probes| (probes.now)());
            let score = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
            drop(step);
            scores.push(score);
            if told.elapsed() > PROGRESS {
                told = Instant::now();
                observer.progress(&about.progress(&score));
            }
            let Prepared { plan, workspace, .. } = &self.prepared;
            unpack(gradient, workspace.sums(), self.model.layers(), plan);
            let mut squares = 0.0;
            for place in trained.iter() {
                let parameters = &point[place.clone()];
                vector::add_scaled(&mut gradient[place.clone()], *weight_decay, parameters);
                squares += *weight_decay * vector::dot(parameters, parameters);
            }
            for place in weights.iter().filter(|_| *l2 != 0.0) {
                let weights = &point[place.clone()];
                vector::add_scaled(&mut gradient[place.clone()], *l2, weights);
                squares += *l2 * vector::dot(weights, weights);
            }
            Ok(score.mean_loss() + 0.5 * squares)
        };
        let Iteration { evaluations, taken, step, ended } = mover.iterate(&mut evaluate)?;
        let (before, after) = (scores[0], scores[taken]);
        self.first = self.first.or(Some(before));
        scores.clear();
        scores.push(after);
        let norm = vector::dot(mover.gradient(), mover.gradient()).sqrt();
        let (layers, parameters) = self.model.parts_mut();
        round(parameters, mover.point(), &open);
        let norms = norms_of(layers, &self.prepared.plan.frozen, mover, taken > 0, step);
        self.steps += 1;
        let averaging = averages.at(self.steps);
        let (slow, average) = self.prepared.workspace.averages_mut();
        // Where Lookahead has a step to take, the end of a search that has moved is not that of the training.
        let is_end = self.recipe.lookahead.is_none() || parameters == slow;
        if let Some(alpha) = averaging.slow {
            for place in &open {
                synchronise(&mut parameters[place.clone()], &mut slow[place.clone()], alpha);
            }
            mover.move_to(parameters.iter().map(|&p| f64::from(p)));
            scores.clear();
        }
        if let Some(weight) = averaging.average {
            for place in &open {
                blend(&mut average[place.clone()], &parameters[place.clone()], weight);
            }
        }
        observer.step(self.steps, before.mean_loss());
        let after = BatchScore { gradient_norm: Some(norm), ..after };
        self.ended = match ended.filter(|&ended| is_end || ended == Ended::NotFinite) {
            Some(Ended::Gradient) => Some(Ending::ToleranceGrad),
            Some(Ended::Change) => Some(Ending::ToleranceChange),
            Some(Ended::LineSearch) => Some(Ending::LineSearch),
            Some(Ended::NotFinite) => return Err(self.not_finite(&before)),
            None => after_step(about.stop_rules, self.steps, &after, run_clock),
        };
        let mut record = about.record(&after, step);
        record.samples_per_second *= evaluations as f64;
        record.evaluations = Some(evaluations);
        record.layers = norms;
        self.prepared.end_epoch(self.epochs, !record.incomplete, self.model);
        Ok(record)
    }

    fn not_finite(&self, score: &BatchScore) -> Error {
        match score.gradient_norm.filter(|norm| !norm.is_finite()) {
            Some(norm) if score.mean_loss().is_finite() => self.diverged(self.lost_gradient(), norm),
            _ => self.diverged(self.lost(), score.mean_loss()),
        }
    }
}

/// Puts a point in place of the parameters, where these are open to change.
fn round(parameters: &mut [f32], point: &[f64], open: &[Range<usize>]) {
    for place in open {
        let to = parameters[place.clone()].iter_mut();
        to.zip(&point[place.clone()]).for_each(|(p, &x)| *p = x as f32);
    }
}

/// The norms of each layer in an iteration that took this step, whether or not it has moved the point.
fn norms_of(
    layers: &[PlacedLayer],
    frozen: &Frozen,
    mover: &Mover,
    is_moved: bool,
    step: f64,
) -> Vec<LayerNorms> {
    let point = mover.point();
    let gradient = if is_moved { mover.gradient_before() } else { mover.gradient() };
    norms::of_storage(layers, frozen, |place| {
        let update = if is_moved { mover.moved(step, place) } else { 0.0 };
        [gradient[place], update, point[place] - update]
    })
}

/// Writes the gradients of all shards to the places of their parameters among all parameters.
fn unpack(gradient: &mut [f64], shards: &[f32], layers: &[PlacedLayer], plan: &Plan) {
    let partitions = plan.partitions.iter().zip(&plan.gradients).enumerate();
    for (PlacedLayer { storage, .. }, (index, (partition, places))) in layers.iter().zip(partitions) {
        for (shard, &place) in plan.trained_shards(index).zip(places) {
            let mut rest = &shards[place..];
            for part in partition.shard_parts(shard) {
                let (values, after) = rest.split_at(part.len());
                rest = after;
                let place = storage.start + part.start..storage.start + part.end;
                gradient[place].iter_mut().zip(values).for_each(|(to, &value)| *to = f64::from(value));
            }
        }
    }
}
