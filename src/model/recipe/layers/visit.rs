//! Layers within layers, one after the other.

use super::config::LayerConfig;
use crate::error::Result;
use crate::layers::{Branch, Built, Incoming, LayerKind, LayerSettings, Node, Shape};
use crate::tensor::LANES;

/// How many layers these are, counted with those in blocks.
pub(super) fn count(layers: &[LayerConfig]) -> usize {
    let one = |layer: &LayerConfig| match layer {
        LayerConfig::Residual(block) => 1 + count(&block.layers) + count(&block.shortcut),
        LayerConfig::Of(_) => 1,
    };
    layers.iter().map(one).sum()
}

/// The kinds of these layers, also within blocks.
pub fn kinds_of(layers: &[LayerConfig]) -> Vec<&'static LayerKind> {
    let kinds = layers.iter().flat_map(|layer| match layer {
        LayerConfig::Of(settings) => vec![settings.kind()],
        LayerConfig::Residual(block) => [kinds_of(&block.layers), kinds_of(&block.shortcut)].concat(),
    });
    kinds.collect()
}

/// The first layer, also within a block, of which something holds.
pub fn find_layer(layers: &[LayerConfig], holds: fn(&LayerSettings) -> bool) -> Option<&LayerSettings> {
    layers.iter().find_map(|layer| match layer {
        LayerConfig::Residual(block) => {
            find_layer(&block.layers, holds).or_else(|| find_layer(&block.shortcut, holds))
        }
        LayerConfig::Of(settings) => Some(settings).filter(|settings| holds(settings)),
    })
}

/// What no model has of numbers, so that products of a few sides and their padding can be counted below it.
const COUNTABLE: u128 = 1 << 60;

/// All that stands in a network for these layers but the sums of blocks, without memory for parameters; none if these
/// are more than can be counted.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if they do not fit together.
pub fn nodes(layers: &[LayerConfig], mut input: Incoming) -> Result<Option<Vec<Node>>> {
    let mut found = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let output = layer.output(index, input)?;
        let lists = match layer {
            LayerConfig::Residual(block) => [nodes(&block.layers, input)?, nodes(&block.shortcut, input)?],
            LayerConfig::Of(settings) => [nodes_of(settings, index, input, output)?, Some(Vec::new())],
        };
        for list in lists {
            let Some(list) = list else { return Ok(None) };
            found.extend(list);
        }
        input = Incoming { shape: output, is_data: false };
    }
    Ok(Some(found))
}

fn nodes_of(
    settings: &LayerSettings,
    index: usize,
    input: Incoming,
    output: Shape,
) -> Result<Option<Vec<Node>>> {
    let shape: Shape = settings.takes(index, input)?;
    // Each side may be padded.
    let [inputs, outputs] =
        [settings.fan_in(shape), output.channels()].map(|side| side as u128 + LANES as u128);
    let [taken, given] = [shape, output].map(|shape| shape.features() as u128);
    if inputs.saturating_mul(outputs).max(taken).max(given) > COUNTABLE {
        return Ok(None);
    }
    match settings.build(Incoming { shape, ..input }) {
        Built::Nodes(nodes) | Built::Chain(nodes) => Ok(Some(nodes)),
        Built::Branch(Branch { layers, .. }) | Built::Stack(layers) => {
            let layers: Vec<LayerConfig> =
                layers.into_iter().map(|(_, settings)| LayerConfig::Of(settings)).collect();
            nodes(&layers, Incoming { shape, is_data: false })
        }
    }
}
