//! The shape of a sample between two layers.

use std::fmt;

use crate::kernels::image::Image;

/// A sample between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many numbers.
    Features(usize),
    Image(Image),
}

/// What goes into a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    pub shape: Shape,
    /// Whether it is the data, of which no gradient is wanted.
    pub is_data: bool,
}

impl Shape {
    /// Numbers without padding.
    pub fn features(self) -> usize {
        match self {
            Shape::Features(features) => features,
            Shape::Image(image) => image.features(),
        }
    }

    /// Numbers that lie beside each other: the channels of a pixel, or all features.
    pub fn channels(self) -> usize {
        match self {
            Shape::Features(features) => features,
            Shape::Image(image) => image.channels,
        }
    }

    /// The image, if it is one.
    pub fn image(self) -> Option<Image> {
        match self {
            Shape::Features(_) => None,
            Shape::Image(image) => Some(image),
        }
    }

    /// The same with so many channels to a pixel, or so many features.
    pub fn with_channels(self, channels: usize) -> Shape {
        match self {
            Shape::Features(_) => Shape::Features(channels),
            Shape::Image(image) => Shape::Image(Image::new(image.height, image.width, channels)),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Shape::Features(features) => write!(f, "{features}"),
            Shape::Image(image) => write!(f, "{image}"),
        }
    }
}
