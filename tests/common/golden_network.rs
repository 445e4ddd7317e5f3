//! The networks of images of which the golden files have layers, tensors by PyTorch's names, and samples.

use std::path::Path;

use fallline::data::{Samples, Targets};
use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::Session;
use serde_json::Value;

use super::compare::largest_deviation;
use super::golden::{self, count, text};
use super::runs::{epoch, first_losses};
use super::splitmix;

/// A recipe with these layers, as a recipe writes them, and this optimizer, which other tables may follow.
pub fn recipe(layers: &str, optimizer: &str, batch: usize) -> Recipe {
    let toml = format!(
        "name = \"golden\"\n[data]\nset = \"folder\"\n[model]\n{layers}\n\
         [optimizer]\n{optimizer}\n[train]\nbatch = {batch}\nshuffle = false\n"
    );
    Recipe::parse(&toml, "golden recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

/// The layers of a case.
fn layers(case: &Value) -> String {
    let layers = case["layers"].to_string().replace("leaky_relu", "leaky-relu");
    let layers: Value = serde_json::from_str(&layers).unwrap();
    format!("layers = {}", toml::Value::try_from(layers).unwrap())
}

/// PyTorch's names and shapes of a case's tensors.
pub fn tensors(case: &Value) -> impl Iterator<Item = (&str, Vec<usize>)> {
    let names = case["names"].as_array().unwrap().iter().map(text);
    let shapes = case["shapes"].as_array().unwrap().iter().map(golden::integers);
    names.zip(shapes.map(|shape| shape.iter().map(|&size| size as usize).collect()))
}

/// The golden files' initial values. Of some cases weights that are vectors, those of normalisations, are near 1.
fn initial(case: &Value) -> Vec<NamedTensor> {
    let near_one = case["weights_near_one"].as_bool().unwrap_or(false);
    let (mut modules, mut module) = (0, String::new());
    let tensor = |(name, shape): (&str, Vec<usize>)| {
        let own = name.rsplit_once('.').map_or(name, |(module, _)| module);
        modules += u64::from(own != module);
        module = own.into();
        let (layer, outputs) = (modules - 1, shape[0]);
        let values = if near_one && name.ends_with("weight") && shape.len() == 1 {
            splitmix::uniform(splitmix::WEIGHTS + layer, outputs).iter().map(|x| 1.0 + x / 2.0).collect()
        } else if name.ends_with("weight") {
            splitmix::weights(layer, outputs, shape[1..].iter().product())
        } else {
            splitmix::biases(layer, outputs)
        };
        NamedTensor { name: name.into(), shape, values }
    };
    tensors(case).map(tensor).collect()
}

/// A network with the initial values of a golden file, and its samples.
pub struct Network {
    pub recipe: Recipe,
    pub model: Model,
    pub samples: Samples,
}

impl Network {
    /// That of a case, with this optimizer.
    pub fn new(file: &Value, case: &Value, optimizer: &str, batch: usize) -> Network {
        Network::of(file, case, recipe(&layers(case), optimizer, batch), initial(case))
    }

    /// That of a case, by this recipe, with these initial values.
    pub fn of(file: &Value, case: &Value, recipe: Recipe, tensors: Vec<NamedTensor>) -> Network {
        let input: Vec<usize> = golden::integers(&case["input"]).iter().map(|&size| size as usize).collect();
        let input: [usize; 3] = input.try_into().unwrap();
        let classes = count(&file["classes"]);
        let mut model = Model::build(&recipe.model, input, classes, 1).unwrap();
        assert_eq!(recipe.model.parameters(input).unwrap(), model.parameters());
        let names = |tensors: Vec<NamedTensor>| {
            tensors.into_iter().map(|tensor| (tensor.name, tensor.shape)).collect::<Vec<_>>()
        };
        assert_eq!(names(model.tensors()), names(tensors.clone()));
        model.load_tensors(Path::new("golden"), tensors.clone()).unwrap();
        assert_eq!(model.tensors(), tensors, "what was loaded comes back");
        let samples = count(&file["samples"]);
        let values = splitmix::uniform(splitmix::INPUTS, samples * input.iter().product::<usize>());
        let labels = splitmix::labels(samples, classes as u64);
        let samples = Samples::floats(values, input, Targets::Classes(labels), classes).unwrap();
        let samples = match &case["lengths"] {
            Value::Null => samples,
            lengths => {
                let lengths = golden::integers(lengths).iter().map(|&length| length as u32).collect();
                samples.with_lengths(lengths).unwrap()
            }
        };
        Network { recipe, model, samples }
    }

    /// Takes an epoch of one step of gradient descent with the rate 1: its loss, and the gradients of all that is
    /// trained.
    pub fn gradients(&mut self, team: &Team) -> (f64, Vec<f32>) {
        let before = self.model.tensors();
        let mut session = Session::new(&mut self.model, &self.samples, &self.recipe, team).unwrap();
        let loss = epoch(&mut session).unwrap().train_loss;
        drop(session);
        let after = self.model.tensors();
        let gradient = |(before, after): (&NamedTensor, &NamedTensor)| -> Vec<f32> {
            before.values.iter().zip(&after.values).map(|(before, after)| before - after).collect()
        };
        let trained = before.iter().zip(&after).filter(|(tensor, _)| !tensor.name.contains("running"));
        (loss, trained.flat_map(gradient).collect())
    }

    /// The losses of the first steps.
    pub fn first_losses(&mut self, steps: usize) -> Vec<f64> {
        let team = Team::new(2).unwrap();
        let mut session = Session::new(&mut self.model, &self.samples, &self.recipe, &team).unwrap();
        first_losses(&mut session, steps)
    }
}

/// The largest relative deviation of the losses of the first steps by this optimizer, which other tables
/// of a recipe may follow.
pub fn deviation(file: &Value, case: &Value, optimizer: &str, expected: &[f64]) -> f64 {
    let mut network = Network::new(file, case, optimizer, count(&file["batch"]));
    largest_deviation(&network.first_losses(expected.len()), expected, 0.0)
}
