//! Dimensions that are put together or taken apart, and what that means for layers.

use super::constants::given;
use crate::exchange::onnx::import::array::{Fit, count_of};
use crate::exchange::onnx::import::context::{BATCH, Call, Context, Value, config};
use crate::exchange::onnx::import::flow::{Axis, Flow, product};

/// A size that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Batch,
    Of(usize),
}

/// `Reshape`
pub fn reshape(context: &mut Context, call: &Call) -> Fit<Vec<Value>> {
    if let Value::Zeros = call.input(0) {
        return Ok(vec![Value::Zeros]);
    }
    let listed = call.listed(1, "shape")?.ok_or("expected a shape, found none")?;
    if let Value::Constant(array) = call.input(0) {
        let count = array.len();
        let known = product(listed.iter().filter_map(|&size| usize::try_from(size).ok()));
        let sizes = listed.iter().map(|&size| match size {
            -1 if known > 0 => Ok(count / known),
            size => usize::try_from(size).map_err(|_| format!("expected sizes, found {listed:?}")),
        });
        let sizes = sizes.collect::<Fit<Vec<usize>>>()?;
        if count_of(&sizes) != Some(count) {
            return Err(format!("expected a shape of {count} numbers, found {listed:?}"));
        }
        return Ok(given(array.reshaped(sizes)));
    }
    let flow = call.flow(0)?.clone();
    let sizes = resolved(context, &flow, &listed, call.int("allowzero", 0) != 0)?;
    Ok(vec![Value::Flow(reshaped(context, call, flow, &sizes)?)])
}

/// The sizes that a shape means, of which 0 stands for that of the input and -1 for what is left.
fn resolved(context: &Context, flow: &Flow, listed: &[i64], zero_is_zero: bool) -> Fit<Vec<Size>> {
    let refused = || format!("expected a shape of as many numbers as {}, found {listed:?}", flow.described());
    let total = flow.numbers();
    let mut sizes: Vec<Option<Size>> = Vec::new();
    for (index, &size) in listed.iter().enumerate() {
        sizes.push(match size {
            BATCH => Some(Size::Batch),
            -1 => None,
            0 if !zero_is_zero => {
                let axis = flow.axes.get(index).ok_or_else(refused)?;
                Some(axis.size().map_or(Size::Batch, Size::Of))
            }
            size => Some(Size::Of(usize::try_from(size).map_err(|_| refused())?)),
        });
    }
    let counted = |sizes: &[Option<Size>]| {
        sizes.iter().flatten().try_fold(1usize, |product, size| match size {
            Size::Of(size) => product.checked_mul(*size),
            Size::Batch => Some(product),
        })
    };
    let frees = sizes.iter().filter(|size| size.is_none()).count();
    if !sizes.contains(&Some(Size::Batch)) {
        let free = sizes.iter().position(Option::is_none).filter(|_| counted(&sizes) == Some(total));
        let at_batch = flow.axes.iter().position(|axis| *axis == Axis::Batch);
        let is_batch = |index: &usize| match sizes.get(*index) {
            Some(Some(Size::Of(size))) => context.batch == Some(*size),
            _ => false,
        };
        let place = free.or(at_batch.filter(is_batch)).or((0..sizes.len()).find(is_batch));
        sizes[place.ok_or_else(refused)?] = Some(Size::Batch);
    }
    if frees > 1 {
        return Err(refused());
    }
    let given = counted(&sizes).filter(|&given| given > 0).ok_or_else(refused)?;
    let rest = Size::Of(total / given);
    let whole: Vec<Size> = sizes.into_iter().map(|size| size.unwrap_or(rest)).collect();
    let count = counted(&whole.iter().copied().map(Some).collect::<Vec<_>>());
    if count == Some(total) { Ok(whole) } else { Err(refused()) }
}

