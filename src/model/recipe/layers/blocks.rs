//! Blocks: layers within a layer of a recipe.

use super::super::super::section::Section;
use super::images::MOST_CHANNELS;
use super::write::layer as table_of_layer;
use super::{LayerConfig, MOST_LAYERS, Shape, read_activation, read_layer};
use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::layers::LayerKind;
use crate::model::recipe::values::{integer, table_of};

/// The deepest that blocks may lie in each other.
const MOST_DEPTH: usize = 8;

/// `reduction` where a recipe says nothing: that of the paper.
const REDUCTION: usize = 16;

/// The list of a residual block's own layers, and that of its other way, by their keys in a recipe.
const LISTS: [&str; 2] = ["layers", "shortcut"];

/// A residual block: y = activation(layers(x) + shortcut(x)).
#[derive(Clone, Debug, PartialEq)]
pub struct ResidualConfig {
    /// At least one.
    pub layers: Vec<LayerConfig>,
    /// Without any it is x itself.
    pub shortcut: Vec<LayerConfig>,
    pub activation: Activation,
}

pub(super) fn read_residual(section: &mut Section, depth: usize) -> Result<LayerConfig> {
    if depth == MOST_DEPTH {
        let expected = format!("blocks in each other at most {MOST_DEPTH} deep");
        return Err(section.setting("type", &expected, "another one"));
    }
    let mut list = |key| -> Result<Vec<LayerConfig>> {
        section.tables(key, MOST_LAYERS)?.into_iter().map(|section| read_layer(section, depth + 1)).collect()
    };
    let [layers, shortcut] = [list(LISTS[0])?, list(LISTS[1])?];
    if layers.is_empty() {
        return Err(section.setting(LISTS[0], "at least one layer", "none"));
    }
    let activation = match section.named("activation")? {
        Some(section) => read_activation(section)?,
        None => Activation::IDENTITY,
    };
    Ok(LayerConfig::Residual(ResidualConfig { layers, shortcut, activation }))
}

pub(super) fn read_squeeze_excite(section: &mut Section) -> Result<LayerConfig> {
    Ok(LayerConfig::SqueezeExcite { reduction: section.integer("reduction", REDUCTION, 1, MOST_CHANNELS)? })
}

pub(in super::super) fn residual(config: &ResidualConfig, activation: toml::Table) -> toml::Table {
    let list = |layers: &[LayerConfig]| layers.iter().map(table_of_layer).collect::<Vec<_>>().into();
    table_of([
        ("type", "residual".into()),
        ("activation", activation.into()),
        (LISTS[0], list(&config.layers)),
        (LISTS[1], list(&config.shortcut)),
    ])
}

pub(in super::super) fn squeeze_excite(reduction: usize) -> toml::Table {
    table_of([("type", "squeeze-excite".into()), ("reduction", integer(reduction as u64))])
}

/// The layers that find the gate of each of so many channels: the mean of all pixels, then as many hidden
/// units as `reduction` channels make, at least one, and a number from 0 to 1 for each channel.
pub fn gate_layers(channels: usize, reduction: usize) -> [LayerConfig; 3] {
    let hidden = (channels / reduction).max(1);
    let gate = LayerConfig::dense(channels, Activation::SIGMOID);
    [LayerConfig::GlobalAveragePool, LayerConfig::dense(hidden, Activation::RELU), gate]
}

impl ResidualConfig {
    /// What comes out, as [`LayerConfig::output`] says it.
    pub(super) fn output(&self, index: usize, input: Shape, first: bool) -> Result<Shape> {
        let [main, other] = [(&self.layers, LISTS[0]), (&self.shortcut, LISTS[1])].map(|(layers, list)| {
            let inside = |error| in_residual(error, index, list);
            layers.iter().enumerate().try_fold(input, |shape, (index, layer)| {
                layer.output(index, shape, first && index == 0).map_err(inside)
            })
        });
        let (main, mut other) = (main?, other?);
        let itself = self.shortcut.is_empty();
        if itself && first && matches!(main, Shape::Features(_)) {
            // Dense layers at the front take data as they lie.
            other = Shape::Features(input.features());
        }
        if main.agrees(other) {
            return Ok(main);
        }
        Err(Error::Shape {
            index,
            layer: "residual".into(),
            expected: format!("a `shortcut` that gives {main}, as `layers` do"),
            found: if itself { format!("none, and an input of {other}") } else { other.to_string() },
        })
    }
}

impl Shape {
    /// Whether the numbers of both can be added up: images of data are not padded, and agree with others.
    fn agrees(self, other: Shape) -> bool {
        match (self, other) {
            (Shape::Image(a), Shape::Image(b)) => {
                [a.height, a.width, a.channels] == [b.height, b.width, b.channels]
            }
            _ => self == other,
        }
    }
}

/// The error of a layer in a list of the residual block of number `index`, in which it says so.
pub fn in_residual(error: Error, index: usize, list: &str) -> Error {
    match error {
        Error::Shape { index: inner, layer, expected, found } => {
            let layer = format!("residual, {list}.{inner}: {layer}");
            Error::Shape { index, layer, expected, found }
        }
        other => other,
    }
}

/// How many layers these are, counted with those in blocks.
pub(super) fn count(layers: &[LayerConfig]) -> usize {
    let one = |layer: &LayerConfig| match layer {
        LayerConfig::Residual(block) => 1 + count(&block.layers) + count(&block.shortcut),
        _ => 1,
    };
    layers.iter().map(one).sum()
}

/// The kinds of those layers that a table entry describes, also within blocks.
pub fn own_kinds(layers: &[LayerConfig]) -> Vec<&'static LayerKind> {
    let kinds = layers.iter().flat_map(|layer| match layer {
        LayerConfig::Of(settings) => vec![settings.kind()],
        LayerConfig::Residual(block) => [own_kinds(&block.layers), own_kinds(&block.shortcut)].concat(),
        _ => Vec::new(),
    });
    kinds.collect()
}

/// The first layer, also within a block, of which something holds.
pub fn find_layer(layers: &[LayerConfig], holds: fn(&LayerConfig) -> bool) -> Option<&LayerConfig> {
    layers.iter().find_map(|layer| match layer {
        LayerConfig::Residual(block) => {
            find_layer(&block.layers, holds).or_else(|| find_layer(&block.shortcut, holds))
        }
        layer => holds(layer).then_some(layer),
    })
}

/// All layers, those of blocks in place of the blocks, and what goes into each.
///
/// # Errors
/// [`Error::Shape`] if they do not fit together.
pub fn leaves(layers: &[LayerConfig], input: Shape, first: bool) -> Result<Vec<(LayerConfig, Shape)>> {
    let (mut shape, mut found) = (input, Vec::new());
    for (index, layer) in layers.iter().enumerate() {
        let first = first && index == 0;
        let output = layer.output(index, shape, first)?;
        match (layer, shape) {
            (LayerConfig::Residual(block), _) => {
                found.extend(leaves(&block.layers, shape, first)?);
                found.extend(leaves(&block.shortcut, shape, first)?);
            }
            (&LayerConfig::SqueezeExcite { reduction }, Shape::Image(image)) => {
                found.extend(leaves(&gate_layers(image.channels, reduction), shape, false)?);
            }
            (LayerConfig::Of(_), _) if first => {
                found.push((layer.clone(), Shape::Features(shape.features())));
            }
            // Data are taken as features.
            (LayerConfig::Normalisation(_), _) if first => found.push((layer.clone(), output)),
            _ => found.push((layer.clone(), layer.takes(shape, first))),
        }
        shape = output;
    }
    Ok(found)
}
