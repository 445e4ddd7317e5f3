//! What the writer of a layer is told of it.

use std::ops::Range;

use super::graph::Graph;
use super::value::{Value, image_of};
use crate::hyper::{HyperValue, HyperValues};
use crate::kernels::activation::Activation;
use crate::layers::{LayerSettings, Shape};

/// Writes what a layer makes of a value. A layer that ends in an activation is written without it, unless its entry in the table says
/// otherwise.
pub type Write = fn(&mut Graph, &Layer, &Value) -> Value;

/// A layer at its place in a network.
pub struct Layer<'a> {
    pub settings: &'a LayerSettings,
    /// Its module, which names its parameters.
    pub module: &'a str,
    pub input: Shape,
    pub output: Shape,
    /// The name of the parameter that an embedding has in common with the output layer, if it is the one that has.
    pub tied: Option<&'a str>,
}

impl Layer<'_> {
    pub fn values(&self) -> &HyperValues {
        self.settings.values()
    }

    /// A parameter by its name within the layer.
    pub fn parameter(&self, name: &str) -> String {
        format!("{}.{name}", self.module)
    }

    /// The bias, if there is one.
    pub fn bias(&self, graph: &Graph, name: &str) -> Option<String> {
        Some(self.parameter(name)).filter(|name| graph.has_parameter(name))
    }

    /// The activation that the layer ends in, if it is not the identity.
    pub fn activation(&self) -> Option<Activation> {
        self.settings.own_activation()
    }

    /// Positions of a sample.
    pub fn positions(&self) -> usize {
        image_of(self.input).pixels()
    }

    /// The positions on which the layer acts, of a sequence of a source and a target.
    pub fn part(&self) -> Range<usize> {
        let (values, positions) = (self.values(), self.positions());
        match values.get("part") {
            Some(HyperValue::Name("source")) => 0..values.integer("source"),
            Some(HyperValue::Name("target")) => values.integer("source")..positions,
            _ => 0..positions,
        }
    }
}