/// A value in another shape of as many numbers.
pub fn reshaped(context: &mut Context, call: &Call, flow: Flow, sizes: &[Size]) -> Fit<Flow> {
    let size_of = |axis: &Axis| axis.size().map_or(Size::Batch, Size::Of);
    let is_as_wanted = |axes: &[Axis]| axes.iter().map(size_of).eq(sizes.iter().copied());
    if is_as_wanted(&flow.axes) {
        return Ok(flow);
    }
    if let Some(whole) = flow.whole.clone().filter(|whole| is_as_wanted(whole)) {
        return Ok(Flow { axes: whole, whole: None, ..flow });
    }
    let refused = || {
        let sizes = sizes.iter().map(|size| match size {
            Size::Batch => "batch".to_string(),
            Size::Of(size) => size.to_string(),
        });
        format!(
            "expected a shape that layers make, found [{}] of {}",
            sizes.collect::<Vec<_>>().join(", "),
            flow.described()
        )
    };
    let [from, to] = [
        flow.axes.iter().position(|axis| *axis == Axis::Batch),
        sizes.iter().position(|size| *size == Size::Batch),
    ];
    let (Some(from), Some(to)) = (from, to) else { return Err(refused()) };
    let mut made = Remade { axes: Vec::new(), flattened: None };
    let sides = [(&flow.axes[..from], &sizes[..to]), (&flow.axes[from + 1..], &sizes[to + 1..])];
    for (number, (axes, sizes)) in sides.into_iter().enumerate() {
        if number == 1 {
            made.axes.push(Axis::Batch);
        }
        made.side(context, &flow, axes, sizes).ok_or_else(refused)?;
    }
    let whole = Some(flow.axes.clone());
    let Remade { axes, flattened } = made;
    let flow = match flattened {
        None => Flow { axes, whole, ..flow },
        Some(order) => {
            let flat = flat(context, call, &flow, axes)?;
            Flow { order, ..flat }
        }
    };
    settled(context, call, flow)
}

/// The image as features, with these dimensions. A sample of one channel is a row of numbers already.
fn flat(context: &mut Context, call: &Call, flow: &Flow, axes: Vec<Axis>) -> Fit<Flow> {
    if context.is_data(flow) && context.input[2] == 1 {
        return Ok(Flow::new(flow.step, axes));
    }
    Ok(context.layer(call, flow, config("flatten", [])?, Vec::new(), axes))
}

/// The dimensions of a value in another shape.
struct Remade {
    axes: Vec<Axis>,
    /// If all of a sample became features, and then, if they come position by position, the positions and channels.
    flattened: Option<Option<[usize; 2]>>,
}

impl Remade {
    /// The dimensions on one side of the batch; none if no layer makes them.
    fn side(&mut self, context: &mut Context, flow: &Flow, axes: &[Axis], sizes: &[Size]) -> Option<()> {
        let axes: Vec<Axis> = axes.iter().copied().filter(|axis| axis.size() != Some(1)).collect();
        let (mut at, mut index) = (0, 0);
        while index < sizes.len() {
            if sizes[index] == Size::Of(1) {
                self.axes.push(Axis::Unit);
                index += 1;
                continue;
            }
            // As many dimensions as have the same product.
            let size = |index: usize| match sizes.get(index) {
                Some(Size::Of(size)) => Some(*size),
                _ => None,
            };
            let (start, first) = (at, index);
            let (mut old, mut new) = (axes.get(at)?.size()?, size(index)?);
            (at, index) = (at + 1, index + 1);
            while old != new {
                if old < new {
                    old = old.checked_mul(axes.get(at)?.size()?)?;
                    at += 1;
                } else {
                    new = new.checked_mul(size(index)?)?;
                    index += 1;
                }
            }
            let wanted: Vec<usize> = (first..index).filter_map(size).collect();
            self.group(context, flow, &axes[start..at], &wanted)?;
        }
        (at == axes.len()).then_some(())
    }

    /// Dimensions that become others of the same product.
    fn group(&mut self, context: &mut Context, flow: &Flow, axes: &[Axis], sizes: &[usize]) -> Option<()> {
        match (axes, sizes) {
            ([axis], [_]) => self.axes.push(*axis),
            (_, [size]) => {
                let merged = self.merged(flow, axes, *size)?;
                self.axes.push(merged);
            }
            // A sample that is a row of numbers may be an image, or a sequence, of them.
            ([Axis::Features(_)], &[height, width]) if context.is_data(flow) => {
                if self.axes.contains(&Axis::Unit) {
                    context.input = [height, width, 1];
                    self.axes.extend([Axis::Height(height), Axis::Width(width)]);
                } else {
                    context.input = [1, height, width];
                    self.axes.extend([Axis::Positions(height), Axis::Channels(width)]);
                }
            }
            ([Axis::Channels(channels), ..], &[groups, of_group]) if channels.is_multiple_of(groups) => {
                self.axes.extend([Axis::Groups(groups), Axis::OfGroup(of_group)]);
            }
            _ => return None,
        }
        Some(())
    }

