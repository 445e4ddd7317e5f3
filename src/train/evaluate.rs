//! The forward pass alone: accuracy on a split, probabilities of single images, answers to samples.

use std::borrow::Borrow;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::epoch_record::{Evaluation, NotFinite};
use super::plan::{rows_at_once, together};
use super::scores;
use super::step::{Source, spread};
use super::targets::{check_shape, labels_for, targets_for};
use crate::data::Samples;
use crate::kernels::loss::{Rows, softmax};
use crate::kernels::simd::reduce;
use crate::layers::Forward;
use crate::losses::{Scores, Targets};
use crate::model::recipe::DataConfig;
use crate::model::{Input, Model, PlacedLayer};
use crate::probe::{Cost, Operation};
use crate::team::{Shared, Team, Worker, share};
use crate::tensor::{Buffer, MatrixMut, MatrixRef, padded, row_stride};
use crate::{Result, memory};

/// Samples that a worker takes through the network together.
const BLOCK: usize = 112;

/// Mean loss and accuracy of `model` on `samples`; of targets that are values there is no accuracy.
///
/// # Errors
/// If the samples do not fit the model.
pub fn evaluate(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Evaluation> {
    Ok(evaluate_with_spread(model, samples, data, team)?.0)
}

/// [`evaluate`], with the standard deviation of the samples' parts of the loss.
///
/// # Errors
/// As there.
pub(super) fn evaluate_with_spread(
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<(Evaluation, f64)> {
    let targets = targets_for(model, samples)?;
    let (rows, loss) = (rows_of(model), model.loss().function());
    let mut losses = memory::filled("an evaluation", 0.0, samples.len())?;
    let mut correct = memory::filled("an evaluation", 0, samples.len())?;
    {
        let (losses, correct) = (Shared::array(&mut losses), Shared::array(&mut correct));
        forward(
            model,
            &Source::new(samples, targets, data),
            samples.len(),
            team,
            |worker, block, outputs| {
                let scores = Scores {
                    losses: losses.write(worker, block.clone()),
                    correct: correct.write(worker, block.clone()),
                };
                loss.value(scores, outputs, targets.rows(block, rows.classes), rows);
            },
        )?;
    }
    let hits: f64 = correct.iter().map(|&hit| f64::from(hit)).sum();
    let weight = loss.weight(targets, 0..samples.len());
    let seen = Evaluation {
        loss: reduce::sum_f64(&losses) / weight,
        accuracy: match targets {
            Targets::Classes(_) | Targets::Mixed { .. } => Some(hits / samples.len() as f64),
            Targets::Values(_) => None,
        },
        not_finite: not_finite(&losses),
    };
    Ok((seen, spread(&losses, weight)))
}

fn not_finite(losses: &[f32]) -> Option<NotFinite> {
    let first = losses.iter().position(|loss| !loss.is_finite())?;
    let samples = losses[first..].iter().filter(|loss| !loss.is_finite()).count();
    Some(NotFinite { samples, first })
}

/// Refuses what [`evaluate`] or an analysis of so many samples takes, `beside` so many bytes, if memory is
/// short.
///
/// # Errors
/// Those of [`memory::check`].
pub(super) fn check_memory(model: &Model, count: usize, team: &Team, beside: usize) -> Result<()> {
    let derived: usize = model.layers().iter().map(|placed| placed.layer.derived_lens()[1]).sum();
    let predictions = count.saturating_mul(size_of::<Prediction>());
    let bytes = derived.saturating_mul(size_of::<f32>()).saturating_add(predictions);
    let pass = ForwardPass::bytes(model, count, team);
    memory::check("an evaluation", beside.saturating_add(bytes).saturating_add(pass))
}

/// What the network answers to each of the samples: `[samples, outputs]`.
///
/// # Errors
/// If the samples do not fit the model.
pub fn outputs(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Vec<f32>> {
    let source = Source::new(samples, targets_for(model, samples)?, data);
    let rows = rows_of(model);
    let mut predictions = memory::filled("the predictions", 0.0, samples.len().saturating_mul(rows.stride))?;
    {
        let shared = Shared::matrix(&mut predictions, samples.len(), rows.stride, rows.stride);
        forward(model, &source, samples.len(), team, |worker, block, outputs| {
            shared.rows_mut(worker, block).copy_from_slice(outputs);
        })?;
    }
    // Moved to the front, not copied: there may be many.
    for sample in 0..samples.len() {
        let start = sample * rows.stride;
        predictions.copy_within(start..start + rows.classes, sample * rows.classes);
    }
    predictions.truncate(samples.len() * rows.classes);
    Ok(predictions)
}

/// The class probabilities of each of the samples, whatever their targets are.
///
/// # Errors
/// If the samples do not fit the model.
pub fn predict(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Vec<Vec<f32>>> {
    check_shape(model, samples)?;
    let count = samples.len();
    let source = Source::new(samples, Targets::Classes(&[]), data);
    let rows = rows_of(model);
    let mut probabilities = memory::filled("the probabilities", 0.0, count.saturating_mul(rows.stride))?;
    {
        let shared = Shared::matrix(&mut probabilities, count, rows.stride, rows.stride);
        forward(model, &source, count, team, |worker, block, outputs| {
            softmax(shared.rows_mut(worker, block), outputs, rows);
        })?;
    }
    Ok(without_padding(&probabilities, rows).map(<[f32]>::to_vec).collect())
}

fn without_padding(block: &[f32], rows: Rows) -> impl Iterator<Item = &[f32]> {
    block.chunks_exact(rows.stride).map(move |row| &row[..rows.classes])
}

/// What a model answers to one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Prediction {
    pub loss: f32,
    /// The class of the largest output, the first of several equal ones.
    pub class: usize,
    /// Of that class.
    pub probability: f32,
    /// The place of the sample's own class, by [`scores::rank`].
    pub rank: usize,
}

/// The model's answer to each of the samples.
///
/// # Errors
/// If the samples do not fit the model.
pub(super) fn predictions(
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

/// How rows of the model's outputs lie.
pub(super) fn rows_of(model: &Model) -> Rows {
    Rows { classes: model.outputs(), stride: padded(model.outputs()) }
}

/// Takes the first `count` samples of `source` through the network, and the outputs of each block of
/// them, `[samples, out]` with `out` padded, to `work`.
///
/// # Errors
/// If memory is short for what the layers derive from their parameters.
fn forward(
    model: &Model,
    source: &Source,
    count: usize,
    team: &Team,
    work: impl Fn(&Worker, Range<usize>, &[f32]) + Sync,
) -> Result<()> {
    let network = Network::new(model)?;
    let rows = ForwardPass::rows(model);
    memory::check("an evaluation", ForwardPass::bytes(model, count, team))?;
    // Made here, where a refusal is an error, and each taken by its worker. One without samples takes no
    // memory, and none takes more than its samples need.
    let shares = (0..team.threads()).map(|index| share(count, index, team.threads()).len());
    let passes = shares.map(|own| match own {
        0 => Ok(None),
        _ => ForwardPass::new(model, rows.min(own)).map(Some),
    });
    let passes = passes.map(|pass| pass.map(Mutex::new)).collect::<Result<Vec<_>>>()?;
    team.run(
        |worker| {
            // Nobody else asks for it.
            let mut pass = passes[worker.index()].lock().unwrap_or_else(PoisonError::into_inner);
            let Some(pass) = pass.as_mut() else { return };
            let share = worker.share(count);
            for start in share.clone().step_by(rows) {
                let block = start..(start + rows).min(share.end);
                work(worker, block.clone(), pass.run(&network, Some(worker), source, block));
            }
        },
        None,
    );
    Ok(())
}

/// What each layer derives from its parameters for the forward pass, made from them as they are now:
/// they may come from a file, from training, or be those of an earlier epoch.
fn derived(model: &Model) -> Result<Vec<Buffer<f32>>> {
    let lens = || model.layers().iter().map(|placed| placed.layer.derived_lens()[1]);
    memory::check(
        "what layers derive from their weights",
        lens().sum::<usize>().saturating_mul(size_of::<f32>()),
    )?;
    let zeros = lens().map(|len| Buffer::try_zeros("what layers derive from their weights", len));
    let mut derived = zeros.collect::<Result<Vec<_>>>()?;
    for (placed, derived) in model.layers().iter().zip(&mut derived) {
        if let Some(kind) = placed.layer.derived() {
            kind.derive_forward(derived, &model.storage()[placed.storage.clone()]);
        }
    }
    Ok(derived)
}

/// A model whose layers are ready for the forward pass.
pub(super) struct Network<M> {
    pub model: M,
    derived: Vec<Buffer<f32>>,
}

impl<M: Borrow<Model>> Network<M> {
    /// With what its layers derive from the parameters as they are now.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(model: M) -> Result<Network<M>> {
        let derived = derived(model.borrow())?;
        Ok(Network { model, derived })
    }
}

/// The memory of one thread's forward pass over blocks of samples.
pub(super) struct ForwardPass {
    input: Buffer<f32>,
    outputs: Vec<Buffer<f32>>,
    scratch: Buffer<f32>,
}

impl ForwardPass {
    /// For up to so many samples at once.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(model: &Model, rows: usize) -> Result<Self> {
        let features: usize = model.input().iter().product();
        let zeros = |len| Buffer::try_zeros("an evaluation", len);
        Ok(ForwardPass {
            input: zeros(rows * row_stride(features))?,
            outputs: Self::strides(model).map(|stride| zeros(rows * stride)).collect::<Result<_>>()?,
            scratch: zeros(Self::scratch(model, rows))?,
        })
    }

    /// Samples that are taken through the network together: fewer if they are images, which would
    /// not stay in the cache.
    pub fn rows(model: &Model) -> usize {
        let images = model.layers().iter().any(|placed| placed.layer.image().is_some());
        if images { together(Self::row(model), rows_at_once(model.layers())).min(BLOCK) } else { BLOCK }
    }

    /// Bytes of all workers that share so many samples.
    fn bytes(model: &Model, count: usize, team: &Team) -> usize {
        let rows = Self::rows(model).min(count.div_ceil(team.threads()));
        let workers = team.threads().min(count);
        Self::floats(model, rows).saturating_mul(workers).saturating_mul(size_of::<f32>())
    }

    /// Floats of all memory for so many rows.
    pub fn floats(model: &Model, rows: usize) -> usize {
        Self::row(model).saturating_mul(rows).saturating_add(Self::scratch(model, rows))
    }

    /// Floats of scratch for so many rows.
    fn scratch(model: &Model, rows: usize) -> usize {
        let of =
            |placed: &PlacedLayer| placed.layer.scratch_len().saturating_add(placed.layer.saved_len(rows));
        model.layers().iter().map(of).max().unwrap_or(0)
    }

    /// Floats of a row of all matrices.
    fn row(model: &Model) -> usize {
        let input = row_stride(model.input().iter().product());
        Self::strides(model).fold(input, usize::saturating_add)
    }

    /// Floats from row to row of each layer's output.
    fn strides(model: &Model) -> impl Iterator<Item = usize> {
        let last = model.layers().len() - 1;
        let layers = model.layers().iter().enumerate();
        layers.map(move |(index, placed)| Self::stride(placed.layer.columns(), index == last))
    }

    /// The losses take rows without gaps.
    fn stride(columns: usize, last: bool) -> usize {
        if last { columns } else { row_stride(columns) }
    }

    /// The outputs of up to [`BLOCK`] samples, `[samples, out]` with `out` padded.
    ///
    /// `worker` has the probes, if there are some.
    pub fn run<M: Borrow<Model>>(
        &mut self,
        network: &Network<M>,
        worker: Option<&Worker>,
        source: &Source,
        samples: Range<usize>,
    ) -> &[f32] {
        let model = network.model.borrow();
        let rows = samples.len();
        let features = source.width;
        let mut input = MatrixMut::new(&mut self.input, rows, features, row_stride(features));
        let gather = || {
            for (row, sample) in samples.enumerate() {
                source.gather(input.row(row), sample, 0..features);
            }
        };
        match worker {
            Some(worker) => {
                let cost = || source.gather_cost(rows, features);
                worker.probe(Operation::Gather, None, cost, gather);
            }
            None => gather(),
        }
        let last = model.layers().len() - 1;
        // Columns of an output, and floats from row to row.
        let form = |index: usize| {
            let columns = model.layers()[index].layer.columns();
            (columns, Self::stride(columns, index == last))
        };
        for (index, placed) in model.layers().iter().enumerate() {
            let (before, after) = self.outputs.split_at_mut(index);
            let read = |input| match input {
                Input::Data => MatrixRef::new(&self.input, rows, features, row_stride(features)),
                Input::Output(earlier) => {
                    let (columns, stride) = form(earlier);
                    MatrixRef::new(&before[earlier], rows, columns, stride)
                }
            };
            let x = read(placed.inputs.main);
            let (columns, stride) = form(index);
            let y = MatrixMut::new(&mut after[0], rows, columns, stride);
            let other = placed.inputs.other.map(read);
            let read_columns = x.columns() + other.map_or(0, |other| other.columns());
            let cost = || {
                let (parameters, moved) = (placed.storage.len(), rows * (read_columns + columns));
                let [parameters, moved] = [parameters, moved].map(|floats| floats * size_of::<f32>());
                let nominal_flops = placed.layer.flops().forward * rows as f64;
                Cost { nominal_flops, ..Cost::NONE.and(0, parameters, parameters).and(1, moved, moved) }
            };
            let (derived, scratch) = (&network.derived[index], &mut self.scratch);
            let storage = &model.storage()[placed.storage.clone()];
            let pass = Forward { y, x, storage, derived, columns: 0..columns, scratch, training: None };
            let compute = || placed.layer.infer(pass, other);
            match worker {
                Some(worker) => worker.probe(Operation::Forward, Some(index), cost, compute),
                None => compute(),
            }
        }
        &self.outputs[last][..rows * form(last).1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Recipe;

    /// Two large samples ask for two rows, however many threads there are.
    #[test]
    fn memory_is_that_of_the_samples_that_there_are() {
        let recipe = Recipe::built_in("digits-mlp").unwrap();
        let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
        let bytes = |count, threads| ForwardPass::bytes(&model, count, &Team::new(threads).unwrap());
        let one = bytes(1, 1);
        assert_eq!((bytes(2, 16), bytes(1, 16), bytes(0, 16)), (2 * one, one, 0));
        // Whatever the count, blocks are all that is taken.
        assert_eq!(bytes(10_000, 1), bytes(BLOCK, 1));
        assert_eq!(bytes(10_000, 16), 16 * bytes(BLOCK, 1));
        assert!(bytes(BLOCK, 1) > one && bytes(BLOCK, 1) <= BLOCK * one);
    }

    #[test]
    fn the_first_sample_without_a_finite_loss_is_named() {
        assert_eq!(not_finite(&[0.5, 0.0]), None);
        let seen = not_finite(&[0.5, f32::INFINITY, 0.0, f32::NAN]);
        assert_eq!(seen, Some(NotFinite { samples: 2, first: 1 }));
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
