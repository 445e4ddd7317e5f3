//! The columns of a table as numbers, made features as they were in the training: numbers are scaled, and categories, which
//! come as their places in the list that the file holds, become a feature each.

use super::graph::Graph;
use crate::data::table::Encoder;
use crate::data::table::encode::{Feature, How, Scale};
use crate::error::{Error, Result};
use crate::exchange::onnx::proto::DataType;

/// The names of the columns that features are made of, in their order.
pub fn names(encoder: &Encoder) -> Vec<&str> {
    encoder.features.iter().map(|feature| feature.column.as_str()).collect()
}

/// The features `[N, F]` of columns `[N, columns]` in double precision; a missing value is NaN.
///
/// # Errors
/// [`Error::Mismatch`] for dates, and for windows of a series, which are no numbers of one row.
pub fn columns(graph: &mut Graph, encoder: &Encoder, input: &str) -> Result<String> {
    let refused = |found: String| Error::Mismatch {
        what: "preprocessing in an ONNX file".into(),
        expected: "columns of numbers and categories; without it the network reads their features".into(),
        found,
    };
    if encoder.windows.is_some() {
        return Err(refused("windows of a series".into()));
    }
    let mut parts = Vec::new();
    let mut start = 0;
    while let Some(first) = encoder.features.get(start) {
        let plain = encoder.features[start..].iter().map_while(plain_number).collect::<Vec<_>>();
        let end = start + plain.len().max(1);
        let x = graph.slice(input, 1, [start, end]);
        match &first.how {
            How::Date { .. } => return Err(refused(format!("dates in `{}`", first.column))),
            _ if !plain.is_empty() => parts.push(numbers(graph, &x, &plain)),
            How::Number { scale, fill, indicator } => {
                let missing = graph.unary("IsNaN", &x);
                let filled = filled(graph, &missing, &x, &[*fill]);
                parts.push(scaled(graph, &filled, *scale));
                if *indicator {
                    parts.push(graph.cast(&missing, DataType::Float));
                }
            }
            How::Category { names, other, missing } => {
                let count = names.len();
                let of_other = if *other { count as f64 } else { -1.0 };
                let of_missing = if *missing { (count + usize::from(*other)) as f64 } else { of_other };
                let place = place(graph, &x, count, [0.0, of_other, of_missing]);
                let place = graph.cast(&place, DataType::Int64);
                let all: Vec<i64> = (0..first.width() as i64).collect();
                let all = graph.integers(&all);
                let is_there = graph.binary("Equal", &place, &all);
                parts.push(graph.cast(&is_there, DataType::Float));
            }
            How::Embedding { names, missing, .. } => {
                let count = names.len();
                let of_missing = if *missing { (count + 1) as f64 } else { 0.0 };
                let code = place(graph, &x, count, [1.0, 0.0, of_missing]);
                parts.push(graph.cast(&code, DataType::Float));
            }
        }
        start = end;
    }
    Ok(graph.concat(&parts, 1))
}

/// The scale of a number that has one feature and no logarithm, and what stands for a missing one.
fn plain_number(feature: &Feature) -> Option<(Scale, f64)> {
    match feature.how {
        How::Number { scale, fill, indicator: false } if !scale.log1p => Some((scale, fill)),
        _ => None,
    }
}

/// Neighbouring columns of such numbers at once.
fn numbers(graph: &mut Graph, x: &str, columns: &[(Scale, f64)]) -> String {
    let fills: Vec<f64> = columns.iter().map(|(_, fill)| *fill).collect();
    let missing = graph.unary("IsNaN", x);
    let filled = filled(graph, &missing, x, &fills);
    let [offsets, factors]: [Vec<f64>; 2] = [
        columns.iter().map(|(scale, _)| scale.offset).collect(),
        columns.iter().map(|(scale, _)| scale.factor).collect(),
    ];
    moved(graph, &filled, &offsets, &factors)
}

fn filled(graph: &mut Graph, missing: &str, x: &str, fills: &[f64]) -> String {
    let fills = graph.doubles(&[fills.len()], fills);
    graph.one("Where", &[missing, &fills, x], Vec::new())
}

fn scaled(graph: &mut Graph, x: &str, scale: Scale) -> String {
    let mut x = x.to_string();
    if scale.log1p {
        let one = graph.doubles(&[1], &[1.0]);
        let sum = graph.binary("Add", &x, &one);
        x = graph.unary("Log", &sum);
    }
    moved(graph, &x, &[scale.offset], &[scale.factor])
}

/// `(x - offset) factor`, then in single precision.
fn moved(graph: &mut Graph, x: &str, offsets: &[f64], factors: &[f64]) -> String {
    let [offsets, factors] = [offsets, factors].map(|values| graph.doubles(&[values.len()], values));
    let difference = graph.binary("Sub", x, &offsets);
    let product = graph.binary("Mul", &difference, &factors);
    graph.cast(&product, DataType::Float)
}

/// The place of a category by its place in the list of `count` names, which is that plus `first`; that of what is not in the list,
/// and that of a missing one.
fn place(graph: &mut Graph, x: &str, count: usize, [first, other, missing]: [f64; 3]) -> String {
    let mut number = |value: f64| graph.doubles(&[1], &[value]);
    let [zero, count, first, other, missing] = [0.0, count as f64, first, other, missing].map(&mut number);
    let is_above = graph.binary("GreaterOrEqual", x, &zero);
    let is_below = graph.binary("Less", x, &count);
    let is_known = graph.binary("And", &is_above, &is_below);
    let own = graph.binary("Add", x, &first);
    let known = graph.one("Where", &[&is_known, &own, &other], Vec::new());
    let is_missing = graph.unary("IsNaN", x);
    graph.one("Where", &[&is_missing, &missing, &known], Vec::new())
}
