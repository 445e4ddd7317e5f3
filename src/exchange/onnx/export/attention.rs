//! Attention of several heads, of a sequence to itself or of a target to its source.

use std::ops::Range;

use super::dense::{beside_zeros, linear, linear_by, within};
use super::graph::Graph;
use super::layer::Layer;
use super::value::{Layout, Value};

/// Names of weights and biases, before and behind.
const BEFORE: [&str; 2] = ["in_proj_weight", "in_proj_bias"];
const BEHIND: [&str; 2] = ["out_proj.weight", "out_proj.bias"];

/// Heads of queries, heads of keys and values, and numbers of each.
struct Heads {
    queries: usize,
    keys: usize,
    width: usize,
}

impl Heads {
    fn of(layer: &Layer) -> Heads {
        let [queries, keys, width] =
            ["heads", "kv_heads", "head_width"].map(|key| layer.values().integer(key));
        let keys = if keys == 0 { queries } else { keys };
        let width = if width == 0 { layer.input.channels() / queries } else { width };
        Heads { queries, keys, width }
    }
}

/// Of a sequence, or a part of it, to itself.
pub fn own(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Positions);
    let (heads, part) = (Heads::of(layer), layer.part());
    let inside = within(graph, &x.name, &part, layer.positions());
    let projected = linear(graph, &inside, &BEFORE.map(|name| layer.parameter(name)));
    let sizes = [heads.queries, heads.keys, heads.keys].map(|heads_of| heads_of * heads.width);
    let parts = graph.split(&projected, 2, &sizes);
    let mut queries = by_head(graph, &parts[0], heads.queries, heads.width);
    let mut keys = by_head(graph, &parts[1], heads.keys, heads.width);
    let values = by_head(graph, &parts[2], heads.keys, heads.width);
    if layer.values().choice("rotary") {
        let turns = turns(graph, part.len(), heads.width, layer.values().single("rotary_base"));
        queries = turned(graph, &queries, &turns, heads.width);
        keys = turned(graph, &keys, &turns, heads.width);
    }
    let causal = layer.values().choice("causal").then_some(part.len());
    attended(graph, layer, &heads, [queries, keys, values], causal, &part)
}

/// Of the target to the source.
pub fn cross(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Positions);
    let (heads, source) = (Heads::of(layer), layer.values().integer("source"));
    let target = source..layer.positions();
    let of_target = within(graph, &x.name, &target, layer.positions());
    let of_source = within(graph, &x.name, &(0..source), layer.positions());
    let sizes = [heads.queries, heads.keys, heads.keys].map(|heads_of| heads_of * heads.width);
    let weights = graph.split(&layer.parameter(BEFORE[0]), 0, &sizes);
    let biases = layer.bias(graph, BEFORE[1]).map(|bias| graph.split(&bias, 0, &sizes));
    let inputs = [(&of_target, heads.queries), (&of_source, heads.keys), (&of_source, heads.keys)];
    let mut number = 0;
    let parts = inputs.map(|(x, heads_of)| {
        let bias = biases.as_ref().map(|biases| &*biases[number]);
        let projected = linear_by(graph, x, &weights[number], bias);
        number += 1;
        by_head(graph, &projected, heads_of, heads.width)
    });
    attended(graph, layer, &heads, parts, None, &target)
}

/// `[N, P, heads width]` as `[N, heads, P, width]`.
fn by_head(graph: &mut Graph, x: &str, heads: usize, width: usize) -> String {
    let parts = graph.reshape(x, &[0, 0, heads as i64, width as i64]);
    graph.transpose(&parts, &[0, 2, 1, 3])
}

/// What the heads make of queries, keys and values `[N, heads, P, width]`, mixed, at the positions of the queries, with zeros
/// at others. With a number of positions each sees itself and those before it alone.
fn attended(
    graph: &mut Graph,
    layer: &Layer,
    heads: &Heads,
    [queries, keys, values]: [String; 3],
    causal: Option<usize>,
    part: &Range<usize>,
) -> Value {
    let [keys, values] = [keys, values].map(|all| for_each_query(graph, &all, heads));
    let scale = graph.number((1.0 / (heads.width as f64).sqrt()) as f32);
    let queries = graph.binary("Mul", &queries, &scale);
    let keys = graph.transpose(&keys, &[0, 1, 3, 2]);
    let mut products = graph.binary("MatMul", &queries, &keys);
    if let Some(positions) = causal {
        products = without_later(graph, &products, positions);
    }
    let weights = graph.softmax(&products);
    let mixed = graph.binary("MatMul", &weights, &values);
    let mixed = graph.transpose(&mixed, &[0, 2, 1, 3]);
    let mixed = graph.reshape(&mixed, &[0, 0, (heads.queries * heads.width) as i64]);
    let y = linear(graph, &mixed, &BEHIND.map(|name| layer.parameter(name)));
    let name = beside_zeros(graph, &y, part, layer.positions());
    Value { name, shape: layer.output, layout: Layout::Positions }
}

/// Keys or values of a group of heads, once for each head of queries.
fn for_each_query(graph: &mut Graph, x: &str, heads: &Heads) -> String {
    if heads.keys == heads.queries {
        return x.to_string();
    }
    let size = heads.queries / heads.keys;
    let places: Vec<i64> = (0..heads.queries).map(|head| (head / size) as i64).collect();
    let places = graph.integers(&places);
    graph.gather(x, &places, 1)
}

/// Products `[N, heads, P, P]` with no weight for positions behind that of the query.
fn without_later(graph: &mut Graph, products: &str, positions: usize) -> String {
    let numbers: Vec<i64> = (0..positions as i64).collect();
    let rows = graph.integers_of(&[positions, 1], &numbers);
    let columns = graph.integers_of(&[1, positions], &numbers);
    let is_seen = graph.binary("GreaterOrEqual", &rows, &columns);
    let nothing = graph.number(f32::NEG_INFINITY);
    graph.one("Where", &[&is_seen, products, &nothing], Vec::new())
}

/// Cosines and sines of rotary positions, `[P, width / 2]` each.
fn turns(graph: &mut Graph, positions: usize, width: usize, base: f32) -> [String; 2] {
    let pairs = width / 2;
    let angle = |place: usize| {
        let rate = f64::from(base).powf(-2.0 * (place % pairs) as f64 / width as f64);
        (place / pairs) as f64 * rate
    };
    let angles: Vec<f64> = (0..positions * pairs).map(angle).collect();
    let functions: [fn(f64) -> f64; 2] = [f64::cos, f64::sin];
    functions.map(|function| {
        let values: Vec<f32> = angles.iter().map(|&angle| function(angle) as f32).collect();
        graph.floats(&[positions, pairs], &values)
    })
}

/// Queries or keys `[N, heads, P, width]`, of which number i and number i + width / 2 are turned together.
fn turned(graph: &mut Graph, x: &str, [cosines, sines]: &[String; 2], width: usize) -> String {
    let halves = graph.split(x, 3, &[width / 2; 2]);
    let mut product = |half: usize, factors: &str| graph.binary("Mul", &halves[half], factors);
    let [a_cosine, b_sine, b_cosine, a_sine] =
        [product(0, cosines), product(1, sines), product(1, cosines), product(0, sines)];
    let first = graph.binary("Sub", &a_cosine, &b_sine);
    let second = graph.binary("Add", &b_cosine, &a_sine);
    graph.concat(&[first, second], 3)
}
