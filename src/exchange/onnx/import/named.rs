//! Parameters by their names, for the model of a recipe.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::super::proto::{GraphProto, ModelProto};
use super::array::{Array, Values};
use super::graph::{fault_of_tensor, sizes};
use super::misfit::{format_error, shown};
use super::reading::readings;
use crate::error::Result;
use crate::model::saved::{self, SavedModel};
use crate::model::{Model, NamedTensor};

/// Names that an error lists of tensors which are left.
const MOST_LISTED: usize = 1000;

/// What files of fallline's own call an array that is made of parameters for an operator.
const DERIVED: &str = "/onnx";

/// What exporters call arrays that they have made themselves.
const MADE: [&str; 2] = ["/", "onnx::"];

/// Whether an exporter has made an array of this name for an operator.
fn is_made(name: &str) -> bool {
    MADE.iter().any(|start| name.starts_with(start)) || name.ends_with(DERIVED)
}

/// The floating-point tensors of a file, by name, but for constants that an exporter has made.
pub fn tensors(path: &Path, model: ModelProto) -> Result<Vec<NamedTensor>> {
    let arrays = arrays(path, model.graph.unwrap_or_default())?;
    let mut tensors: Vec<_> = arrays.into_iter().filter_map(|(name, array)| tensor(name, array)).collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

/// An array as a tensor, if it holds floats.
fn tensor(name: String, array: Rc<Array>) -> Option<NamedTensor> {
    match Rc::unwrap_or_clone(array) {
        Array { shape, values: Values::Floats(values) } => Some(NamedTensor { name, shape, values }),
        _ => None,
    }
}

/// The shape of a sample, as the one input of a file has it.
pub fn input(path: &Path, model: &ModelProto) -> Result<[usize; 3]> {
    model.graph.as_ref().map_or(Ok([1; 3]), |graph| input_of(path, graph))
}

/// The model that fallline wrote, by the metadata of its own file.
pub fn own(path: &Path, model: ModelProto) -> Result<SavedModel> {
    let entries = model.metadata_props.into_iter().map(|entry| (entry.key, entry.value));
    let metadata: BTreeMap<String, String> = entries.collect();
    let arrays = arrays(path, model.graph.unwrap_or_default())?;
    let numbers = arrays.values().map(|array| array.len()).sum();
    let mut saved = saved::of_metadata(path, &metadata, numbers, false)?;
    fill(path, &mut saved.model, arrays)?;
    Ok(saved)
}

/// The shape of a sample as the file has it.
fn input_of(path: &Path, graph: &GraphProto) -> Result<[usize; 3]> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| &*tensor.name).collect();
    let inputs: Vec<_> = graph.input.iter().filter(|input| !constants.contains(&*input.name)).collect();
    let [input] = inputs[..] else {
        let expected = "one input; `--input HxWxC` says its shape otherwise";
        return Err(format_error(path, "graph", expected, inputs.len().to_string()));
    };
    let readings = readings(path, &shown(&input.name), &sizes(path, input)?, None)?;
    // There is at least one.
    Ok(readings.first().map_or([1; 3], |reading| reading.input))
}

/// The floating-point tensors by their names.
fn arrays(path: &Path, graph: GraphProto) -> Result<HashMap<String, Rc<Array>>> {
    let mut arrays = HashMap::new();
    for mut tensor in graph.initializer {
        let name = std::mem::take(&mut tensor.name);
        if is_made(&name) {
            continue;
        }
        let array = Array::of(tensor).map_err(|fault| fault_of_tensor(path, &name, &fault))?;
        if array.as_floats().is_some() {
            arrays.insert(name, Rc::new(array));
        }
    }
    Ok(arrays)
}

/// Gives a model the arrays of its parameters' names.
fn fill(path: &Path, model: &mut Model, mut arrays: HashMap<String, Rc<Array>>) -> Result<()> {
    let (mut tensors, mut faults) = (Vec::new(), Vec::new());
    for (name, shape) in model.shapes() {
        match arrays.remove(&name) {
            Some(array) if array.shape == shape => {
                tensors.extend(tensor(name, array));
            }
            Some(array) => faults.push(format!("{name}: expected shape {shape:?}, found {:?}", array.shape)),
            None => faults.push(format!("{name}: expected shape {shape:?}, found none")),
        }
    }
    if !faults.is_empty() {
        let is_other = |(name, array): &(&String, &Rc<Array>)| !name.ends_with(DERIVED) && array.len() > 1;
        let mut left: Vec<_> = arrays.iter().filter(is_other).collect();
        left.sort_by_key(|(name, _)| (*name).clone());
        let left = left.iter().take(MOST_LISTED).map(|(name, array)| {
            format!("{}: of shape {:?}, and no parameter of this name", shown(name), array.shape)
        });
        faults.extend(left);
        let found = format!("others:\n  {}", faults.join("\n  "));
        return Err(format_error(path, "tensors", "those of the recipe's model", found));
    }
    tensors.iter().try_for_each(|tensor| saved::check_values(path, tensor))?;
    model.load_tensors(path, tensors)
}
