//! Checks of samples against a model.

use crate::data::{self, Features, Samples};
use crate::kernels::loss::Targets;
use crate::kernels::simd::reduce;
use crate::losses::LossFunction;
use crate::model::Model;
use crate::model::recipe::DataConfig;
use crate::{Error, Result};

/// Checks that samples have the shape of the model's input.
pub(in crate::train) fn check_shape(model: &Model, samples: &Samples) -> Result<()> {
    if samples.shape() == model.input() {
        return Ok(());
    }
    let text = |[height, width, channels]: [usize; 3]| format!("{height} x {width} x {channels}");
    Err(mismatch("shape of the samples", text(model.input()), text(samples.shape())))
}

/// Checks samples that are trained on: that an embedding has the sizes that the columns of a table have, and rows for all codes.
pub(in crate::train) fn check_codes(model: &Model, samples: &Samples, data: &DataConfig) -> Result<()> {
    if let Some(encoder) = samples.encoder() {
        match model.config().embedding_columns(encoder) {
            Ok(fitted) if fitted == *model.config() => {}
            Ok(_) => return Err(mismatch("layers", "an `embedding` with its sizes".into(), "one without")),
            Err((what, expected, found)) => return Err(mismatch(what, expected, found)),
        }
    }
    check_known(model, samples, data)
}

/// Checks that the numbers of samples which an embedding reads are codes that it has rows for, as the network sees them.
pub(in crate::train) fn check_known(model: &Model, samples: &Samples, data: &DataConfig) -> Result<()> {
    let width = samples.features_per_sample();
    let codes = model.config().codes(width);
    if codes.is_empty() {
        return Ok(());
    }
    let [factor, shift] = data.factor_and_shift(samples.element_type());
    // Of samples that overlap, some have all numbers of those between.
    let (last, step) = (samples.len() - 1, samples.step());
    for sample in (0..last).step_by((width / step).max(1)).chain([last]) {
        for &(place, rows) in &codes {
            let value = match samples.features() {
                Features::Bytes(bytes) => f32::from(bytes[sample * step + place]),
                Features::Floats(floats) => floats[sample * step + place],
            };
            let seen = value.mul_add(factor, shift);
            if !(0.0..rows as f32).contains(&seen) || seen.fract() != 0.0 {
                let what = format!("number {place} of sample {sample}, which the `embedding` reads");
                let expected = format!("a whole number from 0 to {}", rows - 1);
                let from =
                    if seen == value { String::new() } else { format!(", which {value} is scaled to") };
                return Err(mismatch(&what, expected, format!("{seen}{from}")));
            }
        }
    }
    Ok(())
}

/// The targets of samples that `model` can be trained or tested on; none for a loss that takes none.
pub(in crate::train) fn targets_for<'a>(model: &Model, samples: &'a Samples) -> Result<Targets<'a>> {
    check_shape(model, samples)?;
    let outputs = model.outputs();
    if !model.loss().takes_targets() {
        return Ok(Targets::None);
    }
    let targets = match samples.targets() {
        data::Targets::Tokens(tokens) => {
            check_tokens(model, samples, tokens)?;
            Targets::Tokens(tokens.view())
        }
        data::Targets::Classes(_) | data::Targets::Values { .. } if model.positions() > 1 => {
            let expected = format!(
                "one for each of the {} positions that the model's output has; for one a sample, `flatten`, \
                 `global-average-pool`, or `returns = \"last\"` of a recurrent layer takes positions together",
                model.positions()
            );
            return Err(mismatch("targets of a sample", expected, "those of a whole sample"));
        }
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

/// Checks that samples with a class for each position fit the outputs of the model.
fn check_tokens(model: &Model, samples: &Samples, tokens: &data::Tokens) -> Result<()> {
    let (positions, classes) = (model.positions(), model.classes());
    if positions != tokens.positions && samples.vocabulary().is_some() {
        let expected = format!(
            "{}, as many as a sample has: a model of a text begins with `embedding` with `shared = true`, and no layer of \
             it takes positions together",
            tokens.positions
        );
        return Err(mismatch("positions of the model's output", expected, positions));
    }
    if positions != tokens.positions {
        let expected = format!("one for each of the {positions} positions of the model's output");
        return Err(mismatch("targets of a sample", expected, tokens.positions));
    }
    if tokens.vocabulary > classes {
        let expected = format!("below {classes}, the channels of the model's output");
        return Err(mismatch("tokens", expected, format!("{} of them", tokens.vocabulary)));
    }
    if !samples.weights().is_empty() {
        let expected = "none of sequences with a target a position".into();
        return Err(mismatch("weights of samples", expected, "some"));
    }
    Ok(())
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
