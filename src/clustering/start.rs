//! The centres that k-means begins with.

use rand::RngExt;

use super::points::{Points, squared_distance};
use crate::error::{Error, Result};
use crate::kernels::simd::vectorise::vectorise;
use crate::memory;
use crate::rng::{self, Purpose};

/// Samples as centres by k-means++ (Arthur, Vassilvitskii: k-means++: the advantages of careful seeding, 2007): the first is
/// any sample, and each next one is drawn with a probability in proportion to its squared distance from the nearest
/// centre so far, both times the sample's weight. `[clusters, features]`. What is drawn follows from the seed alone.
///
/// # Errors
/// [`Error::Mismatch`] if there are fewer different samples with a weight above 0 than clusters, or memory is short.
pub fn start(points: &Points, clusters: usize, seed: u64) -> Result<Vec<f32>> {
    const WHAT: &str = "the first centres";
    let features = points.features();
    let numbers = clusters.saturating_mul(features);
    if clusters > points.count() {
        return Err(too_many(clusters, points.count()));
    }
    let mut centres = memory::reserved(WHAT, numbers)?;
    // The distance of each sample from the nearest centre so far, squared.
    let mut distances = memory::filled(WHAT, f64::INFINITY, points.count())?;
    let mut row = memory::filled(WHAT, 0.0f32, features)?;
    let mut centre = memory::filled(WHAT, 0.0f64, features)?;
    for number in 0..clusters {
        let share = |sample: usize| match number {
            0 => points.weight(sample),
            _ => points.weight(sample) * distances[sample],
        };
        let draw = rng::stream(seed, Purpose::Centres, number as u64).random::<f64>();
        let Some(chosen) = drawn(points.count(), share, draw) else {
            return Err(too_many(clusters, number));
        };
        points.read(chosen, &mut row);
        centres.extend_from_slice(&row);
        centre.iter_mut().zip(&row).for_each(|(c, &x)| *c = f64::from(x));
        for (sample, distance) in distances.iter_mut().enumerate() {
            points.read(sample, &mut row);
            let own = vectorise(
                #[inline(always)]
                || squared_distance(&row, &centre),
            );
            *distance = distance.min(own);
        }
    }
    Ok(centres)
}

/// The index whose share, of all shares in their order, a number of [0, 1) falls into; None if all shares are 0.
fn drawn(count: usize, share: impl Fn(usize) -> f64, draw: f64) -> Option<usize> {
    let total: f64 = (0..count).map(&share).sum();
    let (mut sum, mut chosen) = (0.0, None);
    for index in 0..count {
        let own = share(index);
        if own > 0.0 {
            sum += own;
            // The last one that has a share, should rounding leave something of the draw.
            chosen = Some(index);
            if sum > draw * total {
                break;
            }
        }
    }
    chosen
}

fn too_many(clusters: usize, different: usize) -> Error {
    Error::Mismatch {
        what: "`model.clusters`".into(),
        expected: format!("at most {different}, as many as there are different samples to train on"),
        found: clusters.to_string(),
    }
}
