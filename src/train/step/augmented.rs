//! How the rows of an epoch are made by augmentation.

use crate::data::augment::Augmenter;

/// How the rows of an epoch are made.
#[derive(Clone, Copy)]
pub struct Augmented<'a> {
    pub augmenter: &'a Augmenter,
    pub seed: u64,
    /// The epoch, from 0.
    pub epoch: u64,
}
