//! What the outputs of a network stand for, by its loss.

/// What the outputs of a network that was trained with a loss stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// For themselves.
    #[default]
    Values,
    /// Their softmax has the probabilities of the classes.
    Softmax,
    /// The sigmoid of each is a probability of its own.
    Sigmoid,
}
