//! How a layer's parameters are partitioned among workers.

use std::ops::Range;

use super::derived::{Derived, Reader};
use super::sparse::Sparse;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::tensor::MatrixRef;

/// The most parts of storage that a shard may consist of.
pub const MOST_PARTS: usize = 3;

/// What a part of a shard is, to what acts on all incoming weights of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A panel `[in][16]`: the weights of 16 outputs, a column each.
    Weights,
    /// A panel of the same form, of whose columns the direction alone counts.
    Directions,
    /// The norm of each output's weights, with a sign.
    Lengths,
    /// The whole bias.
    Bias,
}

/// What a training wants of the partitions of all layers. No result depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partitioning {
    /// Whether each shard holds all incoming weights of its outputs, and one of them the whole bias; otherwise shards
    /// are as small as is fastest.
    pub whole_columns: bool,
    /// Whether shards are to suit an input without its zeros, of a layer that [takes it so](super::Layer::sparse).
    pub sparse_input: bool,
    /// Whether shards that read the same inputs follow each other, where a layer can do so; otherwise those of the
    /// same outputs do.
    pub by_inputs: bool,
}

/// Parameters in shards. One worker owns each: it finishes the gradient, updates the parameters and derives what
/// depends on them. A shard is small enough that all that stays in cache.
pub trait Sharding: Send + Sync {
    /// How many shards there are.
    fn shards(&self) -> usize;

    /// Where the parameters of a shard lie in the layer's storage; unused parts are empty.
    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS];

    /// Parameters of a shard, padding included.
    fn shard_len(&self, shard: usize) -> usize {
        self.shard_parts(shard).iter().map(Range::len).sum()
    }

    /// What each part of a shard is. Asked only where shards hold [whole columns](Partitioning::whole_columns).
    fn shard_roles(&self, _shard: usize) -> [Role; MOST_PARTS] {
        [Role::Bias; MOST_PARTS]
    }

    /// The inputs that the gradient of a shard reads; all, if that depends on nothing.
    fn shard_inputs(&self, _shard: usize) -> Range<usize> {
        0..usize::MAX
    }

    /// Multiply-adds that a shard's gradient takes in the parameters pass, for each row.
    fn shard_work(&self, shard: usize) -> usize {
        self.shard_len(shard)
    }

    /// How many consecutive shards read the same output columns, each other inputs.
    fn shards_along_inputs(&self) -> usize {
        self.shards().max(1)
    }

    /// The gradient of one shard's parameters, summed over rows `x` `[rows, in]` and `dy` `[rows, out]`, the latter
    /// as [`Layer::backward`](super::Layer::backward) left it: of layers that do not
    /// [sum it by rows](super::Layer::sums_rows). `out` `[shard_len]` takes it in the order of the shard's parts, and
    /// carries on from what is there if `accumulate`. `ahead` is to be prefetched meanwhile.
    fn shard_gradient(
        &self,
        _shard: usize,
        _out: &mut [f32],
        _dy: MatrixRef,
        _x: MatrixRef,
        _accumulate: bool,
        _ahead: &PrefetchQueue,
    ) {
        unreachable!("a layer that sums its gradient by rows");
    }

    /// Adds what the gradient of a shard reads, of the same rows, that the gradient of the layer's shard `before`,
    /// if there was one, did not.
    fn prefetch_gradient(
        &self,
        _shard: usize,
        _before: Option<usize>,
        _dy: MatrixRef,
        _x: MatrixRef,
        _ahead: &mut PrefetchQueue,
    ) {
    }

    /// How the gradients of several shards are computed together, where that is faster than one by one.
    fn together(&self) -> Option<&dyn ShardsTogether> {
        None
    }

    /// Turns what the gradient has come to over all rows of a batch, `out` `[shard_len]`, into the gradient of the
    /// shard's parameters, where it is not yet. `from` reads the layer's storage.
    fn finish_gradient(&self, _shard: usize, _out: &mut [f32], _from: &Reader) {}

    /// How gradients of shards are computed of an input without its zeros.
    fn sparse(&self) -> Option<&dyn Sparse> {
        None
    }

    /// What the layer makes of the parameters, by these shards; without it the layer's own
    /// [`derived`](super::Layer::derived), if it has any, goes by one shard.
    fn derives(&self) -> Option<&dyn Derived> {
        None
    }
}

/// Shards whose gradients are computed together: those of weights that all positions of a sequence have in common.
pub trait ShardsTogether {
    /// Positions of a row.
    fn positions(&self) -> usize;

    /// Floats of scratch.
    fn scratch_len(&self) -> usize;

    /// The gradients of consecutive shards, `out` one after the other, with the same bits as
    /// [`shard_gradient`](Sharding::shard_gradient) of each. Positions behind the `lengths` of rows, `[rows]` or empty,
    /// are left out: their gradient is 0, and a sum to which zeros are added has the same bits, but for the sign of 0.
    fn gradients(
        &self,
        shards: Range<usize>,
        out: &mut [f32],
        factors: [MatrixRef; 2],
        lengths: &[u32],
        accumulate: bool,
        scratch: &mut [f32],
    );
}

/// All parameters as one shard: what a layer gets that says nothing of shards.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneShard {
    /// Floats of storage; there is no shard without any.
    pub(super) len: usize,
}

impl Sharding for OneShard {
    fn shards(&self) -> usize {
        usize::from(self.len > 0)
    }

    fn shard_parts(&self, _shard: usize) -> [Range<usize>; MOST_PARTS] {
        let mut parts: [Range<usize>; MOST_PARTS] = Default::default();
        parts[0] = 0..self.len;
        parts
    }
}
