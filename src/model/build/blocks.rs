//! Blocks of a recipe as layers in order, some of which read other outputs than that of the layer before.

use super::{Builder, Flow, inputs, realise};
use crate::Result;
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;
use crate::layers::{Add, Elementwise, Node, Scale, Shape};
use crate::model::inputs::{Input, Inputs};
use crate::model::recipe::{ResidualConfig, gate_layers, in_residual};

/// The modules of a squeeze-excite block that find the gates.
const GATE: [&str; 3] = ["pool", "fc1", "fc2"];

impl Builder {
    /// Places a residual block, number `index` of its list and of this module: its layers, those of its
    /// shortcut, and their sum, of this shape. Returns where what it gives lies.
    pub(super) fn residual(
        &mut self,
        block: &ResidualConfig,
        index: usize,
        module: &str,
        input: Flow,
        shape: Shape,
    ) -> Result<Input> {
        let mut way = |layers, list: &str| {
            self.sequence(layers, &format!("{module}.{list}."), input)
                .map_err(|error| in_residual(error, index, list))
        };
        let [main, other] = [way(&block.layers, "layers")?, way(&block.shortcut, "shortcut")?];
        let activation = block.activation;
        let apart = activation != Activation::IDENTITY && !activation.derivative_from_output();
        let image = match shape {
            Shape::Image(image) => Some(image),
            Shape::Features(_) => None,
        };
        let features = image.map_or(shape.features(), |image| image.channels);
        let own = if apart { Activation::IDENTITY } else { activation };
        let add = Add { features, activation: own, image };
        let inputs = Inputs { main: main.from, other: Some(other.from) };
        let sum = self.place(index, Node::merge(Box::new(add)), inputs, module.to_string(), 0)?;
        if !apart {
            return Ok(sum);
        }
        let layer = Node::layer(Box::new(Elementwise { features, activation, image }));
        self.place(index, layer, Inputs::one(sum), format!("{module}.activation"), 0)
    }

    /// Places a squeeze-excite block, as [`residual`](Builder::residual): the layers that find the gates of
    /// the channels, and the product with them.
    pub(super) fn squeeze_excite(
        &mut self,
        reduction: usize,
        index: usize,
        module: &str,
        input: Flow,
        image: Image,
    ) -> Result<Input> {
        let mut gate = input;
        for (config, name) in gate_layers(image.channels, reduction).iter().zip(GATE) {
            for layer in realise(config, gate.shape, false) {
                let reads = Inputs::one(gate.from);
                let each = inputs(config, gate.shape);
                gate.from = self.place(index, layer, reads, format!("{module}.{name}"), each)?;
            }
            gate.shape = config.output(index, gate.shape, false)?;
        }
        let inputs = Inputs { main: input.from, other: Some(gate.from) };
        self.place(index, Node::merge(Box::new(Scale { image })), inputs, module.to_string(), 0)
    }
}
