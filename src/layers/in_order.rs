//! Sequences one position after the other, as text is generated: each layer keeps what it has to know of the positions before.

/// How a layer's output at a position follows from its input.
pub enum Along<'a> {
    /// From several positions, or from numbers that are no sequence: one position after the other can't be computed.
    Together,
    /// From the input at that position alone.
    Apart,
    /// From that and a state, which all positions before have made.
    InOrder(&'a dyn InOrder),
}

/// What a layer reads and writes at one position.
pub struct Advance<'a> {
    /// The output at the position, `[padded channels]`, all of which is to be written.
    pub y: &'a mut [f32],
    /// The input at the position, `[padded channels]`.
    pub x: &'a [f32],
    /// The number of the position, from 0.
    pub at: usize,
    /// `[state_len]`; zeros before the first position.
    pub state: &'a mut [f32],
    /// The layer's parameters, as [`Layer::parameters`](super::Layer::parameters) places them.
    pub storage: &'a [f32],
    /// What the layer [derives](super::Derived) for its forward pass.
    pub derived: &'a [f32],
    /// `[work_len]`, of any content.
    pub scratch: &'a mut [f32],
}

/// A layer that goes through a sequence in order.
pub trait InOrder {
    /// Floats of what it keeps of the positions before.
    fn state_len(&self) -> usize;

    /// Floats of scratch that [`advance`](InOrder::advance) wants.
    fn work_len(&self) -> usize {
        0
    }

    /// The most positions of a sequence, if there is a bound.
    fn most(&self) -> Option<usize> {
        None
    }

    /// Computes one position: the result is that of [`Layer::forward`](super::Layer::forward) over all of them, up to
    /// rounding.
    fn advance(&self, pass: Advance);
}
