//! The forward pass alone: accuracy on a split, probabilities of single images, predictions for samples.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::data::{self, Samples};
use crate::kernels::loss::{Rows, softmax};
use crate::kernels::simd::reduce;
use crate::losses::{Scores, Targets};
use crate::model::Model;
use crate::model::recipe::DataConfig;
use crate::team::{Shared, Team, Worker, share};
use crate::tensor::padded;
use crate::train::inference::forward::{BLOCK, ForwardPass, Network};
use crate::train::inference::order::{self, Order};
use crate::train::inference::scores;
use crate::train::inference::scores::{spread, spread_of};
use crate::train::inference::series;
use crate::train::record::epoch::{Evaluation, NotFinite};
use crate::train::record::metrics::TokenMetrics;
use crate::train::source::Source;
use crate::train::targets::{check_known, check_shape, labels_for, targets_for, weight_of};
use crate::{Result, memory};

/// Mean loss of `model` on `samples`, by their weights, if they have some; of targets that are classes the accuracy, of
/// which all samples are equal parts, and of values how close the outputs come to them, in the samples' units. Each sample
/// is a sequence by itself.
///
/// # Errors
/// If the samples do not fit the model, none of them has a weight above 0, or memory is short.
pub fn evaluate(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Evaluation> {
    evaluate_in(Order::Apart, model, samples, data, team)
}

/// The same where samples go through the network in an order, in which they may go on with each other's states. The result
/// is the same for any number of threads.
///
/// # Errors
/// Those of [`evaluate`].
pub fn evaluate_in(
    order: Order,
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<Evaluation> {
    let (true, data::Targets::Values { values, width }) = (model.loss().takes_targets(), samples.targets())
    else {
        return Ok(pass(order, model, samples, data, team, None)?.0);
    };
    let rows = rows_of(model);
    let stride = rows.stride * model.positions();
    let mut outputs = memory::filled("an evaluation", 0.0, samples.len().saturating_mul(stride))?;
    let (seen, _) = pass(order, model, samples, data, team, Some(&mut outputs))?;
    let outputs = without_gaps(outputs, rows);
    let metrics = scores::value_metrics(&outputs, values, *width, samples.units());
    let series = series::metrics(samples, values, *width, &metrics);
    Ok(Evaluation { values: Some(metrics), series, ..seen })
}

/// Bytes that [`evaluate`] takes for the outputs of `count` samples such as these, if their targets are values.
pub(in crate::train) fn output_bytes(model: &Model, samples: &Samples, count: usize) -> usize {
    match samples.targets() {
        data::Targets::Values { .. } if model.loss().takes_targets() => {
            let stride = rows_of(model).stride * model.positions();
            count.saturating_mul(stride).saturating_mul(size_of::<f32>())
        }
        _ => 0,
    }
}

/// Loss and accuracy, with the standard deviation of the samples' parts of the loss.
///
/// # Errors
/// Those of [`evaluate`].
pub(in crate::train) fn evaluate_with_spread(
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<(Evaluation, f64)> {
    pass(Order::Apart, model, samples, data, team, None)
}

/// One forward pass: the evaluation without metrics of values, and the deviation of the samples' losses. The outputs,
/// `[samples, out]` with `out` padded, are left in `outputs` where there is such memory.
fn pass(
    order: Order,
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
    outputs: Option<&mut [f32]>,
) -> Result<(Evaluation, f64)> {
    let targets = targets_for(model, samples)?;
    check_known(model, samples, data)?;
    let (rows, loss) = (rows_of(model), model.loss().function());
    let weight = weight_of(&loss, targets, samples, 0..samples.len())?;
    // Rows of the loss for a sample, and rows of the outputs.
    let (of_loss, positions) = (targets.positions(), model.positions());
    let count = samples.len().saturating_mul(of_loss);
    let mut losses = memory::filled("an evaluation", 0.0, count)?;
    let mut correct = memory::filled("an evaluation", 0, count)?;
    {
        let (losses, correct) = (Shared::array(&mut losses), Shared::array(&mut correct));
        let stride = rows_of(model).stride * positions;
        let kept = outputs.map(|outputs| Shared::matrix(outputs, samples.len(), stride, stride));
        forward(
            order,
            model,
            &Source::new(samples, targets, data),
            samples.len(),
            team,
            |worker, block, outputs| {
                let of_block = block.start * of_loss..block.end * of_loss;
                let scores = Scores {
                    losses: losses.write(worker, of_block.clone()),
                    correct: correct.write(worker, of_block),
                };
                loss.value(scores, outputs, targets.rows(block.clone(), rows.classes), rows);
                if let Some(kept) = &kept {
                    kept.rows_mut(worker, block).copy_from_slice(outputs);
                }
            },
        )?;
    }
    let hits: f64 = correct.iter().map(|&hit| f64::from(hit)).sum();
    let weights = samples.weights();
    let (sum, spread) = if weights.is_empty() {
        (reduce::sum_f64(&losses), spread(&losses, weight))
    } else {
        let weighted = || scores::weighted(&losses, weights.iter().copied());
        let sum = weighted().sum();
        (sum, spread_of(weighted(), sum, losses.len(), weight))
    };
    let seen = Evaluation {
        loss: sum / weight,
        accuracy: match targets {
            Targets::Classes(_) | Targets::Mixed { .. } => Some(hits / samples.len() as f64),
            Targets::Tokens(tokens) => {
                let counted: usize = (0..samples.len()).map(|sample| tokens.counted(sample)).sum();
                Some(hits / counted as f64)
            }
            Targets::Values(_) | Targets::None => None,
        },
        values: None,
        series: None,
        tokens: match targets {
            Targets::Tokens(tokens) if model.loss().is_cross_entropy() => {
                Some(TokenMetrics::of(sum / weight, &correct, tokens))
            }
            _ => None,
        },
        not_finite: not_finite(&losses, of_loss, weights),
    };
    Ok((seen, spread))
}

/// The samples of which some position has a loss that is not finite, but for those without weight: `losses`
/// `[samples, positions]`, `weights` `[samples]` or empty.
fn not_finite(losses: &[f32], positions: usize, weights: &[f32]) -> Option<NotFinite> {
    let is_lost = |sample: usize, losses: &[f32]| {
        losses.iter().any(|loss| !loss.is_finite()) && weights.get(sample).is_none_or(|&weight| weight > 0.0)
    };
    let of_samples = losses.chunks_exact(positions).enumerate();
    let mut lost = of_samples.filter(|&(sample, losses)| is_lost(sample, losses)).map(|(sample, _)| sample);
    let first = lost.next()?;
    Some(NotFinite { samples: 1 + lost.count(), first })
}

/// Refuses an evaluation or an analysis of so many samples, with so many bytes `beside` it, if memory is
/// short.
///
/// # Errors
/// Those of [`memory::check`].
pub(in crate::train) fn check_memory(model: &Model, count: usize, team: &Team, beside: usize) -> Result<()> {
    let derived: usize = model.layers().iter().map(|placed| placed.layer.derived_lens()[1]).sum();
    let predictions = count.saturating_mul(size_of::<Prediction>());
    let bytes = derived.saturating_mul(size_of::<f32>()).saturating_add(predictions);
    let pass = ForwardPass::bytes(model, count, team);
    memory::check("an evaluation", beside.saturating_add(bytes).saturating_add(pass))
}

/// The outputs of the network for each of the samples: `[samples, outputs]`.
///
/// # Errors
/// If the samples do not fit the model.
pub fn outputs(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Vec<f32>> {
    outputs_in(Order::Apart, model, samples, data, team)
}

/// The same in an order.
///
/// # Errors
/// If the samples do not fit the model.
pub fn outputs_in(
    order: Order,
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<Vec<f32>> {
    let source = Source::new(samples, targets_for(model, samples)?, data);
    let rows = rows_of(model);
    let stride = rows.stride * model.positions();
    let mut predictions = memory::filled("the predictions", 0.0, samples.len().saturating_mul(stride))?;
    {
        let shared = Shared::matrix(&mut predictions, samples.len(), stride, stride);
        forward(order, model, &source, samples.len(), team, |worker, block, outputs| {
            shared.rows_mut(worker, block).copy_from_slice(outputs);
        })?;
    }
    Ok(without_gaps(predictions, rows))
}

/// The outputs `[samples, positions, out]` of rows with padded `out`.
fn without_gaps(mut outputs: Vec<f32>, rows: Rows) -> Vec<f32> {
    // A position of a sequence is a row of its own.
    let samples = outputs.len() / rows.stride;
    // Moved to the front, not copied: there may be many.
    for sample in 0..samples {
        let start = sample * rows.stride;
        outputs.copy_within(start..start + rows.classes, sample * rows.classes);
    }
    outputs.truncate(samples * rows.classes);
    outputs
}

/// The class probabilities of each of the samples, whatever their targets are.
///
/// # Errors
/// If the samples do not fit the model.
pub fn predict(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Vec<Vec<f32>>> {
    check_shape(model, samples)?;
    let count = samples.len();
    let source = Source::new(samples, Targets::None, data);
    let rows = rows_of(model);
    let stride = rows.stride * model.positions();
    let mut probabilities = memory::filled("the probabilities", 0.0, count.saturating_mul(stride))?;
    {
        let shared = Shared::matrix(&mut probabilities, count, stride, stride);
        forward(Order::Apart, model, &source, count, team, |worker, block, outputs| {
            softmax(shared.rows_mut(worker, block), outputs, rows);
        })?;
    }
    Ok(without_padding(&probabilities, rows).map(<[f32]>::to_vec).collect())
}

fn without_padding(block: &[f32], rows: Rows) -> impl Iterator<Item = &[f32]> {
    block.chunks_exact(rows.stride).map(move |row| &row[..rows.classes])
}

/// The prediction of a model for one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::train) struct Prediction {
    pub loss: f32,
    /// The class of the largest output, the first of several equal ones.
    pub class: usize,
    /// The probability of that class, as a fraction of 1.
    pub probability: f32,
    /// The rank of the sample's own class, by [`scores::rank`].
    pub rank: usize,
}

/// The model's prediction for each of the samples, in an order.
///
/// # Errors
/// If the samples do not fit the model.
pub(in crate::train) fn predictions(
    order: Order,
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<Vec<Prediction>> {
    let labels = labels_for(model, samples)?;
    let (rows, loss) = (rows_of(model), model.loss().function());
    let mut predictions = memory::filled("the predictions", Prediction::default(), samples.len())?;
    {
        let predictions = Shared::array(&mut predictions);
        let targets = Targets::Classes(labels);
        forward(
            order,
            model,
            &Source::new(samples, targets, data),
            samples.len(),
            team,
            |worker, block, outputs| {
                let (mut losses, mut correct) = ([0.0; BLOCK], [0; BLOCK]);
                let scores =
                    Scores { losses: &mut losses[..block.len()], correct: &mut correct[..block.len()] };
                loss.value(scores, outputs, targets.rows(block.clone(), rows.classes), rows);
                let mut probabilities = vec![0.0; outputs.len()];
                softmax(&mut probabilities, outputs, rows);
                for (row, prediction) in predictions.write(worker, block.clone()).iter_mut().enumerate() {
                    let outputs = &outputs[row * rows.stride..][..rows.classes];
                    // Not the largest probability: rounding may make two of them equal.
                    let class = largest(outputs);
                    let label = usize::from(labels[block.start + row]);
                    // With outputs that are NaN there is no prediction: it counts as a wrong one everywhere.
                    let is_missed = class == label && correct[row] == 0;
                    let class = if is_missed { (label + 1) % rows.classes } else { class };
                    let probability = probabilities[row * rows.stride + class];
                    let rank = scores::rank(outputs, label);
                    *prediction = Prediction { loss: losses[row], class, probability, rank };
                }
            },
        )?;
    }
    Ok(predictions)
}

/// The place of the largest number, the first of several equal ones.
fn largest(values: &[f32]) -> usize {
    let first = |best: usize, index: usize| if values[index] > values[best] { index } else { best };
    (0..values.len()).fold(0, first)
}

/// How rows of the model's outputs lie: a row for each position of a sequence.
pub(in crate::train) fn rows_of(model: &Model) -> Rows {
    Rows { classes: model.classes(), stride: padded(model.classes()) }
}

/// Runs the first `count` samples of `source` through the network, in an order, and hands the outputs of each block of
/// samples that follow each other, `[samples, out]` with `out` padded, to `work`.
///
/// # Errors
/// If memory is short for what the layers derive from their parameters.
fn forward(
    order: Order,
    model: &Model,
    source: &Source,
    count: usize,
    team: &Team,
    work: impl Fn(&Worker, Range<usize>, &[f32]) + Sync,
) -> Result<()> {
    let network = Network::new(model)?;
    let rows = ForwardPass::rows(model);
    // Workers share streams, each with all of its samples; a sample by itself is a stream of one.
    let length = order.length(count);
    let streams = count.div_ceil(length);
    let carried = if order.carries() { ForwardPass::carried_bytes(model, streams) } else { 0 };
    memory::check("an evaluation", ForwardPass::bytes(model, streams, team).saturating_add(carried))?;
    // Made here, where a refusal is an error, and each taken by its worker. One without samples takes no
    // memory, and none takes more than its samples need.
    let shares = (0..team.threads()).map(|index| share(streams, index, team.threads()).len());
    let passes = shares.map(|own| match (rows.min(own), order.carries()) {
        (0, _) => Ok(None),
        (rows, false) => ForwardPass::new(model, rows).map(Some),
        (rows, true) => ForwardPass::new(model, rows)?.carrying(model, rows).map(Some),
    });
    let passes = passes.map(|pass| pass.map(Mutex::new)).collect::<Result<Vec<_>>>()?;
    team.run(
        |worker| {
            // No other worker locks it.
            let mut pass = passes[worker.index()].lock().unwrap_or_else(PoisonError::into_inner);
            let Some(pass) = pass.as_mut() else { return };
            let share = worker.share(streams);
            for start in share.clone().step_by(rows) {
                let own = start..(start + rows).min(share.end);
                pass.forget();
                for at in 0..length {
                    let block = order::Block::across(&own, at, length, count);
                    if block.count == 0 {
                        // Of the last stream, which may be shorter.
                        break;
                    }
                    let outputs = pass.run(&network, Some(worker), source, block);
                    if block.step == 1 {
                        work(worker, block.first..block.first + block.count, outputs);
                        continue;
                    }
                    let each = outputs.chunks_exact(outputs.len() / block.count);
                    block.samples().zip(each).for_each(|(sample, own)| work(worker, sample..sample + 1, own));
                }
            }
        },
        None,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Recipe;

    #[test]
    fn the_first_sample_without_a_finite_loss_is_named() {
        assert_eq!(not_finite(&[0.5, 0.0], 1, &[]), None);
        let losses = [0.5, f32::INFINITY, 0.0, f32::NAN];
        assert_eq!(not_finite(&losses, 1, &[]), Some(NotFinite { samples: 2, first: 1 }));
        // Samples without weight do not count.
        assert_eq!(not_finite(&losses, 1, &[1.0, 0.0, 1.0, 0.5]), Some(NotFinite { samples: 1, first: 3 }));
        assert_eq!(not_finite(&losses, 1, &[1.0, 0.0, 1.0, 0.0]), None);
        // A sequence is one sample, however many of its positions are lost.
        assert_eq!(not_finite(&losses, 2, &[]), Some(NotFinite { samples: 2, first: 0 }));
        assert_eq!(
            not_finite(&[0.5, 0.5, f32::NAN, f32::NAN], 2, &[]),
            Some(NotFinite { samples: 1, first: 1 })
        );
    }

    /// A check at the start is worth something only if it refuses.
    #[test]
    fn memory_that_is_not_there_is_refused() {
        let recipe = Recipe::built_in("digits-mlp").unwrap();
        let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
        let team = Team::new(1).unwrap();
        check_memory(&model, 10, &team, 0).unwrap();
        if memory::available().is_some() {
            let refused = check_memory(&model, 10, &team, usize::MAX).unwrap_err().to_string();
            assert!(refused.starts_with("memory for an evaluation: expected at most the "), "{refused}");
        }
    }
}
