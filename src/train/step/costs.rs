//! The costs of the parts of a step by their shapes, for the probes. Floating-point operations are nominal here,
//! those of the summary: the kernels themselves count what they execute.

use super::Step;
use crate::data::FeaturesRef;
use crate::model::{Origin, PlacedLayer};
use crate::probe::Cost;
use crate::train::inference::forward;
use crate::train::plan::OwnShard;

/// Bytes of a number.
pub(super) const FLOAT: usize = size_of::<f32>();

impl Step<'_> {
    pub(super) fn targets_cost(&self, rows: usize) -> Cost {
        // A label of one byte; target values are not counted, for there may be none.
        Cost::local(2 * rows)
    }

    /// The cost of a gather, as [`Source::gather_cost`], but bytes were prefetched, and are in cache.
    pub(super) fn gather_cost(&self, rows: usize, features: usize) -> Cost {
        match self.source.features {
            FeaturesRef::Bytes(_) => Cost::local(rows * features * (1 + FLOAT)),
            FeaturesRef::Floats(_) => self.source.gather_cost(rows, features),
        }
    }

    /// Columns of a layer's input.
    pub(super) fn input_columns(&self, index: usize) -> usize {
        let columns = |input| match input {
            Origin::Data => self.source.width,
            Origin::Output(earlier) => self.memory.outputs[earlier].columns(),
        };
        let inputs = &self.layers[index].inputs;
        columns(inputs.main) + inputs.other.map_or(0, columns)
    }

    /// Bytes of rows of a matrix of so many columns.
    fn rows_bytes(rows: usize, columns: usize) -> usize {
        rows * columns * FLOAT
    }

    /// The cost of some of a layer's output columns.
    pub(super) fn forward_cost(&self, index: usize, rows: usize, columns: usize) -> Cost {
        forward::cost(&self.layers[index], rows, self.input_columns(index), columns)
    }

    /// The cost of the loss: outputs are read, gradients written; with weights of samples, read and written again.
    pub(super) fn loss_cost(&self, rows: usize) -> Cost {
        let matrices = if self.source.weights.is_empty() { 2 } else { 4 };
        Cost::local(matrices * Self::rows_bytes(rows, self.memory.outputs[self.layers.len() - 1].columns()))
    }

    /// The cost of the gradient of the input, where there is one: that of the output is read, that of the input
    /// written.
    pub(super) fn input_gradient_cost(&self, index: usize, rows: usize) -> Cost {
        let placed = &self.layers[index];
        let wants = placed.inputs.each().any(|input| self.gradient_of(input).is_some());
        let flops = if wants { placed.layer.flops().backward } else { 0.0 };
        let derived = self.memory.derived[index].columns();
        let weights = if flops == 0.0 {
            0
        } else if derived > 0 {
            derived
        } else {
            placed.storage.len()
        };
        let dx = if self.gradient_of(placed.inputs.main).is_some() { self.input_columns(index) } else { 0 };
        let moved = Self::rows_bytes(rows, self.memory.gradients[index].columns() + dx);
        let nominal_flops = flops * rows as f64;
        Cost { nominal_flops, ..Cost::NONE.and(0, weights * FLOAT, weights * FLOAT).and(1, moved, moved) }
    }

    /// The cost of the gradient of all parameters of a layer, over some rows.
    pub(super) fn rows_gradient_cost(&self, index: usize, rows: usize) -> Cost {
        let layer = &self.layers[index].layer;
        let sums = self.memory.partials[index].columns() * FLOAT;
        let columns = self.input_columns(index) + self.memory.gradients[index].columns();
        let moved = Self::rows_bytes(rows, columns);
        let nominal_flops = layer.flops().gradient * rows as f64;
        Cost { nominal_flops, ..Cost::NONE.and(0, sums, sums).and(1, moved, moved) }
    }

    /// The cost of the gradient of one shard, over the rows of a block, while so many bytes are prefetched for
    /// others.
    pub(super) fn shard_gradient_cost(&self, own: OwnShard, rows: usize, fetched: usize) -> Cost {
        let PlacedLayer { layer, storage, .. } = &self.layers[own.layer];
        let read = own.inputs.min(self.input_columns(own.layer));
        let moved = Self::rows_bytes(rows, read + own.len / read.max(1)) + own.len * FLOAT;
        let part = own.len as f64 / storage.len().max(1) as f64;
        let nominal_flops = layer.flops().gradient * rows as f64 * part;
        Cost { nominal_flops, ..Cost::NONE.and(0, moved, moved).and(2, fetched, self.step_bytes()) }
    }

    /// The cost of the sums of a shard's gradient over the parts of a batch.
    pub(super) fn parts_cost(&self, own: OwnShard, parts: usize) -> Cost {
        Cost::local(own.len * FLOAT * (parts + 1))
    }

    /// Bytes of parameters and slots that a worker goes through before it comes back to the first of them:
    /// at the least its share, for the owners' shares are about equal.
    fn step_bytes(&self) -> usize {
        self.plan.updated_len * FLOAT * (1 + self.memory.slots.len()) / self.plan.owners.len()
    }

    /// The cost of so many bytes that are in cache, and so many that are touched once a step.
    pub(super) fn update_step_cost(&self, local: usize, once: usize) -> Cost {
        Cost::NONE.and(0, local, local).and(1, once, self.step_bytes())
    }

    /// The cost of derived storage: parameters are read from the cache, where their update has left them; the copy is
    /// written once a step.
    pub(super) fn derive_cost(&self, parameters: usize) -> Cost {
        let fetched = self.plan.fetches_updates && !self.plan.needs_norm && self.plan.per_tensor.is_none();
        let bytes = parameters * FLOAT;
        if fetched { Cost::local(2 * bytes) } else { self.update_step_cost(bytes, bytes) }
    }

    /// The cost of a pass of a layer that normalises by batch, over so many matrices of its rows.
    pub(super) fn matrices_cost(&self, index: usize, rows: usize, matrices: usize) -> Cost {
        Cost::local(Self::rows_bytes(rows, self.memory.outputs[index].columns()) * matrices)
    }

    /// The cost of a product for the next iterate, or for a Gram matrix: multiply-adds of a share of it, and its
    /// factors and result.
    pub(super) fn product_cost(&self, [rows, inner, columns]: [usize; 3]) -> Cost {
        let (own, all) = (rows * (inner + columns) * FLOAT, inner * columns * FLOAT);
        Cost::NONE.and(0, own, own).and(1, all, all)
    }

    /// The cost of an update: reads the gradient; reads and writes the parameters and so many slots. What was
    /// prefetched is in cache.
    pub(super) fn update_cost(&self, parameters: usize, slots: usize) -> Cost {
        if self.rule.full_batch().is_some() {
            // The parameters are moved by the search.
            return Cost::NONE;
        }
        let (gradient, own) = (parameters * FLOAT, parameters * FLOAT * 2 * (1 + slots));
        let fetched = self.plan.fetches_updates && !self.plan.needs_norm && self.plan.per_tensor.is_none();
        let working_set = if fetched { own } else { self.step_bytes() };
        Cost::NONE.and(0, gradient, gradient).and(1, own, working_set)
    }
}
