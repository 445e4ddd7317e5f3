//! Passes over elements, one by one.

pub mod clip;
pub mod convert;
pub mod dropout;
pub mod embedding;
pub mod fourier;
pub mod gated;
pub mod merge;
pub mod monomials;
pub mod prelu;
pub mod squared_distances;
