//! What stands in a network: a layer of one input, a merge of two, or a normalisation over the batch.

use std::fmt::Debug;

use super::batch_norm::BatchNorm;
use super::derived::Derived;
use super::layer::{Backward, Flops, Forward, Layer};
use super::parameter::ParameterSpec;
use super::sharding::{OneShard, Partitioning, Sharding};
use crate::kernels::image::Image;
use crate::tensor::{MatrixMut, MatrixRef, padded};

/// Where the gradient of an input goes.
pub struct InputGradient<'a> {
    /// `[rows, in]`
    pub rows: MatrixMut<'a>,
    /// Whether it is added to what is there, which other readers of the input gave.
    pub adds: bool,
}

/// What two branches of a network meet in. It has no parameters; its matrices are those of a [`Layer`].
pub trait Merge: Debug + Send + Sync {
    /// The name in tables: "add + relu".
    fn kind(&self) -> String;

    /// Features of a sample that come out, padding not counted.
    fn outputs(&self) -> usize;

    /// What comes out, if it is an image.
    fn image(&self) -> Option<Image>;

    /// Whether the output at each position of a sequence follows from the inputs at that position alone.
    fn is_apart(&self) -> bool {
        false
    }

    /// The output `y` `[rows, out]` of the inputs `x`, each `[rows, in]`.
    fn forward(&self, y: MatrixMut, x: [MatrixRef; 2]);

    /// Inverts [`forward`](Merge::forward): the gradients of the inputs, of which one that is the data has none, from
    /// that of the output, `dy` `[rows, out]`, which may be overwritten.
    fn backward(&self, dx: [Option<InputGradient>; 2], dy: MatrixMut, x: [MatrixRef; 2], y: MatrixRef);
}

/// A layer, by how it reads its input.
#[derive(Debug)]
pub struct Node {
    reads: Reads,
    /// The partition of a layer that says nothing of it.
    one: OneShard,
    /// Floats of storage for all parameters and statistics.
    stored: usize,
}

#[derive(Debug)]
enum Reads {
    /// One input, each row by itself.
    Row(Box<dyn Layer>),
    /// Two inputs, each row by itself.
    Two(Box<dyn Merge>),
    /// One input, in training the whole batch.
    Batch(Box<BatchNorm>),
}

impl Node {
    pub fn layer(layer: Box<dyn Layer>) -> Node {
        let len = layer.parameters().last().map_or(0, |last| last.range.end);
        let stored = layer.fixed().last().map_or(len, |last| last.range.end);
        Node { reads: Reads::Row(layer), one: OneShard { len }, stored }
    }

    pub fn merge(merge: Box<dyn Merge>) -> Node {
        Node { reads: Reads::Two(merge), one: OneShard { len: 0 }, stored: 0 }
    }

    pub fn batch_norm(norm: BatchNorm) -> Node {
        let stored = norm.running().end;
        Node { reads: Reads::Batch(Box::new(norm)), one: OneShard { len: 0 }, stored }
    }

    /// The layer, if it reads one input row by row.
    pub fn as_layer(&self) -> Option<&dyn Layer> {
        match &self.reads {
            Reads::Row(layer) => Some(layer.as_ref()),
            _ => None,
        }
    }

    /// The merge, if it has two inputs.
    pub fn as_merge(&self) -> Option<&dyn Merge> {
        match &self.reads {
            Reads::Two(merge) => Some(merge.as_ref()),
            _ => None,
        }
    }

    /// The normalisation, if its rows in training depend on each other.
    pub fn as_batch_norm(&self) -> Option<&BatchNorm> {
        match &self.reads {
            Reads::Batch(norm) => Some(norm),
            _ => None,
        }
    }

    /// The name in tables.
    pub fn kind(&self) -> String {
        match &self.reads {
            Reads::Row(layer) => layer.kind(),
            Reads::Two(merge) => merge.kind(),
            Reads::Batch(norm) => norm.kind(),
        }
    }

    /// Features of a sample that come out, padding not counted.
    pub fn outputs(&self) -> usize {
        match &self.reads {
            Reads::Row(layer) => layer.outputs(),
            Reads::Two(merge) => merge.outputs(),
            Reads::Batch(norm) => norm.outputs(),
        }
    }

    /// What comes out, if it is an image.
    pub fn image(&self) -> Option<Image> {
        match &self.reads {
            Reads::Row(layer) => layer.image(),
            Reads::Two(merge) => merge.image(),
            Reads::Batch(norm) => norm.image(),
        }
    }

    /// Columns of the output, padding included.
    pub fn columns(&self) -> usize {
        self.image().map_or(padded(self.outputs()), |image| image.columns())
    }

