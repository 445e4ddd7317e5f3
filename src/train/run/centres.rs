//! The first centres of k-means.

use crate::clustering::{self, Points};
use crate::data::Samples;
use crate::model::{Model, Recipe};
use crate::train::source::Source;
use crate::train::targets::targets_for;
use crate::{Result, memory};

/// Puts the centres of a k-means at samples of those that the recipe trains on, by its seed, unless they are somewhere
/// already; does nothing to any other model.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) if the samples do not fit the model, fewer of them are different than there
/// are clusters, or memory is short.
pub(in crate::train) fn place_centres(
    model: &mut Model,
    samples: &Samples,
    subset: Option<&[u32]>,
    recipe: &Recipe,
) -> Result<()> {
    let Some(k_means) = model.config().k_means else { return Ok(()) };
    if model.storage().iter().any(|&value| value != 0.0) {
        return Ok(());
    }
    let centres = with_points(model, samples, subset, recipe, |points| {
        clustering::start(points, k_means.clusters, recipe.train.seed)
    })?;
    model.parts_mut().1[..centres.len()].copy_from_slice(&centres);
    Ok(())
}

/// What `each` makes of the samples that are trained on, as the network sees them.
pub(in crate::train) fn with_points<T>(
    model: &Model,
    samples: &Samples,
    subset: Option<&[u32]>,
    recipe: &Recipe,
    each: impl FnOnce(&Points) -> Result<T>,
) -> Result<T> {
    let source = Source::new(samples, targets_for(model, samples)?, &recipe.data);
    let (count, features) = (subset.map_or(samples.len(), <[u32]>::len), samples.features_per_sample());
    let index = |place: usize| subset.map_or(place, |subset| subset[place] as usize);
    let mut weights = Vec::new();
    if !samples.weights().is_empty() {
        weights = memory::reserved("the weights of samples", count)?;
        weights.extend((0..count).map(|place| samples.weights()[index(place)]));
    }
    let read = |place: usize, row: &mut [f32]| source.gather(row, index(place), 0..features);
    each(&Points::new([count, features], &weights, &read))
}
