//! What comes out of a layer, given what goes in: checked before anything is allocated.

use super::{ConvolutionConfig, LayerConfig, NormalisationConfig, Over};
use crate::error::{Error, Result};
use crate::kernels::image::{Image, Window};
use crate::layers::Shape;

/// The most numbers of a sample between two layers of images, padding included.
const MOST_COLUMNS: usize = 1 << 24;

impl LayerConfig {
    /// The type, as a recipe calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            LayerConfig::Dense { .. } => "dense",
            LayerConfig::Activation(activation) => activation.name(),
            LayerConfig::Convolution(_) => "conv",
            LayerConfig::MaxPool(_) => "max-pool",
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
        let image = |image: Shape| match image {
            Shape::Image(image) => Ok(image),
            Shape::Features(features) => Err(refused("an image".into(), format!("{features} features"))),
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
            LayerConfig::MaxPool(window) | LayerConfig::AveragePool(window) => {
                let input = image(input)?;
                Shape::Image(placed(*window, input, input.channels, refused)?)
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
    let Window { kernel, padding, dilation, .. } = window;
    let side = input.height.min(input.width) + 2 * padding;
    let most = (side - 1) / dilation + 1;
    if kernel > most {
        let with = if padding > 0 || dilation > 1 {
            format!(", padding {padding} and dilation {dilation}")
        } else {
            String::new()
        };
        return Err(refused(
            format!("`kernel` from 1 to {most} on an image of {input}{with}"),
            kernel.to_string(),
        ));
    }
    // The frame around the input and the patches of one row are memory too.
    let framed = (input.height + 2 * padding) as u128 * (input.width + 2 * padding) as u128;
    let output = window.output(input, channels);
    let columns = (output.height * output.width) as u128 * output.pitch as u128;
    let patch = (kernel * kernel) as u128 * input.channels as u128;
    let largest = columns.max(framed * input.pitch as u128).max(patch);
    if largest > MOST_COLUMNS as u128 {
        let expected =
            format!("at most {MOST_COLUMNS} numbers in an image with its padding, and in a kernel");
        return Err(refused(expected, largest.to_string()));
    }
    Ok(output)
}
