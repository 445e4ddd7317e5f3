//! One training step, as every worker runs it at the same time.
//!
//! The rows pass takes each worker's rows from the data through all layers to the loss and back.
//! The parameters pass takes each worker's own parameters: their gradient over the whole batch,
//! and at once, while it is in cache, their update. Only barriers stand between the two. Where the
//! norm of the whole gradient is asked for, the updates wait for it behind one more barrier; what a rule
//! does with whole parameters comes between their gradients and their updates, with barriers of its own.

mod after;
pub mod alone;
mod augment;
pub mod augmented;
mod costs;
mod factored;
mod merges;
mod parameters;
mod per_output;
mod per_tensor;
mod rows;
mod segments;

use crate::train::step::augmented::Augmented;
use std::ops::Range;

use super::averages::{Averaging, Due};
use super::plan::Plan;
use super::workspace::Memory;
use crate::data::augment::Mixing;
use crate::data::{FeaturesRef, Samples};
use crate::kernels::elementwise::convert;
use crate::kernels::loss::Targets;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::kernels::simd::reduce;
use crate::losses::LossFunction;
use crate::model::PlacedLayer;
use crate::model::recipe::{ConstraintConfig, DataConfig, GradientConfig};
use crate::optim::{Coefficients, Rule, StepSettings};
use crate::probe::{Cost, Operation};
use crate::team::{Shared, Worker};

/// What the workers share in all steps of a run.
pub struct Step<'a> {
    pub layers: &'a [PlacedLayer],
    pub loss: &'a LossFunction,
    pub classes: usize,
    pub source: Source<'a>,
    /// What is done to samples that are trained on; nothing without it.
    pub augmented: Option<Augmented<'a>>,
    pub rule: &'a dyn Rule,
    pub treatment: &'a GradientConfig,
    pub constraint: &'a ConstraintConfig,
    pub averages: Due,
    pub plan: &'a Plan,
    pub parameters: Shared<'a, f32>,
    pub memory: Memory<'a>,
    /// Of what layers draw.
    pub seed: u64,
}

/// What is the same for all parameters in a step.
struct StepContext {
    coefficients: Coefficients,
    averaging: Averaging,
    /// Whether the norms of all shards are taken.
    is_measured: bool,
}

/// Where batches come from: the samples, and how their numbers are normalised.
pub struct Source<'a> {
    features: FeaturesRef<'a>,
    targets: Targets<'a>,
    /// Features of a sample.
    pub width: usize,
    scale: f32,
    shift: f32,
}

/// A batch: a part of an epoch's order.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// The samples of the whole epoch, in order.
    pub order: &'a [u32],
    /// Where the batch begins in it.
    pub start: usize,
    /// Samples of a batch; the last one of the epoch may have fewer.
    pub size: usize,
    /// What the samples of the epoch are mixed with, if they are.
    pub mixing: Option<&'a Mixing>,
}

impl<'a> Batch<'a> {
    fn len(&self) -> usize {
        self.size.min(self.order.len() - self.start)
    }

    /// Whether no batch of the epoch follows.
    fn is_last(&self) -> bool {
        self.start + self.len() == self.order.len()
    }

    /// The batch in blocks of at most `rows` rows.
    fn blocks(self, rows: usize, step: u64) -> impl Iterator<Item = Block<'a>> {
        let end = self.start + self.len();
        let next_end = (end + self.size).min(self.order.len());
        let partners = self.mixing.map_or(&[][..], Mixing::partners);
        let share = self.mixing.map_or(1.0, |mixing| mixing.share(self.start));
        (self.start..end).step_by(rows).map(move |start| {
            let block_end = (start + rows).min(end);
            let after = if block_end < end { end } else { next_end };
            Block {
                samples: &self.order[start..block_end],
                next: &self.order[block_end..(block_end + rows).min(after)],
                partners: partners.get(start..block_end).unwrap_or(&[]),
                share,
                first: start - self.start,
                is_last: block_end == end,
                step,
            }
        })
    }
}

/// Rows of a batch that go through both passes together.
#[derive(Clone, Copy)]
struct Block<'a> {
    samples: &'a [u32],
    /// The samples of the block after this one, be it of the next batch.
    next: &'a [u32],
    /// What the samples are mixed with; none if they are not.
    partners: &'a [u32],
    /// Of the samples themselves in the mixture.
    share: f32,
    /// Its first row's number in the batch.
    first: usize,
    is_last: bool,
    /// The number of the step, from 1.
    step: u64,
}

impl<'a> Block<'a> {
    /// The samples that this worker takes first from memory for the next block, in [`Step::rows_pass`].
    fn to_prefetch(&self, worker: &Worker, plan: &Plan) -> &'a [u32] {
        let next = self.next;
        let all = plan.feature_layers(next.len()) > 0 && !plan.shares_input;
        if all { next } else { &next[plan.rows.share(worker, next.len())] }
    }
}

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchScore {
    pub loss_sum: f64,
    /// What the sum is divided by to be the mean, by [`LossFunction::weight`].
    pub weight: f64,
    /// Samples whose class was found; none where the targets are values.
    pub correct: Option<usize>,
    pub samples: usize,
    /// Euclidean, before clipping by the norm; only where the plan says that it is needed.
    pub gradient_norm: Option<f64>,
    /// The standard deviation of the samples' parts of the mean loss; of the first step of a run only.
    pub spread: Option<f64>,
}

impl BatchScore {
    /// The mean loss; 0 of samples that all have no weight.
    pub fn mean_loss(&self) -> f64 {
        if self.weight == 0.0 { 0.0 } else { self.loss_sum / self.weight }
    }

