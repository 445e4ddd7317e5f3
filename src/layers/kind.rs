//! Layers as a table: what recipes and documentation know of each, and how it is made.

use super::layer::Layer;
use super::node::{Merge, Node};
use super::shape::{Incoming, Shape};
use crate::error::Result;
use crate::hyper::{HyperParameter, HyperValue, HyperValues};
use crate::kernels::image::Window;
use crate::registry::Kind;

/// A kind of layer: its name, its hyper-parameters, what it takes, the shape that it gives, and how it is made.
///
/// A program's own is a `static`, and stands in a network as [`LayerConfig::of`](crate::LayerConfig::of). Once it is
/// [registered](LayerKind::register), recipes and saved models may name it too.
#[derive(Debug)]
pub struct LayerKind {
    pub(super) name: &'static str,
    formula: &'static str,
    source: &'static str,
    pub(super) hyper_parameters: &'static [HyperParameter],
    pub(super) input: Input,
    /// What its settings want before it, if they can't be those of the first layer.
    pub(super) behind: fn(&HyperValues) -> Option<&'static str>,
    pub(super) conflict: fn(&HyperValues) -> Option<Misfit>,
    pub(super) output: fn(&HyperValues, Shape) -> std::result::Result<Shape, Refusal>,
    pub(super) make: Make,
    /// Modules of PyTorch's `Sequential`, that of an activation not counted.
    pub(super) modules: usize,
    /// Numbers that go into each output, if those are many.
    pub(super) fan_in: fn(&HyperValues, Shape) -> usize,
    pub(super) ending: Ending,
    differs_in_training: fn(&HyperValues) -> bool,
    reads_batch: bool,
}

/// Where the activation is that a layer lists under `activation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It lists none, or does with it as it likes.
    None,
    /// In the layer, if its derivative follows from its output; otherwise behind it.
    Own,
    /// Behind the layer.
    Apart,
}

/// What a layer takes, and as what it takes the data if it is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Features and images; the data as features.
    Any,
    /// Features; the data as such.
    Features,
    /// Images; the data as they lie.
    Image,
    /// Images of one row; an image of the data as the sequence of its pixels, row after row, and a row of features as a
    /// sequence of one channel.
    Sequence,
}

/// A key, what was expected under it and what was found.
pub type Misfit = (&'static str, String, String);

/// Why an input can't be that of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub expected: String,
    /// Without it, the shape of the input.
    pub found: Option<String>,
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(expected: T) -> Refusal {
        Refusal { expected: expected.into(), found: None }
    }
}

