//! Operators that change the shape of a value, or tell it.

use super::constants::given;
use super::reshape;
use super::reshape::{Size, reshaped, settled};
use crate::exchange::onnx::import::array::{Array, Fit, MOST_DIMENSIONS};
use crate::exchange::onnx::import::context::{BATCH, Call, Context, Operation, Value};
use crate::exchange::onnx::import::flow::{Axis, Flow, index};

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "Shape" => shape,
        "Transpose" => transpose,
        "Squeeze" => squeeze,
        "Unsqueeze" => unsqueeze,
        "Reshape" => reshape::reshape,
        "Flatten" => flatten,
        _ => return None,
    })
}

/// The sizes, that of the batch as [`BATCH`].
fn shape(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let sizes: Vec<i64> = match call.input(0) {
        Value::Flow(flow) => {
            let size =
                |axis: &Axis| axis.size().map_or(BATCH, |size| i64::try_from(size).unwrap_or(i64::MAX));
            flow.axes.iter().map(size).collect()
        }
        Value::Constant(array) => {
            array.shape.iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect()
        }
        _ => return Err("expected a value whose shape is known".into()),
    };
    // As in a slice, bounds beyond the ends are those.
    let count = sizes.len() as i64;
    let bound =
        |value: i64| if value < 0 { value.saturating_add(count) } else { value }.clamp(0, count) as usize;
    let [start, end] = [bound(call.int("start", 0)), bound(call.int("end", count))];
    Ok(given(Array::integers(sizes[start..end.max(start)].to_vec())))
}

fn transpose(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let order = |rank: usize| {
        let reversed = || (0..rank).rev().collect();
        let Some(given) = call.ints("perm") else { return Ok(reversed()) };
        let order = given.iter().map(|&axis| index(axis, rank)).collect::<Fit<Vec<usize>>>()?;
        let is_whole = (0..rank).all(|axis| order.contains(&axis)) && order.len() == rank;
        if is_whole {
            Ok(order)
        } else {
            Err(format!("expected each of {rank} dimensions once, found {given:?}"))
        }
    };
    Ok(match call.input(0) {
        Value::Constant(array) => given(array.transposed(&order(array.shape.len())?)),
        Value::Zeros => vec![Value::Zeros],
        _ => {
            let flow = call.flow(0)?;
            let axes = order(flow.axes.len())?.into_iter().map(|axis| flow.axes[axis]).collect();
            let moved = Flow { axes, whole: None, ..flow.clone() };
            vec![Value::Flow(settled(context, call, moved)?)]
        }
    })
}

fn squeeze(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let listed = call.listed(1, "axes")?;
    if let Value::Constant(array) = call.input(0) {
        return Ok(given(array.reshaped(array.shape.iter().copied().filter(|&size| size != 1).collect())));
    }
    if let Value::Zeros = call.input(0) {
        return Ok(vec![Value::Zeros]);
    }
    let flow = call.flow(0)?.clone();
    let is_one = |axis: Axis| axis.size() == Some(1);
    let taken: Vec<usize> = match listed {
        Some(listed) => listed.iter().map(|&axis| flow.axis(axis)).collect::<Fit<_>>()?,
        None => (0..flow.axes.len()).filter(|&index| is_one(flow.axes[index])).collect(),
    };
    if let Some(&index) = taken.iter().find(|&&index| !is_one(flow.axes[index])) {
        return Err(format!("expected dimension {index} to be of size 1, found {}", flow.described()));
    }
    let kept = flow.axes.iter().enumerate().filter(|(index, _)| !taken.contains(index));
    let axes = kept.map(|(_, &axis)| axis).collect();
    let flow = Flow { axes, whole: None, ..flow };
    Ok(vec![Value::Flow(settled(context, call, flow)?)])
}

fn unsqueeze(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let listed = call.listed(1, "axes")?.ok_or("expected the dimensions to be added, found none")?;
    if let Value::Zeros = call.input(0) {
        return Ok(vec![Value::Zeros]);
    }
    let rank = match call.input(0) {
        Value::Constant(array) => array.shape.len(),
        _ => call.flow(0)?.axes.len(),
    };
    let rank = rank + listed.len();
    if rank > MOST_DIMENSIONS {
        return Err(format!("expected at most {MOST_DIMENSIONS} dimensions, found {rank}"));
    }
    let mut added = listed.iter().map(|&axis| index(axis, rank)).collect::<Fit<Vec<usize>>>()?;
    added.sort_unstable();
    added.dedup();
    if added.len() != listed.len() {
        return Err(format!("expected different dimensions, found {listed:?}"));
    }
    if let Value::Constant(array) = call.input(0) {
        let mut shape = array.shape.clone();
        added.iter().for_each(|&index| shape.insert(index, 1));
        return Ok(given(array.reshaped(shape)));
    }
    let mut flow = call.flow(0)?.clone();
    added.iter().for_each(|&index| flow.axes.insert(index, Axis::Unit));
    flow.whole = None;
    Ok(vec![Value::Flow(flow)])
}

/// Everything behind the batch becomes features.
fn flatten(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    if flow.axes.first() != Some(&Axis::Batch) || flow.axis(call.int("axis", 1))? != 1 {
        return Err(format!("expected all dimensions behind the batch, found {}", flow.described()));
    }
    let numbers = flow.numbers();
    Ok(vec![Value::Flow(reshaped(context, call, flow, &[Size::Batch, Size::Of(numbers)])?)])
}
