//! The forward pass: its cost for a layer by the shapes, in training and outside of it; and the pass through all layers
//! of a network outside of training.

use std::borrow::{Borrow, Cow};

use crate::layers::Forward;
use crate::model::{Model, Origin, PlacedLayer};
use crate::probe::{Cost, Operation};
use crate::team::{Team, Worker};
use crate::tensor::{Buffer, MatrixMut, MatrixRef, row_stride};
use crate::train::inference::order;
use crate::train::plan::{rows_at_once, together};
use crate::train::source::Source;
use crate::{Result, memory};

/// Samples that a worker takes through the network together.
pub(in crate::train) const BLOCK: usize = 112;

/// What the memory of copies is for, in messages.
const DERIVED: &str = "what layers derive from their weights";

/// The cost of some of a layer's output `columns` for rows of which it reads `read` columns.
pub(in crate::train) fn cost(placed: &PlacedLayer, rows: usize, read: usize, columns: usize) -> Cost {
    let share = columns as f64 / placed.layer.columns().max(1) as f64;
    let parameters = (placed.storage.len() as f64 * share) as usize * size_of::<f32>();
    let moved = rows * (read + columns) * size_of::<f32>();
    let nominal_flops = placed.layer.flops().forward * rows as f64 * share;
    Cost { nominal_flops, ..Cost::NONE.and(0, parameters, parameters).and(1, moved, moved) }
}

/// The derived storage of each layer for the forward pass, made from the parameters as they are now:
/// they may come from a file, from training, or be those of an earlier epoch.
fn derived(model: &Model) -> Result<Vec<Buffer<f32>>> {
    let lens = || model.layers().iter().map(|placed| placed.layer.derived_lens()[1]);
    memory::check(DERIVED, lens().sum::<usize>().saturating_mul(size_of::<f32>()))?;
    let zeros = lens().map(|len| Buffer::try_zeros(DERIVED, len));
    let mut derived = zeros.collect::<Result<Vec<_>>>()?;
    for (placed, derived) in model.layers().iter().zip(&mut derived) {
        if let Some(kind) = placed.layer.derived() {
            kind.derive_forward(derived, &model.storage()[placed.storage.clone()]);
        }
    }
    Ok(derived)
}

/// A model whose layers are ready for the forward pass.
pub(in crate::train) struct Network<M> {
    pub model: M,
    derived: Vec<Buffer<f32>>,
}

impl<M: Borrow<Model>> Network<M> {
    /// A network whose derived storage is made from the parameters as they are now.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(model: M) -> Result<Network<M>> {
        let derived = derived(model.borrow())?;
        Ok(Network { model, derived })
    }

    /// What the layer of this number derives for the forward pass.
    pub fn derived(&self, layer: usize) -> &[f32] {
        &self.derived[layer]
    }
}

/// The memory of one thread's forward pass over blocks of samples.
pub(in crate::train) struct ForwardPass {
    input: Buffer<f32>,
    outputs: Vec<Buffer<f32>>,
    scratch: Buffer<f32>,
    /// What each layer carries from sample to sample of a stream, `[rows, carried_len]`, if samples are parts of streams.
    carried: Option<Vec<Buffer<f32>>>,
}

