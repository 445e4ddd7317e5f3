//! The `[[model.layers]]` tables: one layer each, from input to output.

mod blocks;
mod images;
mod make;
mod normalisation;
mod shapes;
mod transposed;
mod windows;

use std::f32::consts::SQRT_2;

pub use blocks::{ResidualConfig, find_layer, gate_layers, in_residual, leaves, own_kinds};
pub(super) use blocks::{residual, squeeze_excite};
pub use images::ConvolutionConfig;
pub(super) use images::{convolution, pool};
pub use normalisation::{NormalisationConfig, Over};
pub(super) use normalisation::{dropout, normalisation};
pub use transposed::ConvolutionTransposeConfig;
pub(super) use transposed::convolution_transpose;

use super::super::section::{Range, Section, finite, non_negative, positive};
use super::keys;
use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::{self, Activation, Limit, Parameter};
use crate::kernels::image::Window;
use crate::layers::{LayerKind, LayerSettings, OTHERS, Shape};

/// The most layers of a model, counted with those in blocks.
const MOST_LAYERS: usize = 1000;
/// The most output features of a dense layer.
const MOST_UNITS: usize = 1 << 20;

/// The names of the activations that a recipe may ask for.
fn activation_names() -> [&'static str; activation::ALL.len()] {
    activation::ALL.map(|entry| entry.name)
}

