//! One training step, as every worker runs it at the same time.
//!
//! The rows pass takes each worker's rows from the data through all layers to the loss and back.
//! The parameters pass takes each worker's own parameters: their gradient over the whole batch,
//! and at once, while it is in cache, their update. Only barriers stand between the two.

use std::ops::Range;

use super::plan::{Plan, ROW_BLOCK};
use super::workspace::Memory;
use crate::data::{Features, Samples};
use crate::kernels::loss::Rows;
use crate::kernels::prefetch::prefetch;
use crate::kernels::{convert, reduce};
use crate::layers::Derivation;
use crate::losses::{Loss, Scores};
use crate::model::PlacedLayer;
use crate::model::recipe::DataConfig;
use crate::optim::{Coefficients, MOST_SLOTS, Moment, Rule};
use crate::team::{Shared, Worker};

/// What the workers share in all steps of a run.
pub struct Step<'a> {
    pub layers: &'a [PlacedLayer],
    pub loss: Loss,
    pub classes: usize,
    pub source: Source<'a>,
    pub rule: &'a dyn Rule,
    pub plan: &'a Plan,
    pub parameters: Shared<'a, f32>,
    pub memory: Memory<'a>,
}

/// Where batches come from: the samples, and how their numbers are normalised.
pub struct Source<'a> {
    features: &'a Features,
    labels: &'a [u8],
    /// Features of a sample.
    pub width: usize,
    scale: f32,
    shift: f32,
}

/// A part of an epoch's order.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// The samples of the whole epoch, in order.
    pub order: &'a [u32],
    /// Where the batch begins in it.
    pub start: usize,
    /// Samples of a batch; the last one of the epoch may have fewer.
    pub size: usize,
}

impl Batch<'_> {
    fn len(&self) -> usize {
        self.size.min(self.order.len() - self.start)
    }

    fn sample(&self, row: usize) -> usize {
        self.order[self.start + row] as usize
    }

    /// The sample that this worker gathers a block of rows, or a batch, after that of `row`.
    fn sample_after(&self, worker: &Worker, row: usize) -> Option<usize> {
        let mine = worker.share(self.len());
        let later = row + mine.len().min(ROW_BLOCK);
        if later < mine.end {
            return Some(self.sample(later));
        }
        let next = Batch { start: self.start + self.len(), ..*self };
        let share = worker.share(next.len());
        let row = share.start + later - mine.end;
        (row < share.end).then(|| next.sample(row))
    }
}

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchScore {
    pub loss_sum: f64,
    pub correct: usize,
    pub samples: usize,
}

impl<'a> Source<'a> {
    /// Samples of these labels, normalised as the recipe says: bytes as fractions of 255, then less
    /// the mean and divided by the deviation.
    pub fn new(samples: &'a Samples, labels: &'a [u8], config: &DataConfig) -> Self {
        let unit = if matches!(samples.features(), Features::Bytes(_)) { 255.0 } else { 1.0 };
        let (mean, deviation) = (f64::from(config.mean), f64::from(config.deviation));
        Source {
            features: samples.features(),
            labels,
            width: samples.features_per_sample(),
            scale: (1.0 / (unit * deviation)) as f32,
            shift: (-mean / deviation) as f32,
        }
    }

    /// Asks for one sample's features ahead of [`gather`](Source::gather).
    fn prefetch(&self, sample: usize) {
        // Floats are left to the hardware: they are for small data sets.
        if let Features::Bytes(bytes) = self.features {
            prefetch(&bytes[sample * self.width..(sample + 1) * self.width]);
        }
    }

    /// Writes one sample's features, normalised, to `row` `[in]`.
    pub fn gather(&self, row: &mut [f32], sample: usize) {
        let part = sample * self.width..(sample + 1) * self.width;
        match self.features {
            Features::Bytes(bytes) => convert::bytes_to_floats(row, &bytes[part], self.scale, self.shift),
            Features::Floats(floats) => convert::scale_and_shift(row, &floats[part], self.scale, self.shift),
        }
    }
}

