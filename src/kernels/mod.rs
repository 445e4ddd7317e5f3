//! Plain functions over slices and views: everything that is arithmetic on whole arrays.

pub mod activation;
pub mod channels;
pub mod clip;
pub mod columns;
pub mod convert;
pub mod convolve;
pub mod depthwise;
pub mod gemm;
pub mod image;
pub mod isa;
pub mod join;
pub mod loss;
pub mod math;
pub mod newton_schulz;
pub mod panels;
pub mod peak;
pub mod pool;
pub mod prefetch;
pub mod reduce;
pub mod reference;
pub mod stream;
mod tile;
pub mod vectorise;
mod walk;
pub mod weight_norm;