    /// As a fraction of 1; none where the targets are values.
    pub fn accuracy(&self) -> Option<f64> {
        Some(self.correct? as f64 / self.samples as f64)
    }
}

impl<'a> Source<'a> {
    /// Samples with these targets, normalised as the recipe says: divided by the scale, then less the mean
    /// and divided by the deviation.
    pub fn new(samples: &'a Samples, targets: Targets<'a>, config: &DataConfig) -> Self {
        let (features, width) = (samples.features().view(), samples.features_per_sample());
        Source::of(features, width, targets, config.factor_and_shift(samples.element_type()))
    }

    /// Samples of `width` features each, which are multiplied by a factor and then shifted.
    pub fn of(
        features: FeaturesRef<'a>,
        width: usize,
        targets: Targets<'a>,
        [scale, shift]: [f32; 2],
    ) -> Self {
        Source { features, targets, width, scale, shift }
    }

    /// Adds one sample's features to what is asked for ahead of [`gather`](Source::gather).
    fn prefetch_row(&self, sample: usize, ahead: &mut PrefetchQueue) {
        // Floats are left to the hardware: they are for small data sets.
        if let FeaturesRef::Bytes(bytes) = self.features {
            ahead.add(&bytes[sample * self.width..(sample + 1) * self.width]);
        }
    }

    /// Writes these of one sample's features, normalised, to `row` `[features.len()]`.
    pub fn gather(&self, row: &mut [f32], sample: usize, features: Range<usize>) {
        let part = sample * self.width + features.start..sample * self.width + features.end;
        match self.features {
            FeaturesRef::Bytes(bytes) => convert::bytes_to_floats(row, &bytes[part], self.scale, self.shift),
            FeaturesRef::Floats(floats) => {
                convert::scale_and_shift(row, &floats[part], self.scale, self.shift)
            }
        }
    }
}

impl Step<'_> {
    /// Trains on a batch. All workers call it with the same arguments; worker 0 learns what the batch
    /// came to.
    pub fn run(&self, worker: &Worker, batch: Batch, settings: StepSettings) -> Option<BatchScore> {
        let context = StepContext {
            coefficients: self.rule.coefficients(settings),
            averaging: self.averages.at(settings.step),
            is_measured: batch.is_last(),
        };
        let weight = worker.probe(Operation::Loss, None, || Cost::local(batch.len()), || self.weight(batch));
        // A batch without weight teaches nothing.
        let scale = if weight == 0.0 { 0.0 } else { 1.0 / weight as f32 };
        let mut score = None;
        for block in batch.blocks(self.plan.block, settings.step) {
            self.rows_pass(worker, block, scale);
            worker.barrier();
            if block.is_last && worker.index() == 0 {
                let (count, is_first) = (batch.len(), settings.step == 1);
                let cost = || Cost::local(count * size_of::<f32>());
                let work = || Some(self.score(worker, count, weight, is_first));
                score = worker.probe(Operation::Loss, None, cost, work);
            }
            let norm = self.parameters_pass(worker, block, &context);
            if let Some(score) = &mut score {
                score.gradient_norm = norm;
            }
            if !block.is_last {
                worker.barrier();
            }
        }
        score
    }

    /// Makes what layers derive from their parameters, before the first step.
    pub fn derive_all(&self, worker: &Worker) {
        for (index, shards) in self.plan.owners[worker.index()].iter().enumerate() {
            if shards.is_empty() || self.memory.derived[index].columns() == 0 {
                continue;
            }
            let layer = &self.layers[index].layer;
            let cost = || {
                let bytes = shards.clone().map(|shard| layer.sharding().shard_len(shard)).sum::<usize>()
                    * size_of::<f32>();
                self.update_step_cost(0, 2 * bytes)
            };
            worker.probe(Operation::Derive, Some(index), cost, || {
                shards.clone().for_each(|shard| self.derive(worker, index, shard));
            });
        }
    }

    /// What the losses of a batch are divided by: each worker adds it up by itself, which is no work
    /// without class weights.
    fn weight(&self, batch: Batch) -> f64 {
        let samples = &batch.order[batch.start..][..batch.len()];
        self.loss.weight(self.source.targets, samples.iter().map(|&sample| sample as usize))
    }

    /// Losses and hits of the batch, added up in the order of its rows.
    fn score(&self, worker: &Worker, samples: usize, weight: f64, is_first: bool) -> BatchScore {
        let losses = self.memory.losses.read(worker, 0..samples);
        let correct = self.memory.correct.read(worker, 0..samples);
        let correct = match self.source.targets {
            Targets::Classes(_) | Targets::Mixed { .. } => {
                Some(correct.iter().map(|&hit| usize::from(hit)).sum())
            }
            Targets::Values(_) => None,
        };
        BatchScore {
            loss_sum: reduce::sum_f64(losses),
            weight,
            correct,
            samples,
            gradient_norm: None,
            spread: is_first.then(|| spread(losses, weight)),
        }
    }
}

/// The standard deviation of each sample's part of a mean that divides the sum by `weight`; 0 of one sample.
pub(super) fn spread(losses: &[f32], weight: f64) -> f64 {
    let count = losses.len() as f64;
    let mean = reduce::sum_f64(losses) / count;
    let squares: f64 = losses.iter().map(|&loss| (f64::from(loss) - mean).powi(2)).sum();
    if weight == 0.0 { 0.0 } else { (squares / count).sqrt() * count / weight }
}