impl Step<'_> {
    /// Trains on a batch of at most as many samples as the workspace has rows. All workers call it
    /// with the same arguments; worker 0 learns what the batch came to.
    pub fn run(&self, worker: &Worker, batch: Batch, moment: Moment) -> Option<BatchScore> {
        self.rows_pass(worker, batch);
        worker.barrier();
        let score = (worker.index() == 0).then(|| self.score(worker, batch.len()));
        self.parameters_pass(worker, batch.len(), &self.rule.coefficients(moment));
        score
    }

    /// Makes what layers derive from their parameters, before the first step.
    pub fn derive_all(&self, worker: &Worker) {
        for (index, units) in self.plan.owners[worker.index()].iter().enumerate() {
            units.clone().for_each(|unit| self.derive(worker, index, unit));
        }
    }

    fn rows_pass(&self, worker: &Worker, batch: Batch) {
        let mine = worker.share(batch.len());
        let split = self.plan.feature_layers(batch.len());
        if split > 0 {
            self.gather(worker, mine.clone(), batch);
            for index in 0..split {
                worker.barrier();
                self.forward(worker, index, 0..batch.len(), self.plan.columns[worker.index()][index].clone());
            }
            worker.barrier();
        }
        for start in mine.clone().step_by(ROW_BLOCK) {
            let rows = start..(start + ROW_BLOCK).min(mine.end);
            if split == 0 {
                self.gather(worker, rows.clone(), batch);
            }
            for index in split..self.layers.len() {
                let columns = self.memory.outputs[index].columns();
                self.forward(worker, index, rows.clone(), 0..columns);
            }
            self.loss(worker, rows.clone(), batch.len());
            for index in (0..self.layers.len()).rev() {
                self.backward(worker, index, rows.clone());
            }
        }
    }

    fn gather(&self, worker: &Worker, rows: Range<usize>, batch: Batch) {
        let width = self.source.width;
        worker.probe("gather", 0, 0, rows.len() * width * 5, || {
            let mut input = self.memory.input.block_mut(worker, rows.clone(), 0..width);
            let labels = self.memory.labels.write(worker, rows.clone());
            for ((index, row), label) in rows.enumerate().zip(labels) {
                let sample = batch.sample(row);
                self.source.gather(input.row(index), sample);
                *label = self.source.labels[sample];
                // A shuffled order misses the cache at every row, unless it was asked for before.
                if let Some(later) = batch.sample_after(worker, row) {
                    self.source.prefetch(later);
                }
            }
        });
    }

    /// The input of a layer: the data, or what the layer before gave.
    fn input_of(&self, index: usize) -> &Shared<'_, f32> {
        if index == 0 { &self.memory.input } else { &self.memory.outputs[index - 1] }
    }

    fn forward(&self, worker: &Worker, index: usize, rows: Range<usize>, columns: Range<usize>) {
        let PlacedLayer { layer, storage, .. } = &self.layers[index];
        let share = columns.len() as f64 / self.memory.outputs[index].columns() as f64;
        let flops = layer.flops().forward * rows.len() as f64 * share;
        worker.probe("forward", index, flops as usize, 0, || {
            let input = self.input_of(index);
            let x = input.block(worker, rows.clone(), 0..input.columns());
            let y = self.memory.outputs[index].block_mut(worker, rows, columns.clone());
            layer.forward(y, x, self.parameters.read(worker, storage.clone()), columns);
        });
    }

    fn loss(&self, worker: &Worker, rows: Range<usize>, batch: usize) {
        worker.probe("loss", self.layers.len(), 0, 0, || {
            let last = self.layers.len() - 1;
            let (outputs, gradients) = (&self.memory.outputs[last], &self.memory.gradients[last]);
            let scores = Scores {
                losses: self.memory.losses.write(worker, rows.clone()),
                correct: self.memory.correct.write(worker, rows.clone()),
            };
            let labels = self.memory.labels.read(worker, rows.clone());
            let shape = Rows { classes: self.classes, stride: outputs.columns() };
            let doutputs = gradients.rows_mut(worker, rows.clone());
            self.loss.gradient(
                doutputs,
                scores,
                outputs.whole_rows(worker, rows),
                labels,
                shape,
                1.0 / batch as f32,
            );
        });
    }

    fn backward(&self, worker: &Worker, index: usize, rows: Range<usize>) {
        let PlacedLayer { layer, storage, .. } = &self.layers[index];
        let flops = layer.flops().backward * rows.len() as f64;
        worker.probe("backward", index, flops as usize, 0, || {
            let (input, output, gradient) =
                (self.input_of(index), &self.memory.outputs[index], &self.memory.gradients[index]);
            let dx = index.checked_sub(1).map(|before| {
                let gradient = &self.memory.gradients[before];
                gradient.block_mut(worker, rows.clone(), 0..gradient.columns())
            });
            let derived = &self.memory.derived[index];
            layer.backward(
                dx,
                gradient.block_mut(worker, rows.clone(), 0..gradient.columns()),
                input.block(worker, rows.clone(), 0..input.columns()),
                output.block(worker, rows, 0..output.columns()),
                self.parameters.read(worker, storage.clone()),
                derived.read(worker, 0..derived.columns()),
            );
        });
    }

    /// Losses and hits of the batch, added up in the order of its rows.
    fn score(&self, worker: &Worker, samples: usize) -> BatchScore {
        let losses = self.memory.losses.read(worker, 0..samples);
        let correct = self.memory.correct.read(worker, 0..samples);
        BatchScore {
            loss_sum: reduce::sum_f64(losses),
            correct: correct.iter().map(|&hit| usize::from(hit)).sum(),
            samples,
        }
    }

    fn parameters_pass(&self, worker: &Worker, batch: usize, coefficients: &Coefficients) {
        for index in 0..self.layers.len() {
            let layer = &self.layers[index].layer;
            let owned = self.plan.owners[worker.index()][index].clone();
            let along = layer.units_along_inputs();
            let rows_at_a_time = self.plan.gradient_rows[index];
            // All owned units of the same inputs in turn: these inputs stay in cache meanwhile.
            let units =
                || (0..along).flat_map(|first| owned.clone().filter(move |unit| unit % along == first));
            if batch <= rows_at_a_time {
                let scratch = &self.memory.scratch[worker.index()];
                for unit in units() {
                    let gradient = scratch.write(worker, 0..layer.unit_len(unit));
                    self.gradient(worker, index, unit, 0..batch, gradient);
                    self.update(worker, index, unit, gradient, coefficients);
                }
                continue;
            }
            let place = |unit: usize| {
                let start = self.plan.gradients[index][unit];
                start..start + layer.unit_len(unit)
            };
            for first in (0..batch).step_by(rows_at_a_time) {
                let rows = first..(first + rows_at_a_time).min(batch);
                for unit in units() {
                    let gradient = self.memory.sums.write(worker, place(unit));
                    self.gradient(worker, index, unit, rows.clone(), gradient);
                }
            }
            for unit in units() {
                self.update(worker, index, unit, self.memory.sums.write(worker, place(unit)), coefficients);
            }
        }
    }

    /// The gradient of a unit over some rows, added to that over the rows before.
    fn gradient(&self, worker: &Worker, index: usize, unit: usize, rows: Range<usize>, out: &mut [f32]) {
        let layer = &self.layers[index].layer;
        worker.probe("gradient", index, 2 * out.len() * rows.len(), 0, || {
            let (input, gradient) = (self.input_of(index), &self.memory.gradients[index]);
            let x = input.block(worker, rows.clone(), 0..input.columns());
            let dy = gradient.block(worker, rows.clone(), 0..gradient.columns());
            layer.gradient(unit, out, dy, x, rows.start > 0);
        });
    }

    fn update(&self, worker: &Worker, index: usize, unit: usize, gradient: &mut [f32], with: &Coefficients) {
        let PlacedLayer { layer, storage, .. } = &self.layers[index];
        worker.probe("update", index, 0, self.update_bytes(gradient.len()), || {
            let mut rest = gradient;
            for part in layer.unit_parts(unit) {
                let (gradient, after) = rest.split_at_mut(part.len());
                rest = after;
                if !gradient.is_empty() {
                    let place = storage.start + part.start..storage.start + part.end;
                    self.update_part(worker, place, gradient, with);
                }
            }
        });
        worker.probe("derive", index, 0, 0, || self.derive(worker, index, unit));
    }

    /// Reads the gradient; reads and writes the parameters and the slots.
    fn update_bytes(&self, parameters: usize) -> usize {
        parameters * size_of::<f32>() * (3 + 2 * self.memory.slots.len())
    }

    fn update_part(&self, worker: &Worker, place: Range<usize>, gradients: &mut [f32], with: &Coefficients) {
        let mut slots: [&mut [f32]; MOST_SLOTS] = Default::default();
        for (slot, shared) in slots.iter_mut().zip(&self.memory.slots) {
            *slot = shared.write(worker, place.clone());
        }
        let slots = &mut slots[..self.memory.slots.len()];
        self.rule.apply(with, self.parameters.write(worker, place), gradients, slots);
    }

    fn derive(&self, worker: &Worker, index: usize, unit: usize) {
        let PlacedLayer { layer, storage, .. } = &self.layers[index];
        let from = Derivation {
            storage: &|part| {
                self.parameters.read(worker, storage.start + part.start..storage.start + part.end)
            },
            derived: &|part| self.memory.derived[index].write(worker, part),
        };
        layer.derive(unit, &from);
    }
}
