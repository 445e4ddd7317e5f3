//! Normalisation over a batch, over rows, and of weights.

pub mod normalise;
pub mod per_position;
pub mod per_row;
pub mod weight_norm;
