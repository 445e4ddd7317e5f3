//! The shape of an image.

use crate::tensor::padded;

/// The shape of an image, `[height, width, pitch]` in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    /// Floats from one pixel to the next: the channels, padded except in the data.
    pub pitch: usize,
}

impl Image {
    /// The image between two layers, with padded channels.
    pub const fn new(height: usize, width: usize, channels: usize) -> Image {
        Image { height, width, channels, pitch: padded(channels) }
    }

    /// The image of a sample of the data, without padding.
    pub const fn data([height, width, channels]: [usize; 3]) -> Image {
        Image { height, width, channels, pitch: channels }
    }

    /// The image between two layers of the same pixels, with so many channels.
    pub const fn with_channels(&self, channels: usize) -> Image {
        Image::new(self.height, self.width, channels)
    }

    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Numbers of the image without padding.
    pub const fn features(&self) -> usize {
        self.pixels() * self.channels
    }

    /// Floats of the image, padding included.
    pub const fn columns(&self) -> usize {
        self.pixels() * self.pitch
    }
}

impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}
