//! Reading the golden files, and the networks that they speak of.

use std::path::Path;

use fallline::data::Samples;
use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::Session;
use serde_json::Value;

use super::compare::largest_deviation;
use super::runs::first_losses;
use super::splitmix;

/// A file of `tests/golden`.
pub fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cases of a golden file.
pub fn cases(file: &Value) -> &[Value] {
    file["cases"].as_array().expect("an array of cases")
}

/// A string of a golden file.
pub fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// The numbers of a value, of an array, or of arrays within an array, in their order.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().expect("a number")],
    }
}

/// Whole numbers.
pub fn integers(value: &Value) -> Vec<u64> {
    let integer = |value: &Value| value.as_u64().expect("a whole number");
    value.as_array().expect("an array").iter().map(integer).collect()
}

/// A whole number that counts something.
pub fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a count")).expect("a count that fits")
}

/// Of pictures such as MNIST's, the first ones, as many as a case has.
pub fn samples(case: &Value, pixels: &[u8], labels: &[u8]) -> Samples {
    let samples = count(&case["samples"]);
    let (pixels, labels) = (pixels[..samples * 28 * 28].to_vec(), labels[..samples].to_vec());
    Samples::images(pixels, [28, 28, 1], labels, 10).unwrap()
}

/// The activations of a case's layers.
pub fn activations(case: &Value) -> Vec<&str> {
    case["activations"].as_array().expect("an array").iter().map(text).collect()
}

/// The optimizer of a case, momentum, as a recipe has it.
pub fn momentum(case: &Value) -> String {
    let options = &case["optimizer"];
    format!(
        "name = \"momentum\"\nlearning_rate = {}\nmomentum = {}\nweight_decay = {}",
        options["lr"], options["momentum"], options["weight_decay"]
    )
}

/// The recipe of a case: the network of its `dims`, `activations` and `loss`, and these tables.
pub fn recipe(case: &Value, activations: &[&str], optimizer: &str, batch: usize) -> Recipe {
    let loss = text(&case["loss"]).replace('_', "-");
    let dims = integers(&case["dims"]);
    let mut layers = String::new();
    for (layer, units) in dims[1..].iter().enumerate() {
        layers += &format!("[[model.layers]]\ntype = \"dense\"\nunits = {units}\n");
        if let Some(activation) = activations.get(layer) {
            layers += &format!("activation = \"{}\"\n", activation.replace('_', "-"));
        }
    }
    let toml = format!(
        "name = \"golden\"\n[data]\nset = \"folder\"\n[model]\nloss = \"{loss}\"\n{layers}\
         [optimizer]\n{optimizer}\n[train]\nbatch = {batch}\nshuffle = false\n"
    );
    Recipe::parse(&toml, "golden recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

/// Gives a model of dense layers of these sizes the golden files' initial values.
pub fn initialise(model: &mut Model, dims: &[u64]) {
    let mut tensors = Vec::new();
    for (layer, pair) in dims.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0] as usize, pair[1] as usize);
        let number = layer as u64;
        // As in PyTorch's `Sequential`, activations count as modules.
        let name = |parameter| format!("{}.{parameter}", 2 * layer);
        let weight = splitmix::weights(number, outputs, inputs);
        let bias = splitmix::biases(number, outputs);
        tensors.push(NamedTensor { name: name("weight"), shape: vec![outputs, inputs], values: weight });
        tensors.push(NamedTensor { name: name("bias"), shape: vec![outputs], values: bias });
    }
    model.load_tensors(Path::new("golden"), tensors).expect("the tensors of this model");
}

/// The losses of as many steps of a case's network as the case has.
pub fn losses(case: &Value, samples: &Samples, recipe: &Recipe, threads: usize) -> Vec<f64> {
    let dims = integers(&case["dims"]);
    let outputs = *dims.last().expect("layers") as usize;
    let mut model = Model::build(&recipe.model, samples.shape(), outputs, 1).unwrap();
    initialise(&mut model, &dims);
    let team = Team::new(threads).unwrap();
    let mut session = Session::new(&mut model, samples, recipe, &team).unwrap();
    first_losses(&mut session, numbers(&case["losses"]).len())
}

/// The largest relative deviation of losses from those of a case.
pub fn loss_deviation(losses: &[f64], case: &Value) -> f64 {
    largest_deviation(losses, &numbers(&case["losses"]), 0.0)
}
