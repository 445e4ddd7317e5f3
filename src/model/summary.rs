//! What a model consists of, layer by layer; `report` makes a table of it.

use super::freeze::Frozen;
use super::network::{Model, PlacedLayer};
use crate::layers::trained_numbers;

/// One layer of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    /// The layer's module, which its tensors' names start with.
    pub name: String,
    /// Such as "dense + relu".
    pub kind: String,
    /// The shape of its output for one sample, such as "128".
    pub output: String,
    /// Trained numbers.
    pub parameters: usize,
    /// Floating-point operations of a training step, per sample.
    pub flops: f64,
    /// Whether the training leaves its parameters as they are.
    pub is_frozen: bool,
}

impl Model {
    /// Floating-point operations to train one sample: forward, backward (not of the first layer)
    /// and the gradient of the parameters; updates are not counted.
    pub fn train_flops_per_sample(&self) -> f64 {
        self.train_flops_per_sample_with(&Frozen::default())
    }

    /// The same of a training that leaves some layers as they are: without the gradients that it does not compute.
    pub fn train_flops_per_sample_with(&self, frozen: &Frozen) -> f64 {
        self.layers().iter().enumerate().map(|(index, placed)| frozen.train_flops(index, placed)).sum()
    }

    /// The table that is printed before training.
    pub fn summary(&self) -> Vec<SummaryRow> {
        self.summary_with(&Frozen::default())
    }

    /// The same of a training that leaves some layers as they are.
    pub fn summary_with(&self, frozen: &Frozen) -> Vec<SummaryRow> {
        let row = |(index, placed): (usize, &PlacedLayer)| SummaryRow {
            name: placed.module.clone(),
            kind: placed.layer.kind(),
            output: match placed.layer.image() {
                Some(image) => image.to_string(),
                None => placed.layer.outputs().to_string(),
            },
            parameters: trained_numbers(&placed.layer.parameters()),
            flops: frozen.train_flops(index, placed),
            is_frozen: frozen.is_frozen(index),
        };
        self.layers().iter().enumerate().map(row).collect()
    }

    /// Numbers that a training changes which leaves some layers as they are, padding not counted.
    pub fn trained_parameters(&self, frozen: &Frozen) -> usize {
        let trained = self.layers().iter().enumerate().filter(|(index, _)| !frozen.is_frozen(*index));
        trained.map(|(_, placed)| trained_numbers(&placed.layer.parameters())).sum()
    }
}
