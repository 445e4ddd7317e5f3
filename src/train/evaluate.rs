//! The forward pass alone: accuracy on a split, probabilities of single images.

use super::record::Evaluation;
use super::run::labels_for;
use super::step::Source;
use crate::data::Samples;
use crate::kernels::loss::{self, Rows};
use crate::kernels::reduce;
use crate::losses::Scores;
use crate::model::Model;
use crate::model::recipe::DataConfig;
use crate::team::{Shared, Team};
use crate::tensor::{Buffer, MatrixMut, MatrixRef, padded, row_stride};
use crate::{Error, Result};

/// Samples that a worker takes through the network together.
const BLOCK: usize = 112;

/// Mean loss and accuracy of `model` on `samples`.
///
/// # Errors
/// If the samples do not fit the model.
pub fn evaluate(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Evaluation> {
    let labels = labels_for(model, samples)?;
    let source = Source::new(samples, labels, data);
    let rows = Rows { classes: model.outputs(), stride: padded(model.outputs()) };
    let mut losses = vec![0.0; samples.len()];
    let mut correct = vec![0; samples.len()];
    {
        let (losses, correct) = (Shared::array(&mut losses), Shared::array(&mut correct));
        team.run(
            |worker| {
                let mut pass = ForwardPass::new(model);
                let share = worker.share(samples.len());
                for start in share.clone().step_by(BLOCK) {
                    let block = start..(start + BLOCK).min(share.end);
                    let outputs = pass.run(&source, block.clone());
                    let scores = Scores {
                        losses: losses.write(worker, block.clone()),
                        correct: correct.write(worker, block.clone()),
                    };
                    model.loss().value(scores, outputs, &labels[block], rows);
                }
            },
            None,
        );
    }
    let count = samples.len() as f64;
    Ok(Evaluation {
        loss: reduce::sum_f64(&losses) / count,
        accuracy: correct.iter().map(|&hit| f64::from(hit)).sum::<f64>() / count,
    })
}

/// The class probabilities of each of `images`, bytes of the shape of the model's input.
///
/// # Errors
/// If the bytes are not whole images.
pub fn predict(model: &Model, images: &[u8], data: &DataConfig, team: &Team) -> Result<Vec<Vec<f32>>> {
    let size: usize = model.input().iter().product();
    if !images.len().is_multiple_of(size) {
        return Err(Error::Mismatch {
            what: "bytes of the images".into(),
            expected: format!("a multiple of {size}"),
            found: images.len().to_string(),
        });
    }
    let count = images.len() / size;
    let samples = Samples::images(images.to_vec(), model.input(), vec![0; count], model.outputs())?;
    let source = Source::new(&samples, labels_for(model, &samples)?, data);
    let rows = Rows { classes: model.outputs(), stride: padded(model.outputs()) };
    let mut probabilities = vec![0.0; count * rows.stride];
    {
        let shared = Shared::matrix(&mut probabilities, count, rows.stride, rows.stride);
        team.run(
            |worker| {
                let mut pass = ForwardPass::new(model);
                let share = worker.share(count);
                for start in share.clone().step_by(BLOCK) {
                    let block = start..(start + BLOCK).min(share.end);
                    let outputs = pass.run(&source, block.clone());
                    loss::softmax(shared.rows_mut(worker, block), outputs, rows);
                }
            },
            None,
        );
    }
    Ok(probabilities.chunks(rows.stride).map(|row| row[..rows.classes].to_vec()).collect())
}

/// One worker's forward pass over blocks of samples.
struct ForwardPass<'a> {
    model: &'a Model,
    input: Buffer<f32>,
    outputs: Vec<Buffer<f32>>,
}

impl<'a> ForwardPass<'a> {
    fn new(model: &'a Model) -> Self {
        let features = model.input().iter().product();
        let last = model.layers().len() - 1;
        let output = |(index, placed): (usize, &crate::model::PlacedLayer)| {
            Buffer::zeros(BLOCK * Self::stride(placed.layer.outputs(), index == last))
        };
        ForwardPass {
            model,
            input: Buffer::zeros(BLOCK * row_stride(features)),
            outputs: model.layers().iter().enumerate().map(output).collect(),
        }
    }

    /// The losses take rows without gaps.
    fn stride(outputs: usize, last: bool) -> usize {
        if last { padded(outputs) } else { row_stride(padded(outputs)) }
    }

    /// The outputs of up to [`BLOCK`] samples, `[samples, out]` with `out` padded.
    fn run(&mut self, source: &Source, samples: std::ops::Range<usize>) -> &[f32] {
        let rows = samples.len();
        let features = source.width;
        let mut input = MatrixMut::new(&mut self.input, rows, features, row_stride(features));
        for (row, sample) in samples.enumerate() {
            source.gather(input.row(row), sample);
        }
        let last = self.model.layers().len() - 1;
        let mut columns = features;
        let mut stride = row_stride(features);
        for (index, placed) in self.model.layers().iter().enumerate() {
            let (before, after) = self.outputs.split_at_mut(index);
            let x = MatrixRef::new(before.last().unwrap_or(&self.input), rows, columns, stride);
            columns = padded(placed.layer.outputs());
            stride = Self::stride(columns, index == last);
            let y = MatrixMut::new(&mut after[0], rows, columns, stride);
            placed.layer.forward(y, x, &self.model.storage()[placed.storage.clone()], 0..columns);
        }
        &self.outputs[last][..rows * stride]
    }
}
