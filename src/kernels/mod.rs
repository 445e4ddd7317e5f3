//! Plain functions over slices and views: everything that is arithmetic on whole arrays.

pub mod gemm;
pub mod isa;
pub mod panels;
mod tile;