    /// The parameters.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        match &self.reads {
            Reads::Row(layer) => layer.parameters(),
            Reads::Two(_) => Vec::new(),
            Reads::Batch(norm) => norm.parameters(),
        }
    }

    /// Tensors that belong to the model and are not trained, in storage behind the parameters: running statistics, and what
    /// is fixed.
    pub fn statistics(&self) -> Vec<ParameterSpec> {
        match &self.reads {
            Reads::Row(layer) => layer.fixed(),
            Reads::Two(_) => Vec::new(),
            Reads::Batch(norm) => norm.statistics(),
        }
    }

    /// Floats of storage for all parameters and statistics.
    pub fn storage_len(&self) -> usize {
        self.stored
    }

    /// Sets the parameters whose initial values follow from those of the others, and the statistics.
    pub fn complete(&self, storage: &mut [f32]) {
        match &self.reads {
            Reads::Row(layer) => layer.complete(storage),
            Reads::Two(_) => {}
            Reads::Batch(norm) => norm.complete(storage),
        }
    }

    /// Work for one sample.
    pub fn flops(&self) -> Flops {
        self.as_layer().map_or(Flops::default(), |layer| layer.flops())
    }

    /// Floats of scratch, besides what is saved.
    pub fn scratch_len(&self) -> usize {
        match &self.reads {
            Reads::Row(layer) => layer.scratch_len(),
            Reads::Two(_) => 0,
            Reads::Batch(norm) => norm.scratch_len(),
        }
    }

    /// Floats that are saved of so many rows from the forward pass to the backward pass.
    pub fn saved_len(&self, rows: usize) -> usize {
        self.as_layer().map_or(0, |layer| layer.saved_len(rows))
    }

    /// Floats of a row's state that goes on from one sequence to the next.
    pub fn carried_len(&self) -> usize {
        self.as_layer().map_or(0, |layer| layer.carried_len())
    }

    /// Rows that take as long as one of them.
    pub fn rows_at_once(&self) -> usize {
        self.as_layer().map_or(1, |layer| layer.rows_at_once())
    }

    /// Whether the forward pass can be asked for some of the output columns only.
    pub fn splits_features(&self) -> bool {
        self.as_layer().is_some_and(|layer| layer.splits_features())
    }

    /// Whether the backward pass has work where nobody wants the gradient of the input.
    pub fn prepares_gradient(&self) -> bool {
        self.as_layer().is_none_or(|layer| layer.prepares_gradient())
    }

    /// Whether there are parameters whose gradient is computed for a part of the batch each time.
    pub fn sums_rows(&self) -> bool {
        match &self.reads {
            Reads::Row(layer) => self.one.len > 0 && layer.sums_rows(),
            Reads::Two(_) => false,
            Reads::Batch(_) => true,
        }
    }

    /// Whether there is anything to train.
    pub fn has_parameters(&self) -> bool {
        !self.parameters().is_empty()
    }

    /// How the parameters are partitioned among the workers of a training that wants this of it.
    pub fn partition(&self, wanted: Partitioning) -> Box<dyn Sharding> {
        let own = match &self.reads {
            Reads::Row(layer) => {
                let own = layer.partition(wanted);
                debug_assert_eq!(own.is_some(), layer.sharding().is_some(), "one without the other");
                own
            }
            Reads::Two(_) => None,
            Reads::Batch(norm) => Some(norm.partition(wanted)),
        };
        own.unwrap_or_else(|| Box::new(self.one))
    }

    /// What is made of the parameters after each update.
    pub fn derived(&self) -> Option<&dyn Derived> {
        self.as_layer().and_then(|layer| layer.derived())
    }

    /// Floats of what is made of the parameters, and how many of them the forward pass reads.
    pub fn derived_lens(&self) -> [usize; 2] {
        self.derived().map_or([0; 2], |derived| [derived.derived_len(), derived.forward_derived_len()])
    }

    /// The output of rows of what the node reads: `x`, and `other` for a merge. A normalisation by batch is one by
    /// its running statistics here; in training it goes through its stages one by one.
    pub fn forward(&self, pass: Forward, other: Option<MatrixRef>) {
        match &self.reads {
            Reads::Row(layer) => layer.forward(pass),
            Reads::Two(merge) => {
                let other = other.unwrap_or(pass.x);
                merge.forward(pass.y, [pass.x, other]);
            }
            Reads::Batch(norm) => norm.infer(pass),
        }
    }

    /// Inverts [`forward`](Node::forward) of what reads one input: of a normalisation by batch, that by its running
    /// statistics, which are constants then.
    pub fn backward(&self, pass: Backward) {
        match &self.reads {
            Reads::Row(layer) => layer.backward(pass),
            Reads::Two(_) => {}
            Reads::Batch(norm) => norm.backward_infer(pass),
        }
    }
}