/// How a layer is made: for one that ends in an activation, with one whose derivative follows from its output.
#[derive(Clone, Copy, Debug)]
pub(super) enum Make {
    Layer(fn(&HyperValues, Shape) -> Box<dyn Layer>),
    Node(fn(&HyperValues, Incoming) -> Node),
    Branch(fn(&HyperValues, Shape) -> Branch),
    /// Nodes of one module, each of which reads the one before it.
    Chain(fn(&HyperValues, Incoming) -> Vec<Node>),
    /// Layers one behind the other, each with the name of its module.
    Stack(fn(&HyperValues, Shape) -> Vec<(&'static str, LayerSettings)>),
}

/// Layers beside what goes into them: both meet behind the last.
#[derive(Debug)]
pub struct Branch {
    /// Each with the name of its module.
    pub layers: Vec<(&'static str, LayerSettings)>,
    /// Of the input and of what the last layer gives.
    pub merge: Box<dyn Merge>,
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
    /// as features, unless [`input`](LayerKind::input) says otherwise.
    pub const fn new(name: &'static str, make: fn(&HyperValues, Shape) -> Box<dyn Layer>) -> LayerKind {
        LayerKind::made(name, Make::Layer(make))
    }

    /// A layer that is another kind of node, or that wants to know whether it is the first.
    pub(super) const fn of_node(name: &'static str, make: fn(&HyperValues, Incoming) -> Node) -> LayerKind {
        LayerKind::made(name, Make::Node(make))
    }

    /// Several layers beside what goes into them.
    pub(super) const fn of_branch(name: &'static str, make: fn(&HyperValues, Shape) -> Branch) -> LayerKind {
        LayerKind::made(name, Make::Branch(make))
    }

    /// Several nodes in one module, each of which reads the one before it.
    pub(super) const fn of_chain(
        name: &'static str,
        make: fn(&HyperValues, Incoming) -> Vec<Node>,
    ) -> LayerKind {
        LayerKind::made(name, Make::Chain(make))
    }

    /// Several layers one behind the other, in modules of their own within this one's.
    pub(super) const fn of_stack(
        name: &'static str,
        make: fn(&HyperValues, Shape) -> Vec<(&'static str, LayerSettings)>,
    ) -> LayerKind {
        LayerKind::made(name, Make::Stack(make))
    }

    const fn made(name: &'static str, make: Make) -> LayerKind {
        LayerKind {
            name,
            formula: "",
            source: "",
            hyper_parameters: &[],
            input: Input::Any,
            behind: |_| None,
            conflict: |_| None,
            output: |_, input| Ok(input),
            make,
            modules: 1,
            fan_in: |_, _| 0,
            ending: Ending::None,
            differs_in_training: |_| false,
            reads_batch: false,
        }
    }

    /// With what may be set, in the order in which it is written.
    pub const fn hyper_parameters(self, hyper_parameters: &'static [HyperParameter]) -> LayerKind {
        LayerKind { hyper_parameters, ..self }
    }

    /// With what it takes.
    pub const fn input(self, input: Input) -> LayerKind {
        LayerKind { input, ..self }
    }

    /// With what some settings want before the layer, which then can't be the first.
    pub const fn behind(self, behind: fn(&HyperValues) -> Option<&'static str>) -> LayerKind {
        LayerKind { behind, ..self }
    }

    /// With settings that are refused though each of them is in its range.
    pub const fn conflict(self, conflict: fn(&HyperValues) -> Option<Misfit>) -> LayerKind {
        LayerKind { conflict, ..self }
    }

    /// With the shape that comes out for one that goes in, or what is expected instead of that one.
    pub const fn output(
        self,
        output: fn(&HyperValues, Shape) -> std::result::Result<Shape, Refusal>,
    ) -> LayerKind {
        LayerKind { output, ..self }
    }

    /// With an activation at its end, which is the one that it lists under `activation`. An activation whose derivative
    /// does not follow from its output comes as a layer of its own, and `make` is told the identity.
    pub const fn ends_in_activation(self) -> LayerKind {
        LayerKind { ending: Ending::Own, ..self }
    }

    /// With the activation behind it that it lists under `activation`, always as a layer of its own.
    pub const fn followed_by_activation(self) -> LayerKind {
        LayerKind { ending: Ending::Apart, ..self }
    }

    /// With so many modules of PyTorch's `Sequential`, an activation at its end not counted, by which the names of
    /// parameters count.
    pub const fn modules(self, modules: usize) -> LayerKind {
        LayerKind { modules, ..self }
    }

    /// With the numbers that go into each output, which bound the memory of the parameters before they are asked for.
    pub const fn fan_in(self, fan_in: fn(&HyperValues, Shape) -> usize) -> LayerKind {
        LayerKind { fan_in, ..self }
    }

    /// That in training it computes something else than in evaluation.
    pub const fn differs_in_training(self) -> LayerKind {
        LayerKind { differs_in_training: |_| true, ..self }
    }

    /// With the settings by which in training it computes something else than in evaluation.
    pub const fn differs_in_training_where(self, differs: fn(&HyperValues) -> bool) -> LayerKind {
        LayerKind { differs_in_training: differs, ..self }
    }

    /// That in training each row of its output depends on all rows of the batch.
    pub(super) const fn over_batch(self) -> LayerKind {
        LayerKind { reads_batch: true, ..self }
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

    /// Whether each row of its output in training depends on all rows of the batch.
    pub fn reads_batch(&self) -> bool {
        self.reads_batch
    }

    /// What it takes, in words.
    pub fn takes(&self) -> &'static str {
        match self.input {
            Input::Any => "anything",
            Input::Features => "features",
            Input::Image => "an image",
            Input::Sequence => "a sequence",
        }
    }

    /// Its row in a table of layers in Markdown: name, formula, what it takes, keys with ranges and defaults, source.
    pub fn documented(&self) -> String {
        let key = |[key, default, range, _]: [String; 4]| match default.as_str() {
            "" => format!("`{key}` ({range})"),
            _ => format!("`{key}` ({range}; {default})"),
        };
        let keys: Vec<String> =
            self.hyper_parameters.iter().flat_map(HyperParameter::rows).map(key).collect();
        format!(
            "| `{}` | {} | {} | {} | {} |",
            self.name,
            self.formula,
            self.takes(),
            keys.join(", "),
            self.source
        )
    }
}

/// What errors call the place of a layer that a program makes.
pub(super) const PLACE: &str = "layer";

/// A layer of some kind with its hyper-parameters, before the shape of its input is known.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSettings {
    pub(super) kind: &'static LayerKind,
    values: HyperValues,
}

impl LayerSettings {
    /// A layer with all its defaults.
    pub fn of(kind: &'static LayerKind) -> LayerSettings {
        LayerSettings { kind, values: HyperValues::of(kind.name, kind.hyper_parameters) }
    }

    /// With all of these values, as many as the kind has hyper-parameters and of their types.
    pub(crate) fn with_values(kind: &'static LayerKind, values: Vec<HyperValue>) -> LayerSettings {
        LayerSettings { kind, values: LayerSettings::of(kind).values.all_set(values) }
    }

    /// With this value of a hyper-parameter, by its key in a recipe: of a window also a [`Window`] under `window`. Whether
    /// it is in its range is found when a model is made.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) if the layer has no such key, with the nearest one;
    /// [`Error::Setting`](crate::Error::Setting) if its value is of another type.
    pub fn with(mut self, key: &str, value: impl Into<HyperValue>) -> Result<LayerSettings> {
        self.values.set(PLACE, key, value.into())?;
        Ok(self)
    }

    /// The same for a key that the kind lists with a value of this type.
    pub(super) fn having(mut self, key: &str, value: impl Into<HyperValue>) -> LayerSettings {
        if let Some(index) = self.values.index(key) {
            self.values.put(index, value.into());
        }
        self
    }

    /// The same with all defaults set, which then no longer follow from other values.
    pub(super) fn resolved(&self) -> LayerSettings {
        LayerSettings { kind: self.kind, values: self.values.resolved() }
    }

    /// What is known of the layer.
    pub fn kind(&self) -> &'static LayerKind {
        self.kind
    }

    /// Whether it computes something else in training than in evaluation.
    pub fn is_different_in_training(&self) -> bool {
        (self.kind.differs_in_training)(&self.values)
    }

    /// The hyper-parameters with their values; those that must be set and are not have the least value that is possible.
    pub fn values(&self) -> &HyperValues {
        &self.values
    }

    /// The window that the layer has, if it has one.
    pub fn own_window(&self) -> Option<Window> {
        self.values.iter().find_map(|(_, value)| match value {
            HyperValue::Window(window) => Some(*window),
            _ => None,
        })
    }
}
