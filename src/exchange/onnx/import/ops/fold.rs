//! Constants that become part of the layer before them: a bias behind a product, a factor behind a normalisation.

use std::rc::Rc;

use crate::exchange::onnx::import::array::Array;
use crate::exchange::onnx::import::flow::Made;

/// The dimension of a layer's weights that is of its outputs, and how many these are; none if it can't take constants.
fn outputs(made: &Made) -> Option<(usize, usize)> {
    let axis = match made.config.kind() {
        "dense" | "position-dense" | "conv" | "conv-1d" | "batch-norm" | "group-norm" => 0,
        "conv-transpose" => 1,
        _ => return None,
    };
    Some((axis, *made.tensors.first()?.1.shape.get(axis)?))
}

/// A layer whose outputs are multiplied, or added to, by one number.
pub fn folded_number(made: &Made, scale: Option<f32>, shift: Option<f32>) -> Option<Made> {
    let (_, channels) = outputs(made)?;
    let [scale, shift] = [scale, shift].map(|value| value.map(|value| vec![value; channels]));
    folded(made, scale.as_deref(), shift.as_deref())
}

/// A layer whose outputs are multiplied, or added to, by a number for each channel; none if it can't take that.
pub fn folded(made: &Made, scale: Option<&[f32]>, shift: Option<&[f32]>) -> Option<Made> {
    let (axis, channels) = outputs(made)?;
    if [scale, shift].into_iter().flatten().any(|values| values.len() != channels) {
        return None;
    }
    let mut folded = made.clone();
    let number = |(name, tensor): &(&'static str, Rc<Array>)| match *name {
        "weight" => scale.map(|scale| tensor.scaled(axis, scale)),
        "bias" => {
            let values = tensor.as_floats()?.iter().enumerate().map(|(channel, value)| {
                value * scale.map_or(1.0, |scale| scale[channel]) + shift.map_or(0.0, |shift| shift[channel])
            });
            Some(Array::floats(vec![channels], values.collect()))
        }
        _ => None,
    };
    for tensor in &mut folded.tensors {
        if let Some(array) = number(tensor) {
            tensor.1 = Rc::new(array);
        }
    }
    let has_bias = folded.tensors.iter().any(|(name, _)| *name == "bias");
    if let Some(shift) = shift.filter(|_| !has_bias) {
        folded.config = folded.config.with("bias", true).ok()?;
        folded.tensors.push(("bias", Rc::new(Array::floats(vec![channels], shift.to_vec()))));
    }
    Some(folded)
}

/// A layer whose inputs are multiplied by a number; none if it can't take that.
pub fn scaled_inputs(made: &Made, scale: f32) -> Option<Made> {
    if !["dense", "position-dense", "conv", "conv-1d", "conv-transpose"].contains(&made.config.kind()) {
        return None;
    }
    let mut scaled = made.clone();
    let weight = scaled.tensors.iter_mut().find(|(name, _)| *name == "weight")?;
    weight.1 = Rc::new(weight.1.scaled(0, &[scale]));
    Some(scaled)
}
