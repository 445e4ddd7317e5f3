//! The backward pass of layers that share an input with others, or have two.

use std::ops::Range;

use super::{Block, Step};
use crate::kernels::elementwise::merge;
use crate::layers::{Backward, InputGradient};
use crate::model::{Origin, PlacedLayer};
use crate::team::Worker;
use crate::tensor::MatrixMut;
use crate::train::plan::workspace::{Activations, Shares};

impl<'a> Step<'a> {
    /// The input of a layer: the data, or the output of an earlier layer.
    pub(super) fn input_of(&self, index: usize) -> &Activations<Shares<'a>> {
        self.read_from(self.layers[index].inputs.main)
    }

    /// The buffer of a layer's input.
    pub(super) fn read_from(&self, input: Origin) -> &Activations<Shares<'a>> {
        match input {
            Origin::Data => &self.memory.inputs,
            Origin::Output(index) => &self.memory.outputs[index],
        }
    }

    /// The buffer of the gradient of a layer's input; the data have none, nor has what the backward pass does not come to.
    pub(super) fn gradient_of(&self, input: Origin) -> Option<&Activations<Shares<'a>>> {
        match input {
            Origin::Output(index) if self.plan.frozen.reaches(index) => Some(&self.memory.gradients[index]),
            Origin::Data | Origin::Output(_) => None,
        }
    }

    /// The backward pass of a layer that is not [plain](crate::train::plan::Merges::is_plain).
    pub(super) fn backward_merged(&self, worker: &Worker, index: usize, rows: Range<usize>, block: Block) {
        let PlacedLayer { layer, inputs, storage, .. } = &self.layers[index];
        let adds = self.plan.rows.merges.adds(index);
        let gradient = &self.memory.gradients[index];
        let dy = gradient.write(worker, rows.clone(), 0..gradient.columns());
        let x = self.read_from(inputs.main).read(worker, rows.clone());
        let y = self.memory.outputs[index].read(worker, rows.clone());
        let dx = |input: Origin| {
            let dx = self.gradient_of(input)?;
            Some(dx.write(worker, rows.clone(), 0..dx.columns()))
        };
        if let Some(other) = inputs.other {
            let gradient = |input, adds| dx(input).map(|rows| InputGradient { rows, adds });
            let dx = [gradient(inputs.main, adds[0]), gradient(other, adds[1])];
            if let Some(merge) = layer.as_merge() {
                merge.backward(dx, dy, [x, self.read_from(other).read(worker, rows.clone())], y);
            }
            return;
        }
        // The layer's own contribution, and then its sum with those of the readers after it.
        let Some(mut sum) = dx(inputs.main) else { return };
        let mut own = self.memory.branch.write(worker, rows.clone(), 0..sum.columns());
        let derived = &self.memory.derived[index];
        layer.backward(Backward {
            dx: Some(own.reborrow()),
            dy,
            x,
            y,
            storage: self.parameters.read(worker, storage.clone()),
            derived: derived.read(worker, 0..derived.columns()),
            scratch: self.scratch(worker, index),
            training: Some(&self.training(index, &rows, block)),
            lengths: self.lengths(worker, index, rows.clone()),
        });
        add_rows(&mut sum, &mut own);
    }
}

/// Adds a layer's contribution, `own`, to the `sum` of the others', both `[rows, columns]`.
pub(super) fn add_rows(sum: &mut MatrixMut, own: &mut MatrixMut) {
    for row in 0..sum.rows() {
        merge::add(sum.row(row), own.row(row));
    }
}
