//! Operators that make constants, and arithmetic of shapes.

use std::rc::Rc;

use crate::exchange::onnx::import::array::{Array, Fit};
use crate::exchange::onnx::import::context::{Call, Context, Operation, Value};
use crate::exchange::onnx::import::flow::index;
use crate::exchange::onnx::proto::DataType;

/// The types of floating-point numbers.
const FLOATS: [DataType; 4] = [DataType::Float, DataType::Float16, DataType::Double, DataType::Bfloat16];

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "Constant" => constant,
        "ConstantOfShape" => of_shape,
        "Expand" => expand,
        "Concat" => concat,
        "Split" => split,
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

/// Puts parts of a shape together, or constants.
fn concat(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    if !call.inputs.is_empty() && call.inputs.iter().all(|input| matches!(input, Value::Zeros)) {
        return Ok(vec![Value::Zeros]);
    }
    let floats = |input: &Value| match input {
        Value::Constant(array) if array.as_floats().is_some() => Some(array.clone()),
        _ => None,
    };
    let parts: Option<Vec<Rc<Array>>> = call.inputs.iter().map(floats).collect();
    if let Some(parts) = parts.filter(|parts| !parts.is_empty()) {
        return Ok(given(side_by_side(context, &parts, call.int("axis", 0))?));
    }
    let numbers = |input: &Value| if let Value::Constant(array) = input { array.len() } else { 0 };
    context.room(call.inputs.iter().map(numbers).fold(0, usize::saturating_add))?;
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

/// Arrays of one shape but for a dimension, as one.
fn side_by_side(context: &mut Context, parts: &[Rc<Array>], axis: i64) -> Fit<Array> {
    let mut shape = parts[0].shape.clone();
    let axis = index(axis, shape.len())?;
    let fits = |part: &Rc<Array>| {
        part.len() > 0
            && part.shape.len() == shape.len()
            && (0..shape.len()).all(|at| at == axis || part.shape[at] == shape[at])
    };
    if !parts.iter().all(fits) {
        return Err("expected constants of one shape but for one dimension, found others".into());
    }
    let numbers = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
    context.room(numbers)?;
    let outer: usize = shape[..axis].iter().product();
    let mut values = Vec::with_capacity(numbers);
    for row in 0..outer {
        for part in parts {
            let width = part.len() / outer;
            values.extend_from_slice(&part.as_floats().unwrap_or_default()[row * width..][..width]);
        }
    }
    shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
    Ok(Array::floats(shape, values))
}

/// The parts of a constant, one behind the other in a dimension.
fn split(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let array = call.constant(0)?;
    let values = array.as_floats().filter(|values| !values.is_empty());
    let values = values.ok_or("expected a constant of numbers to be split")?;
    let axis = index(call.int("axis", 0), array.shape.len())?;
    let (size, count) = (array.shape[axis], call.node.output.len().max(1));
    let sizes: Option<Vec<usize>> = match call.listed(1, "split")? {
        Some(listed) => listed.iter().map(|&size| usize::try_from(size).ok()).collect(),
        None => size.is_multiple_of(count).then(|| vec![size / count; count]),
    };
    let sum = |sizes: &[usize]| sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
    let sizes = sizes.filter(|sizes| sum(sizes) == Some(size) && sizes.len() == count);
    let sizes = sizes.ok_or_else(|| format!("expected {count} parts of {size}, found others"))?;
    let outer: usize = array.shape[..axis].iter().product();
    let inner: usize = array.shape[axis + 1..].iter().product();
    let mut start = 0;
    let mut part = |part: usize| {
        let row = |row: usize| &values[(row * size + start) * inner..][..part * inner];
        let taken: Vec<f32> = (0..outer).flat_map(row).copied().collect();
        start += part;
        let mut shape = array.shape.clone();
        shape[axis] = part;
        Value::Constant(Rc::new(Array::floats(shape, taken)))
    };
    Ok(sizes.into_iter().map(&mut part).collect())
}

/// What changes nothing where a model is used: the type of numbers, and dropout.
fn same(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    // Numbers within the network would lose their fractions; those of the data are codes.
    if let (Value::Flow(flow), "Cast") = (call.input(0), &*call.node.op_type) {
        let to = call.int("to", 1);
        if !FLOATS.iter().any(|&kind| to == kind as i64) && !context.is_data(flow) {
            return Err(format!("expected a type of floating-point numbers, found number {to} of the types"));
        }
    }
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
