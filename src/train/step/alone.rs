//! A kernel of a step by itself: the calls of one layer's operation on the real shapes, rows and shards, again and
//! again, with nothing of the step between them.

use super::{Batch, Step, StepContext};
use crate::optim::StepSettings;
use crate::probe::Operation;
use crate::team::Worker;
use crate::train::plan::OwnShard;

/// The operations that can be run by themselves.
pub const ALONE: [Operation; 8] = [
    Operation::Gather,
    Operation::Forward,
    Operation::Statistics,
    Operation::Loss,
    Operation::InputGradient,
    Operation::WeightGradient,
    Operation::Update,
    Operation::Derive,
];

impl Step<'_> {
    /// Runs all calls that this worker makes for an operation in a step, on what the last whole step has left in
    /// memory. The parameters are of no use afterwards: an update has been made again and again.
    pub fn run_alone(
        &self,
        worker: &Worker,
        batch: Batch,
        settings: StepSettings,
        (operation, layer): (Operation, Option<usize>),
    ) {
        let context = StepContext {
            shrinkage: self.shrinkage(settings),
            coefficients: self.coefficients(settings),
            averaging: self.averages.at(settings.step),
            is_measured: false,
        };
        let index = layer.unwrap_or(0);
        let all_blocks = || batch.blocks(self.plan.block, settings.step);
        match operation {
            Operation::WeightGradient if !self.layers[index].layer.sums_rows() => {
                all_blocks().for_each(|block| {
                    self.sort_columns(worker, block);
                    self.shard_gradients(worker, index, block);
                });
            }
            Operation::Update | Operation::Derive => {
                let in_one_block = batch.len() <= self.plan.block;
                let of_layer = |own: &&OwnShard| own.layer == index;
                for &own in self.plan.shard_order[worker.index()].iter().filter(of_layer) {
                    if operation == Operation::Derive {
                        self.derive_again(worker, index, own.shard, own.len);
                        continue;
                    }
                    let gradient = self.gradient_of_shard(worker, own, in_one_block);
                    self.update(worker, index, own.shard, gradient, &context);
                }
            }
            _ => {
                for block in all_blocks() {
                    if operation == Operation::Gather {
                        self.sort_columns(worker, block);
                    }
                    let count = block.samples.len();
                    let mine = self.plan.rows.share(worker, count);
                    let split = self.plan.feature_layers(count);
                    let norm = layer.and_then(|index| self.plan.rows.norms.binary_search(&index).ok());
                    if let Some(number) = norm {
                        self.norm_alone(worker, operation, number, mine, count);
                        continue;
                    }
                    if operation == Operation::Forward && index < split {
                        let columns = self.plan.columns[worker.index()][index].clone();
                        self.forward(worker, index, 0..count, columns, block);
                        continue;
                    }
                    if operation == Operation::Gather && split > 0 {
                        let rows = if self.plan.shares_input { mine } else { 0..count };
                        self.gather(worker, rows, 0..self.source.width, block);
                        continue;
                    }
                    for rows in self.plan.rows.cuts(mine) {
                        match operation {
                            Operation::Gather => self.gather(worker, rows, 0..self.source.width, block),
                            Operation::Forward => {
                                let columns = 0..self.memory.outputs[index].columns();
                                self.forward(worker, index, rows, columns, block);
                            }
                            Operation::Loss => self.loss(worker, rows, block, 1.0),
                            Operation::InputGradient => self.backward(worker, index, rows, block),
                            Operation::WeightGradient => self.gradient_of_rows(worker, index, rows),
                            other => unreachable!("{other:?} is not run alone"),
                        }
                    }
                }
            }
        }
    }
}
