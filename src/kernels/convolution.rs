//! Convolutions: as matrix products of patches that are read where they lie, depthwise, and of few channels with their pool at once.

pub mod convolve;
pub mod depthwise;
pub mod fused_pool;
mod implicit_gemm;
