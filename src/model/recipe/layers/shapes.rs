//! What comes out of a layer, given what goes in: checked before anything is allocated.

use super::LayerConfig;
use super::images::ConvolutionConfig;
use super::normalisation::{NormalisationConfig, Over};
use super::windows::{self, MOST_COLUMNS};
use crate::error::{Error, Result};
use crate::kernels::image::{Image, Window};
use crate::layers::Shape;

impl LayerConfig {
    /// The type, as a recipe calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            LayerConfig::Dense { .. } => "dense",
            LayerConfig::Activation(activation) => activation.name(),
            LayerConfig::Convolution(config) if config.window.one_dimensional => "conv-1d",
            LayerConfig::Convolution(_) => "conv",
            LayerConfig::ConvolutionTranspose(_) => "conv-transpose",
            LayerConfig::MaxPool(window) if window.one_dimensional => "max-pool-1d",
            LayerConfig::MaxPool(_) => "max-pool",
            LayerConfig::AveragePool(window) if window.one_dimensional => "average-pool-1d",
            LayerConfig::AveragePool(_) => "average-pool",
            LayerConfig::GlobalAveragePool => "global-average-pool",
            LayerConfig::Flatten => "flatten",
            LayerConfig::Residual(_) => "residual",
            LayerConfig::SqueezeExcite { .. } => "squeeze-excite",
            LayerConfig::Normalisation(config) => config.kind(),
            LayerConfig::Dropout { .. } => "dropout",
            LayerConfig::Of(settings) => settings.kind().name(),
        }
    }

    /// The window of a convolution or a pool.
    pub fn window(&self) -> Option<Window> {
        match self {
            LayerConfig::Convolution(config) => Some(config.window),
            LayerConfig::ConvolutionTranspose(config) => Some(config.window),
            LayerConfig::MaxPool(window) | LayerConfig::AveragePool(window) => Some(*window),
            _ => None,
        }
    }

    /// What goes in as the layer takes it: the `first` layer takes data as they lie. For a layer of sequences
    /// an image is the sequence of its pixels, row after row, and a row of features one of a single channel.
    pub fn takes(&self, input: Shape, first: bool) -> Shape {
        match (self.window(), input) {
            (Some(Window { one_dimensional: true, .. }), Shape::Image(data)) if first => {
                let sequence = if data.pixels() == 1 {
                    [1, data.channels, 1]
                } else {
                    [1, data.pixels(), data.channels]
                };
                Shape::Image(Image::data(sequence))
            }
            _ => input,
        }
    }

    /// What comes out of this layer, the recipe's number `index`, if `input` goes in. The `first` layer
    /// gets data, which a dense layer or an activation takes as it lies, as features.
    ///
    /// # Errors
    /// [`Error::Shape`] if it cannot be the input.
    pub fn output(&self, index: usize, input: Shape, first: bool) -> Result<Shape> {
        let refused = |expected: String, found: String| Error::Shape {
            index,
            layer: self.kind().into(),
            expected,
            found,
        };
        let input = self.takes(input, first);
        let one_dimensional = self.window().is_some_and(|window| window.one_dimensional);
        let image = |image: Shape| match image {
            Shape::Image(image) if one_dimensional && image.height > 1 => {
                Err(refused("a sequence: an image of height 1".into(), format!("an image of {image}")))
            }
            Shape::Image(image) => Ok(image),
            Shape::Features(features) => {
                let expected = if one_dimensional { "a sequence" } else { "an image" };
                Err(refused(expected.into(), format!("{features} features")))
            }
        };
        let output = match self {
            LayerConfig::Of(settings) if first => {
                settings.output(index, Shape::Features(input.features()))?
            }
            LayerConfig::Of(settings) => settings.output(index, input)?,
            LayerConfig::Dropout { channels: true, .. } if first => {
                let expected = "`channels = true` behind a layer that gives an image";
                return Err(refused(expected.into(), "the data".into()));
            }
            LayerConfig::Activation(_) | LayerConfig::Normalisation(_) | LayerConfig::Dropout { .. }
                if first =>
            {
                let input = Shape::Features(input.features());
                grouped(self, input, refused)?
            }
            LayerConfig::Dropout { channels: true, .. } => Shape::Image(image(input)?),
            LayerConfig::Activation(_) | LayerConfig::Dropout { .. } => input,
            LayerConfig::Normalisation(_) => grouped(self, input, refused)?,
            LayerConfig::Dense { units, .. } => match input {
                Shape::Image(image) if !first => {
                    let expected = "features: a `flatten` or `global-average-pool` layer before it";
                    return Err(refused(expected.into(), format!("an image of {image}")));
                }
                _ => Shape::Features(*units),
            },
            LayerConfig::Convolution(ConvolutionConfig { channels, window, groups, .. }) => {
                let input = image(input)?;
                if !input.channels.is_multiple_of(*groups) {
                    let expected =
                        format!("`groups` that divides the {} channels that come in", input.channels);
                    return Err(refused(expected, groups.to_string()));
                }
                Shape::Image(placed(*window, input, *channels, refused)?)
            }
            LayerConfig::ConvolutionTranspose(config) => Shape::Image(config.output(image(input)?, refused)?),
            LayerConfig::MaxPool(window) | LayerConfig::AveragePool(window) => {
                let input = image(input)?;
                let output = placed(*window, input, input.channels, refused)?;
                check_seen(*window, input, refused)?;
                Shape::Image(output)
            }
            LayerConfig::GlobalAveragePool => Shape::Features(image(input)?.channels),
            LayerConfig::Flatten => Shape::Features(image(input)?.features()),
            LayerConfig::Residual(block) => block.output(index, input, first)?,
            LayerConfig::SqueezeExcite { .. } => {
                let input = image(input)?;
                Shape::Image(placed(Window::plain(1, 1), input, input.channels, refused)?)
            }
        };
        Ok(output)
    }
}

