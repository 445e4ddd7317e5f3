//! The input and the output of a graph: raw numbers of the network or, on request, the data as they come and what the outputs
//! stand for.

use super::graph::Graph;
use super::table_input;
use super::value::{Layout, Value, sizes};
use crate::data::idx::ElementType;
use crate::data::table::{Encoder, Target};
use crate::error::Result;
use crate::exchange::onnx::proto::{
    DataType, Dimension, DimensionValue, TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};
use crate::kernels::image::Image;
use crate::layers::Shape;
use crate::losses::Outcome;
use crate::model::Model;
use crate::model::recipe::LayerConfig;

/// The names of the input, of the number of samples and of the outputs.
pub const INPUT: &str = "input";
const BATCH: &str = "batch";
const OUTPUT: &str = "output";
const PROBABILITIES: &str = "probabilities";

/// What stands for an input or an output.
fn info(name: &str, kind: DataType, sizes: &[i64], about: String) -> ValueInfoProto {
    let dimension = |(index, &size): (usize, &i64)| {
        let value = match index {
            0 => DimensionValue::Name(BATCH.to_string()),
            _ => DimensionValue::Size(size),
        };
        Dimension { value: Some(value) }
    };
    let shape = TensorShapeProto { dim: sizes.iter().enumerate().map(dimension).collect() };
    let tensor = TensorType { elem_type: kind as i32, shape: Some(shape) };
    let r#type = Some(TypeProto { tensor_type: Some(tensor) });
    ValueInfoProto { name: name.to_string(), r#type, doc_string: about }
}

/// What a model reads, and the numbers that the network sees of it.
///
/// # Errors
/// Those of [`table_input::columns`], with preprocessing.
pub fn input(graph: &mut Graph, model: &Model, preprocessing: bool) -> Result<(ValueInfoProto, Value)> {
    graph.enter(INPUT);
    let image = Image::data(model.input());
    let shape = Shape::Image(image);
    let data = |layout| Value { name: INPUT.to_string(), shape, layout };
    let seen = model.seen();
    let normalisation = seen.normalisation.data();
    if let Some(encoder) = model.encoder().filter(|_| preprocessing) {
        let name = table_input::columns(graph, encoder, INPUT)?;
        let about = format!("columns of a table: {}", table_input::names(encoder).join(", "));
        let count = encoder.features.len() as i64;
        let input = info(INPUT, DataType::Double, &[0, count], about);
        let x = data(Layout::Features).named(name);
        return Ok((input, normalised(graph, x, normalisation.factor_and_shift(ElementType::F32))));
    }
    let is_of_bytes = seen.element_type == Some(ElementType::U8);
    let element = if is_of_bytes { ElementType::U8 } else { ElementType::F32 };
    let moved = if preprocessing { normalisation.factor_and_shift(element) } else { [1.0, 0.0] };
    if reads_codes(model) && moved == [1.0, 0.0] {
        let about = format!("{} codes of each sample, whole numbers", image.features());
        let value = data(Layout::Codes);
        return Ok((info(INPUT, DataType::Int64, &sizes(shape, Layout::Codes), about), value));
    }
    let layout = match image {
        _ if image.pixels() == 1 => Layout::Features,
        Image { height: 1, .. } => Layout::Positions,
        _ => Layout::Planes,
    };
    let about = match layout {
        Layout::Features => "[batch, features]",
        Layout::Positions => "[batch, positions, channels]",
        _ => "[batch, channels, height, width]",
    };
    let what = match (preprocessing, is_of_bytes) {
        (true, true) => "as bytes",
        (true, false) => "as they are in the data",
        (false, _) => "as the network sees them, normalised",
    };
    let kind = if preprocessing && is_of_bytes { DataType::Uint8 } else { DataType::Float };
    let input = info(INPUT, kind, &sizes(shape, layout), format!("{about}: numbers {what}"));
    let mut x = data(layout);
    if kind == DataType::Uint8 {
        x = x.named(graph.cast(INPUT, DataType::Float));
    }
    Ok((input, normalised(graph, x, moved)))
}

/// Whether the network is of codes alone, which one embedding at the front reads.
fn reads_codes(model: &Model) -> bool {
    let first = model.config().layers.first().and_then(LayerConfig::settings);
    matches!(first.and_then(|settings| settings.embedded()), Some((_, true)))
}

/// `x factor + shift`
fn normalised(graph: &mut Graph, x: Value, [factor, shift]: [f32; 2]) -> Value {
    let mut name = x.name.clone();
    if factor != 1.0 {
        let factor = graph.number(factor);
        name = graph.binary("Mul", &name, &factor);
    }
    if shift != 0.0 {
        let shift = graph.number(shift);
        name = graph.binary("Add", &name, &shift);
    }
    x.named(name)
}

/// What a model gives: `[batch, outputs]`, or `[batch, positions, outputs]` of a sequence.
pub fn output(graph: &mut Graph, model: &Model, y: &Value, preprocessing: bool) -> ValueInfoProto {
    graph.enter(OUTPUT);
    let layout = if y.shape.image().is_some() { Layout::Positions } else { Layout::Features };
    let y = y.to(graph, layout);
    let outcome = model.loss().kind().gives();
    let (name, last, about) = match outcome {
        _ if !preprocessing => (OUTPUT, y.name.clone(), about_raw(outcome).to_string()),
        Outcome::Softmax => {
            (PROBABILITIES, graph.softmax(&y.name), "the probability of each class".to_string())
        }
        Outcome::Sigmoid => {
            (PROBABILITIES, graph.unary("Sigmoid", &y.name), "a probability for each output".to_string())
        }
        Outcome::Values => {
            let name = model.encoder().map_or(y.name.clone(), |encoder| in_units(graph, encoder, &y.name));
            (OUTPUT, name, "values in the units of the data".to_string())
        }
    };
    graph.rename(&last, name);
    info(name, DataType::Float, &sizes(y.shape, layout), about)
}

fn about_raw(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Softmax => "logits: their softmax has the probabilities of the classes",
        Outcome::Sigmoid => "logits: the sigmoid of each is a probability",
        Outcome::Values => "values, as the network gives them",
    }
}

/// Values in the units of their columns, computed in double precision as `fallline predict` does.
fn in_units(graph: &mut Graph, encoder: &Encoder, y: &str) -> String {
    let Target::Values { columns } = &encoder.target else { return y.to_string() };
    let [factors, offsets]: [Vec<f64>; 2] = [
        columns.iter().map(|column| column.unit.factor).collect(),
        columns.iter().map(|column| column.unit.offset).collect(),
    ];
    let [factors, offsets] = [factors, offsets].map(|values| graph.doubles(&[values.len()], &values));
    let wide = graph.cast(y, DataType::Double);
    let product = graph.binary("Mul", &wide, &factors);
    let sum = graph.binary("Add", &product, &offsets);
    graph.cast(&sum, DataType::Float)
}
