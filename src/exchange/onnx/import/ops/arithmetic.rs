//! Sums and products: of two branches, which are residual blocks, gates or parts of an activation, and with constants.

use std::rc::Rc;

use super::attention;
use super::constants::given;
use super::fold::folded;
use crate::exchange::onnx::import::array::{Array, Fit};
use crate::exchange::onnx::import::context::{BATCH, Call, Context, Operation, Value, config};
use crate::exchange::onnx::import::flow::{Axis, Flow, Made, Pending, What};
use crate::kernels::activation::Activation;

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "Add" | "Sum" => add,
        "Sub" => subtract,
        "Mul" => multiply,
        "Div" => divide,
        _ => return None,
    })
}

fn add(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    match two(call)? {
        [Value::Flow(a), Value::Flow(b)] => sum(context, call, a, b),
        [Value::Flow(flow), Value::Constant(array)] | [Value::Constant(array), Value::Flow(flow)] => {
            shift(context, call, flow, array, 1.0)
        }
        [Value::Constant(a), Value::Constant(b)] => of_constants(a, b, |a, b| a + b, i64::checked_add),
        _ => Err(not_numbers()),
    }
}

fn subtract(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    match two(call)? {
        [Value::Flow(flow), Value::Constant(array)] => shift(context, call, flow, array, -1.0),
        [Value::Constant(a), Value::Constant(b)] => of_constants(a, b, |a, b| a - b, i64::checked_sub),
        _ => {
            Err("expected a constant to be subtracted, found a value that follows from the graph's input"
                .into())
        }
    }
}

fn multiply(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    match two(call)? {
        [Value::Flow(a), Value::Flow(b)] => product(context, call, a, b),
        [Value::Flow(flow), Value::Constant(array)] | [Value::Constant(array), Value::Flow(flow)] => {
            scale(context, call, flow, array, |factor| factor)
        }
        [Value::Constant(a), Value::Constant(b)] => of_constants(a, b, |a, b| a * b, i64::checked_mul),
        _ => Err(not_numbers()),
    }
}

fn divide(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    match two(call)? {
        [Value::Flow(flow), Value::Constant(array)] => {
            scale(context, call, flow, array, |divisor| 1.0 / divisor)
        }
        [Value::Constant(a), Value::Constant(b)] => of_constants(a, b, |a, b| a / b, i64::checked_div),
        _ => {
            Err("expected a constant to divide by, found a value that follows from the graph's input".into())
        }
    }
}

fn two<'a>(call: &'a Call) -> Fit<[&'a Value; 2]> {
    match &call.inputs[..] {
        [a, b] => Ok([a, b]),
        inputs => Err(format!("expected two inputs, found {}", inputs.len())),
    }
}

fn not_numbers() -> String {
    "expected values that follow from the graph's input, or constants".into()
}

/// Of constants of one shape, or with one that is a single number.
fn of_constants(
    a: &Array,
    b: &Array,
    floats: impl Fn(f32, f32) -> f32,
    integers: impl Fn(i64, i64) -> Option<i64>,
) -> Fit<Vec<Value>> {
    let len = a.len().max(b.len());
    if a.shape != b.shape && a.len() != 1 && b.len() != 1 || a.len().min(b.len()) == 0 {
        return Err(format!("expected constants of one shape, found {:?} and {:?}", a.shape, b.shape));
    }
    let shape = if a.len() == len { &a.shape } else { &b.shape }.clone();
    if let (Some(x), Some(y)) = (a.as_floats(), b.as_floats()) {
        let values = (0..len).map(|index| floats(x[index % x.len()], y[index % y.len()]));
        return Ok(given(Array::floats(shape, values.collect())));
    }
    let (Some(x), Some(y)) = (a.as_integers(), b.as_integers()) else {
        return Err("expected constants of one type".into());
    };
    let value = |index: usize| {
        let pair = [x[index % x.len()], y[index % y.len()]];
        // 1 times the size of the batch is that.
        match pair {
            [BATCH, 1] | [1, BATCH] => Some(BATCH),
            [a, b] if a == BATCH || b == BATCH => None,
            [a, b] => integers(a, b),
        }
    };
    let values: Option<Vec<i64>> = (0..len).map(value).collect();
    let values = values.ok_or("expected sizes that do not depend on the batch")?;
    Ok(given(Array::integers(values).reshaped(shape)))
}

/// A number for each channel of a constant that is the same at all else; none of another constant, or a single number.
fn by_channel(flow: &Flow, array: &Array) -> Option<Vec<f32>> {
    let (index, channels) = flow.channels().ok()?;
    let values = array.as_floats().filter(|_| !array.shape.is_empty() && flow.order.is_none())?;
    let rank = array.shape.len();
    let place = (rank + index).checked_sub(flow.axes.len())?;
    let fits =
        array.shape.iter().enumerate().all(|(axis, &size)| size == if axis == place { channels } else { 1 });
    fits.then(|| values.to_vec())
}

