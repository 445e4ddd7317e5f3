//! k-means: centres from which samples are as near as can be.
//!
//! For samples x with weights w, all 1 unless they have some, and centres c the inertia is
//! I(c) = Σᵢ wᵢ minₖ ‖xᵢ - cₖ‖² / Σᵢ wᵢ, the mean squared distance to the nearest centre. Training descends on it by any
//! update rule; the gradient by a centre is that of the samples that are nearest to it (Bottou, Bengio: Convergence
//! properties of the k-means algorithms, 1995). Here are the centres that it begins with, by [`start()`], and Lloyd's
//! algorithm, [`lloyd()`], in f64 beside it.

mod lloyd;
mod points;
mod start;

pub use lloyd::{Lloyd, MOST_ITERATIONS, lloyd};
pub use points::{Assignment, Points, assign};
pub use start::start;

/// k-means with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KMeans {
    /// How many centres there are, at least 1.
    pub clusters: usize,
}

impl KMeans {
    /// The name in recipes.
    pub const NAME: &'static str = "k-means";

    /// The most clusters.
    pub const MOST_CLUSTERS: usize = 1 << 20;

    /// So many clusters.
    pub fn new(clusters: usize) -> KMeans {
        KMeans { clusters }
    }
}

#[cfg(test)]
mod tests;
