//! Activations, gates and slopes.

use super::attribute;
use super::graph::Graph;
use super::layer::Layer;
use super::value::{Layout, Value};
use crate::kernels::activation::{self, Activation};

/// The version of the operators that has GELU as one.
const GELU: i64 = 20;

/// An activation as a layer of its own.
pub fn layer(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    match layer.settings.as_activation() {
        Some(activation) => behind(graph, activation, x),
        None => x.clone(),
    }
}

/// An activation of a value.
pub fn behind(graph: &mut Graph, activation: Activation, x: &Value) -> Value {
    let x = if x.layout == Layout::Codes { x.to(graph, Layout::Features) } else { x.clone() };
    x.named(apply(graph, activation, &x.name))
}

/// An activation of each number of `x`.
///
/// # Panics
/// If the table of activations has one that is not here, which a test would find.
pub fn apply(graph: &mut Graph, activation: Activation, x: &str) -> String {
    let parameter = activation.parameter().map_or(0.0, |(_, value)| value);
    match activation.name() {
        "identity" => x.to_string(),
        "relu" => graph.unary("Relu", x),
        "leaky-relu" => graph.one("LeakyRelu", &[x], vec![attribute::float("alpha", parameter)]),
        "sigmoid" => graph.unary("Sigmoid", x),
        "tanh" => graph.unary("Tanh", x),
        "gelu" => gelu(graph, x),
        "silu" => {
            let gate = graph.unary("Sigmoid", x);
            graph.binary("Mul", x, &gate)
        }
        "softplus" => graph.unary("Softplus", x),
        "elu" => graph.one("Elu", &[x], vec![attribute::float("alpha", parameter)]),
        "mish" => {
            let softplus = graph.unary("Softplus", x);
            let gate = graph.unary("Tanh", &softplus);
            graph.binary("Mul", x, &gate)
        }
        "hard-swish" => {
            let slope = [attribute::float("alpha", 1.0 / 6.0), attribute::float("beta", 0.5)];
            let gate = graph.one("HardSigmoid", &[x], slope.into());
            graph.binary("Mul", x, &gate)
        }
        other => unreachable!("no operator for the activation {other}"),
    }
}

/// By the error function.
fn gelu(graph: &mut Graph, x: &str) -> String {
    if graph.opset >= GELU {
        return graph.one("Gelu", &[x], vec![attribute::string("approximate", "none")]);
    }
    let [root, one, half] = [std::f32::consts::SQRT_2, 1.0, 0.5].map(|number| graph.number(number));
    let scaled = graph.binary("Div", x, &root);
    let error = graph.unary("Erf", &scaled);
    let doubled = graph.binary("Add", &error, &one);
    let product = graph.binary("Mul", x, &doubled);
    graph.binary("Mul", &product, &half)
}

/// Trained slopes below 0, one or one for each channel.
pub fn prelu(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.by_channel(graph);
    let mut slope = layer.parameter("weight");
    if layer.values().choice("by_channel") {
        slope = by_channel(graph, &slope, &x);
    }
    let name = graph.binary("PRelu", &x.name, &slope);
    x.named(name)
}

/// A parameter of one number for each channel, in the shape in which it meets those of `x`.
pub fn by_channel(graph: &mut Graph, parameter: &str, x: &Value) -> String {
    match x.layout {
        Layout::Planes => graph.reshape(parameter, &[-1, 1, 1]),
        Layout::Line => graph.reshape(parameter, &[-1, 1]),
        Layout::Features | Layout::Positions | Layout::Codes => parameter.to_string(),
    }
}

/// `a · gate(b)`, a and b the halves of the channels.
pub fn gated(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.by_channel(graph);
    let name = match layer.values().get("gate") {
        Some(_) => layer.values().name_of("gate"),
        None => "silu",
    };
    let gate = activation::ALL.into_iter().find(|entry| entry.name == name);
    let half = layer.output.channels();
    let halves = graph.split(&x.name, x.layout.channel_axis(), &[half, half]);
    let gate = gate.map_or(halves[1].clone(), |entry| apply(graph, Activation::of(entry, 0.0), &halves[1]));
    let name = graph.binary("Mul", &halves[0], &gate);
    Value { name, shape: layer.output, layout: x.layout }
}

/// What does something in training only.
pub fn unchanged(_: &mut Graph, _: &Layer, x: &Value) -> Value {
    x.clone()
}
