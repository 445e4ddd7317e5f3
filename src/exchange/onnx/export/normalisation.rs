//! Normalisation by batch, sample, group and position.

use super::activations::by_channel;
use super::attribute;
use super::dense::within;
use super::graph::Graph;
use super::layer::Layer;
use super::value::{Layout, Value};
use crate::layers::Shape;

/// The version of the operators that has layer normalisation as one.
const LAYER_NORM: i64 = 17;

fn epsilon(layer: &Layer) -> f32 {
    layer.values().number("epsilon") as f32
}

/// By the running statistics.
pub fn batch(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = match layer.input {
        Shape::Features(_) => x.to(graph, Layout::Features),
        Shape::Image(_) if x.layout == Layout::Line => x.clone(),
        Shape::Image(_) => x.to(graph, Layout::Planes),
    };
    let names = ["weight", "bias", "running_mean", "running_var"].map(|name| layer.parameter(name));
    let [weight, bias, mean, variance] = names.each_ref().map(String::as_str);
    let inputs = [&*x.name, weight, bias, mean, variance];
    let name = graph.one("BatchNormalization", &inputs, vec![attribute::float("epsilon", epsilon(layer))]);
    Value { name, shape: layer.output, layout: x.layout }
}

/// Over all numbers of a sample, or the channels of each position.
pub fn layer(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    if layer.values().choice("by_position") {
        return by_position(graph, layer, x, |graph, layer, x| centred(graph, layer, x, &[-1]));
    }
    let (layout, axes): (_, &[i64]) = match layer.input {
        Shape::Features(_) => (Layout::Features, &[1]),
        // Weight and bias are `[C, H, W]`.
        Shape::Image(_) => (Layout::Planes, &[1, 2, 3]),
    };
    let x = x.to(graph, layout);
    let name = centred(graph, layer, &x.name, axes);
    Value { name, shape: layer.output, layout }
}

/// Of the channels of each position, by their root mean square. The operator of this name is younger than the versions that
/// are written.
pub fn rms(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    by_position(graph, layer, x, |graph, layer, x| {
        let scaled = divided_by_root(graph, layer, x, x, &[-1]);
        graph.binary("Mul", &scaled, &layer.parameter("weight"))
    })
}

/// The numbers of the last axes, moved and scaled to mean 0 and variance 1, times weight plus bias.
fn centred(graph: &mut Graph, layer: &Layer, x: &str, axes: &[i64]) -> String {
    let [weight, bias] = ["weight", "bias"].map(|name| layer.parameter(name));
    if graph.opset >= LAYER_NORM {
        let attributes = vec![attribute::int("axis", axes[0]), attribute::float("epsilon", epsilon(layer))];
        return graph.one("LayerNormalization", &[x, &weight, &bias], attributes);
    }
    let mean = graph.reduce("ReduceMean", x, axes, true);
    let difference = graph.binary("Sub", x, &mean);
    let scaled = divided_by_root(graph, layer, &difference, &difference, axes);
    let weighted = graph.binary("Mul", &scaled, &weight);
    graph.binary("Add", &weighted, &bias)
}

/// `x / √(mean(of²) + epsilon)`
fn divided_by_root(graph: &mut Graph, layer: &Layer, x: &str, of: &str, axes: &[i64]) -> String {
    let square = graph.binary("Mul", of, of);
    let mean = graph.reduce("ReduceMean", &square, axes, true);
    let epsilon = graph.number(epsilon(layer));
    let sum = graph.binary("Add", &mean, &epsilon);
    let root = graph.unary("Sqrt", &sum);
    graph.binary("Div", x, &root)
}

/// What is normalised at each position, or some; others pass through.
fn by_position(
    graph: &mut Graph,
    layer: &Layer,
    x: &Value,
    normalise: fn(&mut Graph, &Layer, &str) -> String,
) -> Value {
    let layout = if layer.input.image().is_some() { Layout::Positions } else { Layout::Features };
    let x = x.to(graph, layout);
    let (part, positions) = (layer.part(), layer.positions());
    let inside = within(graph, &x.name, &part, positions);
    let normalised = normalise(graph, layer, &inside);
    let mut parts = Vec::new();
    for (index, piece) in [0..part.start, part.clone(), part.end..positions].into_iter().enumerate() {
        match index {
            1 => parts.push(normalised.clone()),
            _ if !piece.is_empty() => parts.push(within(graph, &x.name, &piece, positions)),
            _ => {}
        }
    }
    let name = graph.concat(&parts, 1);
    Value { name, shape: layer.output, layout }
}

/// Groups of channels of a sample: each group as a channel of `InstanceNormalization`, as PyTorch exports it. The operator of this
/// name has changed its meaning between versions.
pub fn group(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = match layer.input {
        Shape::Features(_) => x.to(graph, Layout::Features),
        Shape::Image(_) if x.layout == Layout::Line => x.clone(),
        Shape::Image(_) => x.to(graph, Layout::Planes),
    };
    let groups = layer.values().integer("groups");
    let grouped = graph.reshape(&x.name, &[0, groups as i64, -1]);
    let [ones, zeros] = [1.0, 0.0].map(|value| graph.floats(&[groups], &vec![value; groups]));
    let attributes = vec![attribute::float("epsilon", epsilon(layer))];
    let normalised = graph.one("InstanceNormalization", &[&grouped, &ones, &zeros], attributes);
    let normalised = graph.reshape(&normalised, &super::value::sizes(x.shape, x.layout));
    let [weight, bias] = ["weight", "bias"].map(|name| by_channel(graph, &layer.parameter(name), &x));
    let weighted = graph.binary("Mul", &normalised, &weight);
    let name = graph.binary("Add", &weighted, &bias);
    Value { name, shape: layer.output, layout: x.layout }
}
