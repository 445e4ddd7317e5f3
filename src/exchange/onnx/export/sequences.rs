//! Embeddings, positions, and the ways from images to sequences and from these to features.

use super::graph::Graph;
use super::layer::Layer;
use super::value::{Layout, Value, image_of};
use crate::exchange::onnx::proto::DataType;
use crate::layers::permutation;

/// Vectors in the place of codes: of all inputs by one table, or of the last ones, each by its own.
pub fn embedding(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let (tables, is_shared) = layer.settings.embedded().unwrap_or_default();
    let own = layer.parameter("weight");
    if is_shared {
        let table = layer.tied.unwrap_or(&own);
        let codes = codes(graph, x, &x.name, tables[0][0]);
        let name = graph.gather(table, &codes, 0);
        return Value { name, shape: layer.output, layout: Layout::Positions };
    }
    let x = x.to(graph, Layout::Features);
    let numbers = layer.input.features() - tables.len();
    let sizes: Vec<usize> = [numbers].into_iter().filter(|&numbers| numbers > 0).collect();
    let mut parts = graph.split(&x.name, 1, &[sizes.clone(), vec![1; tables.len()]].concat());
    for (number, &[rows, _]) in tables.iter().enumerate() {
        let table = match tables.len() {
            1 => own.clone(),
            _ => layer.parameter(&format!("{number}.weight")),
        };
        let part = &mut parts[sizes.len() + number];
        let code = graph.squeeze(part, 1);
        let code = codes(graph, &x, &code, rows);
        *part = graph.gather(&table, &code, 0);
    }
    let name = graph.concat(&parts, 1);
    Value { name, shape: layer.output, layout: Layout::Features }
}

/// Codes as places in a table of so many rows; what is none is the first one.
fn codes(graph: &mut Graph, x: &Value, name: &str, rows: usize) -> String {
    let whole = match x.layout {
        Layout::Codes => name.to_string(),
        _ => {
            let rounded = graph.unary("Round", name);
            graph.cast(&rounded, DataType::Int64)
        }
    };
    let [zero, rows] = [0, rows as i64].map(|number| graph.integers_of(&[], &[number]));
    let is_above = graph.binary("GreaterOrEqual", &whole, &zero);
    let is_below = graph.binary("Less", &whole, &rows);
    let is_inside = graph.binary("And", &is_above, &is_below);
    graph.one("Where", &[&is_inside, &whole, &zero], Vec::new())
}

/// A vector added to each position, trained or of sines.
pub fn positions(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Positions);
    let name = graph.binary("Add", &x.name, &layer.parameter("weight"));
    Value { name, shape: layer.output, layout: Layout::Positions }
}

/// Rows of an image as positions: of its pixels in order, those of a row together.
pub fn rows(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    // Pixels of one channel lie as rows already.
    let is_in_order = x.layout == Layout::Planes && x.image().channels == 1;
    let x = if is_in_order { x.clone() } else { x.to(graph, Layout::Positions) };
    let name = graph.reshape(&x.name, &super::value::sizes(layer.output, Layout::Positions));
    Value { name, shape: layer.output, layout: Layout::Positions }
}

/// Pixels in an order that is drawn once.
pub fn permute(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Positions);
    let order = permutation(layer.values(), layer.positions());
    let order: Vec<i64> = order.into_iter().map(i64::from).collect();
    let order = graph.integers(&order);
    let name = graph.gather(&x.name, &order, 1);
    Value { name, shape: layer.output, layout: Layout::Positions }
}

pub fn last_position(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Positions);
    let last = image_of(layer.input).pixels() as i64 - 1;
    let last = graph.integers_of(&[], &[last]);
    let name = graph.gather(&x.name, &last, 1);
    Value { name, shape: layer.output, layout: Layout::Features }
}
