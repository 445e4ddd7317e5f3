//! Passes over elements, one by one.

pub mod clip;
pub mod convert;
pub mod dropout;
pub mod embedding;
pub mod gated;
pub mod merge;
pub mod prelu;
