//! k-means beside Lloyd's algorithm.

use crate::Result;
use crate::clustering::{self, MOST_ITERATIONS};
use crate::data::Samples;
use crate::model::{Model, Recipe};
use crate::train::record::lloyd::{ClusterSizes, LloydRecord, MOST_CLUSTERS};
use crate::train::run::centres::with_points;
use crate::train::run::fit::split;

/// The most multiply-adds of Lloyd's algorithm: some seconds of one core.
const MOST_WORK: f64 = 3e10;

/// A model that is k-means beside what Lloyd's algorithm, in f64, makes of the same first centres on the samples that the
/// recipe trains on. None of any other model; if the samples are augmented, so that training has another objective; if one
/// iteration would take more than some seconds (there are fewer iterations, if they would take longer together); or if
/// the model is not finite.
///
/// # Errors
/// If the samples do not fit the model, or memory is short.
pub fn lloyd(model: &Model, samples: &Samples, recipe: &Recipe) -> Result<Option<LloydRecord>> {
    let Some(k_means) = model.config().k_means else { return Ok(None) };
    let subset = split(samples, recipe)?.map(|split| split.subset);
    let (count, features) = (subset.as_ref().map_or(samples.len(), Vec::len), samples.features_per_sample());
    let work = count as f64 * features as f64 * k_means.clusters as f64;
    let iterations = ((MOST_WORK / work) as usize).min(MOST_ITERATIONS);
    if !recipe.augment.is_off() || iterations == 0 || model.first_not_finite().is_some() {
        return Ok(None);
    }
    let numbers = k_means.clusters * features;
    let trained: Vec<f64> = model.storage()[..numbers].iter().map(|&value| value.into()).collect();
    with_points(model, samples, subset.as_deref(), recipe, |points| {
        let start = clustering::start(points, k_means.clusters, recipe.train.seed)?;
        let first = clustering::lloyd(points, &start, 0)?.assignment.inertia;
        let found = clustering::lloyd(points, &start, iterations)?;
        let descent = clustering::assign(points, &trained)?;
        let (inertia, lloyd) = (descent.inertia, found.assignment.inertia);
        let pairs = descent.nearest.iter().zip(&found.assignment.nearest);
        let same = pairs.filter(|(one, other)| one == other).count();
        let sizes = |nearest: &[u32]| {
            let mut sizes = vec![0; k_means.clusters];
            nearest.iter().for_each(|&place| sizes[place as usize] += 1);
            sizes
        };
        let of_descent: Vec<usize> = sizes(&descent.nearest);
        let of_lloyd: Vec<usize> = sizes(&found.assignment.nearest);
        let centres = trained.chunks_exact(features).zip(found.centres.chunks_exact(features));
        let sizes = of_descent.into_iter().zip(of_lloyd).zip(centres).take(MOST_CLUSTERS);
        let sizes = sizes.map(|((descent, lloyd), (one, other))| {
            let distance = one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            ClusterSizes { descent, lloyd, distance }
        });
        Ok(Some(LloydRecord {
            clusters: k_means.clusters,
            samples: count,
            first,
            inertia,
            lloyd,
            excess: (lloyd > 0.0).then(|| (inertia - lloyd) / lloyd),
            iterations: found.iterations,
            converged: found.converged,
            agreement: same as f64 / count as f64,
            sizes: sizes.collect(),
        }))
    })
}
