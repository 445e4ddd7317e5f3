//! A linear fit beside its exact solution.

use crate::Result;
use crate::data::{Samples, Targets};
use crate::linear::{self, Coefficients, Linear, LinearKind, Problem};
use crate::model::{Model, Recipe};
use crate::train::record::exact::{CoefficientRecord, ExactRecord, MOST_COEFFICIENTS};
use crate::train::run::fit::split;
use crate::train::run::mapped::{FeatureNames, Mapped, features_of};
use crate::train::source::Source;
use crate::train::targets::targets_for;

/// The most multiply-adds of one product on the way to an exact solution: some seconds of one core.
const MOST_WORK: f64 = 3e10;

/// A model that is a linear fit, beside the exact solution for the samples that the recipe trains on. None if it is no
/// linear fit, or there is no exact method; if the samples are augmented, so that training has another objective; if
/// the exact solution would take more than some seconds; or if the model is not finite.
///
/// # Errors
/// If the samples do not fit the model, or memory is short.
pub fn exact(model: &Model, samples: &Samples, recipe: &Recipe) -> Result<Option<ExactRecord>> {
    let Some(linear) = model.config().linear else { return Ok(None) };
    let targets = targets_for(model, samples)?;
    let subset = split(samples, recipe)?.map(|split| split.subset);
    let count = subset.as_ref().map_or(samples.len(), Vec::len);
    let features = features_of(model);
    let (Some(method), true) = (linear.method(), recipe.augment.is_off()) else { return Ok(None) };
    if model.first_not_finite().is_some() || linear.work(count, features) > MOST_WORK {
        return Ok(None);
    }
    let index = |place: usize| subset.as_ref().map_or(place, |subset| subset[place] as usize);
    let weights: Vec<f32> = match samples.weights() {
        [] => Vec::new(),
        weights => (0..count).map(|place| weights[index(place)]).collect(),
    };
    let source = Source::new(samples, targets, &recipe.data);
    let mut mapped = Mapped::new(model)?;
    let problem = Problem::new([count, features, linear.outputs], &weights, |place, row, targets| {
        mapped.gather(row, &source, index(place));
        match samples.targets() {
            Targets::Classes(labels) => {
                targets.fill(0.0);
                targets[usize::from(labels[index(place)])] = 1.0;
            }
            Targets::Values { values, width } => {
                targets.copy_from_slice(&values[index(place) * width..(index(place) + 1) * width]);
            }
            // The losses of fits take targets, as has been checked.
            Targets::Tokens(_) | Targets::None => targets.fill(0.0),
        }
    })?;
    let Some(found) = linear::exact(&linear, &problem)? else { return Ok(None) };
    let trained = coefficients_of(model, &linear, features);
    let objective = linear::objective(&linear, &problem, &trained);
    // Of a fit that is perfect rounding is all that is left.
    let nothing = f64::EPSILON * linear::objective(&linear, &problem, &zeros(features, linear.outputs));
    let excess = (found.objective > nothing).then(|| (objective - found.objective) / found.objective);
    let pairs = pairs(linear.kind, &trained, &found.coefficients);
    let norm = |part: fn(&CoefficientRecord) -> f64| {
        let weights = pairs.iter().filter(|pair| pair.feature.is_some());
        weights.map(|pair| part(pair).powi(2)).sum::<f64>().sqrt()
    };
    let (difference, size) = (norm(|pair| pair.descent - pair.exact), norm(|pair| pair.exact));
    let not_zero = |part: fn(&CoefficientRecord) -> f64| {
        pairs.iter().filter(|pair| pair.feature.is_some() && part(pair) != 0.0).count()
    };
    Ok(Some(ExactRecord {
        kind: linear.kind.name().into(),
        method: method.into(),
        converged: found.converged,
        objective,
        least: found.objective,
        excess,
        distance: (size > 0.0).then(|| difference / size),
        largest_difference: pairs.iter().map(|pair| (pair.descent - pair.exact).abs()).fold(0.0, f64::max),
        numbers: pairs.len(),
        not_zero: (linear.kind == LinearKind::Lasso)
            .then(|| [not_zero(|pair| pair.exact), not_zero(|pair| pair.descent)]),
        coefficients: named(largest(pairs), model, samples),
    }))
}

fn zeros(features: usize, outputs: usize) -> Coefficients {
    Coefficients { weights: faer::Mat::zeros(features, outputs), bias: vec![0.0; outputs] }
}

/// The weights and biases of the last layer of a model, which is a dense one.
fn coefficients_of(model: &Model, linear: &Linear, features: usize) -> Coefficients {
    let mut coefficients = zeros(features, linear.outputs);
    let last = model.layers().last().map_or(String::new(), |last| format!("{}.", last.module));
    for tensor in model.tensors().into_iter().filter(|tensor| tensor.name.starts_with(&last)) {
        // Weights are [out, in].
        for (place, &value) in tensor.values.iter().enumerate() {
            if tensor.shape.len() > 1 {
                coefficients.weights[(place % features, place / features)] = value.into();
            } else {
                coefficients.bias[place] = value.into();
            }
        }
    }
    coefficients
}

/// Weights and biases side by side, output after output. The softmax stays the same if all outputs grow alike: of
/// softmax regression these are the differences from their means over the classes.
fn pairs(kind: LinearKind, trained: &Coefficients, exact: &Coefficients) -> Vec<CoefficientRecord> {
    let (features, outputs) = (exact.weights.nrows(), exact.bias.len());
    let at = |of: &Coefficients, output: usize, feature: usize| {
        if feature < features { of.weights[(feature, output)] } else { of.bias[output] }
    };
    let mean = |of: &Coefficients, feature: usize| {
        if kind != LinearKind::Logistic {
            return 0.0;
        }
        (0..outputs).map(|output| at(of, output, feature)).sum::<f64>() / outputs as f64
    };
    let one = |place: usize| {
        let (output, feature) = (place / (features + 1), place % (features + 1));
        CoefficientRecord {
            output,
            feature: (feature < features).then_some(feature),
            name: None,
            descent: at(trained, output, feature) - mean(trained, feature),
            exact: at(exact, output, feature) - mean(exact, feature),
        }
    };
    (0..outputs * (features + 1)).map(one).collect()
}

/// Coefficients with the names that the columns of a table, and what the fit is linear in, give their features.
fn named(
    mut coefficients: Vec<CoefficientRecord>,
    model: &Model,
    samples: &Samples,
) -> Vec<CoefficientRecord> {
    let columns = samples.encoder().map_or(Vec::new(), |encoder| encoder.feature_names());
    let names = FeatureNames::new(model, columns);
    for coefficient in &mut coefficients {
        coefficient.name = coefficient.feature.and_then(|feature| names.get(feature));
    }
    coefficients
}

/// Those of the largest exact numbers, in their order.
fn largest(pairs: Vec<CoefficientRecord>) -> Vec<CoefficientRecord> {
    let mut sizes: Vec<f64> = pairs.iter().map(|pair| pair.exact.abs()).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    let least = sizes.get(MOST_COEFFICIENTS - 1).copied().unwrap_or(0.0);
    pairs.into_iter().filter(|pair| pair.exact.abs() >= least).take(MOST_COEFFICIENTS).collect()
}
