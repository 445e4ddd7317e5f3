//! Layers within layers, one after the other.

use super::config::LayerConfig;
use crate::error::Result;
use crate::layers::{Branch, Built, Incoming, LayerKind, LayerSettings, Node, Shape};

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

/// All that stands in a network for these layers but the sums of blocks. It takes no memory for parameters.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if they do not fit together.
pub fn nodes(layers: &[LayerConfig], input: Incoming) -> Result<Vec<Node>> {
    let (mut input, mut found) = (input, Vec::new());
    for (index, layer) in layers.iter().enumerate() {
        let shape = layer.output(index, input)?;
        match layer {
            LayerConfig::Residual(block) => {
                found.extend(nodes(&block.layers, input)?);
                found.extend(nodes(&block.shortcut, input)?);
            }
            LayerConfig::Of(settings) => found.extend(nodes_of(settings, index, input)?),
        }
        input = Incoming { shape, is_data: false };
    }
    Ok(found)
}

fn nodes_of(settings: &LayerSettings, index: usize, input: Incoming) -> Result<Vec<Node>> {
    let shape: Shape = settings.takes(index, input)?;
    match settings.build(Incoming { shape, ..input }) {
        Built::Nodes(nodes) => Ok(nodes),
        Built::Branch(Branch { layers, .. }) => {
            let layers: Vec<LayerConfig> =
                layers.into_iter().map(|(_, settings)| LayerConfig::Of(settings)).collect();
            nodes(&layers, Incoming { shape, is_data: false })
        }
    }
}
