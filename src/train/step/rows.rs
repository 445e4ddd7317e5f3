//! The rows pass: each worker's rows, from the data through all layers to the loss and back.

use std::ops::Range;

use super::{Block, Step};
use crate::kernels::loss::{Rows, Targets};
use crate::losses::Scores;
use crate::model::PlacedLayer;
use crate::team::Worker;
use crate::train::activations::Activations;

impl Step<'_> {
    pub(super) fn rows_pass(&self, worker: &Worker, block: Block, scale: f32) {
        let count = block.samples.len();
        let mine = self.plan.rows.share(worker, count);
        self.gather_targets(worker, mine.clone(), block);
        let split = self.plan.feature_layers(count);
        if split > 0 {
            self.gather(worker, 0..count, block);
            for index in 0..split {
                if index > 0 {
                    worker.barrier();
                }
                self.forward(worker, index, 0..count, self.plan.columns[worker.index()][index].clone());
            }
            worker.barrier();
        }
        for rows in self.plan.rows.cuts(mine) {
            if split == 0 {
                self.gather(worker, rows.clone(), block);
            }
            for index in split..self.layers.len() {
                let columns = self.memory.outputs[index].columns();
                self.forward(worker, index, rows.clone(), 0..columns);
            }
            self.loss(worker, rows.clone(), block.first, scale);
            for index in (0..self.layers.len()).rev() {
                self.backward(worker, index, rows.clone());
                if self.layers[index].layer.sums_rows() {
                    self.gradient_of_rows(worker, index, rows.clone());
                }
            }
        }
    }

    fn gather_targets(&self, worker: &Worker, rows: Range<usize>, block: Block) {
        match self.source.targets {
            Targets::Classes(of_all) => {
                let labels = self.memory.labels.write(worker, rows.clone());
                for (label, &sample) in labels.iter_mut().zip(&block.samples[rows]) {
                    *label = of_all[sample as usize];
                }
            }
            Targets::Values(of_all) => {
                let width = self.classes;
                let values = self.memory.targets.write(worker, rows.start * width..rows.end * width);
                for (row, &sample) in values.chunks_exact_mut(width).zip(&block.samples[rows]) {
                    row.copy_from_slice(&of_all[sample as usize * width..][..width]);
                }
            }
        }
    }

    /// What [`gather_targets`](Step::gather_targets) wrote.
    fn targets_of<'s>(&'s self, worker: &'s Worker, rows: Range<usize>) -> Targets<'s> {
        let width = self.classes;
        match self.source.targets {
            Targets::Classes(_) => Targets::Classes(self.memory.labels.read(worker, rows)),
            Targets::Values(_) => {
                Targets::Values(self.memory.targets.read(worker, rows.start * width..rows.end * width))
            }
        }
    }

    /// Converts rows of the block into this worker's own copy of the input. Each worker converts
    /// all rows sooner or later: that is cheaper than reading another's, four times as long, and it
    /// spares taking them back from the reader's cache at the next write.
    pub(super) fn gather(&self, worker: &Worker, rows: Range<usize>, block: Block) {
        let width = self.source.width;
        worker.probe("gather", 0, 0, rows.len() * width * 5, || {
            let mut input = self.memory.inputs.write(worker, rows.clone(), 0..width);
            for (index, row) in rows.enumerate() {
                self.source.gather(input.row(index), block.samples[row] as usize);
            }
        });
    }

    /// The input of a layer: the data, or what the layer before gave.
    pub(super) fn input_of(&self, index: usize) -> &Activations<'_> {
        if index == 0 { &self.memory.inputs } else { &self.memory.outputs[index - 1] }
    }

    /// What a layer wants besides.
    #[allow(clippy::mut_from_ref)] // one worker's own, as all that is shared
    fn scratch<'s>(&'s self, worker: &'s Worker, index: usize) -> &'s mut [f32] {
        let kept = &self.memory.kept[worker.index()][index];
        if kept.columns() > 0 {
            return kept.write(worker, 0..kept.columns());
        }
        self.memory.scratch[worker.index()].write(worker, 0..self.layers[index].layer.scratch_len())
    }

    fn forward(&self, worker: &Worker, index: usize, rows: Range<usize>, columns: Range<usize>) {
        let PlacedLayer { layer, storage, .. } = &self.layers[index];
        let share = columns.len() as f64 / self.memory.outputs[index].columns() as f64;
        let flops = layer.flops().forward * rows.len() as f64 * share;
        worker.probe("forward", index, flops as usize, 0, || {
            let x = self.input_of(index).read(worker, rows.clone());
            let y = self.memory.outputs[index].write(worker, rows, columns.clone());
            let derived = &self.memory.derived[index];
            let derived = derived.read(worker, 0..derived.columns());
            let scratch = self.scratch(worker, index);
            layer.forward(y, x, self.parameters.read(worker, storage.clone()), derived, columns, scratch);
        });
    }

    fn loss(&self, worker: &Worker, rows: Range<usize>, first: usize, scale: f32) {
        worker.probe("loss", self.layers.len(), 0, 0, || {
            let last = self.layers.len() - 1;
            let (outputs, gradients) = (&self.memory.outputs[last], &self.memory.gradients[last]);
            let scores = Scores {
                losses: self.memory.losses.write(worker, first + rows.start..first + rows.end),
                correct: self.memory.correct.write(worker, first + rows.start..first + rows.end),
            };
            let targets = self.targets_of(worker, rows.clone());
            let shape = Rows { classes: self.classes, stride: outputs.columns() };
            let doutputs = gradients.whole_rows_mut(worker, rows.clone());
            let outputs = outputs.whole_rows(worker, rows);
            self.loss.gradient(doutputs, scores, outputs, targets, shape, scale);
        });
    }

    fn backward(&self, worker: &Worker, index: usize, rows: Range<usize>) {
        let PlacedLayer { layer, storage, .. } = &self.layers[index];
        let flops = layer.flops().backward * rows.len() as f64;
        worker.probe("backward", index, flops as usize, 0, || {
            let gradient = &self.memory.gradients[index];
            let dx = index.checked_sub(1).map(|before| {
                let gradient = &self.memory.gradients[before];
                gradient.write(worker, rows.clone(), 0..gradient.columns())
            });
            let derived = &self.memory.derived[index];
            layer.backward(
                dx,
                gradient.write(worker, rows.clone(), 0..gradient.columns()),
                self.input_of(index).read(worker, rows.clone()),
                self.memory.outputs[index].read(worker, rows),
                self.parameters.read(worker, storage.clone()),
                derived.read(worker, 0..derived.columns()),
                self.scratch(worker, index),
            );
        });
    }

    /// Adds the gradient over these rows to that over the rows before them in their part.
    fn gradient_of_rows(&self, worker: &Worker, index: usize, rows: Range<usize>) {
        let layer = &self.layers[index].layer;
        let flops = layer.flops().gradient * rows.len() as f64;
        worker.probe("gradient", index, flops as usize, 0, || {
            let (part, resume) = self.plan.rows.part_of(rows.start);
            let partials = &self.memory.partials[index];
            let mut out = partials.block_mut(worker, part..part + 1, 0..partials.columns());
            let x = self.input_of(index).read(worker, rows.clone());
            let dy = self.memory.gradients[index].read(worker, rows);
            layer.gradient_of_rows(out.row(0), dy, x, resume, self.scratch(worker, index));
        });
    }
}
