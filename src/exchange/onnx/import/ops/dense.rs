//! Products with a matrix: dense layers, and the same at each position of a sequence.

use std::rc::Rc;

use super::attention;
use crate::exchange::onnx::import::array::{Array, Fit};
use crate::exchange::onnx::import::context::{Call, Context, Operation, Value, config};
use crate::exchange::onnx::import::flow::{Axis, Flow};

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "Gemm" => gemm,
        "MatMul" => mat_mul,
        _ => return None,
    })
}

fn gemm(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    call.expect("transA", 0, 0)?;
    let flow = call.flow(0)?.clone();
    let weight = matrix(call.constant(1)?)?;
    let weight = if call.int("transB", 0) == 0 { weight.transposed(&[1, 0]) } else { (**weight).clone() };
    let units = weight.shape[0];
    let alpha = call.float("alpha", 1.0);
    let weight = if alpha == 1.0 { weight } else { weight.scaled(0, &[alpha]) };
    let beta = call.float("beta", 1.0);
    let bias = match call.optional(2)? {
        None => None,
        Some(array) => {
            let values = array.as_floats().filter(|values| {
                values.len() == 1 || (values.len() == units && array.shape.last() == Some(&units))
            });
            let values =
                values.ok_or_else(|| format!("expected a bias of {units}, found shape {:?}", array.shape))?;
            Some((0..units).map(|unit| beta * values[unit % values.len()]).collect())
        }
    };
    Ok(vec![Value::Flow(layer(context, call, &flow, weight, bias)?)])
}

fn mat_mul(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    if matches!((call.input(0), call.input(1)), (Value::Flow(_), Value::Flow(_))) {
        return Err(attention::by_recipe("a product of two values of a sample is part of attention"));
    }
    let flow = call.flow(0)?.clone();
    let weight = matrix(call.constant(1)?)?.transposed(&[1, 0]);
    Ok(vec![Value::Flow(layer(context, call, &flow, weight, None)?)])
}

fn matrix(array: &Rc<Array>) -> Fit<&Rc<Array>> {
    match array.as_floats().is_some() && array.shape.len() == 2 && array.len() > 0 {
        true => Ok(array),
        false => Err(format!("expected a matrix of weights, found shape {:?}", array.shape)),
    }
}

/// The layer of a weight `[out, in]`, and of a bias `[out]`, which acts on the last dimension.
pub fn layer(
    context: &mut Context,
    call: &Call,
    flow: &Flow,
    weight: Array,
    bias: Option<Vec<f32>>,
) -> Fit<Flow> {
    let (index, inputs) = flow.channels()?;
    let [units, columns] = [weight.shape[0], weight.shape[1]];
    let is_last = flow.axes[index + 1..].iter().all(|&axis| axis == Axis::Unit);
    if !is_last || columns != inputs {
        let expected = format!("expected a product over {columns} numbers of the last dimension");
        return Err(format!("{expected}, found {}", flow.described()));
    }
    let by_position = !flow.spatial().is_empty();
    let weight = match flow.order {
        Some(order) => by_channel(&weight, order),
        None => weight,
    };
    let name = if by_position { "position-dense" } else { "dense" };
    let config = config(name, [("units", units.into()), ("bias", bias.is_some().into())])?;
    let mut tensors = vec![("weight", Rc::new(weight))];
    tensors.extend(bias.map(|bias| ("bias", Rc::new(Array::floats(vec![units], bias)))));
    let mut axes = flow.axes.clone();
    axes[index] = if by_position { Axis::Channels(units) } else { Axis::Features(units) };
    Ok(context.layer(call, flow, config, tensors, axes))
}

/// The weights for inputs that come channel by channel, of those for inputs position by position.
fn by_channel(weight: &Array, [positions, channels]: [usize; 2]) -> Array {
    let units = weight.shape[0];
    let moved = weight.reshaped(vec![units, positions, channels]).transposed(&[0, 2, 1]);
    moved.reshaped(vec![units, positions * channels])
}
