//! The rows pass: each worker's rows, from the data through all layers to the loss and back.

use std::ops::Range;

use super::weights::Divisor;
use super::{Block, Step};
use crate::kernels::loss::{Rows, Targets, Tokens};
use crate::layers::{Backward, Forward, RowsGradient, Training};
use crate::losses::Scores;
use crate::model::{Origin, PlacedLayer};
use crate::probe::Operation;
use crate::team::Worker;
use crate::tensor::{MatrixMut, SparseRef};

impl Step<'_> {
    /// `weight`: the divisor of the sum of the step's losses.
    pub(super) fn rows_pass(&self, worker: &Worker, block: Block, weight: f64) {
        let count = block.samples.len();
        let mine = self.plan.rows.share(worker, count);
        worker.probe(
            Operation::Gather,
            None,
            || self.targets_cost(mine.len()),
            || self.gather_targets(worker, mine.clone(), block),
        );
        let split = self.plan.feature_layers(count);
        if split > 0 {
            if self.plan.shares_input {
                self.gather(worker, mine.clone(), 0..self.source.width, block);
                worker.barrier();
            } else {
                self.gather(worker, 0..count, 0..self.source.width, block);
            }
            for index in 0..split {
                if index > 0 {
                    worker.barrier();
                }
                let columns = self.plan.columns[worker.index()][index].clone();
                self.forward(worker, index, 0..count, columns, block);
            }
            worker.barrier();
        }
        if !self.plan.rows.norms.is_empty() {
            return self.rows_in_segments(worker, block, mine, weight);
        }
        for rows in self.plan.rows.cuts(mine) {
            if split == 0 {
                self.gather(worker, rows.clone(), 0..self.source.width, block);
            }
            for index in split..self.layers.len() {
                let columns = self.memory.outputs[index].columns();
                self.forward(worker, index, rows.clone(), 0..columns, block);
            }
            self.loss(worker, rows.clone(), block, weight);
            for index in (0..self.layers.len()).rev() {
                self.backward_and_sum(worker, index, rows.clone(), block);
            }
        }
    }

    /// Runs the backward pass of a layer, and adds these rows to the gradient of its parameters if that is summed by
    /// rows.
    pub(super) fn backward_and_sum(&self, worker: &Worker, index: usize, rows: Range<usize>, block: Block) {
        self.backward(worker, index, rows.clone(), block);
        if self.layers[index].layer.sums_rows() && !self.plan.frozen.is_frozen(index) {
            self.gradient_of_rows(worker, index, rows);
        }
    }

    /// Gathers the targets of these rows, and their lengths.
    fn gather_targets(&self, worker: &Worker, rows: Range<usize>, block: Block) {
        if !self.source.lengths.is_empty() {
            let lengths = self.memory.lengths.write(worker, rows.clone());
            for (length, &sample) in lengths.iter_mut().zip(&block.samples[rows.clone()]) {
                *length = self.source.lengths[sample as usize];
            }
        }
        match self.source.targets {
            Targets::Classes(of_all) | Targets::Mixed { labels: of_all, .. } => {
                let labels = self.memory.labels.write(worker, rows.clone());
                for (label, &sample) in labels.iter_mut().zip(&block.samples[rows.clone()]) {
                    *label = of_all[sample as usize];
                }
                if let Some(partners) = block.partners.get(rows.clone()) {
                    let others = self.memory.others.write(worker, rows);
                    for (label, &sample) in others.iter_mut().zip(partners) {
                        *label = of_all[sample as usize];
                    }
                }
            }
            Targets::Values(of_all) => {
                let width = self.classes;
                let values = self.memory.targets.write(worker, rows.start * width..rows.end * width);
                for (row, &sample) in values.chunks_exact_mut(width).zip(&block.samples[rows]) {
                    row.copy_from_slice(&of_all[sample as usize * width..][..width]);
                }
            }
            Targets::Tokens(of_all) => {
                let ids = self.memory.tokens.rows_mut(worker, rows.clone());
                for (row, &sample) in ids.chunks_exact_mut(of_all.positions).zip(&block.samples[rows]) {
                    row.copy_from_slice(of_all.of(sample as usize));
                }
            }
            Targets::None => {}
        }
    }

    /// The targets that [`gather_targets`](Step::gather_targets) wrote.
    fn targets_of<'s>(&'s self, worker: &'s Worker, rows: Range<usize>, share: f32) -> Targets<'s> {
        let width = self.classes;
        match self.source.targets {
            Targets::Classes(_) | Targets::Mixed { .. } if self.plan.mixes => {
                let others = self.memory.others.read(worker, rows.clone());
                Targets::Mixed { labels: self.memory.labels.read(worker, rows), others, share }
            }
            Targets::Classes(_) | Targets::Mixed { .. } => {
                Targets::Classes(self.memory.labels.read(worker, rows))
            }
            Targets::Values(_) => {
                Targets::Values(self.memory.targets.read(worker, rows.start * width..rows.end * width))
            }
            Targets::Tokens(Tokens { positions, .. }) => {
                let ids = self.memory.tokens.contiguous_rows(worker, rows);
                Targets::Tokens(Tokens { ids, positions, step: positions })
            }
            Targets::None => Targets::None,
        }
    }

    /// Converts these features of some rows of the block into this worker's own copy of the input. Each
    /// worker converts what it needs of other workers' rows, too: that is cheaper than reading theirs, four
    /// times as long, and it spares taking them back from the reader's cache at the next write. Rows that
    /// are made by augmentation cost more than that, and are made once, whole, in one matrix for all.
    /// Where the first layer takes its rows without zeros, it finds them where they are.
    pub(super) fn gather(&self, worker: &Worker, rows: Range<usize>, features: Range<usize>, block: Block) {
        if self.source.sparse.is_some() {
            return;
        }
        let cost = || self.gather_cost(rows.len(), features.len());
        worker.probe_next(Operation::Gather, None, cost, || {
            let mut input = self.memory.inputs.write(worker, rows.clone(), features.clone());
            if let Some(how) = self.augmented {
                return self.augment(worker, input, rows.clone(), block, how);
            }
            let samples = block.samples[rows.clone()].iter().map(|&sample| sample as usize);
            self.source.gather_rows(&mut input, samples, features.clone());
        });
    }

    /// The input of a layer without its zeros, if that is the data and the source has it so.
    pub(super) fn sparse<'s>(
        &'s self,
        index: usize,
        rows: Range<usize>,
        block: Block<'s>,
    ) -> Option<SparseRef<'s>> {
        let reads_data = self.layers[index].inputs.main == Origin::Data;
        let matrix = self.source.sparse.filter(|_| reads_data)?;
        Some(SparseRef::new(matrix, &block.samples[rows]))
    }

    /// How many positions of some rows of the block count, `[rows]`, if a layer is told.
    pub(super) fn lengths<'s>(&'s self, worker: &'s Worker, index: usize, rows: Range<usize>) -> &'s [u32] {
        // A layer that is split by features comes to rows of workers that may not have gathered theirs, and has no
        // positions.
        if self.layers[index].layer.splits_features() || !self.source.has_lengths_of(self.layers, index) {
            return &[];
        }
        self.memory.lengths.read(worker, rows)
    }

    /// The scratch of a layer.
    #[allow(clippy::mut_from_ref)] // one worker's own, as all that is shared
    pub(super) fn scratch<'s>(&'s self, worker: &'s Worker, index: usize) -> &'s mut [f32] {
        let saved = &self.memory.saved[worker.index()][index];
        if saved.columns() > 0 {
            return saved.write(worker, 0..saved.columns());
        }
        self.memory.scratch[worker.index()].write(worker, 0..self.layers[index].layer.scratch_len())
    }

    /// The facts about rows of a block that a layer is told.
    pub(super) fn training(&self, index: usize, rows: &Range<usize>, block: Block) -> Training {
        Training { seed: self.seed, step: block.step, layer: index, first: block.first + rows.start }
    }

    pub(super) fn forward(
        &self,
        worker: &Worker,
        index: usize,
        rows: Range<usize>,
        columns: Range<usize>,
        block: Block,
    ) {
        let cost = || self.forward_cost(index, rows.len(), columns.len());
        worker.probe_next(Operation::Forward, Some(index), cost, || {
            self.forward_of(worker, index, rows.clone(), columns.clone(), block);
        });
    }

    /// [`forward`](Step::forward), for a caller that has a probe around it.
    pub(super) fn forward_of(
        &self,
        worker: &Worker,
        index: usize,
        rows: Range<usize>,
        columns: Range<usize>,
        block: Block,
    ) {
        let PlacedLayer { layer, inputs, storage, .. } = &self.layers[index];
        let training = self.training(index, &rows, block);
        let y = self.memory.outputs[index].write(worker, rows.clone(), columns.clone());
        if let Some((layer, x)) =
            layer.as_layer().and_then(|layer| layer.sparse()).zip(self.sparse(index, rows.clone(), block))
        {
            return layer.forward(y, x, self.parameters.read(worker, storage.clone()), columns);
        }
        let x = self.input_of(index).read(worker, rows.clone());
        let lengths = self.lengths(worker, index, rows.clone());
        let other = inputs.other.map(|other| self.read_from(other).read(worker, rows.clone()));
        let derived = &self.memory.derived[index];
        let derived = derived.read(worker, 0..derived.columns());
        let scratch = self.scratch(worker, index);
        let storage = self.parameters.read(worker, storage.clone());
        layer.forward(
            Forward {
                y,
                x,
                storage,
                derived,
                columns,
                scratch,
                training: Some(&training),
                lengths,
                carried: self.carried(worker, index, &rows, block),
            },
            other,
        );
    }

    /// What a layer carries of these rows from the batch before, if it does.
    fn carried<'s>(
        &'s self,
        worker: &'s Worker,
        index: usize,
        rows: &Range<usize>,
        block: Block,
    ) -> Option<MatrixMut<'s>> {
        let carried = &self.memory.carried[index];
        let of_batch = block.first + rows.start..block.first + rows.end;
        (carried.columns() > 0).then(|| carried.block_mut(worker, of_batch, 0..carried.columns()))
    }

    pub(super) fn loss(&self, worker: &Worker, rows: Range<usize>, block: Block, weight: f64) {
        let first = block.first;
        worker.probe_next(
            Operation::Loss,
            None,
            || self.loss_cost(rows.len()),
            || {
                let last = self.layers.len() - 1;
                let (outputs, gradients) = (&self.memory.outputs[last], &self.memory.gradients[last]);
                // Each position of a sequence is a row of the loss.
                let positions = self.source.targets.positions();
                let of_loss = (first + rows.start) * positions..(first + rows.end) * positions;
                let scores = Scores {
                    losses: self.memory.losses.write(worker, of_loss.clone()),
                    correct: self.memory.correct.write(worker, of_loss),
                };
                let targets = self.targets_of(worker, rows.clone(), block.share);
                let shape = Rows { classes: self.classes, stride: outputs.columns() / positions };
                let doutputs = gradients.contiguous_rows_mut(worker, rows.clone());
                let outputs = outputs.contiguous_rows(worker, rows.clone());
                let Divisor { scale, unit } = self.divisor(weight);
                self.loss.gradient(doutputs, scores, outputs, targets, shape, scale);
                if !self.source.weights.is_empty() {
                    self.weigh(doutputs, rows.clone(), block, unit);
                }
            },
        );
    }

    pub(super) fn backward(&self, worker: &Worker, index: usize, rows: Range<usize>, block: Block) {
        if !self.plan.frozen.reaches(index) {
            return;
        }
        let PlacedLayer { layer, inputs, storage, .. } = &self.layers[index];
        let is_first = inputs.other.is_none() && self.gradient_of(inputs.main).is_none();
        // Where there are lengths, the gradient behind them is to become 0.
        if is_first && !layer.prepares_gradient() && self.source.lengths.is_empty() {
            return;
        }
        let cost = || self.input_gradient_cost(index, rows.len());
        worker.probe_next(Operation::InputGradient, Some(index), cost, || {
            if !self.plan.rows.merges.is_plain(index) {
                return self.backward_merged(worker, index, rows.clone(), block);
            }
            let gradient = &self.memory.gradients[index];
            let dx = self.gradient_of(inputs.main).map(|dx| dx.write(worker, rows.clone(), 0..dx.columns()));
            let derived = &self.memory.derived[index];
            layer.backward(Backward {
                dx,
                dy: gradient.write(worker, rows.clone(), 0..gradient.columns()),
                x: self.input_of(index).read(worker, rows.clone()),
                y: self.memory.outputs[index].read(worker, rows.clone()),
                storage: self.parameters.read(worker, storage.clone()),
                derived: derived.read(worker, 0..derived.columns()),
                scratch: self.scratch(worker, index),
                training: Some(&self.training(index, &rows, block)),
                lengths: self.lengths(worker, index, rows.clone()),
            });
        });
    }

    /// Adds the gradient over these rows to that over the rows before them in their part.
    pub(super) fn gradient_of_rows(&self, worker: &Worker, index: usize, rows: Range<usize>) {
        let Some(layer) = self.layers[index].layer.as_layer() else { return };
        let cost = || self.rows_gradient_cost(index, rows.len());
        worker.probe_next(Operation::WeightGradient, Some(index), cost, || {
            let (part, accumulate) = self.plan.rows.part_of(rows.start);
            let partials = &self.memory.partials[index];
            let mut out = partials.block_mut(worker, part..part + 1, 0..partials.columns());
            let x = self.input_of(index).read(worker, rows.clone());
            let dy = self.memory.gradients[index].read(worker, rows.clone());
            let (out, scratch) = (out.row(0), self.scratch(worker, index));
            let storage = self.parameters.read(worker, self.layers[index].storage.clone());
            layer.gradient(RowsGradient { out, dy, x, accumulate, storage, scratch });
        });
    }
}
