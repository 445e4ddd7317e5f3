//! The layers of a model one after the other, as they are unfolded when it is built: the same modules, and so the same names of
//! parameters.

use super::activations;
use super::graph::Graph;
use super::layer::Layer;
use super::table::{Writer, writer};
use super::value::{Layout, Value};
use crate::error::{Error, Result};
use crate::layers::{Branch, Built, Incoming, LayerSettings, Shape};
use crate::model::recipe::{LayerConfig, ResidualConfig};

/// What a layer may read.
#[derive(Clone)]
pub struct Flow {
    pub value: Value,
    pub is_data: bool,
}

impl Flow {
    fn incoming(&self) -> Incoming {
        Incoming { shape: self.value.shape, is_data: self.is_data }
    }
}

/// Where a layer stands: its module, and its number in its list.
struct Place<'a> {
    module: &'a str,
    index: usize,
}

/// Writes layers to a graph.
pub struct Walk<'a> {
    pub graph: &'a mut Graph,
    /// The name of the parameter that the embedding at the front has in common with the output layer.
    pub tied: Option<String>,
}

impl Walk<'_> {
    /// Writes a list of layers, whose modules have numbers behind `prefix`. Returns what the last gives.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a layer of a program's own; those of layers that do not fit together, which no model has.
    pub fn sequence(&mut self, configs: &[LayerConfig], prefix: &str, input: Flow) -> Result<Flow> {
        let (mut flow, mut number) = (input, 0);
        for (index, config) in configs.iter().enumerate() {
            let output = config.output(index, flow.incoming())?;
            let module = format!("{prefix}{number}");
            let place = Place { module: &module, index };
            let value = match config {
                LayerConfig::Of(settings) => {
                    number += settings.all_modules();
                    self.taken(settings, &place, &flow, output)?
                }
                LayerConfig::Residual(block) => {
                    number += 1;
                    self.residual(block, &module, &flow, output)?
                }
            };
            flow = Flow { value, is_data: false };
        }
        Ok(flow)
    }

    /// Writes a layer of an input that it takes in its own way.
    fn taken(
        &mut self,
        settings: &LayerSettings,
        place: &Place,
        input: &Flow,
        output: Shape,
    ) -> Result<Value> {
        let shape = settings.takes(place.index, input.incoming())?;
        self.graph.enter(place.module);
        let value = input.value.taken_as(self.graph, shape);
        let tied = self.tied.clone().filter(|_| input.is_data);
        let layer = Layer { settings, module: place.module, input: shape, output, tied: tied.as_deref() };
        match writer(&layer) {
            Some(Writer::Then(write)) => {
                let y = write(self.graph, &layer, &value);
                Ok(match layer.activation() {
                    Some(activation) => activations::behind(self.graph, activation, &y),
                    None => y,
                })
            }
            Some(Writer::Whole(write)) => Ok(write(self.graph, &layer, &value)),
            Some(Writer::Parts) | None => {
                let built = settings.build(Incoming { shape, is_data: input.is_data });
                self.parts(built, settings, place, &value, output)
            }
        }
    }

    /// Writes the layers that one is made of.
    fn parts(
        &mut self,
        built: Built,
        settings: &LayerSettings,
        place: &Place,
        input: &Value,
        output: Shape,
    ) -> Result<Value> {
        match built {
            Built::Stack(layers) => self.stack(&layers, place, input),
            Built::Branch(Branch { layers, merge }) => {
                let way = self.stack(&layers, place, input)?;
                self.graph.enter(place.module);
                Ok(match merge.kind().as_str() {
                    "scale" => scaled(self.graph, input, &way, output),
                    _ => sum(self.graph, input, &way, output),
                })
            }
            Built::Nodes(_) | Built::Chain(_) => Err(Error::Mismatch {
                what: format!("layer {} ({})", place.module, settings.kind().name()),
                expected: "a layer that is built in, of which ONNX has the operators".into(),
                found: "one of a program's own".into(),
            }),
        }
    }

    /// Writes layers one behind the other, in modules of their names.
    fn stack(
        &mut self,
        layers: &[(&'static str, LayerSettings)],
        place: &Place,
        input: &Value,
    ) -> Result<Value> {
        // Data are taken as the layers between take them.
        let mut flow = Flow { value: input.clone(), is_data: false };
        for (name, settings) in layers {
            let output = settings.output(place.index, flow.incoming())?;
            let module = format!("{}.{name}", place.module);
            let inner = Place { module: &module, index: place.index };
            flow.value = self.taken(settings, &inner, &flow, output)?;
        }
        Ok(flow.value)
    }

    /// Writes a residual block that gives this shape.
    fn residual(
        &mut self,
        block: &ResidualConfig,
        module: &str,
        input: &Flow,
        output: Shape,
    ) -> Result<Value> {
        let main = self.sequence(&block.layers, &format!("{module}.layers."), input.clone())?;
        let other = self.sequence(&block.shortcut, &format!("{module}.shortcut."), input.clone())?;
        self.graph.enter(module);
        let y = sum(self.graph, &main.value, &other.value, output);
        Ok(activations::behind(self.graph, block.activation, &y))
    }
}

/// What two ways of a network give, of this shape, added up.
fn sum(graph: &mut Graph, a: &Value, b: &Value, shape: Shape) -> Value {
    let (a, b) = (a.taken_as(graph, shape), b.taken_as(graph, shape));
    // Where one of them has been through a layer and the other is the data, in the order of the layer.
    let layout = match [a.layout, b.layout] {
        [Layout::Codes, Layout::Codes] => Layout::Features,
        [Layout::Codes, other] | [other, _] => other,
    };
    let (a, b) = (a.to(graph, layout), b.to(graph, layout));
    let name = graph.binary("Add", &a.name, &b.name);
    Value { name, shape, layout }
}

/// Each channel of an image times the gate that is its place in `[N, C]`.
fn scaled(graph: &mut Graph, x: &Value, gate: &Value, shape: Shape) -> Value {
    let x = x.to(graph, Layout::Planes);
    let gate = graph.reshape(&gate.name, &[0, shape.channels() as i64, 1, 1]);
    let name = graph.binary("Mul", &x.name, &gate);
    Value { name, shape, layout: Layout::Planes }
}
