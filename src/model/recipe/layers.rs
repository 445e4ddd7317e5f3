//! The `[[model.layers]]` tables: one layer each, from input to output.

mod config;
mod make;
mod read;
mod visit;
mod write;

pub use config::{LayerConfig, ResidualConfig, in_residual};
pub(super) use read::read_layers;
pub use visit::{find_layer, kinds_of, nodes};
pub(super) use write::layer_table;

#[cfg(test)]
mod tests;
