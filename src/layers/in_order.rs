//! Sequences in order, as text is read and generated, a few positions or one at a time: each layer keeps what it has to know of
//! the positions before.

use crate::tensor::{MatrixMut, MatrixRef};

/// How a layer's output at a position follows from its input.
pub enum Along<'a> {
    /// From several positions, or from numbers that are no sequence: one position after the other can't be computed.
    Together,
    /// From the input at that position alone.
    Apart,
    /// From that and a state, which all positions before have made.
    InOrder(&'a dyn InOrder),
}

/// What a layer reads and writes at some positions that follow each other.
pub struct Advance<'a> {
    /// The output at each position, `[positions, padded channels]`, all of which is to be written.
    pub y: MatrixMut<'a>,
    /// The input at each position, `[positions, padded channels]`: at least one.
    pub x: MatrixRef<'a>,
    /// The number of the first of these positions in the sequence, from 0.
    pub at: usize,
    /// `[state_len]`; zeros before the first position of a sequence.
    pub state: &'a mut [f32],
    /// The layer's parameters, as [`Layer::parameters`](super::Layer::parameters) places them.
    pub storage: &'a [f32],
    /// What the layer [derives](super::Derived) for its forward pass.
    pub derived: &'a [f32],
    /// [`work_len`](InOrder::work_len) of at least so many positions, of any content.
    pub scratch: &'a mut [f32],
}

/// A layer that goes through a sequence in order.
pub trait InOrder {
    /// Floats of what it keeps of the positions before.
    fn state_len(&self) -> usize;

    /// Floats of scratch that [`advance`](InOrder::advance) wants for up to so many positions at once.
    fn work_len(&self, _positions: usize) -> usize {
        0
    }

    /// The most positions of a sequence, if there is a bound.
    fn most(&self) -> Option<usize> {
        None
    }

    /// Computes the next positions. The result is that of [`Layer::forward`](super::Layer::forward) over all of them, up to
    /// rounding, and that of each position has the same bits however many come at once.
    fn advance(&self, pass: Advance);
}
