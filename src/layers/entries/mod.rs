//! The entries of the table of layers that are more than one layer each, or more than a page beside it.

pub(super) mod attention;
pub(super) mod convolution;
pub(super) mod decoder;
pub(super) mod dense;
pub(super) mod embedding;
pub(super) mod features;
pub(super) mod normalisation;
mod part;
pub(super) mod position;
pub(super) mod recurrent;
pub(super) mod squeeze_excite;
pub(super) mod tied;
pub(super) mod transformer;
pub(super) mod transposed;

pub use convolution::with_pool;
pub use features::monomials;