impl ForwardPass {
    /// Memory for up to so many samples in one pass.
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
            carried: None,
        })
    }

    /// The same where each of up to so many rows goes on with the states that this row of the pass before has left.
    ///
    /// # Errors
    /// If memory is short.
    pub fn carrying(self, model: &Model, rows: usize) -> Result<Self> {
        let zeros =
            |placed: &PlacedLayer| Buffer::try_zeros("an evaluation", rows * placed.layer.carried_len());
        let carried = model.layers().iter().map(zeros).collect::<Result<_>>()?;
        Ok(ForwardPass { carried: Some(carried), ..self })
    }

    /// Bytes of what is carried of so many rows.
    pub fn carried_bytes(model: &Model, rows: usize) -> usize {
        let floats: usize = model.layers().iter().map(|placed| placed.layer.carried_len()).sum();
        floats.saturating_mul(rows).saturating_mul(size_of::<f32>())
    }

    /// Makes the next samples the first ones of their streams.
    pub fn forget(&mut self) {
        self.carried.iter_mut().flatten().for_each(|carried| carried.fill(0.0));
    }

    /// Samples that go through the network together: fewer if they are images, which would
    /// not stay in the cache.
    pub fn rows(model: &Model) -> usize {
        let images = model.layers().iter().any(|placed| placed.layer.image().is_some());
        if images { together(Self::row(model), rows_at_once(model.layers())).min(BLOCK) } else { BLOCK }
    }

    /// Bytes of the passes of all workers that share so many samples.
    pub fn bytes(model: &Model, count: usize, team: &Team) -> usize {
        let rows = Self::rows(model).min(count.div_ceil(team.threads()));
        let workers = team.threads().min(count);
        Self::floats(model, rows).saturating_mul(workers).saturating_mul(size_of::<f32>())
    }

    /// Floats of all buffers for so many rows.
    pub fn floats(model: &Model, rows: usize) -> usize {
        Self::row(model).saturating_mul(rows).saturating_add(Self::scratch(model, rows))
    }

    /// Floats of scratch for so many rows.
    fn scratch(model: &Model, rows: usize) -> usize {
        let of =
            |placed: &PlacedLayer| placed.layer.scratch_len().saturating_add(placed.layer.saved_len(rows));
        model.layers().iter().map(of).max().unwrap_or(0)
    }

    /// The output of the layer of this number, of one of the samples that [`run`](ForwardPass::run) has been through last:
    /// `[columns]`.
    pub fn output(&self, model: &Model, layer: usize, row: usize) -> &[f32] {
        let columns = model.layers()[layer].layer.columns();
        let stride = Self::stride(columns, layer + 1 == model.layers().len());
        &self.outputs[layer][row * stride..row * stride + columns]
    }

    /// Floats of a row, summed over all matrices.
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

    /// Floats from row to row of an output of so many columns: the losses take rows without gaps.
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
        samples: impl Into<order::Block>,
    ) -> &[f32] {
        let (model, samples) = (network.model.borrow(), samples.into());
        let rows = samples.count;
        let features = source.width;
        let mut input = MatrixMut::new(&mut self.input, rows, features, row_stride(features));
        let lengths = match samples.step {
            1 => Cow::Borrowed(source.lengths.get(samples.first..samples.first + rows).unwrap_or(&[])),
            _ => samples.samples().filter_map(|sample| source.lengths.get(sample).copied()).collect(),
        };
        let mut gather = || source.gather_rows(&mut input, samples.samples(), 0..features);
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
                Origin::Data => MatrixRef::new(&self.input, rows, features, row_stride(features)),
                Origin::Output(earlier) => {
                    let (columns, stride) = form(earlier);
                    MatrixRef::new(&before[earlier], rows, columns, stride)
                }
            };
            let x = read(placed.inputs.main);
            let (columns, stride) = form(index);
            let y = MatrixMut::new(&mut after[0], rows, columns, stride);
            let other = placed.inputs.other.map(read);
            let read_columns = x.columns() + other.map_or(0, |other| other.columns());
            let cost = || cost(placed, rows, read_columns, columns);
            let (derived, scratch) = (&network.derived[index], &mut self.scratch);
            let storage = &model.storage()[placed.storage.clone()];
            let len = placed.layer.carried_len();
            let carried = self.carried.as_mut().filter(|_| len > 0);
            let carried = carried.map(|carried| MatrixMut::new(&mut carried[index], rows, len, len));
            let pass = Forward {
                y,
                x,
                storage,
                derived,
                columns: 0..columns,
                scratch,
                training: None,
                lengths: if source.has_lengths_of(model.layers(), index) { &lengths } else { &[] },
                carried,
            };
            let compute = || placed.layer.forward(pass, other);
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
}
