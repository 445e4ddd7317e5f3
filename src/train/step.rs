//! One training step, as every worker runs it at the same time.
//!
//! The rows pass takes each worker's rows from the data through all layers to the loss and back.
//! The parameters pass takes each worker's own parameters: their gradient over the whole batch,
//! and at once, while it is in cache, their update. Only barriers stand between the two. Where the
//! norm of the whole gradient is asked for, the updates wait for it behind one more barrier.

use std::ops::Range;

use super::plan::{Plan, ROW_BLOCK};
use super::workspace::Memory;
use crate::data::{Features, Samples};
use crate::kernels::loss::{Rows, Targets};
use crate::kernels::prefetch::prefetch;
use crate::kernels::{clip, convert, reduce};
use crate::layers::Derivation;
use crate::losses::{Loss, Scores};
use crate::model::PlacedLayer;
use crate::model::recipe::{DataConfig, GradientConfig};
use crate::optim::{Coefficients, MOST_SLOTS, Moment, Rule};
use crate::team::{Shared, Worker};

/// Added to the norm that a gradient is divided by, so that it is never divided by 0.
const NORM_EPSILON: f64 = 1e-6;

/// What the workers share in all steps of a run.
pub struct Step<'a> {
    pub layers: &'a [PlacedLayer],
    pub loss: &'a Loss,
    pub classes: usize,
    pub source: Source<'a>,
    pub rule: &'a dyn Rule,
    pub treatment: &'a GradientConfig,
    pub plan: &'a Plan,
    pub parameters: Shared<'a, f32>,
    pub memory: Memory<'a>,
}

/// Where batches come from: the samples, and how their numbers are normalised.
pub struct Source<'a> {
    features: &'a Features,
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
}

impl<'a> Batch<'a> {
    fn len(&self) -> usize {
        self.size.min(self.order.len() - self.start)
    }

