//! Checks of samples against a model.

use crate::data::{self, Samples};
use crate::kernels::loss::Targets;
use crate::kernels::simd::reduce;
use crate::losses::LossFunction;
use crate::model::Model;
use crate::{Error, Result};

/// Checks that samples have the shape of the model's input.
pub(in crate::train) fn check_shape(model: &Model, samples: &Samples) -> Result<()> {
    if samples.shape() == model.input() {
        return Ok(());
    }
    let text = |[height, width, channels]: [usize; 3]| format!("{height} x {width} x {channels}");
    Err(mismatch("shape of the samples", text(model.input()), text(samples.shape())))
}

/// The targets of samples that `model` can be trained or tested on; none for a loss that takes none.
pub(in crate::train) fn targets_for<'a>(model: &Model, samples: &'a Samples) -> Result<Targets<'a>> {
    check_shape(model, samples)?;
    let outputs = model.outputs();
    if !model.loss().takes_targets() {
        return Ok(Targets::None);
    }
    let targets = match samples.targets() {
        data::Targets::Classes(labels) => {
            if let Some(label) = labels.iter().find(|&&label| usize::from(label) >= outputs) {
                return Err(mismatch("labels", format!("below {outputs}"), label.to_string()));
            }
            Targets::Classes(labels)
        }
        data::Targets::Values { width, .. } if *width != outputs => {
            let expected = format!("{outputs} a sample, one for each output");
            return Err(mismatch("target values", expected, width.to_string()));
        }
        data::Targets::Values { values, .. } => Targets::Values(values),
        data::Targets::None => Targets::None,
    };
    model.loss().check_targets(targets, outputs)?;
    Ok(targets)
}

/// The classes of samples that `model` can be trained or tested on.
pub(in crate::train) fn labels_for<'a>(model: &Model, samples: &'a Samples) -> Result<&'a [u8]> {
    match targets_for(model, samples)? {
        Targets::Classes(labels) => Ok(labels),
        Targets::None => Err(mismatch("targets of the model", "classes".into(), "none")),
        _ => Err(mismatch("targets", "classes".into(), "values")),
    }
}

/// The divisor of the mean loss of the samples of these indices.
///
/// # Errors
/// [`Error::Mismatch`] if samples have weights, but none of these one above 0, of a class of which the same is true.
pub(in crate::train) fn weight_of(
    loss: &LossFunction,
    targets: Targets,
    samples: &Samples,
    indices: impl ExactSizeIterator<Item = usize>,
) -> Result<f64> {
    let weights = samples.weights();
    if weights.is_empty() {
        return Ok(loss.weight(targets, indices));
    }
    let weight = loss.weight_of(targets, indices.map(|index| (index, weights[index])));
    if weight > 0.0 {
        return Ok(weight);
    }
    Err(mismatch("weights of samples", "one above 0 of a class with a weight above 0".into(), "none"))
}

/// Checks that all numbers are finite.
pub(in crate::train) fn check_finite(what: &str, numbers: &[f32]) -> Result<()> {
    if reduce::all_finite(numbers) {
        return Ok(());
    }
    let place = numbers.iter().position(|number| !number.is_finite()).unwrap_or(0);
    Err(mismatch(what, "finite numbers".into(), format!("{} at index {place}", numbers[place])))
}

pub(in crate::train) fn mismatch(what: &str, expected: String, found: impl std::fmt::Display) -> Error {
    Error::Mismatch { what: what.into(), expected, found: found.to_string() }
}
