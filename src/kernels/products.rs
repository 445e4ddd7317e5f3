//! Matrix products.

pub mod chunks;
pub mod gemm;
pub mod newton_schulz;
pub mod panels;
pub mod sparse;
pub(in crate::kernels) mod tile;
