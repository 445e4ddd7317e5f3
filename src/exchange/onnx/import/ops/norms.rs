//! Normalisations.

use std::rc::Rc;

use crate::exchange::onnx::import::array::{Array, Fit};
use crate::exchange::onnx::import::context::{Call, Context, Operation, Value, config};
use crate::exchange::onnx::import::flow::{Axis, Flow, product};

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "BatchNormalization" => by_batch,
        "InstanceNormalization" => by_instance,
        "GroupNormalization" => by_group,
        "LayerNormalization" => by_sample,
        "RMSNormalization" => by_root_mean_square,
        _ => return None,
    })
}

/// What is added to each variance: of a default by its decimal number, not by the nearest `f32`.
fn epsilon(call: &Call) -> f64 {
    let found = call.float("epsilon", 1e-5);
    found.to_string().parse().unwrap_or_else(|_| f64::from(found))
}

fn tensor(values: Vec<f32>) -> Rc<Array> {
    Rc::new(Array::floats(vec![values.len()], values))
}

/// The channels of a value that has them behind the batch.
fn second(flow: &Flow) -> Fit<usize> {
    match flow.channels()? {
        (1, channels) if flow.axes[0] == Axis::Batch && flow.order.is_none() => Ok(channels),
        _ => Err(format!("expected channels or features behind the batch, found {}", flow.described())),
    }
}

fn by_batch(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    call.expect("training_mode", 0, 0)?;
    call.expect("spatial", 1, 1)?;
    let flow = call.flow(0)?.clone();
    let channels = second(&flow)?;
    let names = ["weight", "bias", "running_mean", "running_var"];
    let mut tensors = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        tensors.push((name, tensor(call.floats(number + 1, channels)?)));
    }
    // The part of the running statistics that is kept.
    let momentum = (1.0 - f64::from(call.float("momentum", 0.9))).clamp(1e-6, 1.0);
    let momentum = (momentum * 1e6).round() / 1e6;
    let config = config("batch-norm", [("epsilon", epsilon(call).into()), ("momentum", momentum.into())])?;
    Ok(vec![Value::Flow(context.layer(call, &flow, config, tensors, flow.axes.clone()))])
}

/// The number of channels, which no constant of the file need have.
fn grouped(channels: usize) -> Fit<usize> {
    const MOST: usize = 1 << 20;
    match channels <= MOST {
        true => Ok(channels),
        false => Err(format!("expected at most {MOST} channels in groups, found {channels}")),
    }
}

/// Of each channel by itself, or of the groups that a shape made of the channels.
fn by_instance(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    let [scale, shift] = [1, 2].map(|input| call.constant(input));
    let (scale, shift) = (scale?, shift?);
    if let [Axis::Batch, Axis::Groups(groups), Axis::OfGroup(_)] = flow.axes[..] {
        let is = |array: &Array, value: f32| {
            array
                .as_floats()
                .is_some_and(|values| values.len() == groups && values.iter().all(|&found| found == value))
        };
        if !is(scale, 1.0) || !is(shift, 0.0) {
            return Err("expected weights of 1 and biases of 0 for groups, found others".into());
        }
        let whole = flow.whole.as_deref().unwrap_or_default();
        let channels = whole.iter().find(|axis| axis.is_channels()).and_then(|axis| axis.size());
        let channels = grouped(channels.ok_or("expected groups of channels")?)?;
        let weights = [vec![1.0; channels], vec![0.0; channels]];
        return of_groups(context, call, &flow, groups, weights);
    }
    let channels = second(&flow)?;
    let weights = [call.floats(1, channels)?, call.floats(2, channels)?];
    of_groups(context, call, &flow, channels, weights)
}

fn by_group(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    let channels = grouped(second(&flow)?)?;
    let groups = usize::try_from(call.int("num_groups", 0)).ok();
    let groups = groups.filter(|&groups| groups > 0 && channels.is_multiple_of(groups));
    let groups = groups.ok_or_else(|| format!("expected `num_groups` that divides {channels} channels"))?;
    // Before version 21 a weight was one of a group.
    let weights = |input: usize| -> Fit<Vec<f32>> {
        let values = call.constant(input)?.as_floats().unwrap_or_default();
        match values.len() {
            count if count == channels => Ok(values.to_vec()),
            count if count == groups => {
                Ok((0..channels).map(|channel| values[channel / (channels / groups)]).collect())
            }
            count => Err(format!("expected {channels} weights, found {count}")),
        }
    };
    let weights = [weights(1)?, weights(2)?];
    of_groups(context, call, &flow, groups, weights)
}

