//! A network: its layers and its parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::begun::InitialFile;
use super::checkpoint::{ModelFile, NamedTensor};
use super::inputs::Inputs;
use super::normalisation::Seen;
use super::recipe::ModelConfig;
use crate::data::table::Encoder;
use crate::data::text::Vocabulary;
use crate::kernels::simd::reduce;
use crate::layers::{Embedding, Node, ParameterSpec, trained_numbers};
use crate::losses::Loss;
use crate::model::{checkpoint, section};
use crate::tensor::Buffer;
use crate::{Error, Result, memory};

/// A feed-forward network: layers in order, and all their parameters in one buffer.
pub struct Model {
    pub(super) layers: Vec<PlacedLayer>,
    pub(super) parameters: Buffer<f32>,
    pub(super) input: [usize; 3],
    pub(super) config: ModelConfig,
    pub(super) seen: Seen,
    pub(super) initial: Option<InitialFile>,
}

/// A layer and where it stands.
pub struct PlacedLayer {
    pub layer: Node,
    /// What it reads.
    pub inputs: Inputs,
    /// Its module, which names its parameters: "3" by its number in the recipe, "3.layers.0" in a block.
    pub module: String,
    /// Its storage in the model's parameters.
    pub storage: Range<usize>,
    /// Whose storage that is, if another layer's: of an embedding whose table is the weights of the output layer.
    pub tied: Option<Tied>,
}

/// An embedding without parameters of its own.
pub struct Tied {
    /// The number of the layer whose weights its table is.
    pub owner: usize,
    /// It, which knows its part of their gradient.
    pub embedding: Embedding,
}

