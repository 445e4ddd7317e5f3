//! The batches of an epoch, cut into blocks, and the score of each.

use crate::Result;
use crate::checkpoint::{Archive, State};
use crate::data::augment::Mixing;
use crate::team::Worker;
use crate::train::plan::Plan;

/// A batch: a part of an epoch's order.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// The samples of the whole epoch, in order.
    pub order: &'a [u32],
    /// The index in the order at which the batch begins.
    pub start: usize,
    /// Samples of a batch; the last one of the epoch may have fewer.
    pub size: usize,
    /// The partners that the samples of the epoch are mixed with, if they are.
    pub mixing: Option<&'a Mixing>,
}

impl<'a> Batch<'a> {
    pub fn len(&self) -> usize {
        self.size.min(self.order.len() - self.start)
    }

    /// Whether no batch of the epoch follows.
    pub fn is_last(&self) -> bool {
        self.start + self.len() == self.order.len()
    }

    /// The samples of the batch.
    pub fn samples(&self) -> &'a [u32] {
        &self.order[self.start..][..self.len()]
    }

    /// The samples that those of the batch are mixed with, none if they are not, and the share of the samples
    /// themselves in the mixture.
    pub fn partners(&self) -> (&'a [u32], f32) {
        let of_batch =
            |mixing: &'a Mixing| (&mixing.partners()[self.start..][..self.len()], mixing.share(self.start));
        self.mixing.map_or((&[], 1.0), of_batch)
    }

    /// The batch in blocks of at most `rows` rows.
    pub fn blocks(self, rows: usize, step: u64) -> impl Iterator<Item = Block<'a>> {
        let end = self.start + self.len();
        let next_end = (end + self.size).min(self.order.len());
        let partners = self.mixing.map_or(&[][..], Mixing::partners);
        let share = self.mixing.map_or(1.0, |mixing| mixing.share(self.start));
        (self.start..end).step_by(rows).map(move |start| {
            let block_end = (start + rows).min(end);
            let after = if block_end < end { end } else { next_end };
            Block {
                samples: &self.order[start..block_end],
                next: &self.order[block_end..(block_end + rows).min(after)],
                partners: partners.get(start..block_end).unwrap_or(&[]),
                share,
                first: start - self.start,
                is_last: block_end == end,
                step,
            }
        })
    }
}

/// Rows of a batch that go through both passes together.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    pub samples: &'a [u32],
    /// The samples of the block after this one, be it of the next batch.
    pub next: &'a [u32],
    /// The samples that the samples are mixed with; none if they are not.
    pub partners: &'a [u32],
    /// The share of the samples themselves in the mixture.
    pub share: f32,
    /// The index of the block's first row in the batch.
    pub first: usize,
    pub is_last: bool,
    /// The number of the step, from 1.
    pub step: u64,
}

impl<'a> Block<'a> {
    /// The samples that this worker reads first from memory for the next block, in [`Step::rows_pass`].
    pub fn next_samples(&self, worker: &Worker, plan: &Plan) -> &'a [u32] {
        let next = self.next;
        let all = plan.feature_layers(next.len()) > 0 && !plan.shares_input;
        if all { next } else { &next[plan.rows.share(worker, next.len())] }
    }
}

/// Loss, hits and gradient norm of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchScore {
    /// The sum of the losses, each times the weight of its sample.
    pub loss_sum: f64,
    /// The divisor that makes the sum a mean, by [`LossFunction::weight`] or, where samples have weights of their
    /// own, [`LossFunction::weight_of`].
    pub weight: f64,
    /// Samples, or positions of sequences, whose class was predicted; none where the targets are values.
    pub correct: Option<usize>,
    /// Samples, or positions of sequences, whose class was to be predicted.
    pub judged: usize,
    pub samples: usize,
    /// The Euclidean norm of the gradient, before clipping by it; only where the plan says that it is needed.
    pub gradient_norm: Option<f64>,
    /// The standard deviation of the samples' parts of the mean loss; of the first step of a run only.
    pub spread: Option<f64>,
}

impl BatchScore {
    /// The mean loss; 0 of samples that all have no weight.
    pub fn mean_loss(&self) -> f64 {
        if self.weight == 0.0 { 0.0 } else { self.loss_sum / self.weight }
    }

    /// The accuracy, as a fraction of 1, in which all samples, or positions, count alike; none where the targets are values.
    pub fn accuracy(&self) -> Option<f64> {
        Some(self.correct? as f64 / self.judged as f64)
    }
}

impl State for BatchScore {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.double("loss_sum", &mut self.loss_sum)?;
        archive.double("weight", &mut self.weight)?;
        archive.value("correct", &mut self.correct)?;
        archive.value("judged", &mut self.judged)?;
        archive.value("samples", &mut self.samples)?;
        archive.maybe("gradient_norm", &mut self.gradient_norm)?;
        archive.maybe("spread", &mut self.spread)
    }
}
