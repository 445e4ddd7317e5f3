//! The work on all incoming weights of single outputs: penalties on weights, adaptive clipping of their gradient, and
//! constraints that hold after each update. Shards hold whole columns where a recipe asks for it, so that
//! nothing here needs another worker.

use super::Step;
use crate::kernels::elementwise::clip;
use crate::kernels::update::columns;
use crate::layers::Role;
use crate::optim::StepSettings;
use crate::probe::{Cost, Operation};
use crate::team::Worker;

impl Step<'_> {
    /// Clips a shard's gradient, `[shard_len]`, where it is large beside its parameters.
    pub(super) fn clip_adaptively(
        &self,
        worker: &Worker,
        index: usize,
        shard: usize,
        gradient: &mut [f32],
        limit: f32,
    ) {
        let (partition, storage) = self.partition(index);
        let mut rest = gradient;
        for (part, role) in partition.shard_parts(shard).into_iter().zip(partition.shard_roles(shard)) {
            let (gradient, after) = rest.split_at_mut(part.len());
            rest = after;
            let place = storage.start + part.start..storage.start + part.end;
            let parameters = self.parameters.read(worker, place);
            match role {
                Role::Weights | Role::Directions => columns::clip_adaptively(gradient, parameters, limit),
                Role::Lengths => columns::clip_each_adaptively(gradient, parameters, limit),
                Role::Bias => columns::clip_vector_adaptively(gradient, parameters, limit),
            }
        }
    }

    /// Adds the gradient of the penalty on the squares of a shard's weights to its gradient, `[shard_len]`.
    pub(super) fn add_penalty(&self, worker: &Worker, index: usize, shard: usize, gradient: &mut [f32]) {
        let (partition, storage) = self.partition(index);
        let mut rest = gradient;
        for (part, role) in partition.shard_parts(shard).into_iter().zip(partition.shard_roles(shard)) {
            let (gradient, after) = rest.split_at_mut(part.len());
            rest = after;
            if role == Role::Weights {
                let place = storage.start + part.start..storage.start + part.end;
                clip::add_scaled(gradient, self.parameters.read(worker, place), self.penalty.l2);
            }
        }
    }

    /// By how much a step of these settings takes weights to 0, whose magnitudes have a penalty: by as much as the
    /// rule would in the end move them along a gradient of the penalty's size. Where the steps come to rest, the
    /// gradient of the loss is then within the penalty, and equal to it where a weight is not 0.
    pub(super) fn shrinkage(&self, settings: StepSettings) -> f32 {
        if self.penalty.l1 == 0.0 {
            return 0.0;
        }
        let momentum = settings.momentum.or(self.rule.momentum());
        let gain = self.rule.gain(momentum).unwrap_or(0.0);
        (settings.learning_rate * gain * f64::from(self.penalty.l1)) as f32
    }

    /// The proximal step of the penalty on the magnitudes of weights, after the update of a shard (Parikh, Boyd: Proximal
    /// algorithms, 2014, sections 4.2 and 6.5.2).
    pub(super) fn shrink(&self, worker: &Worker, index: usize, shard: usize, shrinkage: f32) {
        if shrinkage == 0.0 {
            return;
        }
        let (partition, storage) = self.partition(index);
        let cost = || Cost::local(2 * partition.shard_len(shard) * size_of::<f32>());
        worker.probe(Operation::Clip, Some(index), cost, || {
            for (part, role) in partition.shard_parts(shard).into_iter().zip(partition.shard_roles(shard)) {
                if role == Role::Weights {
                    let place = storage.start + part.start..storage.start + part.end;
                    clip::soft_threshold(self.parameters.write(worker, place), shrinkage);
                }
            }
        });
    }

    /// Brings a shard's parameters back to what the recipe allows, after their update: first each by
    /// itself, then the norms of columns.
    pub(super) fn constrain(&self, worker: &Worker, index: usize, shard: usize) {
        let (clip_weights, max_norm) = (self.constraint.clip_weights, self.constraint.max_norm);
        if clip_weights.is_none() && max_norm.is_none() {
            return;
        }
        let (partition, storage) = self.partition(index);
        // The update has left them in cache.
        let cost = || Cost::local(2 * partition.shard_len(shard) * size_of::<f32>());
        worker.probe(Operation::Clip, Some(index), cost, || {
            for (part, place) in partition.shard_parts(shard).into_iter().enumerate() {
                let place = storage.start + place.start..storage.start + place.end;
                let parameters = self.parameters.write(worker, place);
                if let Some(limit) = clip_weights {
                    clip::clamp(parameters, limit);
                }
                if let Some(limit) = max_norm {
                    match partition.shard_roles(shard)[part] {
                        Role::Weights => columns::limit_norms(parameters, limit),
                        // The norm of the weights is that of g, whatever v is.
                        Role::Lengths => clip::clamp(parameters, limit),
                        Role::Directions | Role::Bias => {}
                    }
                }
            }
        });
    }
}
