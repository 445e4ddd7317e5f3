//! One training step, as every worker runs it at the same time.
//!
//! The rows pass takes each worker's rows from the data through all layers to the loss and back.
//! The parameters pass takes each worker's own parameters: their gradient over the whole batch,
//! and right away, while it is in cache, their update. Only barriers stand between the two. Where the
//! norm of the whole gradient is needed, the updates wait for it behind one more barrier; the steps of a
//! per-tensor rule come between gradients and updates, with barriers of their own.

mod after;
pub mod alone;
mod augment;
pub mod augmented;
pub mod averages;
mod batch;
mod costs;
mod factored;
mod merges;
mod parameters;
mod per_output;
mod per_tensor;
mod rows;
mod segments;
mod tied;
mod weights;

pub use batch::{Batch, BatchScore};

use batch::Block;

use crate::kernels::loss::Targets;
use crate::kernels::simd::reduce;
use crate::linear::Penalty;
use crate::losses::LossFunction;
use crate::model::PlacedLayer;
use crate::model::recipe::{ConstraintConfig, GradientConfig};
use crate::optim::{Coefficients, Rule, StepSettings};
use crate::probe::{Cost, Operation};
use crate::team::{Shared, Worker};
use crate::train::inference::scores::{spread, spread_of};
use crate::train::plan::Plan;
use crate::train::plan::workspace::{Memory, Shares};
use crate::train::source::Source;
use crate::train::step::augmented::Augmented;
use crate::train::step::averages::{Averaging, Due};

/// The state that the workers share in all steps of a run.
pub struct Step<'a> {
    pub layers: &'a [PlacedLayer],
    pub loss: &'a LossFunction,
    pub classes: usize,
    pub source: Source<'a>,
    /// How samples are augmented for training; they are not without it.
    pub augmented: Option<Augmented<'a>>,
    pub rule: &'a dyn Rule,
    pub treatment: &'a GradientConfig,
    /// The penalties on the weights; the layers own whole columns if there is one.
    pub penalty: Penalty,
    pub constraint: &'a ConstraintConfig,
    pub averages: Due,
    pub plan: &'a Plan,
    pub parameters: Shared<'a, f32>,
    pub memory: Memory<Shares<'a>>,
    /// The seed of the layers' random numbers.
    pub seed: u64,
    /// Steps that the rule has done before the first one of the run.
    pub begun: u64,
}

/// The values that are the same for all parameters in a step.
struct StepContext {
    coefficients: Coefficients,
    /// By how much the proximal step of the penalty takes each weight to 0.
    shrinkage: f32,
    averaging: Averaging,
    /// Whether the norms of all shards are measured.
    is_measured: bool,
}

impl Step<'_> {
    /// Trains on a batch. All workers call it with the same arguments; worker 0 gets the batch's score.
    pub fn run(&self, worker: &Worker, batch: Batch, settings: StepSettings) -> Option<BatchScore> {
        let context = StepContext {
            coefficients: self.coefficients(settings),
            shrinkage: self.shrinkage(settings),
            averaging: self.averages.at(settings.step),
            is_measured: batch.is_last(),
        };
        let weight = worker.probe(Operation::Loss, None, || Cost::local(batch.len()), || self.weight(batch));
        let mut score = None;
        for block in batch.blocks(self.plan.block, settings.step) {
            self.rows_pass(worker, block, weight);
            worker.barrier();
            if block.is_last && worker.index() == 0 {
                let (count, is_first) = (batch.len(), settings.step == 1);
                let cost = || Cost::local(count * size_of::<f32>());
                let work = || Some(self.score(worker, batch, weight, is_first));
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

    /// The rule's coefficients: it counts on from the steps that it has done before the run.
    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        self.rule.coefficients(StepSettings { step: self.begun + settings.step, ..settings })
    }

    /// Makes the layers' derived storage from their parameters, before the first step.
    pub fn derive_all(&self, worker: &Worker) {
        for (index, own) in self.plan.owners[worker.index()].iter().enumerate() {
            // What is frozen has no owner, and is derived from by all.
            let shards = match self.plan.frozen.is_frozen(index) {
                true => worker.share(self.plan.partitions[index].shards()),
                false => own.clone(),
            };
            if shards.is_empty() || self.memory.derived[index].columns() == 0 {
                continue;
            }
            let partition = &self.plan.partitions[index];
            let cost = || {
                let bytes =
                    shards.clone().map(|shard| partition.shard_len(shard)).sum::<usize>() * size_of::<f32>();
                self.update_step_cost(0, 2 * bytes)
            };
            worker.probe(Operation::Derive, Some(index), cost, || {
                shards.clone().for_each(|shard| self.derive(worker, index, shard));
            });
        }
    }

    /// Losses and hits of the batch, added up in the order of its rows.
    fn score(&self, worker: &Worker, batch: Batch, weight: f64, is_first: bool) -> BatchScore {
        let (samples, rows) = (batch.len(), batch.len() * self.source.targets.positions());
        let losses = self.memory.losses.read(worker, 0..rows);
        let correct = self.memory.correct.read(worker, 0..rows);
        let judged = match self.source.targets {
            Targets::Tokens(tokens) => {
                batch.samples().iter().map(|&sample| tokens.counted(sample as usize)).sum()
            }
            _ => samples,
        };
        let correct = match self.source.targets {
            Targets::Classes(_) | Targets::Mixed { .. } | Targets::Tokens(_) => {
                Some(correct.iter().map(|&hit| usize::from(hit)).sum())
            }
            Targets::Values(_) | Targets::None => None,
        };
        let (loss_sum, spread) = if self.source.weights.is_empty() {
            (reduce::sum_f64(losses), is_first.then(|| spread(losses, weight)))
        } else {
            let weighted = || self.weighted(losses, batch);
            let sum = weighted().sum();
            (sum, is_first.then(|| spread_of(weighted(), sum, samples, weight)))
        };
        BatchScore { loss_sum, weight, correct, judged, samples, gradient_norm: None, spread }
    }
}
