//! Models from ONNX files: by the graph, whose operators become layers, or by a recipe, whose parameters are taken from the file
//! by their names.

mod array;
mod assemble;
mod contents;
mod context;
mod file;
mod flow;
mod graph;
mod misfit;
mod named;
mod ops;
mod reading;
mod wire;

use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use contents::Contents;

use super::proto::ModelProto;
use crate::error::{Error, Result};
use crate::losses::{Loss, Outcome};
use crate::model::recipe::{LayerConfig, Override, Recipe};
use crate::model::saved::{self, SavedModel};
use crate::model::{Model, NamedTensor, Normalisation, Seen};
use assemble::{Assembled, End, assemble};
use graph::{Graph, Walked};
use reading::{Reading, readings};

/// What a file does not say, or says otherwise than it is wanted.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Height, width and channels of a sample.
    pub input: Option<[usize; 3]>,
    /// Without it, it follows from the end of the graph.
    pub loss: Option<Loss>,
    /// Settings of the data in the recipe of the model: what is done to samples before the network sees them.
    pub settings: Vec<Override>,
}

/// A model that came from a file of another program.
pub struct Imported {
    pub model: Model,
    /// What is saved with it: layers and loss, and what it sees of its data.
    pub recipe: Recipe,
    /// What was decided where the file left a choice, a line each.
    pub notes: Vec<String>,
}

impl Imported {
    /// Writes the model to a file that [`Model::load`] and the commands read.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; it is complete or not there.
    pub fn save(&self, path: &Path) -> Result<()> {
        let (input, classes) = (self.model.input(), self.model.classes());
        saved::write(path, &self.model, &self.recipe, input, classes, self.model.seen().element_type)
    }
}

/// An ONNX file that was read.
pub struct OnnxFile {
    path: PathBuf,
    model: ModelProto,
}

