//! Models as ONNX files: the operators of the format in the place of the layers, and in the metadata all that a model's own
//! file has beside its parameters.

mod activations;
mod attention;
mod attribute;
mod dense;
mod ends;
mod graph;
mod images;
mod layer;
mod normalisation;
mod recurrent;
mod sequences;
mod table;
mod table_input;
mod value;
mod walk;

use std::ops::RangeInclusive;
use std::path::Path;

use prost::Message;

use self::graph::Graph;
use self::walk::{Flow, Walk};
use super::proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};
use crate::data::table::Encoder;
use crate::error::{Error, Result};
use crate::model::{Model, Recipe, saved};
use crate::{atomic_file, memory};

/// The versions of the operators that can be written.
pub const OPSETS: RangeInclusive<i64> = 13..=21;

/// The version that is written where nothing is said: the first with layer normalisation, which runtimes of some years have.
pub const DEFAULT_OPSET: i64 = 17;

/// The most bytes of a message of protobuf.
const MOST_BYTES: usize = i32::MAX as usize;

/// The name of the graph.
const NAME: &str = "fallline";

/// How a model is written as an ONNX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnnxOptions {
    opset: i64,
    preprocessing: bool,
}

impl Default for OnnxOptions {
    fn default() -> OnnxOptions {
        OnnxOptions { opset: DEFAULT_OPSET, preprocessing: false }
    }
}

impl OnnxOptions {
    /// Operators of version 17; the graph reads and gives what the network does.
    pub fn new() -> OnnxOptions {
        OnnxOptions::default()
    }

    /// With operators of this version, from 13 to 21.
    pub fn opset(self, opset: i64) -> OnnxOptions {
        OnnxOptions { opset, ..self }
    }

    /// With normalisation and the encoding of a table's columns before the network, and probabilities, or values in their
    /// units, behind it.
    pub fn with_preprocessing(self) -> OnnxOptions {
        OnnxOptions { preprocessing: true, ..self }
    }
}

impl Model {
    /// Writes the model as an ONNX file, which onnxruntime and others run. It reads `input`, `[batch, features]`,
    /// `[batch, positions, channels]` or `[batch, channels, height, width]` of f32, or `[batch, positions]` codes of i64, and gives
    /// `output`, `[batch, outputs]` or `[batch, positions, outputs]`, as a [`Predictor`](crate::Predictor) does without
    /// normalisation. How it was trained is not in it.
    ///
    /// ```
    /// use fallline::{Activation, Model, OnnxOptions};
    ///
    /// let model = Model::sequential(3).dense(2, Activation::IDENTITY).build()?;
    /// let path = std::env::temp_dir().join(format!("model-{}.onnx", std::process::id()));
    /// model.save_onnx(&path, OnnxOptions::new().opset(17))?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Mismatch`] if operators of this version can't be written, the file would be larger than the format lets it
    /// be, a layer is a program's own, or columns of a table can't be encoded there; [`Error::Io`] if the file cannot be
    /// written; it is complete or not there.
    pub fn save_onnx(&self, path: impl AsRef<Path>, options: OnnxOptions) -> Result<()> {
        let mut recipe = Recipe::of_model(self.config().clone());
        self.seen().normalisation.put_into(&mut recipe.data);
        write(path.as_ref(), self, &recipe, options)
    }
}

/// Writes a model with the recipe that it was trained with.
///
/// # Errors
/// Those of [`Model::save_onnx`].
pub fn write(path: &Path, model: &Model, recipe: &Recipe, options: OnnxOptions) -> Result<()> {
    let message = export(model, recipe, options)?;
    let bytes = message.encoded_len();
    check_size(bytes)?;
    memory::check("an ONNX file", bytes)?;
    let bytes = message.encode_to_vec();
    atomic_file::write(path, |file| file.write_all(&bytes))
}

/// The model as a message of the format, with the recipe that it was trained with in the metadata.
///
/// # Errors
/// [`Error::Mismatch`] as [`Model::save_onnx`] says.
pub fn export(model: &Model, recipe: &Recipe, options: OnnxOptions) -> Result<ModelProto> {
    let OnnxOptions { opset, preprocessing } = options;
    if !OPSETS.contains(&opset) {
        return Err(Error::Mismatch {
            what: "version of ONNX operators (opset)".into(),
            expected: format!("an integer from {} to {}", OPSETS.start(), OPSETS.end()),
            found: opset.to_string(),
        });
    }
    let numbers = numbers(model);
    check_size(numbers.saturating_mul(size_of::<f32>()))?;
    // The parameters as they are, and as bytes.
    memory::check("a copy of the parameters", numbers.saturating_mul(2 * size_of::<f32>()))?;
    let mut graph = Graph::new(opset, model.tensors());
    let (input, value) = ends::input(&mut graph, model, preprocessing)?;
    let mut walk = Walk { graph: &mut graph, tied: tied(model) };
    let flow = walk.sequence(&model.config().layers, "", Flow { value, is_data: true })?;
    let output = ends::output(&mut graph, model, &flow.value, preprocessing);
    let mut graph = graph.finish(NAME);
    graph.doc_string = format!("input: {}; output: {}", input.doc_string, output.doc_string);
    (graph.input, graph.output) = (vec![input], vec![output]);
    Ok(ModelProto {
        ir_version: ir_version(opset),
        producer_name: NAME.to_string(),
        producer_version: env!("CARGO_PKG_VERSION").to_string(),
        doc_string: recipe.summary.clone(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: opset }],
        metadata_props: metadata(model, recipe, preprocessing),
        ..ModelProto::default()
    })
}

/// Numbers of all parameters, and of what is not trained.
fn numbers(model: &Model) -> usize {
    let specs = model
        .layers()
        .iter()
        .flat_map(|placed| placed.layer.parameters().into_iter().chain(placed.layer.statistics()));
    specs.map(|spec| spec.shape.iter().product::<usize>()).sum()
}

fn check_size(bytes: usize) -> Result<()> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: "size of the ONNX file".into(),
        expected: format!("at most {MOST_BYTES} bytes, which is the limit of its format"),
        found: format!("at least {bytes}"),
    })
}

/// The name of the parameter that the embedding at the front has in common with the output layer, if it has.
fn tied(model: &Model) -> Option<String> {
    let owner = model.layers().first()?.tied.as_ref()?.owner;
    Some(format!("{}.weight", model.layers()[owner].module))
}

/// The version of the format that came with a version of the operators.
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        _ => 10,
    }
}

/// What the model's own file would have beside its parameters, with the names of classes and of a table's columns.
fn metadata(model: &Model, recipe: &Recipe, preprocessing: bool) -> Vec<StringStringEntryProto> {
    let mut entries = saved::metadata(model, recipe);
    let as_json = |names: Vec<&str>| serde_json::to_string(&names).unwrap_or_default();
    if let Some(encoder) = model.encoder().map(|encoder| -> &Encoder { encoder }) {
        let names = encoder.target.class_names();
        if !names.is_empty() {
            entries.insert("class_names".into(), as_json(names.iter().map(String::as_str).collect()));
        }
        if preprocessing {
            entries.insert("columns".into(), as_json(table_input::names(encoder)));
        }
    }
    entries.insert("preprocessing".into(), preprocessing.to_string());
    entries.into_iter().map(|(key, value)| StringStringEntryProto { key, value }).collect()
}
