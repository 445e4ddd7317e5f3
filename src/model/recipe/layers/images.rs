//! The layers of images, as a recipe writes them.

use super::super::super::section::Section;
use super::super::write::{initialiser, integer, table_of};
use super::{LayerConfig, default_weight_init, read_activation, read_bias_initialiser, read_initialiser};
use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::kernels::image::Window;

/// The most channels of a convolution.
pub(super) const MOST_CHANNELS: usize = 1 << 16;
/// The most pixels along a side of a window, and of its stride, padding and dilation.
const MOST_PIXELS: usize = 1024;

/// A convolution: y = activation(Σ w · x + b) with w of shape
/// `[channels, channels in / groups, kernel, kernel]`.
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

pub(super) fn read_convolution(section: &mut Section) -> Result<LayerConfig> {
    let channels = section.required_integer("channels", 1, MOST_CHANNELS)?;
    let window = Window {
        kernel: section.required_integer("kernel", 1, MOST_PIXELS)?,
        stride: section.integer("stride", 1, 1, MOST_PIXELS)?,
        padding: section.integer("padding", 0, 0, MOST_PIXELS)?,
        dilation: section.integer("dilation", 1, 1, MOST_PIXELS)?,
    };
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

/// The window of a pool: places side by side unless `stride` says otherwise.
pub(super) fn read_pool(section: &mut Section) -> Result<Window> {
    let kernel = section.required_integer("kernel", 1, MOST_PIXELS)?;
    Ok(Window::plain(kernel, section.integer("stride", kernel, 1, MOST_PIXELS)?))
}

pub(in super::super) fn convolution(config: &ConvolutionConfig, activation: toml::Table) -> toml::Table {
    let Window { kernel, stride, padding, dilation } = config.window;
    let mut table = table_of([
        ("type", "conv".into()),
        ("channels", integer(config.channels as u64)),
        ("kernel", integer(kernel as u64)),
        ("stride", integer(stride as u64)),
        ("padding", integer(padding as u64)),
        ("dilation", integer(dilation as u64)),
        ("groups", integer(config.groups as u64)),
        ("activation", activation.into()),
        ("weight_init", initialiser(&config.weight_init).into()),
        ("bias", config.bias.into()),
    ]);
    if config.bias {
        table.insert("bias_init".into(), initialiser(&config.bias_init).into());
    }
    table
}

pub(in super::super) fn pool(name: &str, window: Window) -> toml::Table {
    table_of([
        ("type", name.into()),
        ("kernel", integer(window.kernel as u64)),
        ("stride", integer(window.stride as u64)),
    ])
}
