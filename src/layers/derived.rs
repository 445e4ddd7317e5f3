//! What a layer makes of its parameters after each update.

use std::ops::Range;

/// Reads part of a layer's storage.
pub type Reader<'a> = dyn Fn(Range<usize>) -> &'a [f32] + 'a;

/// Where a layer finds what the update after a gradient has changed, and where it keeps what it derives from that.
pub struct Derivation<'a> {
    /// Reads part of the layer's storage.
    pub storage: &'a dyn Fn(Range<usize>) -> &'a [f32],
    /// Writes part of the layer's derived storage.
    pub derived: &'a dyn Fn(Range<usize>) -> &'a mut [f32],
}

/// Where what a layer derives is written, part by part: in training a [`Derivation`], else all of it, `[derived_len]`.
pub(super) trait Destination {
    fn part(&mut self, range: Range<usize>) -> &mut [f32];
}

impl Destination for &Derivation<'_> {
    fn part(&mut self, range: Range<usize>) -> &mut [f32] {
        (self.derived)(range)
    }
}

impl Destination for &mut [f32] {
    fn part(&mut self, range: Range<usize>) -> &mut [f32] {
        &mut self[range]
    }
}

/// A second storage that follows from the parameters: a transposed copy of weights, say. The owner of each
/// [shard](super::Sharding) brings its part up to date after the update.
pub trait Derived {
    /// Floats of the derived storage, zeros before they are first made.
    fn derived_len(&self) -> usize;

    /// Floats of it, from its start, that [`forward`](super::Layer::forward) reads.
    fn forward_derived_len(&self) -> usize {
        0
    }

    /// Makes that part, `[forward_derived_len]`: for a model that is not in training.
    fn derive_forward(&self, _derived: &mut [f32], _storage: &[f32]) {}

    /// Hands `each` all parts that [`derive`](Derived::derive) writes, to be prefetched; it may leave some out.
    fn derived_parts(&self, _shard: usize, _each: &mut dyn FnMut(Range<usize>)) {}

    /// Brings the derived storage of one shard up to date with its parameters.
    fn derive(&self, shard: usize, from: &Derivation);
}
