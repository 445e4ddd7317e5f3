//! Dense layers, of features and at each position, and features made of others.

use std::collections::BTreeMap;
use std::ops::Range;

use super::activations;
use super::attribute;
use super::graph::Graph;
use super::layer::Layer;
use super::value::{Layout, Value};
use crate::kernels::activation::Activation;
use crate::layers::monomials;

/// `W x + b` as one `Gemm` with the weights as PyTorch has them, `[out, in]`.
pub fn dense(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Features);
    let weight = match layer.values().choice("weight_norm") {
        true => normed(graph, layer),
        false => layer.parameter("weight"),
    };
    let bias = layer.bias(graph, "bias");
    let name = gemm(graph, &x.name, &weight, bias.as_deref());
    Value { name, shape: layer.output, layout: Layout::Features }
}

fn gemm(graph: &mut Graph, x: &str, weight: &str, bias: Option<&str>) -> String {
    let inputs: Vec<&str> = [x, weight].into_iter().chain(bias).collect();
    graph.one("Gemm", &inputs, vec![attribute::int("transB", 1)])
}

/// `g V / ‖V‖`, a constant of the graph.
fn normed(graph: &mut Graph, layer: &Layer) -> String {
    let [g, v] =
        ["original0", "original1"].map(|name| layer.parameter(&format!("parametrizations.weight.{name}")));
    let norm = graph.reduce("ReduceL2", &v, &[1], true);
    let factor = graph.binary("Div", &g, &norm);
    graph.binary("Mul", &v, &factor)
}

/// The same at each position, or some; at others 0, also behind an activation that is part of the layer.
pub fn position_dense(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Positions);
    let part = layer.part();
    let part_of_x = within(graph, &x.name, &part, layer.positions());
    let names = ["weight", "bias"].map(|name| layer.parameter(name));
    let mut y = linear(graph, &part_of_x, &names);
    let (inside, behind): (Option<Activation>, _) = match layer.activation() {
        Some(activation) if activation.derivative_from_output() => (Some(activation), None),
        other => (None, other),
    };
    if let Some(activation) = inside {
        y = activations::apply(graph, activation, &y);
    }
    let mut y = beside_zeros(graph, &y, &part, layer.positions());
    if let Some(activation) = behind {
        y = activations::apply(graph, activation, &y);
    }
    Value { name: y, shape: layer.output, layout: Layout::Positions }
}

/// The output layer of a language model, whose weights the embedding has, too.
pub fn tied_output(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Positions);
    let name = linear(graph, &x.name, &["weight", "bias"].map(|name| layer.parameter(name)));
    Value { name, shape: layer.output, layout: Layout::Positions }
}

/// `W x + b` of the last axis, by the names of weight and bias, of which the latter need not be there.
pub fn linear(graph: &mut Graph, x: &str, [weight, bias]: &[String; 2]) -> String {
    let bias = graph.has_parameter(bias).then_some(bias.as_str());
    linear_by(graph, x, weight, bias)
}

/// The same with weights and bias that are values of the graph.
pub fn linear_by(graph: &mut Graph, x: &str, weight: &str, bias: Option<&str>) -> String {
    let weight = graph.transpose(weight, &[1, 0]);
    let product = graph.binary("MatMul", x, &weight);
    bias.map_or(product.clone(), |bias| graph.binary("Add", &product, bias))
}

/// These of so many positions of `x` `[N, P, C]`.
pub fn within(graph: &mut Graph, x: &str, part: &Range<usize>, positions: usize) -> String {
    match *part == (0..positions) {
        true => x.to_string(),
        false => graph.slice(x, 1, [part.start, part.end]),
    }
}

/// Positions `x` `[N, part.len(), C]` among so many, with zeros at the others.
pub fn beside_zeros(graph: &mut Graph, x: &str, part: &Range<usize>, positions: usize) -> String {
    if *part == (0..positions) {
        return x.to_string();
    }
    let pads = graph.integers(&[0, part.start as i64, 0, 0, (positions - part.end) as i64, 0]);
    graph.one("Pad", &[x, &pads], Vec::new())
}

/// `‖x - c‖²`, from the differences themselves: of expanded squares most digits would cancel.
pub fn squared_distances(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Features);
    let column = graph.unsqueeze(&x.name, 1);
    let difference = graph.binary("Sub", &column, &layer.parameter("centres"));
    let square = graph.binary("Mul", &difference, &difference);
    let name = graph.reduce("ReduceSum", &square, &[2], false);
    Value { name, shape: layer.output, layout: Layout::Features }
}

/// All monomials: those of a degree are features times those of the degree before.
pub fn polynomial(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Features);
    let all = monomials(layer.values(), layer.input.features());
    let mut degrees: BTreeMap<usize, Vec<Vec<usize>>> = BTreeMap::new();
    for factors in (0..all.count()).map(|place| all.factors(place)) {
        degrees.entry(factors.len()).or_default().push(factors);
    }
    let mut parts = vec![x.name.clone()];
    // Where the monomials of the degree before lie among themselves.
    let mut places: BTreeMap<Vec<usize>, i64> =
        (0..all.inputs()).map(|input| (vec![input], input as i64)).collect();
    for monomials in degrees.into_iter().filter(|(degree, _)| *degree > 1).map(|(_, monomials)| monomials) {
        let first: Vec<i64> = monomials.iter().map(|factors| factors[0] as i64).collect();
        let rest: Vec<i64> = monomials.iter().map(|factors| places[&factors[1..]]).collect();
        let [first, rest] = [first, rest].map(|places| graph.integers(&places));
        let factor = graph.gather(&x.name, &first, 1);
        let others = graph.gather(&parts[parts.len() - 1], &rest, 1);
        parts.push(graph.binary("Mul", &factor, &others));
        places = monomials.into_iter().enumerate().map(|(place, factors)| (factors, place as i64)).collect();
    }
    let name = graph.concat(&parts, 1);
    Value { name, shape: layer.output, layout: Layout::Features }
}

/// `√(2 / D) cos(W x + b)`
pub fn fourier(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Features);
    let [weight, bias] = ["weight", "bias"].map(|name| layer.parameter(name));
    let product = gemm(graph, &x.name, &weight, Some(&bias));
    let cosine = graph.unary("Cos", &product);
    let scale = graph.number((2.0 / layer.output.features() as f64).sqrt() as f32);
    let name = graph.binary("Mul", &cosine, &scale);
    Value { name, shape: layer.output, layout: Layout::Features }
}

/// `a · b + c + d` of `a, c, b, d`.
pub fn factor_product(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Features);
    let width = layer.input.features() / 2 - 1;
    let parts = graph.split(&x.name, 1, &[width, 1, width, 1]);
    let products = graph.binary("Mul", &parts[0], &parts[2]);
    let sum = graph.reduce("ReduceSum", &products, &[1], true);
    let biases = graph.binary("Add", &parts[1], &parts[3]);
    let name = graph.binary("Add", &sum, &biases);
    Value { name, shape: layer.output, layout: Layout::Features }
}
