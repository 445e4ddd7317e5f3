//! From a recipe's text to a network: recipes, the layers with their parameters, saved models.

mod build;
pub mod checkpoint;
mod inputs;
pub mod recipe;
pub mod saved;
mod section;
mod summary;

use std::ops::Range;
use std::path::Path;

pub use checkpoint::NamedTensor;
pub use inputs::{Input, Inputs};
pub use recipe::{ModelConfig, Recipe};
pub use summary::SummaryRow;

use crate::kernels::{image, panels, reduce};
use crate::layers::{Arrangement, Layer, ParameterSpec};
use crate::losses::Loss;
use crate::tensor::Buffer;
use crate::{Error, Result};

/// A feed-forward network: layers in order, and all their parameters in one buffer.
pub struct Model {
    layers: Vec<PlacedLayer>,
    parameters: Buffer<f32>,
    input: [usize; 3],
    loss: Loss,
}

/// A layer and where it stands.
pub struct PlacedLayer {
    pub layer: Box<dyn Layer>,
    /// What it reads.
    pub inputs: Inputs,
    /// Its module, which names its parameters: "3" by its number in the recipe, "3.layers.0" in a block.
    pub module: String,
    /// Its storage in the model's parameters.
    pub storage: Range<usize>,
}

impl Model {
    /// Height, width and channels of a sample.
    pub fn input(&self) -> [usize; 3] {
        self.input
    }

