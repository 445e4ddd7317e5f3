//! The rows pass of a network that normalises by batch. The layers up to each such layer are a segment: all rows of
//! a block go through it before the first goes on, and a barrier stands between. Statistics of all rows
//! each worker computes for itself, of sums over the parts of the block in their order.

use std::ops::Range;

use super::costs::FLOAT;
use super::merges::add_rows;
use super::{Block, Step};
use crate::layers::{BackwardSums, BatchNorm};
use crate::model::PlacedLayer;
use crate::optim::average;
use crate::probe::{Cost, Operation};
use crate::team::Worker;

impl Step<'_> {
    /// Runs this worker's rows, `mine`, through all segments and back.
    pub(super) fn rows_in_segments(&self, worker: &Worker, block: Block, mine: Range<usize>, weight: f64) {
        let (norms, count) = (&self.plan.rows.norms, block.samples.len());
        let cuts = || self.plan.rows.cuts(mine.clone());
        let split = self.plan.feature_layers(count);
        let mut from = split;
        for (number, &norm) in norms.iter().enumerate() {
            for rows in cuts() {
                if number == 0 && split == 0 {
                    self.gather(worker, rows.clone(), 0..self.source.width, block);
                }
                self.forward_through(worker, from..norm, rows.clone(), block);
                self.add_moments(worker, number, rows);
            }
            worker.barrier();
            self.prepare(worker, number, count);
            from = norm;
        }
        for rows in cuts() {
            self.forward_through(worker, from..self.layers.len(), rows.clone(), block);
            self.loss(worker, rows.clone(), block, weight);
            self.backward_through(worker, from..self.layers.len(), rows, block);
        }
        for (number, &norm) in norms.iter().enumerate().rev() {
            let from = if number == 0 { 0 } else { norms[number - 1] };
            // Below, nothing may be left to train; the layer's own gradient is in its sums.
            let is_reached = |index: usize| self.plan.frozen.reaches(index);
            let goes_on = self.gradient_of(self.layers[norm].inputs.main).is_some();
            if !goes_on && !(from..norm).any(is_reached) {
                continue;
            }
            worker.barrier();
            self.prepare_backward(worker, number, count);
            for rows in cuts() {
                // Outputs that were not saved are computed again: that is less than to write and read them.
                for index in (from..norm).filter(|&index| self.plan.rows.outputs_transient[index]) {
                    self.forward_again(worker, index, rows.clone(), block);
                }
                self.backward_input(worker, number, rows.clone());
                self.backward_through(worker, from..norm, rows, block);
            }
        }
    }

    /// Runs this worker's part of an operation of a layer that normalises by batch, on its rows `mine` of so many.
    pub(super) fn norm_alone(
        &self,
        worker: &Worker,
        operation: Operation,
        number: usize,
        mine: Range<usize>,
        count: usize,
    ) {
        let cuts = || self.plan.rows.cuts(mine.clone());
        match operation {
            Operation::Forward => cuts().for_each(|rows| self.normalise(worker, number, rows)),
            Operation::InputGradient => cuts().for_each(|rows| self.backward_input(worker, number, rows)),
            Operation::Statistics => {
                cuts().for_each(|rows| self.add_moments(worker, number, rows));
                worker.barrier();
                self.prepare(worker, number, count);
                cuts().for_each(|rows| self.backward_sums(worker, number, rows));
                worker.barrier();
                self.prepare_backward(worker, number, count);
            }
            other => unreachable!("{other:?} of a normalisation is not run alone"),
        }
    }

    fn forward_through(&self, worker: &Worker, layers: Range<usize>, rows: Range<usize>, block: Block) {
        for index in layers {
            match self.plan.rows.norms.binary_search(&index) {
                Ok(number) => self.normalise(worker, number, rows.clone()),
                Err(_) => {
                    let columns = 0..self.memory.outputs[index].columns();
                    self.forward(worker, index, rows.clone(), columns, block);
                }
            }
        }
    }

    /// Computes the output of a layer again for the backward pass, if it was not saved.
    fn forward_again(&self, worker: &Worker, index: usize, rows: Range<usize>, block: Block) {
        let columns = self.memory.outputs[index].columns();
        // Nominally there is one forward pass only.
        let cost = || Cost { nominal_flops: 0.0, ..self.forward_cost(index, rows.len(), columns) };
        worker.probe(Operation::Recompute, Some(index), cost, || {
            match self.plan.rows.norms.binary_search(&index) {
                Ok(number) => self.normalise_rows(worker, number, rows.clone()),
                Err(_) => self.forward_of(worker, index, rows.clone(), 0..columns, block),
            }
        });
    }

    /// Runs the backward pass through some layers, up to the sums of the first, which normalises by batch.
    fn backward_through(&self, worker: &Worker, layers: Range<usize>, rows: Range<usize>, block: Block) {
        for index in layers.rev() {
            match self.plan.rows.norms.binary_search(&index) {
                Ok(number) => self.backward_sums(worker, number, rows.clone()),
                Err(_) => self.backward_and_sum(worker, index, rows.clone(), block),
            }
        }
    }

    fn batch_norm(&self, number: usize) -> (usize, &BatchNorm) {
        let index = self.plan.rows.norms[number];
        (index, self.layers[index].layer.as_batch_norm().expect("the plan counts layers that are one"))
    }

    /// Adds rows of a layer's input to the moments of their part.
    fn add_moments(&self, worker: &Worker, number: usize, rows: Range<usize>) {
        let (index, norm) = self.batch_norm(number);
        let cost = || self.matrices_cost(index, rows.len(), 1);
        worker.probe(Operation::Statistics, Some(index), cost, || {
            let (part, before) = self.plan.rows.place(rows.start);
            let len = norm.moments_len();
            let moments = self.memory.moments[number].write(worker, part * len..(part + 1) * len);
            norm.add_moments(moments, before, self.input_of(index).read(worker, rows.clone()));
        });
    }

    /// This worker's state of a batch for a layer.
    #[allow(clippy::mut_from_ref)] // one worker's own, as all that is shared
    fn state<'s>(&'s self, worker: &'s Worker, number: usize) -> &'s mut [f32] {
        let states = &self.memory.states[number];
        states.rows_mut(worker, worker.index()..worker.index() + 1)
    }

    /// Makes this worker's state of the moments of all parts.
    fn prepare(&self, worker: &Worker, number: usize, rows: usize) {
        let (index, norm) = self.batch_norm(number);
        let moments = 0..self.plan.rows.parts(rows) * norm.moments_len();
        let cost = || Cost::local(moments.len() * size_of::<f64>());
        worker.probe(Operation::Statistics, Some(index), cost, || {
            let moments = self.memory.moments[number].read(worker, moments.clone());
            let storage = self.parameters.read(worker, self.layers[index].storage.clone());
            norm.prepare(self.state(worker, number), moments, self.plan.rows.part(), rows, storage);
        });
    }

    fn normalise(&self, worker: &Worker, number: usize, rows: Range<usize>) {
        let (index, _) = self.batch_norm(number);
        let cost = || self.matrices_cost(index, rows.len(), 2);
        worker.probe(Operation::Forward, Some(index), cost, || {
            self.normalise_rows(worker, number, rows.clone())
        });
    }

    /// [`normalise`](Step::normalise), for a caller that has a probe around it.
    fn normalise_rows(&self, worker: &Worker, number: usize, rows: Range<usize>) {
        let (index, norm) = self.batch_norm(number);
        let x = self.input_of(index).read(worker, rows.clone());
        let outputs = &self.memory.outputs[index];
        let y = outputs.write(worker, rows, 0..outputs.columns());
        let storage = self.parameters.read(worker, self.layers[index].storage.clone());
        norm.normalise(y, x, self.state(worker, number), storage);
    }

    /// Adds rows to the sums of their part, which are the gradient of the parameters, too.
    fn backward_sums(&self, worker: &Worker, number: usize, rows: Range<usize>) {
        let (index, norm) = self.batch_norm(number);
        let cost = || self.matrices_cost(index, rows.len(), 4);
        worker.probe(Operation::Statistics, Some(index), cost, || {
            let (part, accumulate) = self.plan.rows.part_of(rows.start);
            let (partials, gradient) = (&self.memory.partials[index], &self.memory.gradients[index]);
            let mut out = partials.block_mut(worker, part..part + 1, 0..partials.columns());
            let x = self.input_of(index).read(worker, rows.clone());
            let y = self.memory.outputs[index].read(worker, rows.clone());
            let dy = gradient.write(worker, rows.clone(), 0..gradient.columns());
            let scratch = self.scratch(worker, index);
            let (out, state) = (out.row(0), self.state(worker, number));
            norm.backward_sums(BackwardSums { out, dy, x, y, state, accumulate, scratch });
        });
    }

    fn prepare_backward(&self, worker: &Worker, number: usize, rows: usize) {
        let (index, norm) = self.batch_norm(number);
        let (partials, parts) = (&self.memory.partials[index], self.plan.rows.parts(rows));
        let cost = || Cost::local(parts * partials.columns() * FLOAT);
        worker.probe(Operation::Statistics, Some(index), cost, || {
            let sums = partials.block(worker, 0..parts, 0..partials.columns());
            norm.prepare_backward(self.state(worker, number), sums, rows);
        });
    }

    /// Computes the gradient of the layer's input; the data have none.
    fn backward_input(&self, worker: &Worker, number: usize, rows: Range<usize>) {
        let (index, norm) = self.batch_norm(number);
        let Some(gradient) = self.gradient_of(self.layers[index].inputs.main) else { return };
        let cost = || self.matrices_cost(index, rows.len(), 3);
        worker.probe(Operation::InputGradient, Some(index), cost, || {
            let mut dx = gradient.write(worker, rows.clone(), 0..gradient.columns());
            let dz = self.memory.gradients[index].read(worker, rows.clone());
            let x = self.input_of(index).read(worker, rows.clone());
            let state = self.state(worker, number);
            if !self.plan.rows.merges.adds(index)[0] {
                return norm.backward_input(dx, dz, x, state);
            }
            let mut own = self.memory.branch.write(worker, rows.clone(), 0..dx.columns());
            norm.backward_input(own.reborrow(), dz, x, state);
            add_rows(&mut dx, &mut own);
        });
    }

    /// Moves the running statistics towards those of the block: where no other worker reads them, and by
    /// the owner of the layer's first shard. After the last block of a step their average follows.
    pub(super) fn update_running(&self, worker: &Worker, block: Block, weight: Option<f32>) {
        for number in 0..self.plan.rows.norms.len() {
            let (index, norm) = self.batch_norm(number);
            if !self.plan.owners[worker.index()][index].contains(&0) {
                continue;
            }
            let PlacedLayer { storage, .. } = &self.layers[index];
            let running = norm.running();
            let place = storage.start + running.start..storage.start + running.end;
            let cost = || Cost::local(4 * place.len() * FLOAT);
            worker.probe(Operation::Statistics, Some(index), cost, || {
                let running = self.parameters.write(worker, place.clone());
                norm.update_running(running, self.state(worker, number));
                if let Some(weight) = weight.filter(|_| block.is_last) {
                    average::blend(self.memory.average.write(worker, place.clone()), running, weight);
                }
            });
        }
    }
}