/// Behind a value with a number added for each channel, or for all.
fn shift(context: &mut Context, call: &Call, flow: &Flow, array: &Array, sign: f32) -> Fit<Vec<Value>> {
    if let Some(values) = by_channel(flow, array) {
        let values: Vec<f32> = values.iter().map(|value| sign * value).collect();
        if let Some(flow) = into_last(context, flow, None, Some(&values)) {
            return Ok(vec![Value::Flow(flow)]);
        }
    }
    match array.scalar() {
        Some(value) => Ok(vec![Value::Flow(context.pending(call, flow, Pending::Shift(sign * value)))]),
        None => position_embedding(context, call, flow, array, sign),
    }
}

/// Behind a value times a number for each channel, or for all.
fn scale(
    context: &mut Context,
    call: &Call,
    flow: &Flow,
    array: &Array,
    factor: impl Fn(f32) -> f32,
) -> Fit<Vec<Value>> {
    if let Some(values) = by_channel(flow, array) {
        let values: Vec<f32> = values.iter().map(|&value| factor(value)).collect();
        if let Some(flow) = into_last(context, flow, Some(&values), None) {
            return Ok(vec![Value::Flow(flow)]);
        }
    }
    let Some(value) = array.scalar() else { return Err(nothing_before(array)) };
    let factor = factor(value);
    let step = context.steps.get(flow.step);
    let (before, whole) = (flow.behind(step.before), |wanted: f32| (factor * wanted - 1.0).abs() < 1e-5);
    let flow = match step.what {
        What::Pending(Pending::TwiceGelu) if whole(2.0) => {
            context.activation(call, &before, Activation::GELU)
        }
        What::Pending(Pending::SixfoldHardSwish) if whole(6.0) => {
            context.activation(call, &before, Activation::HARD_SWISH)
        }
        _ => context.pending(call, flow, Pending::Scale(factor)),
    };
    Ok(vec![Value::Flow(flow)])
}

fn nothing_before(array: &Array) -> String {
    let expected = "expected a single number, or one for each channel behind a layer that can take them";
    format!("{expected}, found a constant of shape {:?}", array.shape)
}

/// The last layer with these numbers in its parameters.
fn into_last(
    context: &mut Context,
    flow: &Flow,
    scale: Option<&[f32]>,
    shift: Option<&[f32]>,
) -> Option<Flow> {
    let step = context.steps.get(flow.step);
    let What::Layer(made) = &step.what else { return None };
    let (folded, before, node) = (folded(made, scale, shift)?, step.before, step.node);
    context.made =
        folded.tensors.iter().fold(context.made, |sum, (_, array)| sum.saturating_add(array.len()));
    // It is the layer of the node that it was: read before the constant too, it would be there twice.
    let step = context.steps.push(before, node, What::Layer(Rc::new(folded)));
    Some(flow.behind(step))
}

/// A trained vector for each position: a constant of as many positions and channels as the value.
fn position_embedding(
    context: &mut Context,
    call: &Call,
    flow: &Flow,
    array: &Array,
    sign: f32,
) -> Fit<Vec<Value>> {
    let of_sequence = match flow.axes[..] {
        [Axis::Batch, Axis::Positions(positions), Axis::Channels(channels)] => Some([positions, channels]),
        _ => None,
    };
    let shape: Vec<usize> = array.shape.iter().copied().skip_while(|&size| size == 1).collect();
    let sizes = of_sequence.filter(|sizes| shape == sizes.as_slice() && array.as_floats().is_some());
    let Some([positions, channels]) = sizes else { return Err(nothing_before(array)) };
    let weight = array.reshaped(vec![positions, channels]);
    let weight = if sign == 1.0 { weight } else { weight.scaled(0, &[sign]) };
    let tensors = vec![("weight", Rc::new(weight))];
    let config = config("position-embedding", [])?;
    Ok(vec![Value::Flow(context.layer(call, flow, config, tensors, flow.axes.clone()))])
}

/// A residual block of two branches.
fn sum(context: &mut Context, call: &Call, a: &Flow, b: &Flow) -> Fit<Vec<Value>> {
    check_alike(a, b)?;
    let (from, [left, right]) = context.steps.branches([a.step, b.step])?;
    let branches = match (left.is_empty(), right.is_empty()) {
        (true, true) => return Err("expected two branches, found the sum of a value and itself".into()),
        (true, false) => [right, left],
        // The longer one is the block's, the other its shortcut.
        (false, false) if right.len() > left.len() => [right, left],
        (false, _) => [left, right],
    };
    let step = context.steps.push(from, call.number, What::Sum(branches));
    Ok(vec![Value::Flow(a.behind(step))])
}

fn check_alike(a: &Flow, b: &Flow) -> Fit<()> {
    match a.axes == b.axes && a.order == b.order {
        true => Ok(()),
        false => {
            Err(format!("expected two values of one shape, found {} and {}", a.described(), b.described()))
        }
    }
}

/// A gate: part of an activation, or what squeezes and excites.
const NO_PRODUCT: &str =
    "no layer of fallline multiplies two branches but `squeeze-excite` and activations that are made of them";

