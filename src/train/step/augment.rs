//! Rows made of samples by augmentation, in the place of the samples as they are.

use std::ops::Range;

use super::augmented::Augmented;
use super::{Block, Step};
use crate::data::FeaturesRef;
use crate::data::augment::{self, Scratch, blend};
use crate::kernels::augmentation::warp::Normalised;
use crate::team::Worker;
use crate::tensor::MatrixMut;

impl Step<'_> {
    /// Makes rows of the block, `input` \[rows, in\]. A sample that another one is mixed with is made
    /// again for that one: so no row waits for another worker's, or for another block.
    pub(super) fn augment(
        &self,
        worker: &Worker,
        mut input: MatrixMut,
        rows: Range<usize>,
        block: Block,
        how: Augmented,
    ) {
        let width = self.source.width;
        let of_worker = &self.memory.augment_floats[worker.index()];
        let floats = of_worker.write(worker, 0..of_worker.columns());
        let words = self.memory.augment_words.rows_mut(worker, worker.index()..worker.index() + 1);
        // The last floats are a row's, if rows are mixed.
        let (floats, other) = floats.split_at_mut(floats.len() - if self.plan.mixes { width } else { 0 });
        for (index, row) in rows.enumerate() {
            let made = input.row(index);
            self.make(made, block.samples[row], how, floats, words);
            if let Some(&partner) = block.partners.get(row) {
                self.make(other, partner, how, floats, words);
                blend(made, other, block.share);
            }
        }
    }

    fn make(&self, row: &mut [f32], sample: u32, how: Augmented, floats: &mut [f32], words: &mut [u32]) {
        let FeaturesRef::Bytes(bytes) = self.source.features else {
            unreachable!("an augmenter is made for bytes only")
        };
        let width = self.source.width;
        let bytes = &bytes[sample as usize * width..][..width];
        let stream = augment::stream(how.seed, how.epoch, sample);
        let to = Normalised { scale: self.source.scale, shift: self.source.shift };
        how.augmenter.make(row, bytes, stream, to, Scratch { floats, words });
    }
}