    /// The batch in blocks of at most `rows` rows.
    fn blocks(self, rows: usize) -> impl Iterator<Item = Block<'a>> {
        let end = self.start + self.len();
        let next_end = (end + self.size).min(self.order.len());
        (self.start..end).step_by(rows).map(move |start| {
            let block_end = (start + rows).min(end);
            let after = if block_end < end { end } else { next_end };
            Block {
                samples: &self.order[start..block_end],
                next: &self.order[block_end..(block_end + rows).min(after)],
                first: start - self.start,
                is_last: block_end == end,
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
    /// Its first row's number in the batch.
    first: usize,
    is_last: bool,
}

impl Block<'_> {
    /// The sample that this worker takes first from memory [`ROW_BLOCK`] rows, or a block, after that
    /// of `row`, if that is one of the worker's own rows.
    fn sample_after(&self, worker: &Worker, row: usize) -> Option<usize> {
        let mine = worker.share(self.samples.len());
        if !mine.contains(&row) {
            return None;
        }
        let later = row + mine.len().min(ROW_BLOCK);
        if later < mine.end {
            return Some(self.samples[later] as usize);
        }
        let share = worker.share(self.next.len());
        let row = share.start + later - mine.end;
        (row < share.end).then(|| self.next[row] as usize)
    }
}

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchScore {
    pub loss_sum: f64,
    /// What the sum is divided by to be the mean, by [`Loss::weight`].
    pub weight: f64,
    /// Samples whose class was found; NaN where the targets are values.
    pub correct: f64,
    pub samples: usize,
    /// Euclidean, before clipping by the norm; only where the plan says that it is needed.
    pub gradient_norm: Option<f64>,
}

impl BatchScore {
    /// The mean loss; 0 of samples that all have no weight.
    pub fn mean_loss(&self) -> f64 {
        if self.weight == 0.0 { 0.0 } else { self.loss_sum / self.weight }
    }

    /// As a fraction of 1; NaN where the targets are values.
    pub fn accuracy(&self) -> f64 {
        self.correct / self.samples as f64
    }
}

impl<'a> Source<'a> {
    /// Samples with these targets, normalised as the recipe says: bytes as fractions of 255, then less
    /// the mean and divided by the deviation.
    pub fn new(samples: &'a Samples, targets: Targets<'a>, config: &DataConfig) -> Self {
        let unit = if matches!(samples.features(), Features::Bytes(_)) { 255.0 } else { 1.0 };
        let (mean, deviation) = (f64::from(config.mean), f64::from(config.deviation));
        Source {
            features: samples.features(),
            targets,
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
    /// Trains on a batch. All workers call it with the same arguments; worker 0 learns what the batch
    /// came to.
    pub fn run(&self, worker: &Worker, batch: Batch, moment: Moment) -> Option<BatchScore> {
        let coefficients = self.rule.coefficients(moment);
        let weight = self.weight(batch);
        // A batch without weight teaches nothing.
        let scale = if weight == 0.0 { 0.0 } else { 1.0 / weight as f32 };
        let mut score = None;
        for block in batch.blocks(self.plan.block) {
            self.rows_pass(worker, block, scale);
            worker.barrier();
            if block.is_last && worker.index() == 0 {
                score = Some(self.score(worker, batch.len(), weight));
            }
            let norm = self.parameters_pass(worker, block, &coefficients);
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
        for (index, units) in self.plan.owners[worker.index()].iter().enumerate() {
            units.clone().for_each(|unit| self.derive(worker, index, unit));
        }
    }

    /// What the losses of a batch are divided by: each worker adds it up by itself, which is no work
    /// without class weights.
    fn weight(&self, batch: Batch) -> f64 {
        let samples = &batch.order[batch.start..][..batch.len()];
        self.loss.weight(self.source.targets, samples.iter().map(|&sample| sample as usize))
    }

    fn rows_pass(&self, worker: &Worker, block: Block, scale: f32) {
        let count = block.samples.len();
        let mine = worker.share(count);
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
        for start in mine.clone().step_by(ROW_BLOCK) {
            let rows = start..(start + ROW_BLOCK).min(mine.end);
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
    fn gather(&self, worker: &Worker, rows: Range<usize>, block: Block) {
        let width = self.source.width;
        // A shuffled order misses the cache at every row, unless it was asked for before.
        worker.probe("gather", 0, 0, rows.len() * width * 5, || {
            let mut input = self.memory.inputs[worker.index()].block_mut(worker, rows.clone(), 0..width);
            for (index, row) in rows.enumerate() {
                self.source.gather(input.row(index), block.samples[row] as usize);
                if let Some(later) = block.sample_after(worker, row) {
                    self.source.prefetch(later);
                }
            }
        });
    }

    /// The input of a layer: the data, or what the layer before gave.
    fn input_of(&self, worker: &Worker, index: usize) -> &Shared<'_, f32> {
        if index == 0 { &self.memory.inputs[worker.index()] } else { &self.memory.outputs[index - 1] }
    }

    fn forward(&self, worker: &Worker, index: usize, rows: Range<usize>, columns: Range<usize>) {
        let PlacedLayer { layer, storage, .. } = &self.layers[index];
        let share = columns.len() as f64 / self.memory.outputs[index].columns() as f64;
        let flops = layer.flops().forward * rows.len() as f64 * share;
        worker.probe("forward", index, flops as usize, 0, || {
            let input = self.input_of(worker, index);
            let x = input.block(worker, rows.clone(), 0..input.columns());
            let y = self.memory.outputs[index].block_mut(worker, rows, columns.clone());
            layer.forward(y, x, self.parameters.read(worker, storage.clone()), columns);
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
            let doutputs = gradients.rows_mut(worker, rows.clone());
            let outputs = outputs.whole_rows(worker, rows);
            self.loss.gradient(doutputs, scores, outputs, targets, shape, scale);
        });
    }

    fn backward(&self, worker: &Worker, index: usize, rows: Range<usize>) {
        let PlacedLayer { layer, storage, .. } = &self.layers[index];
        let flops = layer.flops().backward * rows.len() as f64;
        worker.probe("backward", index, flops as usize, 0, || {
            let (input, output, gradient) =
                (self.input_of(worker, index), &self.memory.outputs[index], &self.memory.gradients[index]);
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
    fn score(&self, worker: &Worker, samples: usize, weight: f64) -> BatchScore {
        let losses = self.memory.losses.read(worker, 0..samples);
        let correct = self.memory.correct.read(worker, 0..samples);
        let correct = match self.source.targets {
            Targets::Classes(_) => correct.iter().map(|&hit| usize::from(hit)).sum::<usize>() as f64,
            Targets::Values(_) => f64::NAN,
        };
        BatchScore { loss_sum: reduce::sum_f64(losses), weight, correct, samples, gradient_norm: None }
    }

    /// Returns the norm of the gradient after the last block, if it is needed.
    fn parameters_pass(&self, worker: &Worker, block: Block, with: &Coefficients) -> Option<f64> {
        let whole = self.plan.whole_gradient;
        let in_one_block = block.first == 0 && block.is_last;
        let count = block.samples.len();
        if self.plan.feature_layers(count) == 0 {
            let mine = worker.share(count);
            self.gather(worker, 0..mine.start, block);
            self.gather(worker, mine.end..count, block);
        }
        for index in 0..self.layers.len() {
            let layer = &self.layers[index].layer;
            let owned = self.plan.owners[worker.index()][index].clone();
            let along = layer.units_along_inputs();
            // All owned units of the same inputs in turn: these inputs stay in cache meanwhile.
            for unit in (0..along).flat_map(|first| owned.clone().filter(move |unit| unit % along == first)) {
                let len = layer.unit_len(unit);
                let gradient = if in_one_block && !whole {
                    self.memory.scratch[worker.index()].write(worker, 0..len)
                } else {
                    self.kept_gradient(worker, index, unit)
                };
                self.gradient(worker, index, unit, block, gradient);
                if block.is_last {
                    self.treat(worker, index, unit, gradient);
                    if whole {
                        let number = self.plan.numbers[index] + unit;
                        let squares = self.memory.squares.write(worker, number..number + 1);
                        squares[0] = reduce::sum_of_squares(gradient);
                    } else {
                        self.update(worker, index, unit, gradient, with);
                    }
                }
            }
        }
        (whole && block.is_last).then(|| self.update_by_norm(worker, with))
    }

    /// A unit's place among the gradients of all units, `[unit_len]`.
    #[allow(clippy::mut_from_ref)] // one worker's own, as all that is shared
    fn kept_gradient<'s>(&'s self, worker: &'s Worker, index: usize, unit: usize) -> &'s mut [f32] {
        let start = self.plan.gradients[index][unit];
        self.memory.sums.write(worker, start..start + self.layers[index].layer.unit_len(unit))
    }

    /// What is done to each element of a unit's gradient, `[unit_len]`.
    fn treat(&self, worker: &Worker, index: usize, unit: usize, gradient: &mut [f32]) {
        let PlacedLayer { layer, storage, .. } = &self.layers[index];
        if self.treatment.l1 != 0.0 {
            let mut rest = &mut *gradient;
            for part in layer.unit_parts(unit) {
                let (gradient, after) = rest.split_at_mut(part.len());
                rest = after;
                let place = storage.start + part.start..storage.start + part.end;
                clip::add_signs(gradient, self.parameters.read(worker, place), self.treatment.l1);
            }
        }
        if let Some(limit) = self.treatment.clip_value {
            clip::clamp(gradient, limit);
        }
    }

    /// All updates of a step, once the sums of squares are known. Returns the gradient's norm.
    fn update_by_norm(&self, worker: &Worker, with: &Coefficients) -> f64 {
        worker.barrier();
        // Every worker adds up all units, in the same order.
        let squares = self.memory.squares.read(worker, 0..self.plan.units());
        let norm = squares.iter().sum::<f64>().sqrt();
        // As `torch.nn.utils.clip_grad_norm_`.
        let limit = self.treatment.clip_norm.map_or(f64::INFINITY, f64::from);
        let factor = limit / (norm + NORM_EPSILON);
        for (index, owned) in self.plan.owners[worker.index()].iter().enumerate() {
            for unit in owned.clone() {
                let gradient = self.kept_gradient(worker, index, unit);
                // Not a comparison that NaN would pass: it must reach the parameters.
                if factor.is_nan() || factor < 1.0 {
                    clip::scale(gradient, factor as f32);
                }
                self.update(worker, index, unit, gradient, with);
            }
        }
        norm
    }

    /// The gradient of a unit over a block, added to that over the blocks before.
    fn gradient(&self, worker: &Worker, index: usize, unit: usize, block: Block, out: &mut [f32]) {
        let layer = &self.layers[index].layer;
        let rows = block.samples.len();
        worker.probe("gradient", index, 2 * out.len() * rows, 0, || {
            let (input, gradient) = (self.input_of(worker, index), &self.memory.gradients[index]);
            let x = input.block(worker, 0..rows, 0..input.columns());
            let dy = gradient.block(worker, 0..rows, 0..gradient.columns());
            layer.gradient(unit, out, dy, x, block.first > 0);
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
