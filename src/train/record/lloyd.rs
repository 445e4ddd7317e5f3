//! The record of k-means by descent beside Lloyd's algorithm.

use serde::{Deserialize, Serialize};

/// The most clusters that a [`LloydRecord`] shows.
pub const MOST_CLUSTERS: usize = 100;

/// How near descent has come to what Lloyd's algorithm makes of the same first centres, on the samples that it was trained
/// on. Neither finds the least inertia of all, so descent may be below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LloydRecord {
    /// How many clusters there are.
    pub clusters: usize,
    /// Samples that were trained on.
    pub samples: usize,
    /// The inertia, the mean squared distance to the nearest centre, of the first centres.
    pub first: f64,
    /// The inertia of the centres of descent.
    pub inertia: f64,
    /// The inertia of Lloyd's centres.
    pub lloyd: f64,
    /// (inertia - lloyd) / lloyd; absent if Lloyd's centres are all samples, so that there is nothing to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess: Option<f64>,
    /// How often Lloyd's algorithm moved its centres.
    pub iterations: usize,
    /// Whether it came to its end.
    pub converged: bool,
    /// The part of the samples that both have in the cluster of the same first centre.
    pub agreement: f64,
    /// The clusters, or the first [`MOST_CLUSTERS`] of them.
    pub sizes: Vec<ClusterSizes>,
}

/// A cluster by descent and by Lloyd's algorithm, which began at the same sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSizes {
    /// Samples that are nearest to the centre of descent.
    pub descent: usize,
    /// Samples that are nearest to Lloyd's centre.
    pub lloyd: usize,
    /// The distance of the two centres.
    pub distance: f64,
}
