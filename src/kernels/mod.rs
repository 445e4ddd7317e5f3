//! Plain functions over slices and views: everything that is arithmetic on whole arrays.

pub mod activation;
pub mod clip;
pub mod columns;
pub mod convert;
pub mod gemm;
pub mod image;
pub mod isa;
mod lanes;
pub mod loss;
pub mod math;
pub mod narrow;
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
pub mod weight_norm;
