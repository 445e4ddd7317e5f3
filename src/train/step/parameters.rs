//! The parameters pass: each worker's own parameters, their gradient over the whole batch and their
//! update.

use std::cell::Cell;
use std::ops::Range;
use std::slice::Chunks;

use super::costs::FLOAT;
use super::{Block, Step, StepContext};
use crate::kernels::elementwise::clip;
use crate::kernels::products::gemm;
use crate::kernels::products::sparse::SparseColumns;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::kernels::simd::reduce;
use crate::layers::{Derivation, Derived, Sharding, ShardsTogether};
use crate::model::Origin;
use crate::optim::MOST_SLOTS;
use crate::probe::{Cost, Operation};
use crate::team::Worker;
use crate::tensor::{Entry, MatrixRef, SparseRef};
use crate::train::plan::OwnShard;

/// Added to the norm that a gradient is divided by, so that it is never divided by 0.
const NORM_EPSILON: f64 = 1e-6;

impl Step<'_> {
    /// Runs this worker's parameters pass over a block. Returns the norm of the gradient after the last block, if it is
    /// needed.
    pub(super) fn parameters_pass(&self, worker: &Worker, block: Block, with: &StepContext) -> Option<f64> {
        let in_one_block = block.first == 0 && block.is_last;
        let count = block.samples.len();
        if self.plan.feature_layers(count) == 0
            && !self.plan.shares_input
            && !self.plan.rows.input_is_transient
        {
            let mine = self.plan.rows.share(worker, count);
            let features = &self.plan.features[worker.index()];
            self.gather(worker, 0..mine.start, features.clone(), block);
            self.gather(worker, mine.end..count, features.clone(), block);
        }
        self.sort_columns(worker, block);
        let shards = &self.plan.shard_order[worker.index()];
        // A shuffled order misses the cache at every row. Rows are prefetched a few at a time between
        // shards: all in one go would wait for each other.
        let next_samples = block.next_samples(worker, self.plan);
        let mut next_samples = next_samples.chunks(next_samples.len().div_ceil(shards.len().max(1)).max(1));
        let mut ahead = PrefetchQueue::default();
        let mut rest = &shards[..];
        while let Some(&OwnShard { layer: index, .. }) = rest.first() {
            // Before the last block nothing is done to a shard's gradient yet.
            let are_together = !block.is_last || self.plan.is_together(index);
            let is_same = |own: &&OwnShard| are_together && own.layer == index;
            let together = rest.iter().take_while(is_same).count().max(1);
            let (now, after) = rest.split_at(together);
            self.gradients_of_shards(worker, now, after.first(), block, &mut next_samples, &mut ahead);
            rest = after;
            for &own in now.iter().filter(|_| block.is_last) {
                let OwnShard { shard, len, .. } = own;
                let gradient = self.gradient_of_shard(worker, own, in_one_block);
                self.treat(worker, index, shard, gradient);
                if self.plan.needs_norm {
                    let cost = || Cost::local(len * FLOAT);
                    worker.probe(Operation::Clip, Some(index), cost, || {
                        let number = self.plan.numbers[index] + shard;
                        let squares = self.memory.squares.write(worker, number..number + 1);
                        squares[0] = reduce::sum_of_squares(gradient);
                    });
                } else {
                    self.advance(worker, index, shard, gradient, with);
                }
            }
        }
        self.update_running(worker, block, with.averaging.average);
        let norm = (self.plan.needs_norm && block.is_last).then(|| self.update_by_norm(worker, with));
        if let Some(tensors) = self.plan.per_tensor.as_ref().filter(|_| block.is_last) {
            self.update_per_tensor(worker, tensors, with);
        }
        norm
    }

    /// The gradients of a layer's shards over a block, and nothing else.
    pub(super) fn shard_gradients(&self, worker: &Worker, index: usize, block: Block) {
        let mut shards = self.plan.shard_order[worker.index()].chunk_by(|a, b| a.layer == b.layer);
        if let Some(shards) = shards.find(|shards| shards[0].layer == index) {
            self.gradients_of_shards(
                worker,
                shards,
                None,
                block,
                &mut [].chunks(1),
                &mut PrefetchQueue::default(),
            );
        }
    }

    /// The buffer for the gradient of a shard, `[shard_len]`: scratch if all rows of the batch are `in_one_block`,
    /// since the gradient is then used right away.
    #[allow(clippy::mut_from_ref)] // one worker's own, as all that is shared
    pub(super) fn gradient_of_shard<'s>(
        &'s self,
        worker: &'s Worker,
        own: OwnShard,
        in_one_block: bool,
    ) -> &'s mut [f32] {
        if in_one_block && !self.plan.keeps_gradients() && !self.plan.is_together(own.layer) {
            self.memory.scratch[worker.index()].write(worker, 0..own.len)
        } else {
            self.stored_gradient(worker, own.layer, own.shard)
        }
    }

    /// The gradients of some consecutive `shards` of a layer over a block. During each, the memory that the next one
    /// reads is prefetched, that `after` the last one included, and the next few of `next_samples`.
    fn gradients_of_shards(
        &self,
        worker: &Worker,
        shards: &[OwnShard],
        after: Option<&OwnShard>,
        block: Block,
        next_samples: &mut Chunks<u32>,
        ahead: &mut PrefetchQueue,
    ) {
        let fetched = Cell::new(0);
        let cost = || self.shards_cost(shards, block.samples.len(), fetched.get());
        worker.probe_next(Operation::WeightGradient, Some(shards[0].layer), cost, || {
            if let Some(together) = self.plan.partitions[shards[0].layer].together() {
                shards.iter().filter_map(|_| next_samples.next()).flatten().for_each(|&sample| {
                    ahead.restart(true);
                    self.source.prefetch_row(sample as usize, ahead);
                    ahead.ask();
                });
                self.gradients_together(worker, shards[0].layer, together, block);
                return self.add_tied(worker, shards, block);
            }
            for (index, &own) in shards.iter().enumerate() {
                let next = shards.get(index + 1).or(after).copied();
                self.gradient_of_one(worker, own, next, block, next_samples.next().unwrap_or(&[]), ahead);
                fetched.set(fetched.get() + ahead.bytes());
            }
            self.add_tied(worker, shards, block);
        });
    }

    /// The gradients over a block of all shards of a layer that are this worker's.
    fn gradients_together(&self, worker: &Worker, index: usize, together: &dyn ShardsTogether, block: Block) {
        let shards = self.plan.owners[worker.index()][index].clone();
        let places = &self.plan.gradients[index];
        let out = self.memory.sums.write(worker, places[shards.start]..places[shards.end]);
        let scratch = self.memory.scratch[worker.index()].write(worker, 0..together.scratch_len());
        let factors = self.factors(worker, index, block.samples.len());
        let lengths = self.lengths(worker, index, 0..block.samples.len());
        together.gradients(shards.clone(), out, factors, lengths, block.first > 0, scratch);
        if block.is_last {
            for shard in shards {
                self.finish_gradient(worker, index, shard, self.stored_gradient(worker, index, shard));
            }
        }
    }

    fn gradient_of_one(
        &self,
        worker: &Worker,
        own: OwnShard,
        next: Option<OwnShard>,
        block: Block,
        next_samples: &[u32],
        ahead: &mut PrefetchQueue,
    ) {
        let OwnShard { layer: index, shard, reads_first, .. } = own;
        let gradient = self.gradient_of_shard(worker, own, block.first == 0 && block.is_last);
        // Columns that other workers have written are in their caches until they have been read once.
        let is_new = reads_first || next.is_some_and(|next| next.layer != index);
        ahead.restart(is_new && self.plan.owners.len() > 1);
        for &sample in next_samples {
            self.source.prefetch_row(sample as usize, ahead);
        }
        if self.plan.fetches_updates && block.is_last && !self.plan.needs_norm {
            self.prefetch_update(worker, index, shard, ahead);
        }
        if let Some(next) = next {
            self.prefetch_gradient(worker, own, next, block, ahead);
        }
        self.gradient(worker, index, shard, block, gradient, ahead);
        if block.is_last {
            self.finish_gradient(worker, index, shard, gradient);
        }
    }

    /// The work that needs a shard's gradient alone: its update, or the first half of it.
    fn advance(&self, worker: &Worker, index: usize, shard: usize, gradient: &mut [f32], with: &StepContext) {
        if with.is_measured {
            let bytes = size_of_val(&gradient[..]);
            let cost = || Cost::local(bytes);
            worker.probe(Operation::Norms, Some(index), cost, || {
                self.measure_gradient(worker, index, shard, gradient);
            });
        }
        match &self.plan.per_tensor {
            None => self.update(worker, index, shard, gradient, with),
            Some(tensors) => self.direct(worker, tensors, index, shard, gradient, with),
        }
    }

    /// Queues the columns that the gradient of the next shard reads and the one before did not, and the sums that it is
    /// accumulated onto: those of earlier blocks have left the second-level cache, and each tile would wait for its
    /// own.
    fn prefetch_gradient(
        &self,
        worker: &Worker,
        own: OwnShard,
        next: OwnShard,
        block: Block,
        ahead: &mut PrefetchQueue,
    ) {
        if !self.layers[next.layer].layer.sums_rows() {
            let rows = block.samples.len();
            let [dy, x] = self.factors(worker, next.layer, rows);
            let x = if self.sparse(next.layer, 0..rows, block).is_some() {
                x.block(0..0, 0..x.columns())
            } else {
                x
            };
            let before = Some(own.shard).filter(|_| next.layer == own.layer);
            self.plan.partitions[next.layer].prefetch_gradient(next.shard, before, dy, x, ahead);
        }
        if block.first > 0 {
            ahead.add(self.stored_gradient(worker, next.layer, next.shard));
        }
    }

    /// Queues all memory that the update of a shard touches: it was last used a step ago, and lies beyond the
    /// second-level cache in all but small models.
    fn prefetch_update(&self, worker: &Worker, index: usize, shard: usize, ahead: &mut PrefetchQueue) {
        let (partition, storage) = self.partition(index);
        for part in partition.shard_parts(shard) {
            let place = storage.start + part.start..storage.start + part.end;
            ahead.add(self.parameters.read(worker, place.clone()));
            for slot in &self.memory.slots {
                ahead.add(slot.read(worker, place.clone()));
            }
        }
        let derived = &self.memory.derived[index];
        if let Some(kind) = self.derives(index) {
            kind.derived_parts(shard, &mut |part| ahead.add(derived.read(worker, part)));
        }
    }

    /// A shard's place among the gradients of all shards, `[shard_len]`.
    #[allow(clippy::mut_from_ref)] // one worker's own, as all that is shared
    pub(super) fn stored_gradient<'s>(
        &'s self,
        worker: &'s Worker,
        index: usize,
        shard: usize,
    ) -> &'s mut [f32] {
        let start = self.plan.gradients[index][shard];
        self.memory.sums.write(worker, start..start + self.plan.partitions[index].shard_len(shard))
    }

    /// Adds penalties to a shard's gradient, `[shard_len]`, and clips it, where no other shard is needed for that.
    fn treat(&self, worker: &Worker, index: usize, shard: usize, gradient: &mut [f32]) {
        let treatment = self.treatment;
        let is_left = treatment.l1 == 0.0 && self.penalty.l2 == 0.0;
        if is_left && treatment.clip_value.is_none() && treatment.clip_adaptive.is_none() {
            return;
        }
        let bytes = size_of_val(&gradient[..]);
        let reads_parameters = !is_left || treatment.clip_adaptive.is_some();
        let cost = || self.update_step_cost(2 * bytes, if reads_parameters { bytes } else { 0 });
        worker.probe(Operation::Clip, Some(index), cost, || {
            let (partition, storage) = self.partition(index);
            if treatment.l1 != 0.0 {
                let mut rest = &mut *gradient;
                for part in partition.shard_parts(shard) {
                    let (gradient, after) = rest.split_at_mut(part.len());
                    rest = after;
                    let place = storage.start + part.start..storage.start + part.end;
                    clip::add_signs(gradient, self.parameters.read(worker, place), treatment.l1);
                }
            }
            if self.penalty.l2 != 0.0 {
                self.add_penalty(worker, index, shard, gradient);
            }
            if let Some(limit) = treatment.clip_value {
                clip::clamp(gradient, limit);
            }
            if let Some(limit) = treatment.clip_adaptive {
                self.clip_adaptively(worker, index, shard, gradient, limit);
            }
        });
    }

    /// All updates of a step, once the sums of squares are known. Returns the gradient's norm.
    fn update_by_norm(&self, worker: &Worker, with: &StepContext) -> f64 {
        worker.barrier();
        // Every worker adds up all shards, in the same order.
        let shards = self.plan.shards();
        let cost = || Cost::local(shards * size_of::<f64>());
        let norm = worker.probe(Operation::Clip, None, cost, || {
            self.memory.squares.read(worker, 0..shards).iter().sum::<f64>().sqrt()
        });
        // The same as `torch.nn.utils.clip_grad_norm_`.
        let limit = self.treatment.clip_norm.map_or(f64::INFINITY, f64::from);
        let factor = limit / (norm + NORM_EPSILON);
        for (index, owned) in self.plan.owners[worker.index()].iter().enumerate() {
            for shard in owned.clone() {
                let gradient = self.stored_gradient(worker, index, shard);
                // Not a comparison that NaN would pass: it must reach the parameters.
                if factor.is_nan() || factor < 1.0 {
                    let bytes = size_of_val(&gradient[..]);
                    let cost = || self.update_step_cost(0, 2 * bytes);
                    worker.probe(Operation::Clip, Some(index), cost, || {
                        clip::scale(gradient, factor as f32);
                    });
                }
                self.advance(worker, index, shard, gradient, with);
            }
        }
        norm
    }

    /// The gradient of a shard over a block, added to that over the blocks before.
    fn gradient(
        &self,
        worker: &Worker,
        index: usize,
        shard: usize,
        block: Block,
        out: &mut [f32],
        ahead: &PrefetchQueue,
    ) {
        let (rows, accumulate) = (block.samples.len(), block.first > 0);
        if self.layers[index].layer.sums_rows() {
            ahead.ask();
            return self.sum_parts(worker, index, shard, rows, out, accumulate);
        }
        let [dy, x] = self.factors(worker, index, rows);
        let partition = &self.plan.partitions[index];
        if let Some((sparse, x)) = partition.sparse().zip(self.sparse_columns(worker, index)) {
            ahead.ask();
            return sparse.shard_gradient(shard, out, dy, x, accumulate);
        }
        partition.shard_gradient(shard, out, dy, x, accumulate, ahead);
    }

    /// Sorts the numbers of a block by their columns, those that the gradients of this worker's shards read, where samples
    /// come without their zeros.
    pub(super) fn sort_columns(&self, worker: &Worker, block: Block) {
        let (Some(matrix), Some(entries)) = (self.source.sparse, self.plan.sparse_entries) else { return };
        let features = self.plan.features[worker.index()].clone();
        let rows = block.samples.len();
        let cost = || Cost::local(rows * entries * 2 * (size_of::<Entry>() + FLOAT));
        worker.probe_next(Operation::Gather, None, cost, || {
            let own = worker.index()..worker.index() + 1;
            let ends = self.memory.column_ends.rows_mut(worker, own.clone());
            let sorted = self.memory.column_entries.rows_mut(worker, own).as_chunks_mut().0;
            let x = SparseRef::new(matrix, block.samples);
            SparseColumns::sort(x, features.clone(), &mut ends[..features.len()], sorted);
        });
    }

    /// What [`sort_columns`](Step::sort_columns) has made, for a layer that reads the data.
    fn sparse_columns<'s>(&'s self, worker: &'s Worker, index: usize) -> Option<SparseColumns<'s>> {
        let is_sparse = self.source.sparse.is_some() && self.layers[index].inputs.main == Origin::Data;
        is_sparse.then(|| {
            let own = worker.index()..worker.index() + 1;
            SparseColumns::new(
                self.plan.features[worker.index()].start,
                self.memory.column_ends.contiguous_rows(worker, own.clone()),
                self.memory.column_entries.contiguous_rows(worker, own).as_chunks().0,
            )
        })
    }

    /// The cost of the gradients of some shards of a layer over so many rows, while so many bytes are prefetched.
    fn shards_cost(&self, shards: &[OwnShard], rows: usize, fetched: usize) -> Cost {
        let of_shard = |(index, &own): (usize, &OwnShard)| {
            if self.layers[own.layer].layer.sums_rows() {
                self.parts_cost(own, self.plan.rows.parts(rows))
            } else {
                self.shard_gradient_cost(own, rows, if index == 0 { fetched } else { 0 })
            }
        };
        shards.iter().enumerate().map(of_shard).fold(self.tied_cost(shards, rows), Cost::plus)
    }

    /// The two matrices whose product is the gradient of a layer, over these rows of a block.
    pub(super) fn factors<'s>(&'s self, worker: &'s Worker, index: usize, rows: usize) -> [MatrixRef<'s>; 2] {
        [self.memory.gradients[index].read(worker, 0..rows), self.input_of(index).read(worker, 0..rows)]
    }

    /// Adds up a shard's gradients over the parts of a block, in their order.
    fn sum_parts(
        &self,
        worker: &Worker,
        index: usize,
        shard: usize,
        rows: usize,
        out: &mut [f32],
        accumulate: bool,
    ) {
        let parts = self.plan.rows.parts(rows);
        let mut rest = out;
        for part in self.plan.partitions[index].shard_parts(shard) {
            let (sums, after) = rest.split_at_mut(part.len());
            rest = after;
            if !sums.is_empty() {
                gemm::column_sums(
                    sums,
                    self.memory.partials[index].block(worker, 0..parts, part),
                    accumulate,
                );
            }
        }
    }

    /// Turns a shard's sum over all blocks, `[shard_len]`, into its gradient.
    fn finish_gradient(&self, worker: &Worker, index: usize, shard: usize, out: &mut [f32]) {
        let (partition, storage) = self.partition(index);
        partition.finish_gradient(shard, out, &|part| {
            self.parameters.read(worker, storage.start + part.start..storage.start + part.end)
        });
    }

    pub(super) fn update(
        &self,
        worker: &Worker,
        index: usize,
        shard: usize,
        gradient: &mut [f32],
        with: &StepContext,
    ) {
        let (partition, storage) = self.partition(index);
        let len = gradient.len();
        if with.is_measured {
            let cost = || self.update_step_cost(len * FLOAT, len * FLOAT);
            worker.probe(Operation::Norms, Some(index), cost, || self.measure_before(worker, index, shard));
        }
        // A per-tensor rule has updated its slots before.
        let slots = if self.plan.per_tensor.is_some() { 0 } else { self.memory.slots.len() };
        let cost = || self.update_cost(len, slots);
        worker.probe_next(Operation::Update, Some(index), cost, || {
            let mut rest = gradient;
            for part in partition.shard_parts(shard) {
                let (gradient, after) = rest.split_at_mut(part.len());
                rest = after;
                if !gradient.is_empty() {
                    let place = storage.start + part.start..storage.start + part.end;
                    self.update_part(worker, place, gradient, with);
                }
            }
        });
        self.shrink(worker, index, shard, with.shrinkage);
        self.constrain(worker, index, shard);
        if with.is_measured {
            let cost = || Cost::local(2 * len * FLOAT);
            worker.probe(Operation::Norms, Some(index), cost, || self.measure_after(worker, index, shard));
        }
        self.average(worker, index, shard, with);
        self.derive_again(worker, index, shard, len);
    }

    /// Brings the storage derived from a shard's parameters, `len` of them, up to date.
    pub(super) fn derive_again(&self, worker: &Worker, index: usize, shard: usize, len: usize) {
        if self.memory.derived[index].columns() > 0 {
            let cost = || self.derive_cost(len);
            worker.probe_next(Operation::Derive, Some(index), cost, || self.derive(worker, index, shard));
        }
    }

    fn update_part(&self, worker: &Worker, place: Range<usize>, gradients: &mut [f32], with: &StepContext) {
        let mut slots = self.slots(worker, &place);
        let slots = &mut slots[..self.memory.slots.len()];
        self.rule.apply(&with.coefficients, self.parameters.write(worker, place), gradients, slots);
    }

    /// The parts of the slots that belong to some parameters; empty for slots that the rule does not have.
    pub(super) fn slots<'s>(
        &'s self,
        worker: &'s Worker,
        place: &Range<usize>,
    ) -> [&'s mut [f32]; MOST_SLOTS] {
        let mut slots: [&mut [f32]; MOST_SLOTS] = Default::default();
        for (slot, shared) in slots.iter_mut().zip(&self.memory.slots) {
            *slot = shared.write(worker, place.clone());
        }
        slots
    }

    pub(super) fn derive(&self, worker: &Worker, index: usize, shard: usize) {
        let storage = &self.layers[index].storage;
        let from = Derivation {
            storage: &|part| {
                self.parameters.read(worker, storage.start + part.start..storage.start + part.end)
            },
            derived: &|part| self.memory.derived[index].write(worker, part),
        };
        if let Some(derived) = self.derives(index) {
            derived.derive(shard, &from);
        }
    }

    /// What is made of a layer's parameters by their shards, if there is memory for it.
    fn derives(&self, index: usize) -> Option<&dyn Derived> {
        if self.memory.derived[index].columns() == 0 {
            return None;
        }
        self.plan.partitions[index].derives().or_else(|| self.layers[index].layer.derived())
    }

    /// How the parameters of a layer are partitioned, and where they lie among those of the model.
    pub(super) fn partition(&self, index: usize) -> (&dyn Sharding, &Range<usize>) {
        (self.plan.partitions[index].as_ref(), &self.layers[index].storage)
    }
}
