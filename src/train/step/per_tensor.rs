//! The halves of an update by a per-tensor rule: directions, what is done to those of a whole tensor, and the
//! step along them.

use std::ops::Range;

use super::costs::FLOAT;
use super::{Step, StepContext};
use crate::kernels::elementwise::clip;
use crate::kernels::products::gemm;
use crate::kernels::products::newton_schulz;
use crate::kernels::simd::reduce;
use crate::optim::{Orthogonal, PerTensor};
use crate::probe::{Cost, Operation};
use crate::team::Worker;
use crate::train::plan::{MatrixPlan, NORMS_PER_SHARD, PerTensorPlan};

impl Step<'_> {
    /// Turns a shard's gradient into its direction, and writes down the sums of squares of which the norms of whole
    /// tensors are made.
    pub(super) fn direct(
        &self,
        worker: &Worker,
        tensors: &PerTensorPlan,
        index: usize,
        shard: usize,
        gradient: &mut [f32],
        with: &StepContext,
    ) {
        let (partition, storage) = self.partition(index);
        // Reads the parameters; reads and writes the slots and the gradient, which was made just now unless all shards'
        // were waited for.
        let bytes = gradient.len() * FLOAT;
        let once = bytes * (1 + 2 * self.memory.slots.len());
        let cost = || match self.plan.needs_norm {
            true => self.update_step_cost(0, 2 * bytes + once),
            false => self.update_step_cost(2 * bytes, once),
        };
        worker.probe(Operation::Update, Some(index), cost, || {
            let number = (self.plan.numbers[index] + shard) * NORMS_PER_SHARD;
            let norms = self.memory.part_squares.write(worker, number..number + NORMS_PER_SHARD);
            let mut rest = gradient;
            let parts = partition.shard_parts(shard).into_iter().enumerate();
            for ((number, part), norms) in parts.zip(norms.chunks_exact_mut(2)) {
                let (direction, after) = rest.split_at_mut(part.len());
                rest = after;
                let matrix = tensors.matrix_of(index, &part);
                let place = storage.start + part.start..storage.start + part.end;
                let parameters = self.parameters.read(worker, place.clone());
                if tensors.is_factored() {
                    let place = (index, shard, number);
                    self.direct_factored(worker, tensors, place, &part, (parameters, &mut *direction), with);
                } else {
                    let mut slots = self.slots(worker, &place);
                    let slots = &mut slots[..self.memory.slots.len()];
                    self.rule.direct(&with.coefficients, matrix.is_some(), parameters, direction, slots);
                }
                norms[0] = reduce::sum_of_squares(direction);
                norms[1] = reduce::sum_of_squares(parameters);
            }
        });
    }

    /// The rest of the step, once all workers have made their directions.
    pub(super) fn update_per_tensor(&self, worker: &Worker, tensors: &PerTensorPlan, with: &StepContext) {
        worker.barrier();
        match tensors.what {
            // A comparison that NaN passes: it must reach the parameters.
            PerTensor::TrustRatio => self.scale_tensors(worker, tensors, |[direction, own], _| {
                if direction == 0.0 || own == 0.0 { 1.0 } else { own / direction }
            }),
            PerTensor::Factored(how) => {
                self.divide_by_factors(worker, tensors, &how, with);
                worker.barrier();
                self.scale_tensors(worker, tensors, |norms, count| {
                    let [direction, own] = norms.map(|norm| norm / (count as f64).sqrt());
                    how.scale(direction, own)
                });
            }
            PerTensor::Orthogonal(how) => self.make_orthogonal(worker, tensors, &how),
        }
        for (index, owned) in self.plan.owners[worker.index()].iter().enumerate() {
            for shard in owned.clone() {
                self.update(worker, index, shard, self.stored_gradient(worker, index, shard), with);
            }
        }
    }

    /// Multiplies the directions of each whole tensor by a `factor` of the norms of its directions and its
    /// elements, and of how many these are.
    fn scale_tensors(
        &self,
        worker: &Worker,
        tensors: &PerTensorPlan,
        factor: impl Fn([f64; 2], usize) -> f64,
    ) {
        for (index, owned) in self.plan.owners[worker.index()].iter().enumerate() {
            if owned.is_empty() {
                continue;
            }
            let partition = &self.plan.partitions[index];
            let cost = || {
                let floats: usize = owned.clone().map(|shard| partition.shard_len(shard)).sum();
                self.update_step_cost(0, 2 * floats * FLOAT)
            };
            worker.probe(Operation::Update, Some(index), cost, || {
                self.scale_layer(worker, tensors, index, &factor);
            });
        }
    }

    fn scale_layer(
        &self,
        worker: &Worker,
        tensors: &PerTensorPlan,
        index: usize,
        factor: impl Fn([f64; 2], usize) -> f64,
    ) {
        for parameter in &tensors.parameters[index] {
            let factor = factor(self.tensor_norms(worker, index, &parameter.range), parameter.count);
            for shard in self.plan.owners[worker.index()][index].clone() {
                self.parts_of(worker, index, shard, &parameter.range, |_, direction| {
                    clip::scale(direction, factor as f32);
                });
            }
        }
    }

    /// The norms of the directions and of the elements of a whole tensor, summed up in the order of
    /// its shards.
    fn tensor_norms(&self, worker: &Worker, index: usize, parameter: &Range<usize>) -> [f64; 2] {
        let partition = &self.plan.partitions[index];
        let (first, end) = (self.plan.numbers[index], self.plan.numbers[index + 1]);
        let norms = self.memory.part_squares.read(worker, first * NORMS_PER_SHARD..end * NORMS_PER_SHARD);
        let mut sums = [0.0; 2];
        for (shard, norms) in norms.chunks_exact(NORMS_PER_SHARD).enumerate() {
            for (part, norms) in partition.shard_parts(shard).iter().zip(norms.chunks_exact(2)) {
                if parameter.contains(&part.start) {
                    sums[0] += norms[0];
                    sums[1] += norms[1];
                }
            }
        }
        sums.map(f64::sqrt)
    }

    /// Calls `work` with the place and the directions of each part of a shard that belongs to this
    /// tensor.
    pub(super) fn parts_of(
        &self,
        worker: &Worker,
        index: usize,
        shard: usize,
        parameter: &Range<usize>,
        mut work: impl FnMut(&Range<usize>, &mut [f32]),
    ) {
        let mut rest = self.stored_gradient(worker, index, shard);
        for part in self.plan.partitions[index].shard_parts(shard) {
            let (direction, after) = rest.split_at_mut(part.len());
            rest = after;
            if !part.is_empty() && parameter.contains(&part.start) {
                work(&part, direction);
            }
        }
    }

    /// Runs the iteration on all matrices in one pass: so the barriers are no more for many than for one. Each
    /// worker computes some rows of each product. An element of a product does not depend on which worker
    /// computes it.
    fn make_orthogonal(&self, worker: &Worker, tensors: &PerTensorPlan, how: &Orthogonal) {
        let matrices = || tensors.matrices.iter().enumerate();
        for (number, matrix) in matrices() {
            worker.probe(
                Operation::Orthogonalise,
                Some(matrix.layer),
                || self.copies_cost(worker, matrix),
                || {
                    let [norm, _] = self.tensor_norms(worker, matrix.layer, &matrix.range);
                    // A maximum would lose a NaN.
                    let divisor = if norm < how.epsilon { how.epsilon } else { norm };
                    self.owned_parts(worker, matrix, |part, direction| {
                        let [rows, columns] = matrix.place(part);
                        let to = self.memory.iterates[number][0].block_mut(worker, rows, columns);
                        newton_schulz::spread(to, direction, matrix.is_upright(), (1.0 / divisor) as f32);
                    });
                },
            );
        }
        worker.barrier();
        for step in 0..how.steps {
            for (number, matrix) in matrices() {
                self.gram(worker, number, matrix, step % 2);
            }
            worker.barrier();
            for (number, matrix) in matrices() {
                self.polynomial(worker, number, matrix, how.coefficients.map(|x| x as f32));
            }
            worker.barrier();
            for (number, matrix) in matrices() {
                self.iterate(worker, number, matrix, step % 2);
            }
            worker.barrier();
        }
        for (number, matrix) in matrices() {
            let factor = how.adjustment.factor(matrix.outputs, matrix.inputs);
            worker.probe(
                Operation::Orthogonalise,
                Some(matrix.layer),
                || self.copies_cost(worker, matrix),
                || {
                    self.owned_parts(worker, matrix, |part, direction| {
                        let [rows, columns] = matrix.place(part);
                        let from = self.memory.iterates[number][how.steps % 2].block(worker, rows, columns);
                        newton_schulz::gather(direction, from, matrix.is_upright(), factor as f32);
                    });
                },
            );
        }
    }

    /// The cost of copying this worker's shards of a matrix to or from an iterate.
    fn copies_cost(&self, worker: &Worker, matrix: &MatrixPlan) -> Cost {
        let own = self.plan.owners[worker.index()][matrix.layer].len();
        let all = self.plan.partitions[matrix.layer].shards().max(1);
        self.update_step_cost(0, 2 * matrix.range.len() * own / all * FLOAT)
    }

    /// Calls [`parts_of`](Step::parts_of) for all of this worker's shards of a matrix.
    fn owned_parts(
        &self,
        worker: &Worker,
        matrix: &MatrixPlan,
        mut work: impl FnMut(&Range<usize>, &mut [f32]),
    ) {
        for shard in self.plan.owners[worker.index()][matrix.layer].clone() {
            self.parts_of(worker, matrix.layer, shard, &matrix.range, &mut work);
        }
    }

    /// Computes this worker's rows of A = X Xᵀ, of the iterate Xᵀ.
    fn gram(&self, worker: &Worker, number: usize, matrix: &MatrixPlan, iterate: usize) {
        let (rows, side) = (worker.share(matrix.columns()), matrix.columns());
        let iterate = &self.memory.iterates[number][iterate];
        let columns = iterate.columns();
        let cost = || self.product_cost([rows.len(), matrix.rows(), side]);
        worker.probe(Operation::Orthogonalise, Some(matrix.layer), cost, || {
            let all = iterate.block(worker, 0..matrix.rows(), 0..columns);
            let gram = self.memory.grams[number][0].block_mut(worker, rows.clone(), 0..columns);
            // [short x long] * [long x short] -> [short x short]
            gemm::multiply_transposed(gram, all.block(0..matrix.rows(), rows.clone()), all);
        });
    }

    /// Computes this worker's rows of a I + b A + c A².
    fn polynomial(&self, worker: &Worker, number: usize, matrix: &MatrixPlan, coefficients: [f32; 3]) {
        let (rows, side) = (worker.share(matrix.columns()), matrix.columns());
        let [gram, result] = &self.memory.grams[number];
        let columns = gram.columns();
        let cost = || self.product_cost([rows.len(), side, side]);
        worker.probe(Operation::Orthogonalise, Some(matrix.layer), cost, || {
            let all = gram.block(worker, 0..side, 0..columns);
            let mut result = result.block_mut(worker, rows.clone(), 0..columns);
            // [short x short] * [short x short] -> [short x short]
            gemm::multiply(result.reborrow(), all.block(rows.clone(), 0..side), all);
            newton_schulz::polynomial(result, all.block(rows.clone(), 0..columns), rows.start, coefficients);
        });
    }

    /// Computes this worker's rows of the next iterate Xᵀ (a I + b A + c A²), which is symmetric.
    fn iterate(&self, worker: &Worker, number: usize, matrix: &MatrixPlan, iterate: usize) {
        let (rows, side) = (worker.share(matrix.rows()), matrix.columns());
        let iterates = &self.memory.iterates[number];
        let columns = iterates[0].columns();
        let cost = || self.product_cost([rows.len(), side, side]);
        worker.probe(Operation::Orthogonalise, Some(matrix.layer), cost, || {
            let from = iterates[iterate].block(worker, rows.clone(), 0..side);
            let to = iterates[1 - iterate].block_mut(worker, rows.clone(), 0..columns);
            // [long x short] * [short x short] -> [long x short]
            gemm::multiply(to, from, self.memory.grams[number][1].block(worker, 0..side, 0..columns));
        });
    }
}
