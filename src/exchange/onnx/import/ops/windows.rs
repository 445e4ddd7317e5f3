//! Convolutions, and the windows that they and pools have.

use std::rc::Rc;

use super::dense;
use crate::exchange::onnx::import::array::{Array, Fit};
use crate::exchange::onnx::import::context::{Call, Context, Operation, Value, config};
use crate::exchange::onnx::import::flow::{Axis, Flow};
use crate::kernels::image::{Image, Window};

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "Conv" => convolution,
        "ConvTranspose" => transposed,
        _ => return None,
    })
}

/// The largest number of a window.
const MOST: i64 = 1 << 20;

/// The sides of an image, or the length of a sequence, whose channels lie before them: as windows take them.
pub fn sides(flow: &Flow) -> Fit<Vec<usize>> {
    match flow.axes[..] {
        [Axis::Batch, Axis::Channels(_), Axis::Height(height), Axis::Width(width)] => Ok(vec![height, width]),
        [Axis::Batch, Axis::Channels(_), Axis::Positions(positions)] => Ok(vec![positions]),
        _ => Err(format!(
            "expected an image [batch, channels, height, width] or a sequence [batch, channels, positions], found {}",
            flow.described()
        )),
    }
}

/// The window of a node over these sides, with a kernel of these. Padding by a rule is worked out.
pub fn window(call: &Call, sides: &[usize], kernel: &[usize]) -> Fit<Window> {
    let rank = sides.len();
    let listed = |name: &str, default: i64, count: usize| match call.ints(name) {
        None => Ok(vec![default as usize; count]),
        Some(values) if values.len() == count && values.iter().all(|value| (0..=MOST).contains(value)) => {
            Ok(values.iter().map(|&value| value as usize).collect::<Vec<_>>())
        }
        Some(values) => Err(format!("expected {count} numbers of at least 0 as `{name}`, found {values:?}")),
    };
    let (strides, dilations) = (listed("strides", 1, rank)?, listed("dilations", 1, rank)?);
    let is_large = kernel.iter().any(|&side| side > MOST as usize);
    if kernel.len() != rank
        || is_large
        || [kernel, &strides, &dilations].iter().any(|numbers| numbers.contains(&0))
    {
        return Err(format!("expected a window of {rank} sides from 1 to {MOST}, found {kernel:?}"));
    }
    let padding: Vec<[usize; 2]> = match call.text("auto_pad").as_deref() {
        None | Some("NOTSET") => {
            let pads = listed("pads", 0, 2 * rank)?;
            (0..rank).map(|side| [pads[side], pads[rank + side]]).collect()
        }
        Some("VALID") => vec![[0; 2]; rank],
        Some(rule @ ("SAME_UPPER" | "SAME_LOWER")) => (0..rank)
            .map(|side| same(sides[side], kernel[side], strides[side], dilations[side], rule == "SAME_LOWER"))
            .collect(),
        Some(other) => return Err(format!("expected `auto_pad` of ONNX, found {other}")),
    };
    let of = |numbers: &[usize], none: usize| {
        if rank == 1 { [none, numbers[0]] } else { [numbers[0], numbers[1]] }
    };
    Ok(Window {
        kernel: of(kernel, 1),
        stride: of(&strides, 1),
        padding: if rank == 1 { [[0; 2], padding[0]] } else { [padding[0], padding[1]] },
        dilation: of(&dilations, 1),
        one_dimensional: rank == 1,
    })
}

/// The padding by which a side has as many places as strides fit into it.
fn same(size: usize, kernel: usize, stride: usize, dilation: usize, more_before: bool) -> [usize; 2] {
    let reach = (size.div_ceil(stride).saturating_sub(1) * stride) + dilation * (kernel - 1) + 1;
    let padding = reach.saturating_sub(size);
    let less = padding / 2;
    if more_before { [padding - less, less] } else { [less, padding - less] }
}

/// The dimensions of what a window makes of these sides.
pub fn placed(window: &Window, sides: &[usize], channels: usize) -> Fit<Vec<Axis>> {
    let mut axes = vec![Axis::Batch, Axis::Channels(channels)];
    let at = |side: usize| if sides.len() == 1 { 1 } else { side };
    for (side, &size) in sides.iter().enumerate() {
        let (axis, [before, after]) = (at(side), window.padding[at(side)]);
        let reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
        let room = size.checked_add(before + after).and_then(|size| size.checked_sub(reach));
        let room =
            room.ok_or_else(|| format!("expected a window within {size} and its padding, found {reach}"))?;
        axes.push(side_of(sides.len(), side, room / window.stride[axis] + 1));
    }
    Ok(axes)
}

/// The side of this number, of one or two.
fn side_of(rank: usize, side: usize, size: usize) -> Axis {
    match (rank, side) {
        (1, _) => Axis::Positions(size),
        (_, 0) => Axis::Height(size),
        _ => Axis::Width(size),
    }
}

