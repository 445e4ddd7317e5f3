//! Plain functions over slices and views: everything that is arithmetic on whole arrays.

pub mod activation;
pub mod augmentation;
pub mod convolution;
pub mod elementwise;
pub mod image;
pub mod loss;
pub mod normalisation;
pub mod products;
pub mod reference;
pub mod sequence;
pub mod simd;
pub mod update;
