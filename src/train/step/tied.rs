//! The gradient of weights that are the table of an embedding, too: what codes add to that of the output layer.

use super::costs::FLOAT;
use super::{Block, Step};
use crate::kernels::elementwise::merge;
use crate::model::Tied;
use crate::probe::Cost;
use crate::team::Worker;
use crate::train::plan::OwnShard;

impl Step<'_> {
    /// The embedding whose table is the weights of this layer, and its number.
    fn tied_to(&self, layer: usize) -> Option<(usize, &Tied)> {
        let [index, owner] = self.plan.tied?;
        let tied = self.layers[index].tied.as_ref().filter(|_| owner == layer)?;
        Some((index, tied))
    }

    /// Adds what an embedding has of the gradients of some shards of a layer, if its table is the weights of that.
    ///
    /// Both parts are summed up by themselves over all blocks of a step, each in the order of its rows, and added
    /// up behind the last one: so no bit depends on where a batch is cut into blocks.
    pub(super) fn add_tied(&self, worker: &Worker, shards: &[OwnShard], block: Block) {
        let Some((index, tied)) = shards.first().and_then(|own| self.tied_to(own.layer)) else { return };
        let (rows, is_first) = (block.samples.len(), block.first == 0);
        let [dy, x] = self.factors(worker, index, rows);
        for &own in shards {
            let places = &self.plan.gradients[own.layer];
            let start = places[own.shard] - places[0];
            let sums = self.memory.tied.write(worker, start..start + own.len);
            if is_first {
                sums.fill(0.0);
            }
            let parts = self.plan.partitions[own.layer].shard_parts(own.shard);
            tied.embedding.add_tied_gradient(sums, &parts, [x, dy]);
            if block.is_last {
                merge::add(self.gradient_of_shard(worker, own, is_first), sums);
            }
        }
    }

    /// The cost of that over so many rows: for each shard all codes are read, and sums read and written; the vectors
    /// that codes stand for are few beside them.
    pub(super) fn tied_cost(&self, shards: &[OwnShard], rows: usize) -> Cost {
        let Some((index, _)) = shards.first().and_then(|own| self.tied_to(own.layer)) else {
            return Cost::NONE;
        };
        let codes = rows * self.input_columns(index);
        Cost::local(shards.iter().map(|own| (codes + 4 * own.len) * FLOAT).sum())
    }
}
