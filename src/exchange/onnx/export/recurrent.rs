//! Recurrent layers. The operators want gates in another order than PyTorch has them: parameters stay as they are, and the
//! graph puts them in order, which a runtime does once, when it loads the file.

use super::attribute;
use super::graph::Graph;
use super::layer::Layer;
use super::value::{Layout, Value, image_of};
use crate::exchange::onnx::proto::AttributeProto;

/// A recurrent operator.
struct Cell {
    op: &'static str,
    /// Which gate of PyTorch's order is that of each place.
    gates: &'static [usize],
    /// Names of the states before the first position.
    states: &'static [&'static str],
    attributes: Vec<AttributeProto>,
}

/// PyTorch has input, forget, cell, output; ONNX input, output, forget, cell.
pub fn lstm(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let cell = Cell { op: "LSTM", gates: &[0, 3, 1, 2], states: &["h0", "c0"], attributes: Vec::new() };
    stack(graph, layer, x, &cell)
}

/// PyTorch has reset, update, new; ONNX update, reset, new.
pub fn gru(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let attributes = vec![attribute::int("linear_before_reset", 1)];
    stack(graph, layer, x, &Cell { op: "GRU", gates: &[1, 0, 2], states: &["h0"], attributes })
}

pub fn rnn(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let function = if layer.values().name_of("nonlinearity") == "relu" { "Relu" } else { "Tanh" };
    let attributes = vec![attribute::strings("activations", &vec![function; directions(layer).len()])];
    stack(graph, layer, x, &Cell { op: "RNN", gates: &[0], states: &["h0"], attributes })
}

/// The ends of the names of a direction's parameters.
fn directions(layer: &Layer) -> &'static [&'static str] {
    if layer.values().choice("bidirectional") { &["", "_reverse"] } else { &[""] }
}

/// Layers one behind the other. Between them values are `[P, N, C]`, as the operators want them.
fn stack(graph: &mut Graph, layer: &Layer, x: &Value, cell: &Cell) -> Value {
    let x = x.to(graph, Layout::Positions);
    let mut states = graph.transpose(&x.name, &[1, 0, 2]);
    let layers = layer.values().integer("layers");
    let is_last = layer.values().name_of("returns") == "last";
    for number in 0..layers {
        let [all, last] = one(graph, layer, &states, cell, number);
        if is_last && number + 1 == layers {
            let name = side_by_side(graph, layer, &last, &[1, 0, 2]);
            return Value { name, shape: layer.output, layout: Layout::Features };
        }
        states = side_by_side(graph, layer, &all, &[0, 2, 1, 3]);
    }
    let name = graph.transpose(&states, &[1, 0, 2]);
    Value { name, shape: layer.output, layout: Layout::Positions }
}

/// The states of both directions of a unit's place: the axis of directions, before that of samples, goes.
fn side_by_side(graph: &mut Graph, layer: &Layer, states: &str, order: &[i64]) -> String {
    if directions(layer).len() == 1 {
        return graph.squeeze(states, order.len() as i64 - 3);
    }
    let states = graph.transpose(states, order);
    let kept = vec![0; order.len() - 2];
    let all = image_of(layer.output).channels as i64;
    // All layers have as many states.
    graph.reshape(&states, &[kept, vec![all]].concat())
}

/// One layer: its states at all positions `[P, directions, N, H]`, and the last ones `[directions, N, H]`.
fn one(graph: &mut Graph, layer: &Layer, x: &str, cell: &Cell, number: usize) -> [String; 2] {
    let units = layer.values().integer("units");
    let ends = directions(layer);
    let named = |what: &str, end: &str| layer.parameter(&format!("{what}_l{number}{end}"));
    let (mut weights, mut state_weights, mut biases) = (Vec::new(), Vec::new(), Vec::new());
    for end in ends {
        for (what, to) in [("weight_ih", &mut weights), ("weight_hh", &mut state_weights)] {
            let ordered = in_order(graph, &named(what, end), units, cell);
            to.push(graph.unsqueeze(&ordered, 0));
        }
        let both = ["bias_ih", "bias_hh"].map(|what| in_order(graph, &named(what, end), units, cell));
        let both = graph.concat(&both, 0);
        biases.push(graph.unsqueeze(&both, 0));
    }
    let mut inputs = vec![x.to_string()];
    inputs.extend([weights, state_weights, biases].map(|parts| graph.concat(&parts, 0)));
    if layer.values().name_of("initial") == "trained" {
        // There are no lengths.
        inputs.push(String::new());
        for state in cell.states {
            let parts: Vec<String> = ends.iter().map(|end| named(state, end)).collect();
            inputs.push(initial(graph, x, &parts, units));
        }
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let direction = if ends.len() == 2 { "bidirectional" } else { "forward" };
    let mut attributes = cell.attributes.clone();
    attributes.push(attribute::int("hidden_size", units as i64));
    attributes.push(attribute::string("direction", direction));
    let outputs = graph.several(cell.op, &inputs, 2, attributes);
    [outputs[0].clone(), outputs[1].clone()]
}

/// A parameter with its gates in the order of the operator.
fn in_order(graph: &mut Graph, parameter: &str, units: usize, cell: &Cell) -> String {
    if cell.gates.len() == 1 {
        return parameter.to_string();
    }
    let gates = graph.split(parameter, 0, &vec![units; cell.gates.len()]);
    let ordered: Vec<String> = cell.gates.iter().map(|&gate| gates[gate].clone()).collect();
    graph.concat(&ordered, 0)
}

/// The trained state of each direction, `[H]`, for as many samples as `x` `[P, N, C]` has: `[directions, N, H]`.
fn initial(graph: &mut Graph, x: &str, parts: &[String], units: usize) -> String {
    let states = graph.concat(parts, 0);
    let states = graph.reshape(&states, &[parts.len() as i64, 1, units as i64]);
    let shape = graph.unary("Shape", x);
    let samples = graph.slice(&shape, 0, [1, 2]);
    let ends = [parts.len(), units].map(|size| graph.integers(&[size as i64]));
    let shape = graph.concat(&[ends[0].clone(), samples, ends[1].clone()], 0);
    graph.binary("Expand", &states, &shape)
}
