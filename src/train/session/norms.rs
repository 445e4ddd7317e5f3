//! The norms of layers, from the sums of squares of their shards.

use crate::model::{Frozen, PlacedLayer, names_of};
use crate::train::plan::Plan;
use crate::train::plan::workspace::NORMS;
use crate::train::record::norms::LayerNorms;

/// The norms of all layers with parameters that are trained, from the sums of squares of each shard, `[shards][NORMS]`; none if
/// one is not finite, or nothing was measured.
pub fn of_layers(layers: &[PlacedLayer], plan: &Plan, squares: &[f64]) -> Vec<LayerNorms> {
    let names = names_of(layers);
    let norms = |index: usize| {
        // The sums are added up in the order of the shards.
        let shards = &squares[plan.numbers[index] * NORMS..plan.numbers[index + 1] * NORMS];
        let sum = |kind: usize| shards.chunks(NORMS).map(|shard| shard[kind]).sum::<f64>().sqrt();
        let [gradient, update, parameters] = [0, 1, 2].map(sum);
        LayerNorms { layer: names[index].clone(), gradient, update, parameters }
    };
    let has_units = |&index: &usize| plan.numbers[index] < plan.numbers[index + 1];
    let all: Vec<_> = (0..layers.len()).filter(has_units).map(norms).collect();
    // A way to train that does not go through the updates of shards leaves zeros.
    let is_measured = squares.iter().any(|&sum| sum != 0.0);
    if is_measured && all.iter().all(LayerNorms::is_finite) { all } else { Vec::new() }
}

/// The norms of all layers with parameters that are trained, where `at` gives gradient, update and parameter at a place of the
/// model's storage; none if one is not finite.
pub fn of_storage(
    layers: &[PlacedLayer],
    frozen: &Frozen,
    at: impl Fn(usize) -> [f64; NORMS],
) -> Vec<LayerNorms> {
    let names = names_of(layers);
    let norms = |(index, placed): (usize, &PlacedLayer)| {
        let mut sums = [0.0; NORMS];
        let trained = placed.layer.parameters().last().map_or(0, |last| last.range.end);
        for place in placed.storage.start..placed.storage.start + trained {
            sums.iter_mut().zip(at(place)).for_each(|(sum, value)| *sum += value * value);
        }
        let [gradient, update, parameters] = sums.map(f64::sqrt);
        LayerNorms { layer: names[index].clone(), gradient, update, parameters }
    };
    let is_trained =
        |(index, placed): &(usize, &PlacedLayer)| placed.layer.has_parameters() && !frozen.is_frozen(*index);
    let all: Vec<_> = layers.iter().enumerate().filter(is_trained).map(norms).collect();
    if all.iter().all(LayerNorms::is_finite) { all } else { Vec::new() }
}