/// What goes through a layer as it is, if its groups divide it.
fn grouped(layer: &LayerConfig, input: Shape, refused: impl Fn(String, String) -> Error) -> Result<Shape> {
    let channels = match input {
        Shape::Features(features) => features,
        Shape::Image(image) => image.channels,
    };
    match layer {
        LayerConfig::Normalisation(NormalisationConfig { over: Over::Groups(groups), .. })
            if !channels.is_multiple_of(*groups) =>
        {
            let expected = format!("`groups` that divide the {channels} channels or features");
            Err(refused(expected, groups.to_string()))
        }
        _ => Ok(input),
    }
}

/// The image that a window makes of another.
fn placed(
    window: Window,
    input: Image,
    channels: usize,
    refused: impl Fn(String, String) -> Error,
) -> Result<Image> {
    let [rows, columns] = window.sides();
    let [tall, wide] = [rows.framed(input.height), columns.framed(input.width)];
    let most = [(tall - 1) / rows.dilation + 1, (wide - 1) / columns.dilation + 1];
    if rows.kernel > most[0] || columns.kernel > most[1] {
        let with = if window.is_padded() || window.is_dilated() {
            let dilation = windows::pair(window.dilation, window);
            format!(", padding {} and dilation {dilation}", windows::padding(window))
        } else {
            String::new()
        };
        let (most, found) = if window.one_dimensional {
            (format!("from 1 to {}", most[1]), window.to_string())
        } else if rows.kernel == columns.kernel {
            (format!("from 1 to {}", most[0].min(most[1])), rows.kernel.to_string())
        } else {
            (format!("of at most {}x{}", most[0], most[1]), window.to_string())
        };
        return Err(refused(format!("`kernel` {most} on an image of {input}{with}"), found));
    }
    // The frame around the input and the patches of one row are memory too.
    let framed = tall as u128 * wide as u128;
    let output = window.output(input, channels);
    let columns = (output.height * output.width) as u128 * output.pitch as u128;
    let patch = window.area() as u128 * input.channels as u128;
    let largest = columns.max(framed * input.pitch as u128).max(patch);
    if largest > MOST_COLUMNS as u128 {
        let expected =
            format!("at most {MOST_COLUMNS} numbers in an image with its padding, and in a kernel");
        return Err(refused(expected, largest.to_string()));
    }
    Ok(output)
}

/// Refuses a pool of which a place sees nothing but padding.
fn check_seen(window: Window, input: Image, refused: impl Fn(String, String) -> Error) -> Result<()> {
    let [rows, columns] = window.sides();
    for (side, pixels) in [(rows, input.height), (columns, input.width)] {
        if (0..side.places(pixels)).any(|place| side.kernel_inside(place, pixels).is_empty()) {
            let expected =
                format!("`padding` with which every window of {window} sees a pixel of an image of {input}");
            return Err(refused(expected, windows::padding(window).to_string()));
        }
    }
    Ok(())
}
