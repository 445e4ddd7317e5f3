//! Activations, and what only becomes one together with other operators.

use std::rc::Rc;

use crate::exchange::onnx::import::array::{Array, Fit};
use crate::exchange::onnx::import::context::{Call, Context, Operation, Value, config};
use crate::exchange::onnx::import::flow::{Axis, Pending, What};
use crate::kernels::activation::Activation;

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "Relu" => |context, call| plain(context, call, Activation::RELU),
        "Sigmoid" => |context, call| plain(context, call, Activation::SIGMOID),
        "Tanh" => |context, call| plain(context, call, Activation::TANH),
        "Softplus" => |context, call| plain(context, call, Activation::SOFTPLUS),
        "HardSwish" => |context, call| plain(context, call, Activation::HARD_SWISH),
        "Mish" => |context, call| plain(context, call, Activation::MISH),
        "LeakyRelu" => {
            |context, call| plain(context, call, Activation::leaky_relu(call.float("alpha", 0.01)))
        }
        "Elu" => |context, call| plain(context, call, Activation::elu(call.float("alpha", 1.0))),
        "Selu" => selu,
        "Gelu" => gelu,
        "Swish" => swish,
        "HardSigmoid" => |context, call| {
            let [slope, shift] = [call.float("alpha", 0.2), call.float("beta", 0.5)];
            pending(context, call, Pending::HardSigmoid([slope, shift]))
        },
        "Erf" => |context, call| pending(context, call, Pending::Erf),
        "Softmax" | "LogSoftmax" => softmax,
        "Clip" => clip,
        "PRelu" => prelu,
        "Greater" => is_above,
        "Where" => softplus_of_parts,
        _ => return None,
    })
}

fn plain(context: &mut Context, call: &Call, activation: Activation) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    Ok(vec![Value::Flow(context.activation(call, &flow, activation))])
}

fn pending(context: &mut Context, call: &Call, pending: Pending) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    Ok(vec![Value::Flow(context.pending(call, &flow, pending))])
}

/// gamma times an exponential linear unit: the factor goes into the weights behind it.
fn selu(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let [alpha, gamma] = [call.float("alpha", 1.673_263_2), call.float("gamma", 1.050_701)];
    let flow = call.flow(0)?.clone();
    let flow = context.activation(call, &flow, Activation::elu(alpha));
    Ok(vec![Value::Flow(context.pending(call, &flow, Pending::Scale(gamma)))])
}

fn gelu(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    match call.text("approximate").as_deref() {
        None | Some("none") => plain(context, call, Activation::GELU),
        Some(other) => Err(format!("expected `approximate` none, found {other}")),
    }
}

fn swish(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    match call.float("alpha", 1.0) {
        1.0 => plain(context, call, Activation::SILU),
        other => Err(format!("expected `alpha` 1, found {other}")),
    }
}

/// Over one dimension; whether it is that of the outputs is seen at the end of the graph.
fn softmax(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    let default = if call.opset >= 13 { -1 } else { 1 };
    let axis = flow.axis(call.int("axis", default))?;
    // Before version 13 it went over all dimensions from this one on.
    if call.opset < 13 && flow.axes[axis + 1..].iter().any(|axis| *axis != Axis::Unit) {
        return Err("expected a softmax over the last dimension, found one over several".into());
    }
    let from_end = flow.axes.len() - axis;
    pending(context, call, Pending::Softmax(from_end))
}

/// The bounds were attributes before they became inputs.
fn clip(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let bound = |input: usize, name: &str, none: f32| match call.optional(input)? {
        Some(array) => array.scalar().ok_or_else(|| "expected a single number as bound".to_string()),
        None => Ok(call.float(name, none)),
    };
    let [low, high] = [bound(1, "min", f32::NEG_INFINITY)?, bound(2, "max", f32::INFINITY)?];
    match [low, high] {
        [0.0, high] if high >= f32::MAX => plain(context, call, Activation::RELU),
        bounds => pending(context, call, Pending::Clip(bounds)),
    }
}

fn prelu(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    let (index, channels) = flow.channels()?;
    let slope = call.constant(1)?;
    let values = slope.as_floats().ok_or("expected slopes that are floating-point numbers")?;
    let place = (slope.shape.len() + index).checked_sub(flow.axes.len());
    let by_channel = slope.shape.iter().enumerate().all(|(axis, &size)| size == 1 || Some(axis) == place);
    let fits = values.len() == 1 || (by_channel && values.len() == channels && flow.order.is_none());
    if !fits {
        let found = format!("found a constant of shape {:?} for {}", slope.shape, flow.described());
        return Err(format!("expected one slope, or one for each channel, {found}"));
    }
    let config = config("prelu", [("by_channel", (values.len() > 1).into())])?;
    let tensors = vec![("weight", Rc::new(Array::floats(vec![values.len()], values.to_vec())))];
    let flow = context.layer(call, &flow, config, tensors, flow.axes.clone());
    Ok(vec![Value::Flow(flow)])
}

fn is_above(_: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let bound = call.constant(1)?.scalar().ok_or("expected a single number to compare with")?;
    Ok(vec![Value::IsAbove(call.flow(0)?.clone(), bound)])
}

/// PyTorch's softplus: x where it is so large that nothing else is left of the logarithm.
fn softplus_of_parts(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let [Value::IsAbove(compared, bound), Value::Flow(above), Value::Flow(below)] = &call.inputs[..] else {
        return Err("expected a softplus that is x above a bound, found another choice".into());
    };
    let last = context.steps.get(below.step);
    let is_softplus = matches!(&last.what, What::Activation(of) if *of == Activation::SOFTPLUS);
    // From there on the other term is below half of the last digit of x.
    if !is_softplus || above.step != compared.step || last.before != above.step || *bound < 17.0 {
        return Err("expected a softplus that is x above a bound of at least 17, found another choice".into());
    }
    Ok(vec![Value::Flow(below.clone())])
}
