//! The layers of images, as a recipe writes them.

use super::super::super::section::Section;
use super::windows::{read_window, window_keys};
use super::{LayerConfig, default_weight_init, read_activation, read_bias_initialiser, read_initialiser};
use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::kernels::image::Window;
use crate::model::recipe::values::{initialiser, integer, table_of};

/// The most channels of a convolution.
pub(super) const MOST_CHANNELS: usize = 1 << 16;

/// A convolution: y = activation(Σ w · x + b) with w of shape
/// `[channels, channels in / groups, kernel height, kernel width]`, of a sequence without the height.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionConfig {
    /// Of the output; at least 1.
    pub channels: usize,
    pub window: Window,
    /// Parts of the channels that see nothing of each other; they divide those that come in, and those
    /// that come out.
    pub groups: usize,
    pub activation: Activation,
    pub weight_init: Init,
    pub bias_init: Init,
    /// Whether there is a b.
    pub bias: bool,
}

pub(super) fn read_convolution(section: &mut Section, one_dimensional: bool) -> Result<LayerConfig> {
    let channels = section.required_integer("channels", 1, MOST_CHANNELS)?;
    let window = read_window(section, one_dimensional, false)?;
    let groups = section.integer("groups", 1, 1, MOST_CHANNELS)?;
    if !channels.is_multiple_of(groups) {
        let expected = format!("an integer that divides `channels` ({channels})");
        return Err(section.setting("groups", &expected, &groups.to_string()));
    }
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
    let config = ConvolutionConfig { channels, window, groups, activation, weight_init, bias_init, bias };
    Ok(LayerConfig::Convolution(config))
}

pub(in super::super) fn convolution(
    kind: &str,
    config: &ConvolutionConfig,
    activation: toml::Table,
) -> toml::Table {
    let mut table = table_of([("type", kind.into()), ("channels", integer(config.channels as u64))]);
    table.extend(window_keys(config.window, false));
    table.extend(table_of([
        ("groups", integer(config.groups as u64)),
        ("activation", activation.into()),
        ("weight_init", initialiser(&config.weight_init).into()),
        ("bias", config.bias.into()),
    ]));
    if config.bias {
        table.insert("bias_init".into(), initialiser(&config.bias_init).into());
    }
    table
}

pub(in super::super) fn pool(kind: &str, window: Window) -> toml::Table {
    let mut table = table_of([("type", kind.into())]);
    table.extend(window_keys(window, true));
    table
}