/// A name for each layer that no other has: its module's, or where one module is several layers, that and the number among
/// these, from 1: "3.attend.attention:2".
pub fn names_of(layers: &[PlacedLayer]) -> Vec<String> {
    let name = |(index, placed): (usize, &PlacedLayer)| {
        let of_module =
            |layers: &[PlacedLayer]| layers.iter().filter(|other| other.module == placed.module).count();
        match of_module(layers) {
            1 => placed.module.clone(),
            _ => format!("{}:{}", placed.module, of_module(&layers[..=index])),
        }
    };
    layers.iter().enumerate().map(name).collect()
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

    /// Positions of the sequence that the last layer gives: the pixels of an image, and 1 where it gives features.
    pub fn positions(&self) -> usize {
        self.layers.last().and_then(|last| last.layer.image()).map_or(1, |image| image.pixels())
    }

    /// Outputs of each position: the classes where targets are classes.
    pub fn classes(&self) -> usize {
        self.outputs() / self.positions().max(1)
    }

    /// What made its samples of a text, if it was trained on one.
    pub fn vocabulary(&self) -> Option<&Arc<Vocabulary>> {
        self.seen.vocabulary.as_ref()
    }

    pub fn loss(&self) -> &Loss {
        &self.config.loss
    }

    /// The layers and the loss that it was made of.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What it was last trained to see, or what its file says of that.
    #[doc(hidden)]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// What makes its samples of the rows of a table, if it was trained on one.
    pub fn encoder(&self) -> Option<&Arc<Encoder>> {
        self.seen.encoder.as_ref()
    }

    /// The file that its parameters begin with, if [`initialise`](Model::initialise) has read one: until a training has
    /// ended, whose record tells it then, or [`steps`](crate::Trainer::steps) have begun.
    pub fn initial(&self) -> Option<&InitialFile> {
        self.initial.as_ref()
    }

    /// What its parameters began with, which a training has changed.
    pub(crate) fn take_initial(&mut self) -> Option<InitialFile> {
        self.initial.take()
    }

    /// Remembers what its parameters began with.
    pub(crate) fn set_initial(&mut self, initial: Option<InitialFile>) {
        self.initial = initial;
    }

    /// Remembers what it is trained to see.
    pub(crate) fn set_seen(&mut self, seen: Seen) {
        self.seen = seen;
    }

    /// The layers, from input to output.
    #[doc(hidden)]
    pub fn layers(&self) -> &[PlacedLayer] {
        &self.layers
    }

    /// All parameters as they are stored, padding included.
    #[doc(hidden)]
    pub fn storage(&self) -> &[f32] {
        &self.parameters
    }

    /// The layers and, to be changed, their parameters.
    #[doc(hidden)]
    pub fn parts_mut(&mut self) -> (&[PlacedLayer], &mut [f32]) {
        (&self.layers, &mut self.parameters)
    }

    /// Trainable numbers, padding not counted.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|placed| trained_numbers(&placed.layer.parameters())).sum()
    }

    /// Where in [`storage`](Model::storage) lies what is not trained: running statistics, and what is fixed.
    pub(crate) fn statistics(&self) -> Vec<Range<usize>> {
        let places = |placed: &PlacedLayer| {
            let start = placed.storage.start;
            let place = move |spec: ParameterSpec| start + spec.range.start..start + spec.range.end;
            placed.layer.statistics().into_iter().map(place).collect::<Vec<_>>()
        };
        self.layers.iter().flat_map(places).collect()
    }

    /// Each parameter with the name that files give it, and what is not trained.
    pub(super) fn specs(&self) -> impl Iterator<Item = (String, ParameterSpec)> + '_ {
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
    #[doc(hidden)]
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
        self.specs().map(|named| copied(named, &self.parameters)).collect()
    }

    /// Names and shapes of all parameters, and of what is not trained, as files have them and in the order of the
    /// layers.
    #[doc(hidden)]
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.specs().map(|(name, spec)| (name, spec.shape)).collect()
    }

    /// The same of the trained parameters alone.
    #[doc(hidden)]
    pub fn trained_shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.trained().map(|(name, spec)| (name, spec.shape)).collect()
    }

    /// The trained parameters by their names, each with its place in [`storage`](Model::storage).
    pub(super) fn trained(&self) -> impl Iterator<Item = (String, ParameterSpec)> + '_ {
        let fixed = self.statistics();
        self.specs().filter(move |(_, spec)| !fixed.contains(&spec.range))
    }

    /// What stands for each trained parameter in numbers that lie as the parameters do, such as a slot of an update
    /// rule: with PyTorch's names, shapes and layouts.
    #[doc(hidden)]
    pub fn trained_tensors(&self, storage: &[f32]) -> Vec<NamedTensor> {
        self.trained().map(|named| copied(named, storage)).collect()
    }

    /// Inverts [`trained_tensors`](Model::trained_tensors): the numbers as the parameters lie, zeros in between.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if these are not one tensor for each trained parameter, of its shape.
    #[doc(hidden)]
    pub fn stored(&self, tensors: &[NamedTensor]) -> Result<Vec<f32>> {
        let mut storage = memory::filled("a slot of the optimizer", 0.0, self.parameters.len())?;
        let by_name: BTreeMap<&str, &NamedTensor> =
            tensors.iter().map(|tensor| (&*tensor.name, tensor)).collect();
        let mut count = 0;
        for (name, spec) in self.trained() {
            let expected: usize = spec.shape.iter().product();
            match by_name.get(&*name) {
                Some(tensor) if tensor.shape == spec.shape && tensor.values.len() == expected => {
                    spec.store(&mut storage, &tensor.values);
                }
                found => {
                    let found = found.map_or("none".into(), |tensor| format!("shape {:?}", tensor.shape));
                    let expected = format!("shape {:?}", spec.shape);
                    return Err(Error::Mismatch { what: format!("numbers for {name}"), expected, found });
                }
            }
            count += 1;
        }
        if count == tensors.len() {
            return Ok(storage);
        }
        let (expected, found) =
            (format!("{count}, as many as trained parameters"), tensors.len().to_string());
        Err(Error::Mismatch { what: "tensors for the parameters".into(), expected, found })
    }

    /// Writes all parameters and this metadata to a file, with PyTorch's names, shapes and layouts; of the
    /// parameters, a copy of one after the other is made.
    ///
    /// # Errors
    /// Those of [`checkpoint::save`].
    #[doc(hidden)]
    pub fn save_tensors(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        self.save_renamed(path, metadata, str::to_string)
    }

    /// [`save_tensors`](Model::save_tensors) with other names.
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub fn save_renamed(
        &self,
        path: &Path,
        metadata: &BTreeMap<String, String>,
        rename: impl Fn(&str) -> String,
    ) -> Result<()> {
        let specs: Vec<_> = self.specs().map(|(name, spec)| (rename(&name), spec)).collect();
        let shapes: Vec<_> = specs.iter().map(|(name, spec)| (&**name, &*spec.shape)).collect();
        let largest = shapes.iter().map(|(_, shape)| shape.iter().product()).max().unwrap_or(0);
        let mut values = memory::filled("a copy of a tensor", 0.0, largest)?;
        checkpoint::save_each(path, &shapes, metadata, |index, write| {
            let spec = &specs[index].1;
            let values = &mut values[..spec.shape.iter().product()];
            spec.read(values, &self.parameters);
            write(values)
        })
    }

    /// Takes all parameters from `tensors`, which came from the file `path`.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, or of another shape. The model is unchanged then.
    pub fn load_tensors(&mut self, path: &Path, tensors: Vec<NamedTensor>) -> Result<()> {
        let specs = self.checked(path, tensors.iter().map(|tensor| (&*tensor.name, &*tensor.shape)))?;
        let is_short = |tensor: &&NamedTensor| tensor.values.len() != tensor.shape.iter().product::<usize>();
        if let Some(short) = tensors.iter().find(is_short) {
            let expected = format!("as many values as shape {:?} says", short.shape);
            return Err(wrong_tensor(path, &short.name, expected, short.values.len().to_string()));
        }
        for tensor in &tensors {
            specs[&*tensor.name].store(&mut self.parameters, &tensor.values);
        }
        Ok(())
    }

    /// Takes all parameters from a file, one tensor after the other, each as `check` lets it pass: so none of
    /// them is in memory for long beside the model.
    ///
    /// # Errors
    /// As [`load_tensors`](Model::load_tensors), those of [`ModelFile::read_each`] and those of `check`. Some
    /// parameters may have been taken by then.
    #[doc(hidden)]
    pub fn load_file<R: Read>(
        &mut self,
        path: &Path,
        file: ModelFile<R>,
        check: impl Fn(&NamedTensor) -> Result<()>,
    ) -> Result<()> {
        let specs = self.checked(path, file.shapes())?;
        file.read_each(|tensor| {
            check(&tensor)?;
            specs[&*tensor.name].store(&mut self.parameters, &tensor.values);
            Ok(())
        })
    }

    /// The place of each parameter by its name, if tensors of these names and shapes are those of the model.
    fn checked<'a>(
        &self,
        path: &Path,
        tensors: impl Iterator<Item = (&'a str, &'a [usize])>,
    ) -> Result<BTreeMap<String, ParameterSpec>> {
        let specs: BTreeMap<_, _> = self.specs().collect();
        let mut found = BTreeSet::new();
        for (name, shape) in tensors {
            let Some(spec) = specs.get(name) else {
                let expected = "no tensor of this name in a model of its recipe".to_string();
                return Err(wrong_tensor(path, name, expected, format!("one of shape {shape:?}")));
            };
            if spec.shape != shape {
                let expected = format!("shape {:?}", spec.shape);
                return Err(wrong_tensor(path, name, expected, format!("shape {shape:?}")));
            }
            found.insert(name);
        }
        if let Some((name, spec)) = specs.iter().find(|(name, _)| !found.contains(&***name)) {
            let expected = format!("shape {:?}", spec.shape);
            return Err(wrong_tensor(path, name, expected, "no such tensor".into()));
        }
        Ok(specs)
    }
}

/// A tensor of this name, out of storage.
fn copied((name, spec): (String, ParameterSpec), storage: &[f32]) -> NamedTensor {
    let mut values = vec![0.0; spec.shape.iter().product()];
    spec.read(&mut values, storage);
    NamedTensor { name, shape: spec.shape, values }
}

pub(super) fn wrong_tensor(path: &Path, name: &str, expected: String, found: String) -> Error {
    Error::Format {
        path: path.to_path_buf(),
        place: format!("tensor {}", section::on_one_line(name)),
        expected,
        found,
    }
}
