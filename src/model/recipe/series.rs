//! Windows of a series, for networks that read them row by row.

use super::layers::LayerConfig;
use super::network::ModelConfig;
use crate::kernels::image::Image;
use crate::layers::{Incoming, Shape};

impl ModelConfig {
    /// Whether the network reads data position by position: its first layer, or the first one of a block at the front, takes
    /// an image or a sequence.
    pub(super) fn reads_positions(&self) -> bool {
        takes_positions(&self.layers)
    }
}

fn takes_positions(layers: &[LayerConfig]) -> bool {
    // Any sequence: what a layer takes data as depends on the layer alone.
    let data = Incoming { shape: Shape::Image(Image::data([1, 2, 1])), is_data: true };
    match layers.first() {
        Some(LayerConfig::Residual(block)) => takes_positions(&block.layers),
        Some(layer) => matches!(layer.takes(0, data), Ok(Shape::Image(_))),
        None => false,
    }
}