    /// Features of a sample that the last layer gives: the number of classes.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |last| last.layer.outputs())
    }

    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// The layers, from input to output.
    pub fn layers(&self) -> &[PlacedLayer] {
        &self.layers
    }

    /// All parameters as they are stored, padding included.
    pub fn storage(&self) -> &[f32] {
        &self.parameters
    }

    /// The layers and, to be changed, their parameters.
    pub fn parts_mut(&mut self) -> (&[PlacedLayer], &mut [f32]) {
        (&self.layers, &mut self.parameters)
    }

    /// Lets layers own whole columns of weights, or not, as [`Layer::own_whole_columns`] says.
    pub(crate) fn own_whole_columns(&mut self, whole: bool) {
        self.layers.iter_mut().for_each(|placed| placed.layer.own_whole_columns(whole));
    }

    /// Lets the first layer own its weights by inputs, or not, as [`Layer::own_by_inputs`] says.
    pub(crate) fn own_by_inputs(&mut self, by_inputs: bool) {
        self.layers.iter_mut().take(1).for_each(|placed| placed.layer.own_by_inputs(by_inputs));
    }

    /// Trainable numbers, padding not counted.
    pub fn parameters(&self) -> usize {
        let specs = self.layers.iter().flat_map(|placed| placed.layer.parameters());
        specs.map(|spec| spec.shape.iter().product::<usize>()).sum()
    }

    /// Where in [`storage`](Model::storage) the running statistics lie.
    pub(crate) fn statistics(&self) -> Vec<Range<usize>> {
        let places = |placed: &PlacedLayer| {
            let start = placed.storage.start;
            let place = move |spec: ParameterSpec| start + spec.range.start..start + spec.range.end;
            placed.layer.statistics().into_iter().map(place).collect::<Vec<_>>()
        };
        self.layers.iter().flat_map(places).collect()
    }

    /// Floating-point operations to train one sample: forward, backward (not of the first layer)
    /// and the gradient of the parameters; updates are not counted.
    pub fn train_flops_per_sample(&self) -> f64 {
        self.layers.iter().map(|placed| train_flops(placed.layer.as_ref())).sum()
    }

    /// The table that is printed before training.
    pub fn summary(&self) -> Vec<SummaryRow> {
        let row = |placed: &PlacedLayer| SummaryRow {
            name: placed.module.clone(),
            kind: placed.layer.kind(),
            output: match placed.layer.image() {
                Some(image) => image.to_string(),
                None => placed.layer.outputs().to_string(),
            },
            parameters: placed
                .layer
                .parameters()
                .iter()
                .map(|spec| spec.shape.iter().product::<usize>())
                .sum(),
            flops: train_flops(placed.layer.as_ref()),
        };
        self.layers.iter().map(row).collect()
    }

    /// Each parameter with the name that files give it, and what is not trained.
    fn specs(&self) -> impl Iterator<Item = (String, ParameterSpec)> + '_ {
        self.layers.iter().flat_map(|placed| {
            let specs = placed.layer.parameters().into_iter().chain(placed.layer.statistics());
            specs.map(|mut spec| {
                let start = placed.storage.start;
                spec.range = start + spec.range.start..start + spec.range.end;
                (format!("{}.{}", placed.module, spec.name), spec)
            })
        })
    }

    /// The first parameter that holds a number which is not finite, by its name in files, and that
    /// number.
    pub fn first_not_finite(&self) -> Option<(String, f32)> {
        self.first_not_finite_among(&self.parameters)
    }

    /// The same among other parameters, stored as [`storage`](Model::storage) stores them.
    pub fn first_not_finite_among(&self, parameters: &[f32]) -> Option<(String, f32)> {
        self.specs().find_map(|(name, spec)| {
            let stored = &parameters[spec.range];
            // Fast where all is well.
            let found = (!reduce::all_finite(stored)).then(|| stored.iter().find(|value| !value.is_finite()));
            found.flatten().map(|&value| (name, value))
        })
    }

    /// A copy of all parameters, with PyTorch's names, shapes and layouts.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        let tensor = |(name, spec): (String, ParameterSpec)| {
            let len: usize = spec.shape.iter().product();
            let mut values = vec![0.0; len];
            let stored = &self.parameters[spec.range.clone()];
            match spec.arrangement {
                Arrangement::Plain => values.copy_from_slice(&stored[..len]),
                Arrangement::Panels => panels::unpack(&mut values, stored, spec.shape[0], spec.shape[1]),
                Arrangement::Kernels => panels::unpack_kernels(&mut values, stored, spec.kernels()),
                Arrangement::GroupedKernels { groups } => {
                    panels::unpack_groups(&mut values, stored, spec.kernels(), groups);
                }
                Arrangement::Pixels => image::flatten(&mut values, stored, spec.pixels()),
            }
            NamedTensor { name, shape: spec.shape, values }
        };
        self.specs().map(tensor).collect()
    }

    /// Takes all parameters from `tensors`, which came from the file `path`.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, or of another shape. The model is unchanged then.
    pub fn load_tensors(&mut self, path: &Path, tensors: Vec<NamedTensor>) -> Result<()> {
        let specs: Vec<_> = self.specs().collect();
        let wrong = |name: &str, expected: String, found: String| Error::Format {
            path: path.to_path_buf(),
            place: format!("tensor {}", section::on_one_line(name)),
            expected,
            found,
        };
        if let Some(extra) = tensors.iter().find(|tensor| specs.iter().all(|(name, _)| *name != tensor.name))
        {
            return Err(wrong(
                &extra.name,
                "no tensor of this name in a model of its recipe".into(),
                format!("one of shape {:?}", extra.shape),
            ));
        }
        let mut found = Vec::with_capacity(specs.len());
        for (name, spec) in &specs {
            let expected = || format!("shape {:?}", spec.shape);
            let tensor = tensors
                .iter()
                .find(|tensor| tensor.name == *name)
                .ok_or_else(|| wrong(name, expected(), "no such tensor".into()))?;
            if tensor.shape != spec.shape || tensor.values.len() != spec.shape.iter().product::<usize>() {
                return Err(wrong(name, expected(), format!("shape {:?}", tensor.shape)));
            }
            found.push(tensor);
        }
        for ((_, spec), tensor) in specs.iter().zip(found) {
            self.set(spec, &tensor.values);
        }
        Ok(())
    }

    /// Stores one parameter given in PyTorch's layout.
    fn set(&mut self, spec: &ParameterSpec, values: &[f32]) {
        let stored = &mut self.parameters[spec.range.clone()];
        match spec.arrangement {
            Arrangement::Plain => stored[..values.len()].copy_from_slice(values),
            Arrangement::Panels => panels::pack(stored, values, spec.shape[0], spec.shape[1]),
            Arrangement::Kernels => panels::pack_kernels(stored, values, spec.kernels()),
            Arrangement::GroupedKernels { groups } => {
                panels::pack_groups(stored, values, spec.kernels(), groups);
            }
            Arrangement::Pixels => image::unflatten(stored, values, spec.pixels()),
        }
    }
}

fn train_flops(layer: &dyn Layer) -> f64 {
    let flops = layer.flops();
    flops.forward + flops.backward + flops.gradient
}
