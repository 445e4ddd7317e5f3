//! What the global methods have in common.

use crate::checkpoint::State;
use crate::rng::Stream;
use crate::{Result, memory};

/// A method that proposes points, and goes by the losses that it is told of them. Points are of n numbers each.
/// Its state is what it has learnt between two iterations.
pub trait Proposals: State + std::fmt::Debug + Send {
    /// Begins at a point, \[n\], where the loss is this one, with nothing of what was told before.
    fn begin(&mut self, start: &[f64], loss: f64);

    /// How often an iteration asks.
    fn rounds(&self) -> usize {
        1
    }

    /// Draws the next points, one after the other: `[points · n]`.
    fn ask(&mut self, stream: &mut Stream) -> &[f64];

    /// Takes the losses at the points of the last [`ask`](Proposals::ask), `[points]`; infinite where they are not
    /// finite.
    fn tell(&mut self, losses: &[f64]);

    /// Ends an iteration.
    fn end_iteration(&mut self) {}

    /// The standard deviation by which the next points differ, before what the method has learnt of single parameters.
    fn deviation(&self) -> f64;

    /// Whether the points that are still to come do not differ by more than was asked for.
    fn is_converged(&self) -> bool {
        false
    }
}

/// The use of the methods' memory, in messages.
pub(super) const USE: &str = "the points of a global search";

/// Zeros for so many vectors of `count` numbers.
pub(super) fn zeros(vectors: usize, count: usize) -> Result<Vec<f64>> {
    let numbers = vectors.saturating_mul(count);
    memory::check(USE, numbers.saturating_mul(size_of::<f64>()))?;
    memory::filled(USE, 0.0, numbers)
}

/// The places of losses, the lowest first; equal ones in their order.
pub(super) fn ranked(places: &mut [usize], losses: &[f64]) {
    places.iter_mut().enumerate().for_each(|(place, to)| *to = place);
    places.sort_unstable_by(|&a, &b| losses[a].total_cmp(&losses[b]).then(a.cmp(&b)));
}
