//! Pools, with a window or of all pixels.

use super::reshape::settled;
use super::windows::{placed, sides, window};
use crate::exchange::onnx::import::array::{Fit, shape_of};
use crate::exchange::onnx::import::context::{Call, Context, Operation, Value, config};
use crate::exchange::onnx::import::flow::{Axis, Flow};

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "MaxPool" => |context, call| pool(context, call, ["max-pool", "max-pool-1d"]),
        "AveragePool" => |context, call| pool(context, call, ["average-pool", "average-pool-1d"]),
        "GlobalAveragePool" => |context, call| global(context, call, "global-average-pool"),
        "GlobalMaxPool" => |context, call| global(context, call, "global-max-pool"),
        "ReduceMean" => |context, call| reduce(context, call, "global-average-pool"),
        "ReduceMax" => |context, call| reduce(context, call, "global-max-pool"),
        _ => return None,
    })
}

fn pool(context: &mut Context, call: &Call, names: [&str; 2]) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    let (sides, (_, channels)) = (sides(&flow)?, flow.channels()?);
    let kernel = shape_of(call.ints("kernel_shape").unwrap_or_default())?;
    let window = window(call, &sides, &kernel)?;
    let axes = placed(&window, &sides, channels)?;
    if call.int("ceil_mode", 0) != 0 && !is_whole(&window, &sides) {
        return Err("expected windows within the image, found `ceil_mode`, with one beyond its end".into());
    }
    let is_average = names[0] == "average-pool";
    if is_average && window.is_padded() && call.int("count_include_pad", 0) == 0 {
        return Err("expected padding that counts as zeros, found `count_include_pad` 0".into());
    }
    let config = config(names[usize::from(sides.len() == 1)], [("window", window.into())])?;
    Ok(vec![Value::Flow(context.layer(call, &flow, config, Vec::new(), axes))])
}

/// Whether windows end where the image and its padding do.
fn is_whole(window: &crate::kernels::image::Window, sides: &[usize]) -> bool {
    sides.iter().enumerate().all(|(side, &size)| {
        let axis = if sides.len() == 1 { 1 } else { side };
        let reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
        let [before, after] = window.padding[axis];
        (size + before + after - reach).is_multiple_of(window.stride[axis])
    })
}

fn global(context: &mut Context, call: &Call, name: &str) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    sides(&flow)?;
    of_all(context, call, &flow, name, true)
}

/// Over all pixels or positions, in any order of dimensions.
fn reduce(context: &mut Context, call: &Call, name: &str) -> Fit<Vec<Value>> {
    let flow = call.flow(0)?.clone();
    let listed = call.listed(1, "axes")?.unwrap_or_default();
    let over = listed.iter().map(|&axis| flow.axis(axis)).collect::<Fit<Vec<usize>>>()?;
    let spatial = |index: usize| flow.axes[index].is_spatial();
    let is_all = (0..flow.axes.len()).all(|index| spatial(index) == over.contains(&index));
    if over.is_empty() || !is_all {
        let found = format!("found dimensions {listed:?} of {}", flow.described());
        return Err(format!("expected all pixels or positions of each channel, {found}"));
    }
    of_all(context, call, &flow, name, call.int("keepdims", 1) != 0)
}

fn of_all(context: &mut Context, call: &Call, flow: &Flow, name: &str, keeps: bool) -> Fit<Vec<Value>> {
    flow.channels()?;
    let axes = flow.axes.iter().filter(|axis| keeps || !axis.is_spatial()).map(|&axis| match axis {
        Axis::Channels(channels) => Axis::Features(channels),
        axis if axis.is_spatial() => Axis::Unit,
        axis => axis,
    });
    let axes = axes.collect();
    let flow = context.layer(call, flow, config(name, [])?, Vec::new(), axes);
    Ok(vec![Value::Flow(settled(context, call, flow)?)])
}
