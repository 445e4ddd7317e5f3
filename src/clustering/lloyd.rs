//! Lloyd's algorithm.

use super::points::{Assignment, Points, assign};
use crate::Result;

/// The most iterations.
pub const MOST_ITERATIONS: usize = 1000;

/// What Lloyd's algorithm has come to.
#[derive(Clone, Debug)]
pub struct Lloyd {
    /// `[clusters, features]`
    pub centres: Vec<f64>,
    /// The samples among these centres.
    pub assignment: Assignment,
    /// How often the centres were moved.
    pub iterations: usize,
    /// Whether no sample would change its centre any more.
    pub converged: bool,
}

/// Lloyd's algorithm (Lloyd: Least squares quantization in PCM, 1957, published 1982) from these centres
/// `[clusters, features]`: each sample to its nearest centre, each centre to the mean of its samples, until nothing changes,
/// or `most` iterations are done. A centre without samples stays where it is. The inertia never rises.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) if memory is short.
pub fn lloyd(points: &Points, start: &[f32], most: usize) -> Result<Lloyd> {
    let features = points.features();
    let mut centres: Vec<f64> = start.iter().map(|&c| f64::from(c)).collect();
    let mut assignment = assign(points, &centres)?;
    for iterations in 0..most {
        let means = assignment.sums.chunks_exact(features).zip(&assignment.weights);
        for (centre, (sums, &weight)) in centres.chunks_exact_mut(features).zip(means) {
            if weight > 0.0 {
                centre.iter_mut().zip(sums).for_each(|(c, sum)| *c = sum / weight);
            }
        }
        let next = assign(points, &centres)?;
        let is_same = next.nearest == assignment.nearest;
        assignment = next;
        if is_same {
            return Ok(Lloyd { centres, assignment, iterations: iterations + 1, converged: true });
        }
    }
    Ok(Lloyd { centres, assignment, iterations: most, converged: false })
}
