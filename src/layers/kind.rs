//! Layers as a table: what recipes and documentation know of each, and how it is made.

use super::layer::Layer;
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::hyper::{self, HyperParameter, HyperValue};
use crate::registry::Kind;

/// A kind of layer: its name, its hyper-parameters, the shape that it gives, and how it is made.
///
/// A program's own is a `static`, and stands in a network as [`LayerConfig::of`](crate::LayerConfig::of). Once it is
/// [registered](LayerKind::register), recipes and saved models may name it too.
#[derive(Debug)]
pub struct LayerKind {
    name: &'static str,
    formula: &'static str,
    source: &'static str,
    hyper_parameters: &'static [HyperParameter],
    output: fn(&LayerSettings, Shape) -> std::result::Result<Shape, String>,
    make: fn(&LayerSettings, Shape) -> Box<dyn Layer>,
}

/// Each is one of its own.
impl PartialEq for LayerKind {
    fn eq(&self, other: &LayerKind) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Kind for LayerKind {
    fn name(&self) -> &'static str {
        self.name
    }

    fn hyper_parameters(&self) -> &'static [HyperParameter] {
        self.hyper_parameters
    }
}

impl LayerKind {
    /// A layer of this name, which is one of letters, digits and hyphens, that gives samples of the shape that it takes.
    /// `make` is told its hyper-parameters and the shape of its input: what lies at the front of a network gets the data
    /// as features.
    pub const fn new(name: &'static str, make: fn(&LayerSettings, Shape) -> Box<dyn Layer>) -> LayerKind {
        let output = |_: &LayerSettings, input: Shape| Ok(input);
        LayerKind { name, formula: "", source: "", hyper_parameters: &[], output, make }
    }

    /// With what may be set, in the order in which it is written.
    pub const fn hyper_parameters(self, hyper_parameters: &'static [HyperParameter]) -> LayerKind {
        LayerKind { hyper_parameters, ..self }
    }

    /// With the shape that comes out for one that goes in, or what is expected instead of that one.
    pub const fn output(
        self,
        output: fn(&LayerSettings, Shape) -> std::result::Result<Shape, String>,
    ) -> LayerKind {
        LayerKind { output, ..self }
    }

    /// With what it computes, in plain text, for x the input and y the output.
    pub const fn formula(self, formula: &'static str) -> LayerKind {
        LayerKind { formula, ..self }
    }

    /// With where the formula comes from.
    pub const fn source(self, source: &'static str) -> LayerKind {
        LayerKind { source, ..self }
    }

    /// What recipes call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its formula, its source and what may be set, for documentation.
    pub fn about(&self) -> (&'static str, &'static str, &'static [HyperParameter]) {
        (self.formula, self.source, self.hyper_parameters)
    }
}

/// Layers that are not of the table: those whose settings are more than numbers and names, and the activations.
pub const OTHERS: [&str; 16] = [
    "dense",
    "conv",
    "conv-1d",
    "conv-transpose",
    "max-pool",
    "max-pool-1d",
    "average-pool",
    "average-pool-1d",
    "global-average-pool",
    "flatten",
    "residual",
    "squeeze-excite",
    "batch-norm",
    "layer-norm",
    "group-norm",
    "dropout",
];

/// What errors call the place of a layer that a program makes.
const PLACE: &str = "layer";

/// A layer of some kind with its hyper-parameters, before the shape of its input is known.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSettings {
    kind: &'static LayerKind,
    /// As many as the kind has hyper-parameters, in their order.
    values: Vec<HyperValue>,
}

impl LayerSettings {
    /// A layer with all its defaults.
    pub fn of(kind: &'static LayerKind) -> LayerSettings {
        LayerSettings { kind, values: hyper::defaults(kind.hyper_parameters) }
    }

    /// With these values, as many as the kind has hyper-parameters and of their kinds.
    pub(crate) fn with_values(kind: &'static LayerKind, values: Vec<HyperValue>) -> LayerSettings {
        debug_assert_eq!(values.len(), kind.hyper_parameters.len());
        LayerSettings { kind, values }
    }

    /// With this value of a hyper-parameter, by its key in a recipe.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the layer has no such key, with the nearest one; [`Error::Setting`] if its value is of
    /// another kind.
    pub fn with(mut self, key: &str, value: impl Into<HyperValue>) -> Result<LayerSettings> {
        hyper::set(self.kind.hyper_parameters, &mut self.values, PLACE, (key, value.into()))?;
        Ok(self)
    }

    /// What is known of the layer.
    pub fn kind(&self) -> &'static LayerKind {
        self.kind
    }

    /// All hyper-parameters with their values.
    pub fn values(&self) -> impl Iterator<Item = (&'static HyperParameter, HyperValue)> {
        self.kind.hyper_parameters.iter().zip(self.values.iter().cloned())
    }

    /// The value under a key.
    ///
    /// # Panics
    /// If the kind lists none of this key.
    pub fn value(&self, key: &str) -> &HyperValue {
        let index = self.kind.hyper_parameters.iter().position(|parameter| parameter.key == key);
        match index {
            Some(index) => &self.values[index],
            None => unreachable!("{} has no {key}", self.kind.name),
        }
    }

    /// The shape that comes out of the layer of number `index` of its list, if `input` goes in.
    ///
    /// # Errors
    /// [`Error::Shape`] if that cannot be the input.
    pub fn output(&self, index: usize, input: Shape) -> Result<Shape> {
        (self.kind.output)(self, input).map_err(|expected| Error::Shape {
            index,
            layer: self.kind.name.into(),
            expected,
            found: match input {
                Shape::Features(features) => format!("{features} features"),
                Shape::Image(image) => format!("an image of {image}"),
            },
        })
    }

    /// The layer for an input of a shape that [`output`](LayerSettings::output) takes.
    pub fn make(&self, input: Shape) -> Box<dyn Layer> {
        (self.kind.make)(self, input)
    }
}
