//! The transposed convolution, as a recipe writes it, and what comes out of it.

use toml::Table;

use super::super::super::section::{Section, integer_text};
use super::images::MOST_CHANNELS;
use super::windows::{self, MOST_COLUMNS, MOST_PIXELS, read_window, window_keys};
use super::{LayerConfig, default_weight_init, read_activation, read_bias_initialiser, read_initialiser};
use crate::error::{Error, Result};
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::kernels::image::{Image, Window};
use crate::model::recipe::values::{initialiser, integer, table_of};

/// A transposed convolution: y = activation(Σ w · x + b), each pixel of x spread over the window under its place, with w
/// of shape `[channels in, channels, kernel height, kernel width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionTransposeConfig {
    /// Of the output; at least 1.
    pub channels: usize,
    /// Its stride is how far apart pixels of the input come to lie, its padding what is cut off each side.
    pub window: Window,
    /// Pixels more below the output and to its right: fewer than the stride.
    pub output_padding: [usize; 2],
    pub activation: Activation,
    pub weight_init: Init,
    pub bias_init: Init,
    /// Whether there is a b.
    pub bias: bool,
}

impl ConvolutionTransposeConfig {
    /// One with a bias, windows of `kernel` x `kernel` pixels as far apart as `stride`, and no padding: what differs is set
    /// afterwards.
    pub fn new(
        channels: usize,
        kernel: usize,
        stride: usize,
        activation: Activation,
    ) -> ConvolutionTransposeConfig {
        ConvolutionTransposeConfig {
            channels,
            window: Window::plain(kernel, stride),
            output_padding: [0, 0],
            activation,
            weight_init: default_weight_init(activation),
            bias_init: Init::Zeros,
            bias: true,
        }
    }

    /// Numbers that are added up for each output where all of the window sees the input.
    pub fn inputs(&self, input: Image) -> usize {
        self.window.area().saturating_mul(input.channels)
    }

    /// What comes out of an image; `refused` makes an error of what was expected and found.
    pub(super) fn output(&self, input: Image, refused: impl Fn(String, String) -> Error) -> Result<Image> {
        let Some(output) = self.window.transposed(input, self.channels, self.output_padding) else {
            let window = self.window;
            let stride = windows::pair(window.stride, window);
            let expected = format!(
                "`padding` that leaves pixels of what kernel {window} and stride {stride} make of an image of {input}"
            );
            return Err(refused(expected, windows::padding(window).to_string()));
        };
        // The frame around the output and what is made of one pixel are memory too.
        let [down, across] = self.window.sides();
        let framed = down.framed(output.height) as u128 * across.framed(output.width) as u128;
        let patch = self.window.area() as u128 * self.channels as u128;
        let largest = (framed * output.pitch as u128).max(patch);
        if largest > MOST_COLUMNS as u128 {
            let expected =
                format!("at most {MOST_COLUMNS} numbers in an image with its padding, and in a kernel");
            return Err(refused(expected, largest.to_string()));
        }
        Ok(output)
    }
}

pub(super) fn read_convolution_transpose(section: &mut Section) -> Result<LayerConfig> {
    let channels = section.required_integer("channels", 1, MOST_CHANNELS)?;
    let window = read_window(section, false, false)?;
    let output_padding = read_output_padding(section, window)?;
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
    let config = ConvolutionTransposeConfig {
        channels,
        window,
        output_padding,
        activation,
        weight_init,
        bias_init,
        bias,
    };
    Ok(LayerConfig::ConvolutionTranspose(config))
}

fn read_output_padding(section: &mut Section, window: Window) -> Result<[usize; 2]> {
    let key = "output_padding";
    let expected = format!("{}, or [height, width] of such", integer_text(0, MOST_PIXELS - 1));
    let values = section.integers(key, &[2], [0, MOST_PIXELS - 1], &expected)?.unwrap_or(vec![0]);
    let pixels = match values[..] {
        [height, width] => [height, width],
        [both, ..] => [both, both],
        [] => [0, 0],
    };
    if pixels[0] >= window.stride[0] || pixels[1] >= window.stride[1] {
        let stride = windows::pair(window.stride, window);
        let expected = format!("less than `stride` ({stride}) on each side");
        return Err(section.setting(key, &expected, &windows::pair(pixels, window).to_string()));
    }
    Ok(pixels)
}

pub(in super::super) fn convolution_transpose(
    kind: &str,
    config: &ConvolutionTransposeConfig,
    activation: Table,
) -> Table {
    let mut table = table_of([("type", kind.into()), ("channels", integer(config.channels as u64))]);
    table.extend(window_keys(config.window, false));
    table.extend(table_of([
        ("output_padding", windows::pair(config.output_padding, config.window)),
        ("activation", activation.into()),
        ("weight_init", initialiser(&config.weight_init).into()),
        ("bias", config.bias.into()),
    ]));
    if config.bias {
        table.insert("bias_init".into(), initialiser(&config.bias_init).into());
    }
    table
}