/// Steps of the longest branch that is multiplied with another.
const MOST_STEPS: usize = 16;

fn product(context: &mut Context, call: &Call, a: &Flow, b: &Flow) -> Fit<Vec<Value>> {
    let (from, [mut left, mut right]) = context.steps.branches([a.step, b.step])?;
    let (mut whole, mut gate) = (a, b);
    if left.len() > right.len() {
        (left, right, whole, gate) = (right, left, b, a);
    }
    // No activation has more steps, nor has the gate of a squeeze-excite block.
    if left.len() > MOST_STEPS || right.len() > MOST_STEPS {
        return Err(NO_PRODUCT.into());
    }
    let start = whole.behind(from);
    let of =
        |steps: &[usize]| steps.iter().map(|&step| context.steps.what(step).clone()).collect::<Vec<What>>();
    let (whats, gates) = (of(&left), of(&right));
    if let (true, Some(reduction)) = (left.is_empty(), excitation(&gates)) {
        return squeeze_excite(context, call, whole, &gates, reduction);
    }
    check_alike(whole, gate)?;
    let what = gated(&whats, &gates).ok_or(NO_PRODUCT)?;
    let flow = context.then(call, &start, what);
    Ok(vec![Value::Flow(flow)])
}

fn is_near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-5 * b.abs().max(1.0)
}

/// The activation that is the product of what two branches make of a value.
fn gated(value: &[What], gate: &[What]) -> Option<What> {
    use What::Pending as P;
    let is_sixth = |factor: f32| is_near(6.0 * factor, 1.0);
    let erf = |slope: f32| is_near(slope, std::f32::consts::FRAC_1_SQRT_2);
    let activation = match (value, gate) {
        ([], [What::Activation(only)]) if *only == Activation::SIGMOID => Activation::SILU,
        ([], [What::Activation(first), What::Activation(second)])
            if [*first, *second] == [Activation::SOFTPLUS, Activation::TANH] =>
        {
            Activation::MISH
        }
        ([], [P(Pending::HardSigmoid([slope, shift]))]) if is_sixth(*slope) && is_near(*shift, 0.5) => {
            Activation::HARD_SWISH
        }
        ([], [P(Pending::Shift(3.0)), P(Pending::Clip([0.0, 6.0])), P(Pending::Scale(sixth))])
            if is_sixth(*sixth) =>
        {
            Activation::HARD_SWISH
        }
        ([], [P(Pending::Shift(3.0)), P(Pending::Clip([0.0, 6.0]))]) => {
            return Some(P(Pending::SixfoldHardSwish));
        }
        ([], [P(Pending::Scale(slope)), P(Pending::Erf), P(Pending::Shift(1.0))]) if erf(*slope) => {
            return Some(P(Pending::TwiceGelu));
        }
        (
            [],
            [P(Pending::Scale(slope)), P(Pending::Erf), P(Pending::Shift(1.0)), P(Pending::Scale(half))],
        )
        | ([P(Pending::Scale(half))], [P(Pending::Scale(slope)), P(Pending::Erf), P(Pending::Shift(1.0))])
            if erf(*slope) && *half == 0.5 =>
        {
            Activation::GELU
        }
        _ => return None,
    };
    Some(What::Activation(activation))
}

/// The hidden units of the gates that `squeeze-excite` has, if these are such.
fn excitation(gates: &[What]) -> Option<usize> {
    let [
        What::Layer(pool),
        What::Layer(first),
        What::Activation(inner),
        What::Layer(second),
        What::Activation(outer),
    ] = gates
    else {
        return None;
    };
    let has_bias = |made: &Made| made.tensors.iter().any(|(name, _)| *name == "bias");
    let is_known = pool.config.kind() == "global-average-pool"
        && [first, second].iter().all(|made| made.config.kind() == "dense" && has_bias(made))
        && [*inner, *outer] == [Activation::RELU, Activation::SIGMOID];
    is_known.then(|| first.tensors[0].1.shape[0])
}

fn squeeze_excite(
    context: &mut Context,
    call: &Call,
    flow: &Flow,
    gates: &[What],
    hidden: usize,
) -> Fit<Vec<Value>> {
    let (_, channels) = flow.channels()?;
    let reduction = (channels / hidden.max(1)).max(1);
    if (channels / reduction).max(1) != hidden {
        return Err(format!("expected hidden units that divide the {channels} channels, found {hidden}"));
    }
    let mut tensors = Vec::new();
    for (layer, names) in [(1, ["fc1.weight", "fc1.bias"]), (3, ["fc2.weight", "fc2.bias"])] {
        let What::Layer(made) = &gates[layer] else { return Err(attention::by_recipe("it gates channels")) };
        for (name, tensor) in &made.tensors {
            tensors.push((names[usize::from(*name == "bias")], tensor.clone()));
        }
    }
    let config = config("squeeze-excite", [("reduction", reduction.into())])?;
    Ok(vec![Value::Flow(context.layer(call, flow, config, tensors, flow.axes.clone()))])
}
