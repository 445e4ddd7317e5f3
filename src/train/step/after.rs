//! The work after the update of a shard: averages of its parameters, and in an epoch's last step its norms.

use super::costs::FLOAT;
use super::{Step, StepContext};
use crate::kernels::simd::reduce;
use crate::optim::average;
use crate::probe::Operation;
use crate::team::Worker;
use crate::train::plan::workspace::NORMS;

impl Step<'_> {
    /// Brings the averages of a shard up to date with its parameters; Lookahead changes these.
    pub(super) fn average(&self, worker: &Worker, index: usize, shard: usize, with: &StepContext) {
        let averaging = with.averaging;
        if averaging.slow.is_none() && averaging.average.is_none() {
            return;
        }
        let (partition, storage) = self.partition(index);
        // Lookahead reads and writes both, an average reads the parameters.
        let bytes = partition.shard_len(shard) * FLOAT;
        let local =
            bytes * (2 * usize::from(averaging.slow.is_some()) + usize::from(averaging.average.is_some()));
        let passes = usize::from(averaging.slow.is_some()) + usize::from(averaging.average.is_some());
        let cost = || self.update_step_cost(local, 2 * bytes * passes);
        worker.probe(Operation::Average, Some(index), cost, || {
            for part in partition.shard_parts(shard).into_iter().filter(|part| !part.is_empty()) {
                let place = storage.start + part.start..storage.start + part.end;
                let parameters = self.parameters.write(worker, place.clone());
                if let Some(alpha) = averaging.slow {
                    average::synchronise(parameters, self.memory.slow.write(worker, place.clone()), alpha);
                }
                if let Some(weight) = averaging.average {
                    average::blend(self.memory.average.write(worker, place), parameters, weight);
                }
            }
        });
    }

    /// Measures the norm of a shard's gradient, `[shard_len]`.
    pub(super) fn measure_gradient(&self, worker: &Worker, index: usize, shard: usize, gradient: &[f32]) {
        self.norms(worker, index, shard)[0] = reduce::sum_of_squares(gradient);
    }

    /// Measures the norm of a shard's parameters, and keeps a copy of them.
    pub(super) fn measure_before(&self, worker: &Worker, index: usize, shard: usize) {
        let len = self.plan.partitions[index].shard_len(shard);
        let copy = self.memory.before[worker.index()].write(worker, 0..len);
        self.each_part(worker, index, shard, copy, |copy, parameters| copy.copy_from_slice(parameters));
        self.norms(worker, index, shard)[2] = reduce::sum_of_squares(copy);
    }

    /// Measures the norm of the change of the parameters since then.
    pub(super) fn measure_after(&self, worker: &Worker, index: usize, shard: usize) {
        let len = self.plan.partitions[index].shard_len(shard);
        let copy = self.memory.before[worker.index()].write(worker, 0..len);
        self.each_part(worker, index, shard, copy, |copy, parameters| {
            copy.iter_mut().zip(parameters).for_each(|(before, after)| *before = after - *before);
        });
        self.norms(worker, index, shard)[1] = reduce::sum_of_squares(copy);
    }

    /// Calls `work` with each part of `copy`, `[shard_len]`, and of the shard's parameters.
    fn each_part(
        &self,
        worker: &Worker,
        index: usize,
        shard: usize,
        copy: &mut [f32],
        work: impl Fn(&mut [f32], &[f32]),
    ) {
        let (partition, storage) = self.partition(index);
        let mut rest = copy;
        for part in partition.shard_parts(shard) {
            let (copy, after) = rest.split_at_mut(part.len());
            rest = after;
            let place = storage.start + part.start..storage.start + part.end;
            work(copy, self.parameters.read(worker, place));
        }
    }

    /// The sums of squares of a shard: gradient, update, parameters.
    #[allow(clippy::mut_from_ref)] // one worker's own, as all that is shared
    fn norms<'s>(&'s self, worker: &'s Worker, index: usize, shard: usize) -> &'s mut [f64] {
        let number = self.plan.numbers[index] + shard;
        self.memory.norms.write(worker, number * NORMS..(number + 1) * NORMS)
    }
}
