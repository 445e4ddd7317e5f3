//! A layer of the table at its place in a network, where it is known what goes into it.

use super::elementwise::Elementwise;
use super::kind::{Branch, Ending, Input, LayerSettings, Make, Misfit, PLACE, Refusal};
use super::layer::Layer;
use super::node::Node;
use super::shape::{Incoming, Shape};
use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;

/// What stands in a network for an entry of its list.
#[derive(Debug)]
pub enum Built {
    /// One after the other.
    Nodes(Vec<Node>),
    Branch(Branch),
    /// One after the other, in one module.
    Chain(Vec<Node>),
    /// Layers in modules within that of the entry.
    Stack(Vec<(&'static str, LayerSettings)>),
}

#[doc(hidden)]
impl LayerSettings {
    /// What is wrong of settings each of which is in its range.
    pub fn misfit(&self) -> Option<Misfit> {
        (self.kind.conflict)(self.values())
    }

    /// What goes into the layer of number `index` of its list, as it takes it.
    ///
    /// # Errors
    /// [`Error::Shape`] if it can't be the input; [`Error::Setting`] for what must be set and is not.
    pub fn takes(&self, index: usize, input: Incoming) -> Result<Shape> {
        if let Some(parameter) = self.values().missing() {
            let (place, key) = (format!("{PLACE} {}", self.kind.name), parameter.keys()[0].into());
            return Err(Error::Setting { place, key, expected: parameter.range(), found: "nothing".into() });
        }
        if let (true, Some(expected)) = (input.is_data, (self.kind.behind)(self.values())) {
            let (expected, found) = (expected.into(), Some("the data".into()));
            return Err(self.refused(index, input.shape, Refusal { expected, found }));
        }
        taken(self.kind.input, input).map_err(|refusal| self.refused(index, input.shape, refusal))
    }

    /// What comes out of the layer of number `index` of its list.
    ///
    /// # Errors
    /// Those of [`takes`](LayerSettings::takes), and those of what the layer says of its output.
    pub fn output(&self, index: usize, input: Incoming) -> Result<Shape> {
        let input = self.takes(index, input)?;
        (self.kind.output)(self.values(), input).map_err(|refusal| self.refused(index, input, refusal))
    }

    fn refused(&self, index: usize, input: Shape, Refusal { expected, found }: Refusal) -> Error {
        let shape = || match input {
            Shape::Features(features) => format!("{features} features"),
            Shape::Image(image) => format!("an image of {image}"),
        };
        Error::Shape { index, layer: self.kind.name.into(), expected, found: found.unwrap_or_else(shape) }
    }

    /// The layer, if it is one that reads one input row by row, for an input of a shape that it
    /// [takes](LayerSettings::takes) between two layers.
    pub fn make(&self, input: Shape) -> Option<Box<dyn Layer>> {
        match self.kind.make {
            Make::Layer(make) => Some(make(self.values(), input)),
            _ => None,
        }
    }

    /// What stands in a network for the layer, of an input that it [takes](LayerSettings::takes) so.
    pub fn build(&self, input: Incoming) -> Built {
        let apart = self.own_activation().filter(|_| !self.fuses());
        let fused = apart.map(|_| self.resolved().having("activation", Activation::IDENTITY));
        let own = fused.as_ref().unwrap_or(self).values();
        let node = match self.kind.make {
            Make::Layer(make) => Node::layer(make(own, input.shape)),
            Make::Node(make) => make(own, input),
            Make::Branch(make) => return Built::Branch(make(own, input.shape)),
            Make::Chain(make) => return Built::Chain(make(own, input)),
            Make::Stack(make) => return Built::Stack(make(own, input.shape)),
        };
        let after = apart.map(|activation| {
            let features = node.image().map_or(node.outputs(), |image| image.channels);
            Node::layer(Box::new(Elementwise { features, activation, image: node.image() }))
        });
        Built::Nodes([node].into_iter().chain(after).collect())
    }

    /// How many modules each node is in PyTorch's `Sequential`: a fused activation is one of its own.
    pub fn modules(&self) -> usize {
        self.kind.modules + usize::from(self.fuses())
    }

    /// The same of all nodes that stand for it, that of an activation behind it included.
    pub fn all_modules(&self) -> usize {
        self.kind.modules + usize::from(self.own_activation().is_some())
    }

    /// Numbers that go into each output, if those are many.
    pub fn fan_in(&self, input: Shape) -> usize {
        (self.kind.fan_in)(self.values(), input)
    }

    /// The activation that it ends in, if it is not the identity.
    pub fn own_activation(&self) -> Option<Activation> {
        let own = (self.kind.ending != Ending::None).then(|| self.values().activation("activation"));
        own.filter(|activation| *activation != Activation::IDENTITY)
    }

    /// Whether the layer itself computes the activation that it ends in.
    fn fuses(&self) -> bool {
        let own = self.own_activation().filter(|_| self.kind.ending == Ending::Own);
        own.is_some_and(Activation::derivative_from_output)
    }
}

/// What a layer makes of what goes in.
fn taken(input: Input, Incoming { shape, is_data }: Incoming) -> std::result::Result<Shape, Refusal> {
    match (input, shape) {
        (Input::Any | Input::Features, _) if is_data => Ok(Shape::Features(shape.features())),
        (Input::Features, Shape::Image(_)) => {
            Err("features: a `flatten` or `global-average-pool` layer before it".into())
        }
        (Input::Sequence, Shape::Image(data)) if is_data => {
            let sequence =
                if data.pixels() == 1 { [1, data.channels, 1] } else { [1, data.pixels(), data.channels] };
            Ok(Shape::Image(Image::data(sequence)))
        }
        (Input::Sequence, Shape::Image(image)) if image.height > 1 => {
            Err("a sequence: an image of height 1".into())
        }
        (Input::Image, Shape::Features(_)) => Err("an image".into()),
        (Input::Sequence, Shape::Features(_)) => Err("a sequence".into()),
        _ => Ok(shape),
    }
}
