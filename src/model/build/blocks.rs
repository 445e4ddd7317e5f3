//! Blocks of a recipe as layers in order, some of which read other outputs than that of the layer before.

use super::{Builder, Flow};
use crate::Result;
use crate::kernels::activation::Activation;
use crate::layers::{Add, Branch, Built, Elementwise, Incoming, Node, Shape};
use crate::model::inputs::{Inputs, Origin};
use crate::model::recipe::{ResidualConfig, in_residual};

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
    ) -> Result<Origin> {
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

    /// Places layers beside what goes into them, as [`residual`](Builder::residual), and what they end in.
    pub(super) fn branch(
        &mut self,
        branch: Branch,
        index: usize,
        module: &str,
        input: Flow,
    ) -> Result<Origin> {
        let mut way = input;
        for (name, settings) in &branch.layers {
            // Data are taken as the layers between take them.
            let incoming = Incoming { shape: way.shape, is_data: false };
            let taken = Incoming { shape: settings.takes(index, incoming)?, ..incoming };
            let module = format!("{module}.{name}");
            match settings.build(taken) {
                Built::Nodes(nodes) => {
                    for node in nodes {
                        let (reads, each) = (Inputs::one(way.from), settings.fan_in(taken.shape));
                        way.from = self.place(index, node, reads, module.clone(), each)?;
                    }
                }
                Built::Branch(inner) => way.from = self.branch(inner, index, &module, way)?,
            }
            way.shape = settings.output(index, incoming)?;
        }
        let inputs = Inputs { main: input.from, other: Some(way.from) };
        self.place(index, Node::merge(branch.merge), inputs, module.to_string(), 0)
    }
}
