//! What is known while a graph is read: the steps so far, and of each node its inputs and attributes.

use std::rc::Rc;

use super::super::proto::{AttributeProto, NodeProto};
use super::array::{Array, Fit};
use super::flow::{Axis, DATA, Flow, Made, Pending, Steps, What};
use crate::hyper::HyperValue;
use crate::kernels::activation::Activation;
use crate::model::recipe::LayerConfig;

/// In a shape, the size of the batch, which is not known.
pub const BATCH: i64 = i64::MIN;

/// A value of the graph.
#[derive(Clone, Debug)]
pub enum Value {
    Constant(Rc<Array>),
    Flow(Flow),
    /// Zeros of a shape that may depend on the batch: the state before the first position.
    Zeros,
    /// Where a value is above a number.
    IsAbove(Flow, f32),
    /// What an input that is left out has.
    Absent,
    /// What a node gives that does not fit.
    Unknown,
}

/// What has been read of a graph.
#[derive(Debug)]
pub struct Context {
    pub steps: Steps,
    /// Height, width and channels of a sample.
    pub input: [usize; 3],
    /// The size of the batch, if the graph is for one alone.
    pub batch: Option<usize>,
    /// Whether the samples are codes of an embedding.
    pub takes_codes: bool,
    /// Numbers of the arrays that nodes have made of constants, and the most that they may make.
    pub made: usize,
    pub most: usize,
}

impl Context {
    pub fn new(input: [usize; 3], batch: Option<usize>) -> Context {
        Context { steps: Steps::default(), input, batch, takes_codes: false, made: 0, most: usize::MAX }
    }

    /// Makes room for so many more numbers: a small graph could double a constant again and again.
    ///
    /// # Errors
    /// If there is none.
    pub fn room(&mut self, numbers: usize) -> Fit<()> {
        self.made = self.made.saturating_add(numbers);
        match self.made <= self.most {
            true => Ok(()),
            false => {
                Err(format!("expected at most {} numbers to be made of constants, found more", self.most))
            }
        }
    }

    /// A step of this node behind a value, whose dimensions stay.
    pub fn then(&mut self, call: &Call, flow: &Flow, what: What) -> Flow {
        flow.behind(self.steps.push(flow.step, call.number, what))
    }

    /// An activation of a value.
    pub fn activation(&mut self, call: &Call, flow: &Flow, activation: Activation) -> Flow {
        self.then(call, flow, What::Activation(activation))
    }

    /// What may become a part of a layer.
    pub fn pending(&mut self, call: &Call, flow: &Flow, pending: Pending) -> Flow {
        self.then(call, flow, What::Pending(pending))
    }

    /// A layer without parameters, or with these, behind a value; what comes out has these dimensions.
    pub fn layer(
        &mut self,
        call: &Call,
        flow: &Flow,
        config: LayerConfig,
        tensors: Vec<(&'static str, Rc<Array>)>,
        axes: Vec<Axis>,
    ) -> Flow {
        self.made = tensors.iter().fold(self.made, |sum, (_, array)| sum.saturating_add(array.len()));
        let what = What::Layer(Rc::new(Made { config, tensors }));
        Flow::new(self.steps.push(flow.step, call.number, what), axes)
    }

    /// Whether a value is the input itself.
    pub fn is_data(&self, flow: &Flow) -> bool {
        flow.step == DATA
    }
}

/// What reads a node: what it gives, or why it does not fit.
pub type Operation = fn(&mut Context, &Call) -> Fit<Vec<Value>>;

/// A layer of the table with these settings.
pub fn config<const N: usize>(name: &str, settings: [(&str, HyperValue); N]) -> Fit<LayerConfig> {
    let layer = LayerConfig::named(name)
        .and_then(|layer| settings.into_iter().try_fold(layer, |layer, (key, value)| layer.with(key, value)));
    layer.map_err(|error| error.to_string())
}

/// A node with the values that it reads.
pub struct Call<'a> {
    pub node: &'a NodeProto,
    pub number: usize,
    /// The version of the operators.
    pub opset: i64,
    pub inputs: Vec<Value>,
}

impl Call<'_> {
    pub fn input(&self, index: usize) -> &Value {
        self.inputs.get(index).unwrap_or(&Value::Absent)
    }

    /// The input that must follow from that of the graph.
    pub fn flow(&self, index: usize) -> Fit<&Flow> {
        match self.input(index) {
            Value::Flow(flow) => Ok(flow),
            _ => Err(format!(
                "expected input {index} to follow from that of the graph, found a constant or none"
            )),
        }
    }

    /// The input that must be a constant.
    pub fn constant(&self, index: usize) -> Fit<&Rc<Array>> {
        self.optional(index)?.ok_or_else(|| format!("expected a constant as input {index}, found none"))
    }

    /// The input that must be a constant, if there is one.
    pub fn optional(&self, index: usize) -> Fit<Option<&Rc<Array>>> {
        match self.input(index) {
            Value::Constant(array) => Ok(Some(array)),
            Value::Absent => Ok(None),
            _ => Err(format!(
                "expected a constant as input {index}, found one that follows from the graph's input"
            )),
        }
    }

    /// The constant floats of an input, as many as are wanted.
    pub fn floats(&self, index: usize, count: usize) -> Fit<Vec<f32>> {
        let found = self.optional_floats(index, count)?;
        found.ok_or_else(|| format!("expected a constant as input {index}, found none"))
    }

    /// The same of an input that may be left out.
    pub fn optional_floats(&self, index: usize, count: usize) -> Fit<Option<Vec<f32>>> {
        let Some(array) = self.optional(index)? else { return Ok(None) };
        match array.as_floats().filter(|values| values.len() == count) {
            Some(values) => Ok(Some(values.to_vec())),
            None => Err(format!("expected {count} numbers as input {index}, found shape {:?}", array.shape)),
        }
    }

    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i.unwrap_or(0))
    }

    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.f.unwrap_or(0.0))
    }

    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| &*attribute.ints)
    }

    pub fn text(&self, name: &str) -> Option<String> {
        let bytes = self.attribute(name)?.s.as_deref()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let strings = self.attribute(name).map_or(&[][..], |attribute| &attribute.strings);
        strings.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    pub fn tensor(&self, name: &str) -> Option<&super::super::proto::TensorProto> {
        self.attribute(name)?.t.as_ref()
    }

    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// Integers that newer operators take as an input, and older ones as an attribute.
    pub fn listed(&self, input: usize, attribute: &str) -> Fit<Option<Vec<i64>>> {
        match self.optional(input)? {
            Some(array) => {
                let values =
                    array.as_integers().ok_or_else(|| format!("expected integers as input {input}"))?;
                Ok(Some(values.to_vec()))
            }
            None => Ok(self.ints(attribute).map(<[i64]>::to_vec)),
        }
    }

    /// That an attribute has the only value that is known here.
    ///
    /// # Errors
    /// If it has another one.
    pub fn expect(&self, name: &str, known: i64, default: i64) -> Fit<()> {
        match self.int(name, default) {
            found if found == known => Ok(()),
            found => Err(format!("expected `{name}` {known}, found {found}")),
        }
    }
}