/// All kinds of layer: every activation but the identity may be a layer of its own.
fn layer_names(own: &[&'static LayerKind]) -> Vec<&'static str> {
    let activations = activation_names().into_iter().filter(|name| *name != Activation::IDENTITY.name());
    let kinds = LayerKind::all().into_iter().chain(own.iter().copied()).map(LayerKind::name);
    OTHERS.into_iter().chain(activations).chain(kinds).collect()
}

/// One layer of a model, before the shape of its input is known.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerConfig {
    /// y = activation(W x + b), with W of shape `[units, in]`.
    Dense {
        /// Output features; at least 1.
        units: usize,
        activation: Activation,
        weight_init: Init,
        bias_init: Init,
        /// Whether there is a b.
        bias: bool,
        /// Whether W is g V / ‖V‖, for each output by itself, with g and V trained.
        weight_norm: bool,
    },
    /// An activation as a layer of its own; its output has the shape of its input.
    Activation(Activation),
    Convolution(ConvolutionConfig),
    ConvolutionTranspose(ConvolutionTransposeConfig),
    /// The largest number of each channel under each place of a window; padding is left out.
    MaxPool(Window),
    /// The mean instead; padding counts as zeros.
    AveragePool(Window),
    /// The mean of each channel: an image becomes features.
    GlobalAveragePool,
    /// The numbers of an image as features, channel by channel.
    Flatten,
    Normalisation(NormalisationConfig),
    /// In training, each number, or each channel of an image, is 0 with this probability.
    Dropout {
        /// In [0, 1).
        rate: f64,
        channels: bool,
    },
    Residual(ResidualConfig),
    /// Each channel of an image times a gate, which two dense layers find from the means of all channels.
    SqueezeExcite {
        /// Channels for each hidden unit; at least 1.
        reduction: usize,
    },
    /// A layer of a table entry, which may be a program's own.
    Of(LayerSettings),
}

pub(super) fn read_layers(model: &mut Section) -> Result<Vec<LayerConfig>> {
    let sections = model.tables("layers", MOST_LAYERS)?;
    if sections.is_empty() {
        return Err(model.setting("layers", "at least one [[model.layers]]", "none"));
    }
    let layers: Vec<LayerConfig> =
        sections.into_iter().map(|section| read_layer(section, 0)).collect::<Result<_>>()?;
    let all = blocks::count(&layers);
    if all > MOST_LAYERS {
        let expected = format!("at most {MOST_LAYERS} layers, counted with those in blocks");
        return Err(model.setting("layers", &expected, &all.to_string()));
    }
    Ok(layers)
}

/// `depth` blocks lie around it.
fn read_layer(mut section: Section, depth: usize) -> Result<LayerConfig> {
    let own = section.own_layers();
    let layer = match section.choice("type", "layer", None, &layer_names(own))? {
        "dense" => read_dense(&mut section)?,
        "conv" => images::read_convolution(&mut section, false)?,
        "conv-1d" => images::read_convolution(&mut section, true)?,
        "conv-transpose" => transposed::read_convolution_transpose(&mut section)?,
        kind @ ("max-pool" | "max-pool-1d") => {
            LayerConfig::MaxPool(windows::read_window(&mut section, kind == "max-pool-1d", true)?)
        }
        kind @ ("average-pool" | "average-pool-1d") => {
            LayerConfig::AveragePool(windows::read_window(&mut section, kind == "average-pool-1d", true)?)
        }
        "global-average-pool" => LayerConfig::GlobalAveragePool,
        "flatten" => LayerConfig::Flatten,
        "residual" => blocks::read_residual(&mut section, depth)?,
        "squeeze-excite" => blocks::read_squeeze_excite(&mut section)?,
        kind @ ("batch-norm" | "layer-norm" | "group-norm") => {
            normalisation::read_normalisation(&mut section, kind)?
        }
        "dropout" => normalisation::read_dropout(&mut section)?,
        name => match own.iter().copied().find(|kind| kind.name() == name).or_else(|| LayerKind::named(name))
        {
            Some(kind) => {
                let values = keys::read(&mut section, kind.about().2)?;
                LayerConfig::Of(LayerSettings::with_values(kind, values))
            }
            None => LayerConfig::Activation(read_parameters(&mut section, name)?),
        },
    };
    section.finish()?;
    Ok(layer)
}

fn read_dense(section: &mut Section) -> Result<LayerConfig> {
    let units = section.required_integer("units", 1, MOST_UNITS)?;
    let activation = match section.named("activation")? {
        Some(section) => read_activation(section)?,
        None => Activation::IDENTITY,
    };
    let weight_init = match section.named("weight_init")? {
        Some(section) => read_initialiser(section)?,
        None => default_weight_init(activation),
    };
    let bias = section.boolean("bias", true)?;
    let bias_init = match section.named("bias_init")? {
        Some(_) if !bias => return Err(section.setting("bias_init", "none with `bias = false`", "one")),
        Some(section) => read_bias_initialiser(section)?,
        None => Init::Zeros,
    };
    let weight_norm = section.boolean("weight_norm", false)?;
    let is_zero = match weight_init {
        Init::Zeros | Init::Constant(0.0) => true,
        Init::Normal { mean, deviation } => mean == 0.0 && deviation == 0.0,
        _ => false,
    };
    if weight_norm && is_zero {
        let expected = "none that is all zeros with `weight_norm`, which divides by the norm";
        return Err(section.setting("weight_init", expected, "one"));
    }
    Ok(LayerConfig::Dense { units, activation, weight_init, bias_init, bias, weight_norm })
}

/// Kaiming's for activations that pass about half of their input (He et al. 2015), Xavier's for
/// the others (Glorot and Bengio 2010).
fn default_weight_init(activation: Activation) -> Init {
    if activation.entry().is_linear_near_0 {
        Init::XavierUniform { gain: 1.0 }
    } else {
        Init::KaimingUniform { gain: SQRT_2 }
    }
}

fn read_activation(mut section: Section) -> Result<Activation> {
    let name = section.choice("type", "activation", None, &activation_names())?;
    let activation = read_parameters(&mut section, name)?;
    section.finish()?;
    Ok(activation)
}

/// The activation of this name, which there is, with its parameter.
fn read_parameters(section: &mut Section, name: &str) -> Result<Activation> {
    let Some(entry) = activation::ALL.into_iter().find(|entry| entry.name == name) else {
        return Ok(Activation::IDENTITY);
    };
    let parameter = match entry.parameter {
        Some(Parameter { key, default, limit: Limit::Positive }) => {
            section.single(key, default, positive())?
        }
        Some(Parameter { key, default, limit: Limit::NonNegative }) => {
            section.single(key, default, non_negative())?
        }
        None => 0.0,
    };
    Ok(Activation::of(entry, parameter))
}

fn read_initialiser(mut section: Section) -> Result<Init> {
    let name = section.choice("type", "initialiser", None, Init::NAMES)?;
    let mut single = |key, default, range: Range| section.single(key, default, range);
    let init = match name {
        "constant" => Init::Constant(single("value", 0.0, finite())?),
        "uniform" => {
            Init::Uniform { low: single("low", -0.1, finite())?, high: single("high", 0.1, finite())? }
        }
        "normal" => Init::Normal {
            mean: single("mean", 0.0, finite())?,
            deviation: single("deviation", 0.1, non_negative())?,
        },
        "xavier-uniform" => Init::XavierUniform { gain: single("gain", 1.0, positive())? },
        "xavier-normal" => Init::XavierNormal { gain: single("gain", 1.0, positive())? },
        "kaiming-uniform" => Init::KaimingUniform { gain: single("gain", SQRT_2, positive())? },
        "kaiming-normal" => Init::KaimingNormal { gain: single("gain", SQRT_2, positive())? },
        "lecun-uniform" => Init::LecunUniform,
        "lecun-normal" => Init::LecunNormal,
        "orthogonal" => Init::Orthogonal { gain: single("gain", 1.0, positive())? },
        _ => Init::Zeros,
    };
    if let Init::Uniform { low, high } = init
        && low >= high
    {
        return Err(section.setting("high", &format!("a number above `low` ({low})"), &high.to_string()));
    }
    section.finish()?;
    Ok(init)
}

/// A bias has no fan-in, so only the initialisers that need none apply.
fn read_bias_initialiser(section: Section) -> Result<Init> {
    let refused = section.setting("type", "zeros, constant, uniform or normal for a bias", "another one");
    match read_initialiser(section)? {
        init @ (Init::Zeros | Init::Constant(_) | Init::Uniform { .. } | Init::Normal { .. }) => Ok(init),
        _ => Err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the documentation says of activations is what the table says.
    #[test]
    fn the_documentation_has_every_activation() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/layers.md")).unwrap();
        let has = |name: &str, formula: &str, parameter: &str, source: &str| {
            page.contains(&format!("| `{name}` | {formula} | {parameter} | {source} |"))
        };
        for entry in activation::ALL {
            let parameter = entry.parameter.map(|own| format!("`{}` ({})", own.key, own.default));
            let parameter = parameter.unwrap_or_default();
            assert!(
                has(entry.name, entry.formula, &parameter, entry.source),
                "docs/layers.md lacks {}",
                entry.name
            );
            assert!(!has(entry.name, "x + 1", &parameter, entry.source));
        }
    }

    /// The same of the layers of the table.
    #[test]
    fn the_documentation_has_every_layer_of_the_table() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/layers.md")).unwrap();
        let row = |name: &str, kind: &LayerKind| {
            let (formula, source, parameters) = kind.about();
            let keys: Vec<_> =
                parameters.iter().map(|own| format!("`{}` ({})", own.key, own.default())).collect();
            format!("| `{name}` | {formula} | {} | {source} |", keys.join(", "))
        };
        for name in ["prelu", "glu", "swiglu"] {
            let kind = LayerKind::named(name).unwrap();
            assert!(page.contains(&row(name, kind)), "docs/layers.md lacks {}", row(name, kind));
            assert!(!page.contains(&row("another", kind)));
        }
    }
}
