//! What a normalisation is followed by: a weight and a bias for each channel, or each number.

use std::ops::Range;

use super::parameter::{Layout, ParameterSpec};
use super::sharding::{MOST_PARTS, Partitioning, Sharding};
use crate::init::Init;

/// Weights, and biases, of one shard: they and their gradients stay in the first-level cache.
const SHARD: usize = 1024;

/// A weight and a bias of this shape, which begin as 1 and 0.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    shape: Vec<usize>,
    layout: Layout,
    /// Floats of each, padding included.
    len: usize,
    /// Whether both are one shard.
    whole: bool,
}

impl Affine {
    /// Of this shape in PyTorch, `len` floats each as they lie.
    pub(super) fn new(shape: Vec<usize>, layout: Layout, len: usize) -> Affine {
        Affine { shape, layout, len, whole: false }
    }

    /// The two with their shards as a training wants them.
    pub(super) fn partitioned(&self, wanted: Partitioning) -> Affine {
        Affine { whole: wanted.whole_columns, ..self.clone() }
    }

    /// Floats of both.
    pub(super) fn storage_len(&self) -> usize {
        2 * self.len
    }

    pub(super) fn weight<'a>(&self, storage: &'a [f32]) -> &'a [f32] {
        &storage[..self.len]
    }

    pub(super) fn bias<'a>(&self, storage: &'a [f32]) -> &'a [f32] {
        &storage[self.len..2 * self.len]
    }

    /// The same two of a gradient.
    pub(super) fn split<'a>(&self, gradient: &'a mut [f32]) -> [&'a mut [f32]; 2] {
        let (weight, bias) = gradient[..2 * self.len].split_at_mut(self.len);
        [weight, bias]
    }

    pub(super) fn parameters(&self) -> Vec<ParameterSpec> {
        let spec = |(name, number, init)| ParameterSpec {
            name,
            shape: self.shape.clone(),
            range: number * self.len..(number + 1) * self.len,
            layout: self.layout,
            init: Some(init),
        };
        [("weight", 0, Init::Constant(1.0)), ("bias", 1, Init::Zeros)].map(spec).into()
    }

    fn shard(&self) -> usize {
        if self.whole { self.len } else { SHARD }
    }
}

impl Sharding for Affine {
    fn shards(&self) -> usize {
        self.len.div_ceil(self.shard())
    }

    /// Some weights and their biases. What acts on all incoming weights of an output takes each of both
    /// for a bias, as one vector: that is what clipping and constraints make of parameters of one
    /// dimension.
    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        let mut parts: [Range<usize>; MOST_PARTS] = Default::default();
        let (start, end) = (shard * self.shard(), ((shard + 1) * self.shard()).min(self.len));
        parts[0] = start..end;
        parts[1] = self.len + start..self.len + end;
        parts
    }
}