fn of_groups(
    context: &mut Context,
    call: &Call,
    flow: &Flow,
    groups: usize,
    [weight, bias]: [Vec<f32>; 2],
) -> Fit<Vec<Value>> {
    let config = config("group-norm", [("epsilon", epsilon(call).into()), ("groups", groups.into())])?;
    let tensors = vec![("weight", tensor(weight)), ("bias", tensor(bias))];
    let normalised = context.layer(call, flow, config, tensors, flow.axes.clone());
    Ok(vec![Value::Flow(Flow { whole: flow.whole.clone(), ..normalised })])
}

/// The dimensions that are normalised together: from `axis` to the last.
fn normalised<'a>(call: &Call, flow: &'a Flow) -> Fit<&'a [Axis]> {
    if flow.order.is_some() {
        return Err("expected features channel by channel, found them position by position".into());
    }
    Ok(&flow.axes[flow.axis(call.int("axis", -1))?..])
}

fn by_sample(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    let over = normalised(call, &flow)?;
    let count = product(over.iter().map(|axis| axis.size().unwrap_or(0)));
    let total = flow.numbers();
    let is_each = matches!(over, [Axis::Channels(_)]) && count < total;
    if !is_each && count != total {
        let expected = "expected all of a sample, or the channels of each position";
        return Err(format!("{expected}, found {} of {}", over.len(), flow.described()));
    }
    let weight = call.floats(1, count)?;
    let bias = call.optional_floats(2, count)?.unwrap_or_else(|| vec![0.0; count]);
    let shaped =
        |values: Vec<f32>| if is_each { Ok(tensor(values)) } else { of_sample(over, values).map(Rc::new) };
    let tensors = vec![("weight", shaped(weight)?), ("bias", shaped(bias)?)];
    let settings = [("epsilon", epsilon(call).into()), ("by_position", is_each.into())];
    let config = config("layer-norm", settings)?;
    Ok(vec![Value::Flow(context.layer(call, &flow, config, tensors, flow.axes.clone()))])
}

/// Numbers for each of a sample as layers have them: `[channels, height, width]`, or features.
fn of_sample(axes: &[Axis], values: Vec<f32>) -> Fit<Array> {
    let size = |index: usize| axes[index].size().unwrap_or(1);
    Ok(match axes {
        [Axis::Channels(channels), Axis::Height(height), Axis::Width(width)] => {
            Array::floats(vec![*channels, *height, *width], values)
        }
        [Axis::Channels(channels), Axis::Positions(positions)] => {
            Array::floats(vec![*channels, 1, *positions], values)
        }
        [Axis::Positions(positions), Axis::Channels(channels)] => {
            let moved = Array::floats(vec![*positions, *channels], values).transposed(&[1, 0]);
            moved.reshaped(vec![*channels, 1, *positions])
        }
        [Axis::Height(height), Axis::Width(width), Axis::Channels(channels)] => {
            Array::floats(vec![*height, *width, *channels], values).transposed(&[2, 0, 1])
        }
        [Axis::Features(_)] => Array::floats(vec![size(0)], values),
        _ => return Err("expected features, a sequence or an image to be normalised".into()),
    })
}

fn by_root_mean_square(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    let [axis] = normalised(call, &flow)? else {
        return Err("expected the last dimension to be normalised alone".into());
    };
    let count = axis.size().filter(|_| axis.is_channels()).ok_or("expected channels to be normalised")?;
    let tensors = vec![("weight", tensor(call.floats(1, count)?))];
    let config = config("rms-norm", [("epsilon", epsilon(call).into())])?;
    Ok(vec![Value::Flow(context.layer(call, &flow, config, tensors, flow.axes.clone()))])
}
