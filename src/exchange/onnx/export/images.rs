//! Convolutions and pools.

use super::attribute;
use super::graph::Graph;
use super::layer::Layer;
use super::value::{Layout, Value};
use crate::exchange::onnx::proto::AttributeProto;
use crate::kernels::image::Window;

/// Of images and of sequences.
pub fn convolution(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let window = layer.values().window("window");
    let x = x.to(graph, layout_of(window));
    let mut attributes = attributes_of(window, true);
    attributes.push(attribute::int("group", layer.values().integer("groups") as i64));
    let name = weighted(graph, layer, "Conv", &x.name, attributes);
    Value { name, shape: layer.output, layout: x.layout }
}

/// As `ConvTranspose2d`, whose weights are `[in, out, height, width]`.
pub fn transposed(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let x = x.to(graph, Layout::Planes);
    let mut attributes = attributes_of(layer.values().window("window"), true);
    let more = layer.values().pair("output_padding").map(|pixels| pixels as i64);
    attributes.push(attribute::ints("output_padding", &more));
    let name = weighted(graph, layer, "ConvTranspose", &x.name, attributes);
    Value { name, shape: layer.output, layout: Layout::Planes }
}

fn weighted(graph: &mut Graph, layer: &Layer, op: &str, x: &str, attributes: Vec<AttributeProto>) -> String {
    let (weight, bias) = (layer.parameter("weight"), layer.bias(graph, "bias"));
    let inputs: Vec<&str> = [x, &*weight].into_iter().chain(bias.as_deref()).collect();
    graph.one(op, &inputs, attributes)
}

pub fn max_pool(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let window = layer.values().window("window");
    let x = x.to(graph, layout_of(window));
    let (x, window) = padded(graph, &x, window, f32::MIN);
    let name = graph.one("MaxPool", &[&x.name], attributes_of(window, true));
    Value { name, shape: layer.output, layout: x.layout }
}

/// Zeros beside the image count.
pub fn average_pool(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let window = layer.values().window("window");
    let x = x.to(graph, layout_of(window));
    let name = if window.is_dilated() {
        dilated_average(graph, &x, window)
    } else {
        let (x, window) = padded(graph, &x, window, 0.0);
        let mut attributes = attributes_of(window, false);
        attributes.push(attribute::int("count_include_pad", 1));
        graph.one("AveragePool", &[&x.name], attributes)
    };
    Value { name, shape: layer.output, layout: x.layout }
}

/// The mean of pixels that lie apart, which pools have from version 19 on only: a convolution of each channel.
fn dilated_average(graph: &mut Graph, x: &Value, window: Window) -> String {
    let channels = x.image().channels;
    let shape = [&[channels, 1], window.kernel_shape()].concat();
    let kernel = graph.floats(&shape, &vec![1.0 / window.area() as f32; channels * window.area()]);
    let mut attributes = attributes_of(window, true);
    attributes.push(attribute::int("group", channels as i64));
    graph.one("Conv", &[&x.name, &kernel], attributes)
}

/// The image with its padding as part of it where there is more of it than pools take: as much as their window.
fn padded(graph: &mut Graph, x: &Value, window: Window, filled: f32) -> (Value, Window) {
    let reaches = |axis: usize| window.padding[axis].iter().all(|&pixels| pixels < window.kernel[axis]);
    if reaches(0) && reaches(1) {
        return (x.clone(), window);
    }
    let sides = &window.padding[usize::from(window.one_dimensional)..];
    let end = |end: usize| [0, 0].into_iter().chain(sides.iter().map(move |side| side[end] as i64));
    let pads: Vec<i64> = end(0).chain(end(1)).collect();
    let [pads, filled] = [graph.integers(&pads), graph.number(filled)];
    let name = graph.one("Pad", &[&x.name, &pads, &filled], Vec::new());
    (x.named(name), Window { padding: [[0; 2]; 2], ..window })
}

/// A window of a sequence has one side.
fn layout_of(window: Window) -> Layout {
    if window.one_dimensional { Layout::Line } else { Layout::Planes }
}

fn attributes_of(window: Window, with_dilation: bool) -> Vec<AttributeProto> {
    let first = usize::from(window.one_dimensional);
    let sizes = |sides: [usize; 2]| sides[first..].iter().map(|&size| size as i64).collect::<Vec<i64>>();
    let pads = [0, 1].map(|end| sizes(window.padding.map(|side| side[end]))).concat();
    let mut attributes = vec![
        attribute::ints("kernel_shape", &sizes(window.kernel)),
        attribute::ints("pads", &pads),
        attribute::ints("strides", &sizes(window.stride)),
    ];
    if with_dilation {
        attributes.push(attribute::ints("dilations", &sizes(window.dilation)));
    }
    attributes
}

/// The mean of all pixels of each channel.
pub fn global_average(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    global(graph, layer, x, ["GlobalAveragePool", "ReduceMean"])
}

/// The largest number of each channel.
pub fn global_max(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    global(graph, layer, x, ["GlobalMaxPool", "ReduceMax"])
}

fn global(graph: &mut Graph, layer: &Layer, x: &Value, [of_planes, of_axis]: [&str; 2]) -> Value {
    let name = match x.layout {
        Layout::Positions => graph.reduce(of_axis, &x.name, &[1], false),
        Layout::Line => graph.reduce(of_axis, &x.name, &[2], false),
        _ => {
            let x = x.to(graph, Layout::Planes);
            let pooled = graph.unary(of_planes, &x.name);
            graph.one("Flatten", &[&pooled], vec![attribute::int("axis", 1)])
        }
    };
    Value { name, shape: layer.output, layout: Layout::Features }
}

/// Channel by channel.
pub fn flatten(graph: &mut Graph, layer: &Layer, x: &Value) -> Value {
    let layout = if x.layout == Layout::Line { Layout::Line } else { Layout::Planes };
    let x = x.to(graph, layout);
    let name = graph.one("Flatten", &[&x.name], vec![attribute::int("axis", 1)]);
    Value { name, shape: layer.output, layout: Layout::Features }
}
