//! Parameters: their names, their shapes, and how they lie in storage.

use std::ops::Range;

use crate::init::Init;
use crate::kernels::image::Image;

/// One parameter of a layer, such as its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// PyTorch's name: "weight", "bias".
    pub name: &'static str,
    /// PyTorch's shape: `[out, in]`, `[out]`.
    pub shape: Vec<usize>,
    /// Its place in the layer's storage.
    pub range: Range<usize>,
    pub arrangement: Arrangement,
    /// How its initial values are drawn; without it they follow from those of others, by
    /// [`Layer::complete`](super::Layer::complete).
    pub init: Option<Init>,
}

impl ParameterSpec {
    /// Outputs, channels and area of the kernels of a convolution.
    pub fn kernels(&self) -> [usize; 3] {
        [self.shape[0], self.shape[1], self.shape[2..].iter().product()]
    }

    /// The image whose pixels it has, of [`Arrangement::Pixels`].
    pub fn pixels(&self) -> Image {
        Image::new(self.shape[1], self.shape[2], self.shape[0])
    }
}

/// How a parameter lies in storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// As its shape says, row-major, padded at the end with zeros.
    Plain,
    /// A matrix in [`panels`](crate::kernels::panels).
    Panels,
    /// The kernels of a convolution, `[out, channels, height, width]`, in panels:
    /// [`pack_kernels`](crate::kernels::panels::pack_kernels).
    Kernels,
    /// The same, the outputs of each of so many groups in panels of their own.
    GroupedKernels { groups: usize },
    /// One number for each of an image, `[channels, height, width]`, as images lie.
    Pixels,
}
