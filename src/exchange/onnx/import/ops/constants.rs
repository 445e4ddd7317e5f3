//! Operators that make constants, and arithmetic of shapes.

use std::rc::Rc;

use crate::exchange::onnx::import::array::{Array, Fit};
use crate::exchange::onnx::import::context::{Call, Context, Operation, Value};

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "Constant" => constant,
        "ConstantOfShape" => of_shape,
        "Expand" => expand,
        "Concat" => concat,
        "Identity" | "Dropout" | "Cast" | "CastLike" => same,
        "Neg" => negative,
        _ => return None,
    })
}

/// A constant array as what a node gives.
pub fn given(array: Array) -> Vec<Value> {
    vec![Value::Constant(Rc::new(array))]
}

fn constant(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    if let Some(tensor) = call.tensor("value") {
        return Ok(given(Array::of(tensor.clone())?));
    }
    if let Some(values) = call.ints("value_ints") {
        return Ok(given(Array::integers(values.to_vec())));
    }
    if call.has("value_int") {
        return Ok(given(Array::integers(vec![call.int("value_int", 0)]).reshaped(Vec::new())));
    }
    if call.has("value_float") {
        return Ok(given(Array::floats(Vec::new(), vec![call.float("value_float", 0.0)])));
    }
    Err("expected a dense constant of numbers, found another one".into())
}

/// Of zeros, which may be many, nothing more is wanted than that they are.
fn of_shape(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let value = call.tensor("value").cloned().map(Array::of).transpose()?;
    match value.map_or(Some(0.0), |value| value.scalar()) {
        Some(0.0) => Ok(vec![Value::Zeros]),
        _ => Err("expected zeros, found an array of another number".into()),
    }
}

fn expand(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let is_zero = match call.input(0) {
        Value::Zeros => true,
        Value::Constant(array) => {
            array.as_floats().is_some_and(|values| values.iter().all(|&value| value == 0.0))
        }
        _ => false,
    };
    match is_zero {
        true => Ok(vec![Value::Zeros]),
        false => Err("expected zeros to be expanded, found something else".into()),
    }
}

/// Puts parts of a shape together.
fn concat(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    if !call.inputs.is_empty() && call.inputs.iter().all(|input| matches!(input, Value::Zeros)) {
        return Ok(vec![Value::Zeros]);
    }
    let mut joined = Vec::new();
    for input in &call.inputs {
        let Value::Constant(array) = input else {
            return Err(
                "expected parts of a shape, found values that follow from the graph's input: no layer puts \
                        branches side by side"
                    .into(),
            );
        };
        let values = array.as_integers().filter(|_| array.shape.len() <= 1);
        joined.extend(values.ok_or("expected lists of integers, found another constant")?);
    }
    Ok(given(Array::integers(joined)))
}

/// What changes nothing where a model is used: the type of numbers, and dropout.
fn same(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    Ok(vec![call.input(0).clone()])
}

fn negative(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let array = call.constant(0)?;
    match (array.as_floats(), array.as_integers()) {
        (Some(values), _) => {
            Ok(given(Array::floats(array.shape.clone(), values.iter().map(|value| -value).collect())))
        }
        (_, Some(values)) => {
            let values = values.iter().map(|value| value.checked_neg()).collect::<Option<Vec<_>>>();
            let values =
                values.ok_or("expected a number whose negative there is, found the size of the batch")?;
            Ok(given(Array::integers(values).reshaped(array.shape.clone())))
        }
        _ => Err("expected numbers".into()),
    }
}
