//! Parameters by their names, for the model of a recipe.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::rc::Rc;

use super::super::proto::{GraphProto, ModelProto};
use super::array::Array;
use super::graph::{fault_of_tensor, sizes};
use super::misfit::{format_error, shown};
use super::reading::readings;
use crate::error::Result;
use crate::model::saved::{self, SavedModel};
use crate::model::{Model, NamedTensor, Recipe};

/// Names that an error lists of tensors which are left.
const MOST_LISTED: usize = 1000;

/// What files of fallline's own call an array that is made of parameters for an operator.
const DERIVED: &str = "/onnx";

/// The model of a recipe with the tensors of a file, some of which have other names there than in the model.
pub fn by_recipe(
    path: &Path,
    model: ModelProto,
    recipe: &Recipe,
    renamed: &[(String, String)],
    input: Option<[usize; 3]>,
) -> Result<Model> {
    let graph = model.graph.unwrap_or_default();
    let input = match input {
        Some(input) => input,
        None => input_of(path, &graph)?,
    };
    let mut arrays = arrays(path, graph)?;
    for (from, to) in renamed {
        let array = arrays.remove(from);
        let array = array
            .ok_or_else(|| format_error(path, "tensors", &format!("one called {}", shown(from)), "none"))?;
        arrays.insert(to.clone(), array);
    }
    let wanted = recipe.model.parameters(input)?;
    let found: usize = arrays.values().map(|array| array.len()).sum();
    if wanted > found {
        let expected = format!("{wanted} numbers, as the layers of the recipe have");
        return Err(format_error(path, "tensors", &expected, found.to_string()));
    }
    let classes = classes(recipe, input)?;
    let mut model = Model::build(&recipe.model, input, classes, recipe.train.seed)?;
    fill(path, &mut model, arrays)?;
    Ok(model)
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
    let is_constant = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let inputs: Vec<_> = graph.input.iter().filter(|input| !is_constant(&input.name)).collect();
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
        let array = Array::of(tensor).map_err(|fault| fault_of_tensor(path, &name, &fault))?;
        if array.as_floats().is_some() {
            arrays.insert(name, Rc::new(array));
        }
    }
    Ok(arrays)
}

/// Outputs of the model of a recipe for samples of this shape.
fn classes(recipe: &Recipe, input: [usize; 3]) -> Result<usize> {
    let layers = recipe.model.layers.iter();
    let builder = layers.fold(Model::of_images(input), |builder, layer| builder.layer(layer.clone()));
    Ok(builder.loss(recipe.model.loss.clone()).build()?.classes())
}

/// Gives a model the arrays of its parameters' names.
fn fill(path: &Path, model: &mut Model, mut arrays: HashMap<String, Rc<Array>>) -> Result<()> {
    let (mut tensors, mut faults) = (Vec::new(), Vec::new());
    for (name, shape) in model.shapes() {
        match arrays.remove(&name) {
            Some(array) if array.shape == shape => {
                let Array { shape, values } = Rc::unwrap_or_clone(array);
                let super::array::Values::Floats(values) = values else { continue };
                tensors.push(NamedTensor { name, shape, values });
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
        let found = format!("others (`--map FROM=TO` renames):\n  {}", faults.join("\n  "));
        return Err(format_error(path, "tensors", "those of the recipe's model", found));
    }
    tensors.iter().try_for_each(|tensor| saved::check_values(path, tensor))?;
    model.load_tensors(path, tensors)
}
