//! What is done to images that are trained on.

pub mod elastic;
pub mod warp;
