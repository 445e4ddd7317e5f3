//! Blocks of a recipe as layers in order, some of which read other outputs than that of the layer before.

use super::{Builder, Flow};
use crate::Result;
use crate::kernels::activation::Activation;
use crate::layers::{Add, Branch, Built, Elementwise, Incoming, LayerSettings, Node, Shape};
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
        let way = self.stack(&branch.layers, index, module, input)?;
        let inputs = Inputs { main: input.from, other: Some(way) };
        self.place(index, Node::merge(branch.merge), inputs, module.to_string(), 0)
    }

    /// Places layers one behind the other, in modules of their names. Returns where what the last gives lies.
    fn stack(
        &mut self,
        layers: &[(&'static str, LayerSettings)],
        index: usize,
        module: &str,
        input: Flow,
    ) -> Result<Origin> {
        let mut way = input;
        for (name, settings) in layers {
            // Data are taken as the layers between take them.
            let incoming = Incoming { shape: way.shape, is_data: false };
            let taken = settings.takes(index, incoming)?;
            let (built, each) =
                (settings.build(Incoming { shape: taken, ..incoming }), settings.fan_in(taken));
            let input = Flow { shape: taken, ..way };
            way.from = self.built(built, index, &format!("{module}.{name}"), input, each)?;
            way.shape = settings.output(index, incoming)?;
        }
        Ok(way.from)
    }

    /// Places what stands for an entry within a module, with so many numbers going into each output. Returns where what it
    /// gives lies.
    pub(super) fn built(
        &mut self,
        built: Built,
        index: usize,
        module: &str,
        input: Flow,
        each: usize,
    ) -> Result<Origin> {
        match built {
            Built::Nodes(nodes) | Built::Chain(nodes) => {
                let place = |from, node| self.place(index, node, Inputs::one(from), module.to_string(), each);
                nodes.into_iter().try_fold(input.from, place)
            }
            Built::Branch(branch) => self.branch(branch, index, module, input),
            Built::Stack(layers) => self.stack(&layers, index, module, input),
        }
    }
}
