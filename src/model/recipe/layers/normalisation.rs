//! Normalisations and dropout, as a recipe writes them.

use super::super::super::section::{Section, divisor, unit_open, unit_positive};
use super::{LayerConfig, MOST_UNITS, Shape, read_activation};
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::model::recipe::values::{integer, table_of};

/// ε and momentum where a recipe says none, as in PyTorch.
pub(super) const EPSILON: f64 = 1e-5;
pub(super) const MOMENTUM: f64 = 0.1;
/// As `torch.nn.Dropout`.
const RATE: f64 = 0.5;

/// A normalisation: y = activation((x - mean) / sqrt(variance + ε) · w + b).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormalisationConfig {
    pub over: Over,
    pub epsilon: f64,
    pub activation: Activation,
}

/// What mean and variance are taken over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Over {
    /// Each channel of all samples of a batch; the part of the running statistics that a batch renews, in
    /// (0, 1].
    Batch { momentum: f64 },
    /// All numbers of a sample.
    Layer,
    /// The channels of a sample, in so many groups, at least 1.
    Groups(usize),
}

impl NormalisationConfig {
    /// The type, as a recipe calls it.
    pub fn kind(&self) -> &'static str {
        match self.over {
            Over::Batch { .. } => "batch-norm",
            Over::Layer => "layer-norm",
            Over::Groups(_) => "group-norm",
        }
    }

    /// How many weights there are, for samples of this shape.
    pub fn scaled(&self, shape: Shape) -> usize {
        match (self.over, shape) {
            (Over::Batch { .. } | Over::Groups(_), Shape::Image(image)) => image.channels,
            _ => shape.features(),
        }
    }
}

pub(super) fn read_normalisation(section: &mut Section, kind: &str) -> Result<LayerConfig> {
    let over = match kind {
        "batch-norm" => Over::Batch { momentum: section.number("momentum", MOMENTUM, unit_positive())? },
        "layer-norm" => Over::Layer,
        _ => Over::Groups(section.required_integer("groups", 1, MOST_UNITS)?),
    };
    let epsilon = section.number("epsilon", EPSILON, divisor())?;
    let activation = match section.named("activation")? {
        Some(section) => read_activation(section)?,
        None => Activation::IDENTITY,
    };
    Ok(LayerConfig::Normalisation(NormalisationConfig { over, epsilon, activation }))
}

pub(super) fn read_dropout(section: &mut Section) -> Result<LayerConfig> {
    let rate = section.number("rate", RATE, unit_open())?;
    Ok(LayerConfig::Dropout { rate, channels: section.boolean("channels", false)? })
}

pub(in super::super) fn normalisation(config: &NormalisationConfig, activation: toml::Table) -> toml::Table {
    let mut table = table_of([
        ("type", config.kind().into()),
        ("epsilon", config.epsilon.into()),
        ("activation", activation.into()),
    ]);
    match config.over {
        Over::Batch { momentum } => _ = table.insert("momentum".into(), momentum.into()),
        Over::Layer => {}
        Over::Groups(groups) => _ = table.insert("groups".into(), integer(groups as u64)),
    }
    table
}

pub(in super::super) fn dropout(rate: f64, channels: bool) -> toml::Table {
    table_of([("type", "dropout".into()), ("rate", rate.into()), ("channels", channels.into())])
}