/// The weights of a convolution, which has dimensions for two kinds of channels and the sides of its kernel.
fn weights(call: &Call) -> Fit<Rc<Array>> {
    let weight = call.constant(1)?;
    match weight.as_floats().is_some() && (3..=4).contains(&weight.shape.len()) {
        true => Ok(weight.clone()),
        false => Err(format!("expected weights of one or two sides, found shape {:?}", weight.shape)),
    }
}

fn convolution(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let (flow, weight) = (call.flow(0)?.clone(), weights(call)?);
    let units = weight.shape[0];
    let groups = usize::try_from(call.int("group", 1)).ok().filter(|&groups| groups > 0);
    let groups = groups.ok_or("expected `group` of at least 1")?;
    let bias = call.optional_floats(2, units)?;
    // Behind a pool of all pixels it is a dense layer.
    let is_of_features = flow.axes.contains(&Axis::Features(weight.shape[1]))
        && weight.shape[2..].iter().all(|&side| side == 1);
    if is_of_features && groups == 1 {
        let matrix = weight.reshaped(vec![units, weight.shape[1]]);
        return Ok(vec![Value::Flow(dense::layer(context, call, &flow, matrix, bias)?)]);
    }
    let sides = sides(&flow)?;
    let (_, channels) = flow.channels()?;
    if Some(channels) != weight.shape[1].checked_mul(groups) {
        let expected = format!("expected weights for {channels} channels in {groups} groups");
        return Err(format!("{expected}, found shape {:?}", weight.shape));
    }
    let window = window(call, &sides, &weight.shape[2..])?;
    let axes = placed(&window, &sides, units)?;
    let settings = [
        ("channels", units.into()),
        ("window", window.into()),
        ("groups", groups.into()),
        ("bias", bias.is_some().into()),
    ];
    let config = config(if sides.len() == 1 { "conv-1d" } else { "conv" }, settings)?;
    let mut tensors = vec![("weight", weight)];
    tensors.extend(bias.map(|bias| ("bias", Rc::new(Array::floats(vec![units], bias)))));
    Ok(vec![Value::Flow(context.layer(call, &flow, config, tensors, axes))])
}

/// A sequence is an image of one row.
fn transposed(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    let (flow, weight) = (call.flow(0)?.clone(), weights(call)?);
    let (sides, (_, channels), units) = (sides(&flow)?, flow.channels()?, weight.shape[1]);
    call.expect("group", 1, 1)?;
    if call.has("output_shape") || weight.shape[0] != channels {
        let expected = format!("expected weights for {channels} channels, and no `output_shape`");
        return Err(format!("{expected}, found shape {:?}", weight.shape));
    }
    if call.text("auto_pad").is_some_and(|rule| rule != "NOTSET") {
        return Err("expected `pads`, found `auto_pad`".into());
    }
    let window = Window { one_dimensional: false, ..window(call, &sides, &weight.shape[2..])? };
    let more = call.ints("output_padding").map_or(Vec::new(), <[i64]>::to_vec);
    let more: Vec<usize> = more.iter().filter_map(|&pixels| usize::try_from(pixels).ok()).collect();
    let more = match (&more[..], sides.len()) {
        ([], _) => [0; 2],
        ([across], 1) => [0, *across],
        ([down, across], 2) => [*down, *across],
        _ => return Err("expected `output_padding` of at least 0 for each side".into()),
    };
    let bias = call.optional_floats(2, units)?;
    let image = match sides[..] {
        [height, width] => Image::new(height, width, channels),
        _ => Image::new(1, sides[0], channels),
    };
    let output =
        window.transposed(image, units, more).ok_or("expected pixels that `pads` leaves, found none")?;
    let mut axes = vec![Axis::Batch, Axis::Channels(units)];
    match sides.len() {
        1 => axes.push(Axis::Positions(output.width)),
        _ => axes.extend([Axis::Height(output.height), Axis::Width(output.width)]),
    }
    let settings = [
        ("channels", units.into()),
        ("window", window.into()),
        ("output_padding", more.into()),
        ("bias", bias.is_some().into()),
    ];
    let shape = [&[channels, units], &window.kernel[..]].concat();
    let mut tensors = vec![("weight", Rc::new(weight.reshaped(shape)))];
    tensors.extend(bias.map(|bias| ("bias", Rc::new(Array::floats(vec![units], bias)))));
    let config = config("conv-transpose", settings)?;
    Ok(vec![Value::Flow(context.layer(call, &flow, config, tensors, axes))])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 5 pixels in steps of 2 are 3 places, which reach over 2 * 2 + 3 = 7.
    #[test]
    fn padding_by_a_rule_is_worked_out() {
        assert_eq!(same(5, 3, 2, 1, false), [1, 1]);
        assert_eq!((same(6, 3, 2, 1, false), same(6, 3, 2, 1, true)), ([0, 1], [1, 0]));
        assert_eq!((same(9, 1, 1, 1, false), same(9, 3, 1, 2, false)), ([0, 0], [2, 2]));
    }
}