    /// Dimensions that become one.
    fn merged(&mut self, flow: &Flow, axes: &[Axis], size: usize) -> Option<Axis> {
        // Of all pixels of a sample, but for dimensions of size 1.
        let spatial = axes.iter().filter(|axis| axis.is_spatial()).filter_map(|axis| axis.size());
        let is_all = product(flow.spatial()) == product(spatial);
        let are_spatial = |axes: &[Axis]| axes.iter().all(|axis| axis.is_spatial());
        match axes {
            [Axis::Directions(_), Axis::Channels(_)] => Some(Axis::Channels(size)),
            [Axis::Directions(_), Axis::Features(_)] => Some(Axis::Features(size)),
            [Axis::Height(_), Axis::Width(_)] => Some(Axis::Positions(size)),
            [Axis::Channels(_), pixels @ ..] if are_spatial(pixels) && is_all && is_in_order(pixels) => {
                self.flattened = Some(None);
                Some(Axis::Features(size))
            }
            [pixels @ .., Axis::Channels(channels)]
                if are_spatial(pixels) && is_all && is_in_order(pixels) =>
            {
                self.flattened = Some(Some([size / channels, *channels]));
                Some(Axis::Features(size))
            }
            _ => None,
        }
    }
}

/// Whether rows come before columns.
fn is_in_order(pixels: &[Axis]) -> bool {
    !matches!(pixels, [Axis::Width(_), Axis::Height(_)])
}

/// A value as layers have it: without pixels, or without channels, it is another kind of sample.
pub fn settled(context: &mut Context, call: &Call, flow: Flow) -> Fit<Flow> {
    let mut flow = flow;
    let place = |of: fn(Axis) -> bool| flow.axes.iter().position(|&axis| of(axis));
    let channels = place(|axis| matches!(axis, Axis::Channels(_)));
    let height = place(|axis| matches!(axis, Axis::Height(_)));
    let width = place(|axis| matches!(axis, Axis::Width(_)));
    let positions = place(|axis| matches!(axis, Axis::Positions(_)));
    let others = place(|axis| matches!(axis, Axis::Features(_) | Axis::Groups(_) | Axis::Directions(_)));
    let unit = place(|axis| axis == Axis::Unit);
    let pixels = [height, width, positions].into_iter().flatten().count();
    match (channels, height, width) {
        (Some(index), None, None) if pixels == 0 && others.is_none() => {
            let mut axes = flow.axes.clone();
            axes[index] = Axis::Features(axes[index].size().unwrap_or(1));
            flat(context, call, &flow, axes)
        }
        // One side is of size 1 and has gone.
        (Some(_), Some(index), None) | (Some(_), None, Some(index)) => {
            flow.axes[index] = Axis::Positions(flow.axes[index].size().unwrap_or(1));
            Ok(flow)
        }
        // A sample of one number.
        (None, ..) if pixels == 0 && others.is_none() && unit.is_some() => {
            let numbers = flow.axes.iter_mut().rev().find(|axis| **axis == Axis::Unit);
            numbers.into_iter().for_each(|axis| *axis = Axis::Features(1));
            Ok(flow)
        }
        (None, ..) if pixels > 0 && others.is_none() => match (unit, height, width) {
            (Some(index), ..) => {
                flow.axes[index] = Axis::Channels(1);
                settled(context, call, flow)
            }
            (None, Some(height), Some(width)) if height < width => {
                rows(context, call, &flow, [height, width])
            }
            (None, None, None) => {
                let mut axes = flow.axes.clone();
                let size = |axis: &mut Axis| *axis = Axis::Features(axis.size().unwrap_or(1));
                axes.iter_mut().filter(|axis| axis.is_spatial()).for_each(size);
                flat(context, call, &flow, axes)
            }
            _ => Err(format!("expected an image, or its rows, found {}", flow.described())),
        },
        _ => Ok(flow),
    }
}

/// The rows of an image of one channel as positions.
fn rows(context: &mut Context, call: &Call, flow: &Flow, [height, width]: [usize; 2]) -> Fit<Flow> {
    let mut axes = flow.axes.clone();
    let size = |index: usize| flow.axes[index].size().unwrap_or(1);
    (axes[height], axes[width]) = (Axis::Positions(size(height)), Axis::Channels(size(width)));
    Ok(context.layer(call, flow, config("rows", [])?, Vec::new(), axes))
}