impl OnnxFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Format`] if it is no model of ONNX, or larger than 2 GiB.
    pub fn open(path: impl AsRef<Path>) -> Result<OnnxFile> {
        let path = path.as_ref();
        Ok(OnnxFile { path: path.to_path_buf(), model: file::read(path)? })
    }

    /// What is in it.
    pub fn contents(&self) -> Contents {
        Contents::of(&self.model)
    }

    /// Whether fallline wrote it: it then holds the recipe of its model.
    pub fn has_recipe(&self) -> bool {
        self.model.metadata_props.iter().any(|entry| entry.key == "recipe")
    }

    /// The model that the graph describes: each operator, or a few together, as a layer.
    ///
    /// # Errors
    /// [`Error::Format`] that lists all nodes which no layer stands for; for tensors that contradict themselves, several inputs
    /// or outputs, and sizes that neither the file nor `wishes` say; those of [`ModelBuilder::build`](crate::ModelBuilder::build).
    pub fn by_graph(self, wishes: &Wishes) -> Result<Imported> {
        let OnnxFile { path, model } = self;
        let graph = Graph::of(&path, model)?;
        let ways = readings(&path, &misfit::shown(&graph.input), &graph.sizes, wishes.input)?;
        let keeps_sigmoid = wishes.loss.as_ref().is_some_and(|loss| loss.kind().gives() != Outcome::Sigmoid);
        let (input, assembled) = best(&path, &graph, &ways, keeps_sigmoid)?;
        drop(graph);
        model_of(&path, input, assembled, wishes)
    }

    /// The shape of a sample, height, width and channels, as the input of the graph has it.
    ///
    /// # Errors
    /// [`Error::Format`] if there is not one input, or its sizes are not known.
    pub fn input(&self) -> Result<[usize; 3]> {
        named::input(&self.path, &self.model)
    }

    /// The parameters by their names: floating-point tensors, but for constants that an exporter has made. They are what a state
    /// dict is ([`import_tensors`](crate::exchange::weights::import_tensors)).
    ///
    /// # Errors
    /// [`Error::Format`] for tensors that contradict themselves.
    pub fn tensors(self) -> Result<Vec<NamedTensor>> {
        named::tensors(&self.path, self.model)
    }

    /// The model that fallline wrote, as it was saved, but for what `wishes` say of the data.
    ///
    /// # Errors
    /// [`Error::Format`] that lists all parameters which are missing or have another shape, or for metadata that make no sense.
    pub fn by_own_recipe(self, wishes: &Wishes) -> Result<Imported> {
        let OnnxFile { path, model } = self;
        let SavedModel { model, recipe, .. } = named::own(&path, model)?;
        let mut imported = Imported { model, recipe, notes: Vec::new() };
        if !wishes.settings.is_empty() {
            set_data(&mut imported, &wishes.settings)?;
        }
        Ok(imported)
    }
}

/// The layers by the first way to take the input in which all operators fit; else what does not in the way in which most do.
fn best(
    path: &Path,
    graph: &Graph,
    ways: &[Reading],
    keeps_sigmoid: bool,
) -> Result<([usize; 3], Assembled)> {
    let mut fewest: Option<Vec<misfit::Misfit>> = None;
    for way in ways {
        let Walked { context, end, mut misfits } = graph.walk(way);
        if let Some(end) = end.filter(|_| misfits.is_empty()) {
            match assemble(&context, &end, keeps_sigmoid) {
                Ok(assembled) => return Ok((context.input, assembled)),
                Err(faults) => {
                    misfits.extend(faults.into_iter().map(|(node, reason)| graph.misfit(node, reason)));
                }
            }
        }
        if fewest.as_ref().is_none_or(|fewest| misfits.len() < fewest.len()) {
            fewest = Some(misfits);
        }
    }
    Err(misfit::error(path, &fewest.unwrap_or_default()))
}

/// The model of these layers with their parameters.
fn model_of(path: &Path, input: [usize; 3], assembled: Assembled, wishes: &Wishes) -> Result<Imported> {
    let Assembled { layers, tensors, end, seen, takes_codes } = assembled;
    let (normalisation, note) = normalisation(path, seen, takes_codes)?;
    let mut notes = Vec::from_iter(note);
    let build = |loss: Loss| -> Result<Model> {
        let add = |builder: crate::ModelBuilder, layer: &LayerConfig| builder.layer(layer.clone());
        layers.iter().fold(Model::of_images(input), add).loss(loss).build()
    };
    let mut model = match (&wishes.loss, end) {
        (Some(loss), _) => build(loss.clone())?,
        (None, End::Sigmoid) => build(loss("binary-cross-entropy")?)?,
        (None, End::Softmax) => build(Loss::default())?,
        // One value is not the logit of a class.
        (None, End::Values) => {
            let model = build(Loss::MEAN_SQUARED_ERROR)?;
            if model.classes() == 1 {
                model
            } else {
                // One of them at a time is in memory.
                drop(model);
                build(Loss::default())?
            }
        }
    };
    notes.push(note_of_loss(path, &model, end, wishes.loss.is_some())?);
    let tensors = tensors.into_iter().map(|(name, tensor)| owned(name, tensor));
    let tensors: Vec<NamedTensor> = tensors.collect();
    tensors.iter().try_for_each(|tensor| saved::check_values(path, tensor))?;
    model.load_tensors(path, tensors)?;
    model.set_seen(Seen { normalisation, ..Seen::default() });
    let mut recipe = Recipe::of_model(model.config().clone());
    normalisation.put_into(&mut recipe.data);
    let mut imported = Imported { model, recipe, notes };
    set_data(&mut imported, &wishes.settings)?;
    Ok(imported)
}

fn owned(name: String, tensor: Rc<array::Array>) -> NamedTensor {
    let array::Array { shape, values } = Rc::unwrap_or_clone(tensor);
    let values = match values {
        array::Values::Floats(values) => values,
        array::Values::Integers(values) => values.into_iter().map(|value| value as f32).collect(),
    };
    NamedTensor { name, shape, values }
}

fn loss(name: &str) -> Result<Loss> {
    let kinds = || crate::losses::LossKind::all().into_iter();
    let found = kinds().find(|kind| kind.name() == name);
    found.map(Loss::of).ok_or_else(|| Error::unknown("model", "loss", name, kinds().map(|kind| kind.name())))
}

/// What samples go through at first, as a normalisation: x factor + shift = (x - mean) / deviation.
fn normalisation(
    path: &Path,
    [factor, shift]: [f32; 2],
    takes_codes: bool,
) -> Result<(Normalisation, Option<String>)> {
    if [factor, shift] == [1.0, 0.0] {
        // Codes that are bytes are not divided by 255.
        let scale = takes_codes.then_some(1.0);
        return Ok((Normalisation { scale, ..Normalisation::default() }, None));
    }
    let (mean, deviation) = (-shift / factor, 1.0 / factor);
    if !(mean.is_finite() && deviation.is_finite() && deviation > 0.0) {
        let found = format!("x times {factor} and {shift}");
        return Err(misfit::format_error(
            path,
            "graph",
            "a normalisation of the samples by finite numbers",
            found,
        ));
    }
    let note = format!("data: the graph's own normalisation is taken, (x - {mean}) / {deviation}");
    Ok((Normalisation { scale: Some(1.0), mean, deviation }, Some(note)))
}

/// Which loss was taken, and why; an error if it does not go with the end of the graph.
fn note_of_loss(path: &Path, model: &Model, end: End, is_wished: bool) -> Result<String> {
    let (name, gives) = (model.loss().name(), model.loss().kind().gives());
    let why = match end {
        _ if is_wished && end == End::Softmax && gives != Outcome::Softmax => {
            let expected = "a loss of the softmax of the outputs, for the graph ends in one";
            return Err(misfit::format_error(path, "graph", expected, format!("`{name}`")));
        }
        _ if is_wished => "as was said".to_string(),
        End::Softmax => "for the graph ends in a softmax, which the loss has itself".into(),
        End::Sigmoid => "for the graph ends in a sigmoid, which the loss has itself".into(),
        End::Values if model.classes() == 1 => "for there is one output; `--loss` says another".into(),
        End::Values => format!("for there are {} outputs; `--loss` says another", model.classes()),
    };
    Ok(format!("loss: {name}, {why}"))
}

/// Where settings come from, in messages.
const PLACE: &str = "command line";

/// Changes what the model sees of its data.
fn set_data(imported: &mut Imported, settings: &[Override]) -> Result<()> {
    // Without settings, what does not go comes from the graph.
    let place = if settings.is_empty() { "graph" } else { PLACE };
    if let Some(other) = settings.iter().find(|setting| !setting.path().starts_with("data.")) {
        return Err(Error::Setting {
            place: PLACE.into(),
            key: misfit::shown(other.path()),
            expected: "a setting of `data`: the graph says all else of the model".into(),
            found: "another setting".into(),
        });
    }
    let recipe = Recipe::parse_with(&imported.recipe.to_toml(), place, settings)?;
    let normalisation = Normalisation::of(&recipe.data);
    imported.model.set_seen(Seen { normalisation, ..imported.model.seen().clone() });
    imported.recipe.data = recipe.data;
    Ok(())
}
