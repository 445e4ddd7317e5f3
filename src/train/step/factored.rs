//! Factored second moments: means over rows and columns of a matrix, and the directions that follow from them.

use std::ops::Range;

use super::{Step, StepContext};
use crate::kernels::simd::reduce;
use crate::kernels::update::factored;
use crate::layers::MOST_PARTS;
use crate::optim::Factored;
use crate::probe::Operation;
use crate::team::Worker;
use crate::tensor::LANES;
use crate::train::plan::{MatrixPlan, NORMS_PER_SHARD, PerTensorPlan};

impl Step<'_> {
    /// The first half of a step for part `number` of a shard of a layer, with its parameters and gradients: of
    /// a matrix sums of squares, of all else directions.
    pub(super) fn direct_factored(
        &self,
        worker: &Worker,
        tensors: &PerTensorPlan,
        (layer, shard, number): (usize, usize, usize),
        part: &Range<usize>,
        (parameters, gradients): (&[f32], &mut [f32]),
        with: &StepContext,
    ) {
        if part.is_empty() {
            return;
        }
        let Some(matrix) = tensors.matrix_of(layer, part) else {
            let slot = self.memory.vectors.write(worker, tensors.slot_of(layer, part));
            return self.rule.direct(&with.coefficients, false, parameters, gradients, &mut [slot]);
        };
        let plan = &tensors.matrices[matrix];
        let (panel, inputs) = plan.inputs_of(part);
        let outputs = self.memory.part_sums.write(worker, self.sums_of(layer, shard, number));
        let place = panel * plan.inputs + inputs.start..panel * plan.inputs + inputs.end;
        let of_inputs = self.memory.factors[matrix].input_sums.write(worker, place);
        factored::square_sums(gradients, outputs, of_inputs);
    }

    /// Where the sums of a part of a shard lie among those of all.
    fn sums_of(&self, layer: usize, shard: usize, number: usize) -> Range<usize> {
        let first = ((self.plan.numbers[layer] + shard) * MOST_PARTS + number) * LANES;
        first..first + LANES
    }

    /// The directions of all factored matrices, once the sums of all shards are there: each worker brings the means of
    /// some outputs and inputs up to date, then directs its own shards.
    pub(super) fn divide_by_factors(
        &self,
        worker: &Worker,
        tensors: &PerTensorPlan,
        how: &Factored,
        with: &StepContext,
    ) {
        let matrices = || tensors.factored().iter().enumerate();
        for (number, matrix) in matrices() {
            let sums = matrix.panels() * (matrix.inputs + LANES);
            let cost = || self.update_step_cost(0, sums * size_of::<f32>());
            worker.probe(Operation::Update, Some(matrix.layer), cost, || {
                self.bring_up_outputs(worker, number, matrix, with);
                self.bring_up_inputs(worker, number, matrix, with);
            });
        }
        worker.barrier();
        for (number, matrix) in matrices() {
            let [outputs, inputs] = &self.memory.factors[number].means;
            let outputs = outputs.read(worker, 0..matrix.panels() * LANES);
            let inputs = inputs.read(worker, 0..matrix.inputs);
            let mean = reduce::sum_f64(&outputs[..matrix.outputs]) / matrix.outputs as f64;
            // A maximum would lose a NaN.
            let factor = (1.0 / if mean < how.epsilon { how.epsilon } else { mean }) as f32;
            let cost = || self.update_step_cost(0, 2 * matrix.range.len() * size_of::<f32>());
            worker.probe(Operation::Update, Some(matrix.layer), cost, || {
                for shard in self.plan.owners[worker.index()][matrix.layer].clone() {
                    let first = (self.plan.numbers[matrix.layer] + shard) * NORMS_PER_SHARD;
                    let norms = self.memory.part_squares.write(worker, first..first + NORMS_PER_SHARD);
                    let parts = self.plan.partitions[matrix.layer].shard_parts(shard);
                    self.parts_of(worker, matrix.layer, shard, &matrix.range, |part, direction| {
                        let (panel, own) = matrix.inputs_of(part);
                        let outputs = &outputs[panel * LANES..(panel + 1) * LANES];
                        factored::divide_by_roots(
                            direction,
                            outputs,
                            &inputs[own],
                            factor,
                            how.floor() as f32,
                        );
                        let number = parts.iter().position(|of_shard| of_shard == part).unwrap_or(0);
                        norms[2 * number] = reduce::sum_of_squares(direction);
                    });
                }
            });
        }
    }

    /// This worker's panels of the mean squares of outputs: sums in the order of the shards.
    fn bring_up_outputs(&self, worker: &Worker, number: usize, matrix: &MatrixPlan, with: &StepContext) {
        let [means, _] = &self.memory.factors[number].means;
        let [of_step, _] = &self.memory.factors[number].of_step;
        let panels = worker.share(matrix.panels());
        let place = panels.start * LANES..panels.end * LANES;
        let of_step = of_step.write(worker, place.clone());
        of_step.fill(0.0);
        let partition = &self.plan.partitions[matrix.layer];
        for shard in 0..partition.shards() {
            for (number, part) in partition.shard_parts(shard).iter().enumerate() {
                if part.is_empty() || !matrix.range.contains(&part.start) {
                    continue;
                }
                let (panel, _) = matrix.inputs_of(part);
                if panels.contains(&panel) {
                    let sums = self.memory.part_sums.read(worker, self.sums_of(matrix.layer, shard, number));
                    let first = (panel - panels.start) * LANES;
                    of_step[first..first + LANES].iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
                }
            }
        }
        let inputs = matrix.inputs as f32;
        of_step.iter_mut().for_each(|sum| *sum /= inputs);
        self.rule.blend(&with.coefficients, means.write(worker, place), of_step);
    }

    /// This worker's inputs of the mean squares of inputs: sums in the order of the panels.
    fn bring_up_inputs(&self, worker: &Worker, number: usize, matrix: &MatrixPlan, with: &StepContext) {
        let factors = &self.memory.factors[number];
        let ([_, means], [_, of_step]) = (&factors.means, &factors.of_step);
        let share = worker.share(matrix.inputs);
        let of_step = of_step.write(worker, share.clone());
        of_step.fill(0.0);
        for panel in 0..matrix.panels() {
            let first = panel * matrix.inputs;
            let sums = factors.input_sums.read(worker, first + share.start..first + share.end);
            of_step.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
        }
        let outputs = matrix.outputs as f32;
        of_step.iter_mut().for_each(|sum| *sum /= outputs);
        self.rule.blend(&with.coefficients, means.write(worker, share), of_step);
    }
}
