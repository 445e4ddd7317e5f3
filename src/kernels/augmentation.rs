//! The kernels of image augmentation.

pub mod elastic;
pub mod warp;
