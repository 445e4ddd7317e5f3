//! Rows of a table, which are embeddings, and single positions of a sequence.

use std::rc::Rc;

use super::constants::given;
use super::reshape::settled;
use crate::exchange::onnx::import::array::{Array, Fit};
use crate::exchange::onnx::import::context::{Call, Context, Operation, Value, config};
use crate::exchange::onnx::import::flow::{Axis, Flow, index};

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "Gather" => gather,
        "Slice" => slice,
        _ => return None,
    })
}

fn gather(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    match (call.input(0), call.input(1)) {
        (Value::Constant(table), Value::Flow(codes)) => {
            let (table, codes) = (table.clone(), codes.clone());
            embedding(context, call, &table, &codes)
        }
        (Value::Constant(array), Value::Constant(indices)) => {
            let (Some(values), Some(indices)) = (array.as_integers(), indices.as_integers()) else {
                return Err("expected elements of a shape, found another constant".into());
            };
            let taken = indices.iter().map(|&number| Ok(values[index(number, values.len())?]));
            let taken = Array::integers(taken.collect::<Fit<Vec<i64>>>()?);
            Ok(given(taken.reshaped(call.constant(1)?.shape.clone())))
        }
        (Value::Flow(flow), Value::Constant(indices)) => {
            let axis = flow.axis(call.int("axis", 0))?;
            let &[number] = indices.as_integers().unwrap_or_default() else {
                return Err("expected one position, found several".into());
            };
            let is_kept = !indices.shape.is_empty();
            let flow = flow.clone();
            Ok(vec![Value::Flow(one_of(context, call, &flow, axis, number, is_kept)?)])
        }
        _ => Err("expected rows of a constant table, or one position of a value".into()),
    }
}

/// The rows of a table of which the samples are the codes.
fn embedding(context: &mut Context, call: &Call, table: &Rc<Array>, codes: &Flow) -> Fit<Vec<Value>> {
    let (&[rows, width], true) = (&table.shape[..], table.as_floats().is_some()) else {
        return Err(format!("expected a table of two dimensions, found shape {:?}", table.shape));
    };
    call.expect("axis", 0, 0)?;
    let [Axis::Batch, Axis::Features(positions)] = codes.axes[..] else {
        return Err(format!("expected codes of shape [batch, positions], found {}", codes.described()));
    };
    if !context.is_data(codes) {
        return Err("expected the codes to be the input of the graph".into());
    }
    context.takes_codes = true;
    let settings =
        [("categories", vec![rows].into()), ("widths", vec![width].into()), ("shared", true.into())];
    let axes = vec![Axis::Batch, Axis::Positions(positions), Axis::Channels(width)];
    let tensors = vec![("weight", table.clone())];
    Ok(vec![Value::Flow(context.layer(call, codes, config("embedding", settings)?, tensors, axes))])
}

/// The number of a dimension that is one of its positions alone.
fn one_of(
    context: &mut Context,
    call: &Call,
    flow: &Flow,
    axis: usize,
    number: i64,
    is_kept: bool,
) -> Fit<Flow> {
    let (found, size) =
        (flow.axes[axis], flow.axes[axis].size().ok_or("expected one position, found one sample")?);
    let number = index(number, size)?;
    let mut axes = flow.axes.clone();
    match is_kept {
        true => axes[axis] = Axis::Unit,
        false => drop(axes.remove(axis)),
    }
    if size == 1 {
        return settled(context, call, Flow { axes, whole: None, ..flow.clone() });
    }
    if !matches!(found, Axis::Positions(_)) || number + 1 != size {
        let expected = "expected the last position of a sequence";
        return Err(format!("{expected}, found number {number} of dimension {axis} of {}", flow.described()));
    }
    flow.channels()?;
    let size = |axis: &mut Axis| *axis = Axis::Features(axis.size().unwrap_or(1));
    axes.iter_mut().filter(|axis| matches!(axis, Axis::Channels(_))).for_each(size);
    Ok(context.layer(call, flow, config("last-position", [])?, Vec::new(), axes))
}

/// Starts, ends, dimensions and steps were attributes before they became inputs.
fn slice(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    if let Value::Zeros = call.input(0) {
        return Ok(vec![Value::Zeros]);
    }
    let [starts, ends, axes, steps] =
        [(1, "starts"), (2, "ends"), (3, "axes"), (4, "steps")].map(|(input, name)| call.listed(input, name));
    let (starts, ends) = (starts?.unwrap_or_default(), ends?.unwrap_or_default());
    let (&[start], &[end]) = (&starts[..], &ends[..]) else {
        return Err("expected a part of one dimension, found several".into());
    };
    let (axis, step) = (axes?.map_or(0, |axes| axes.first().copied().unwrap_or(0)), steps?);
    if step.is_some_and(|steps| steps != [1]) {
        return Err("expected steps of 1".into());
    }
    let range = |size: usize| {
        let count = i64::try_from(size).unwrap_or(i64::MAX);
        let bound = |at: i64| if at < 0 { at.saturating_add(count) } else { at }.clamp(0, count) as usize;
        bound(start)..bound(end).max(bound(start))
    };
    if let Value::Constant(array) = call.input(0) {
        let values = array.as_integers().filter(|_| array.shape.len() == 1);
        let values = values.ok_or("expected a part of a shape, found another constant")?;
        return Ok(given(Array::integers(values[range(values.len())].to_vec())));
    }
    let flow = call.flow(0)?.clone();
    let axis = flow.axis(axis)?;
    let size = flow.axes[axis].size().ok_or("expected all samples, found some of them")?;
    let range = range(size);
    Ok(vec![Value::Flow(match range.len() {
        len if len == size => flow,
        1 => one_of(context, call, &flow, axis, range.start as i64, true)?,
        _ => {
            return Err(format!(
                "expected all positions or the last one, found {range:?} of {}",
                flow.described()
            ));
        }
    })])
}
