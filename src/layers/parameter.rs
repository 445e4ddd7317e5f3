//! Parameters: their names, their shapes, and how they lie in storage.

use std::ops::Range;

use crate::init::Init;
use crate::kernels::image::{self, Image};
use crate::kernels::products::panels;
use crate::tensor::padded;

/// One parameter of a layer, such as its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// PyTorch's name: "weight", "bias".
    pub name: &'static str,
    /// PyTorch's shape: `[out, in]`, `[out]`.
    pub shape: Vec<usize>,
    /// Its place in the layer's storage.
    pub range: Range<usize>,
    pub layout: Layout,
    /// How its initial values are drawn; without it they follow from those of others, by
    /// [`Layer::complete`](super::Layer::complete).
    pub init: Option<Init>,
}

impl ParameterSpec {
    /// Parameters that lie one behind the other, each row-major and padded with zeros to a multiple of 16 floats: of
    /// these names, shapes and initial values.
    pub fn in_order<const N: usize>(parameters: [(&'static str, Vec<usize>, Init); N]) -> Vec<ParameterSpec> {
        let mut end = 0;
        let place = |(name, shape, init): (_, Vec<usize>, _)| {
            let range = end..end + padded(shape.iter().product());
            end = range.end;
            let layout = Layout::Plain;
            ParameterSpec { name, shape, range, layout, init: Some(init) }
        };
        parameters.map(place).into()
    }

    /// Outputs, channels and area of the kernels of a convolution.
    pub fn kernels(&self) -> [usize; 3] {
        [self.shape[0], self.shape[1], self.shape[2..].iter().product()]
    }

    /// Stores its numbers, which come row-major in its shape, in its range of `storage`, as its layout says.
    #[doc(hidden)]
    pub fn store(&self, storage: &mut [f32], values: &[f32]) {
        let stored = &mut storage[self.range.clone()];
        match self.layout {
            Layout::Plain => stored[..values.len()].copy_from_slice(values),
            Layout::Panels => panels::pack(stored, values, self.shape[0], self.shape[1]),
            Layout::Kernels => panels::pack_kernels(stored, values, self.kernels()),
            Layout::GroupedKernels { groups } => panels::pack_groups(stored, values, self.kernels(), groups),
            Layout::Pixels => image::unflatten(stored, values, self.pixels()),
            Layout::Rows { pitch } => {
                let rows = stored.chunks_exact_mut(pitch).zip(values.chunks_exact(self.shape[1]));
                rows.for_each(|(stored, values)| stored[..values.len()].copy_from_slice(values));
            }
        }
    }

    /// Reads its numbers from its range of `storage`, row-major in its shape.
    #[doc(hidden)]
    pub fn read(&self, values: &mut [f32], storage: &[f32]) {
        let stored = &storage[self.range.clone()];
        match self.layout {
            Layout::Plain => values.copy_from_slice(&stored[..values.len()]),
            Layout::Panels => panels::unpack(values, stored, self.shape[0], self.shape[1]),
            Layout::Kernels => panels::unpack_kernels(values, stored, self.kernels()),
            Layout::GroupedKernels { groups } => {
                panels::unpack_groups(values, stored, self.kernels(), groups);
            }
            Layout::Pixels => image::flatten(values, stored, self.pixels()),
            Layout::Rows { pitch } => {
                let rows = values.chunks_exact_mut(self.shape[1]).zip(stored.chunks_exact(pitch));
                rows.for_each(|(values, stored)| values.copy_from_slice(&stored[..values.len()]));
            }
        }
    }

    /// The image whose pixels it has, of [`Layout::Pixels`].
    pub fn pixels(&self) -> Image {
        Image::new(self.shape[1], self.shape[2], self.shape[0])
    }
}

/// How a parameter lies in storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As its shape says, row-major, padded at the end with zeros.
    Plain,
    /// A matrix in [`panels`](crate::kernels::products::panels).
    Panels,
    /// The kernels of a convolution, `[out, channels, height, width]`, in panels:
    /// [`pack_kernels`](crate::kernels::products::panels::pack_kernels).
    Kernels,
    /// The same, the outputs of each of so many groups in panels of their own.
    GroupedKernels { groups: usize },
    /// One number for each of an image, `[channels, height, width]`, as images lie.
    Pixels,
    /// A matrix, row-major, each row padded with zeros to so many floats.
    Rows { pitch: usize },
}

/// The numbers that these parameters hold, padding not counted.
pub fn trained_numbers(specs: &[ParameterSpec]) -> usize {
    specs.iter().map(|spec| spec.shape.iter().product::<usize>()).sum()
}
