//! Small networks against the numbers of PyTorch in `tests/golden/layers.json`, which
//! `scripts/golden/layers.py` made.

use crate::common::compare::close;
use crate::common::golden::{self, numbers, text};
use crate::common::splitmix;
use crate::pass::{Activations, Placed, packed};
use fallline::data::{Samples, Targets};
use fallline::engine::init::Init;
use fallline::engine::kernels::activation::{self, Activation};
use fallline::engine::kernels::loss::Rows;
use fallline::engine::layers::Dense;
use fallline::engine::losses::Scores;
use fallline::engine::model::{Model, PlacedLayer, Recipe};
use fallline::engine::team::Team;
use fallline::engine::tensor::{LANES, padded};
use fallline::engine::train;
use serde_json::Value;

/// Of the largest number, or of 1: a few roundings to f32.
const TOLERANCE: f64 = 1e-6;

/// A case of the golden file as this crate sees it.
struct Network {
    recipe: Recipe,
    model: Model,
    /// Features of each layer of PyTorch's network.
    dims: Vec<u64>,
    /// `[batch, in]`
    inputs: Vec<f32>,
    labels: Vec<u8>,
}

/// The parts of a case that are compared.
#[derive(Clone)]
struct Answer {
    logits: Vec<f32>,
    /// `[batch, in]`
    inputs: Vec<f32>,
    /// The weight of each dense layer, `[out, in]`.
    weights: Vec<f32>,
    biases: Vec<f32>,
}

impl Network {
    fn new(file: &Value, case: &Value) -> Network {
        let dims = golden::integers(&file["dims"]);
        let mut full = case.clone();
        full["dims"] = file["dims"].clone();
        let recipe = golden::recipe(&full, &[text(&case["activation"])], "name = \"sgd\"", 4);
        let (features, classes) = (dims[0] as usize, dims[2]);
        let mut model = Model::build(&recipe.model, [1, 1, features], classes as usize, 1).unwrap();
        golden::initialise(&mut model, &dims);
        let batch = golden::count(&file["batch"]);
        let labels = splitmix::labels(batch, classes);
        assert_eq!(
            labels.iter().map(|&label| label.into()).collect::<Vec<u64>>(),
            golden::integers(&file["labels"])
        );
        Network { recipe, model, dims, inputs: splitmix::uniform(splitmix::INPUTS, batch * features), labels }
    }

    /// Forward, loss, backward and gradients through the layers of the model.
    fn answer(&self) -> Answer {
        let layers: Vec<Placed> = self.model.layers().iter().map(|placed| self.placed(placed)).collect();
        let (features, classes) = (self.dims[0] as usize, self.model.outputs());
        let mut activations = vec![Activations::data(&self.inputs, features)];
        for layer in &layers {
            activations.push(layer.forward_at_once(activations.last().unwrap()));
        }
        let logits = activations.last().unwrap().features(classes);
        let mut dy = Activations::padded(&self.loss_gradient(&logits), classes);
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (index, layer) in layers.iter().enumerate().rev() {
            let (x, y) = (&activations[index], &activations[index + 1]);
            let before = index.checked_sub(1).map(|before| layers[before].layer.outputs());
            let of_output = dy.clone();
            let dx = layer.backward(&mut dy, x, y, before);
            if let [weight, bias] = &layer.gradient(&dy, x)[..] {
                weights.splice(0..0, weight.iter().copied());
                biases.splice(0..0, bias.iter().copied());
            }
            dy = dx.unwrap_or_else(|| self.input_gradient(of_output, y));
        }
        Answer { logits, inputs: dy.features(features), weights, biases }
    }

    fn placed<'a>(&'a self, placed: &'a PlacedLayer) -> Placed<'a> {
        Placed::new(placed.layer.as_layer().unwrap(), self.model.storage()[placed.storage.clone()].to_vec())
    }

    /// The gradient of the logits.
    fn loss_gradient(&self, logits: &[f32]) -> Vec<f32> {
        let (batch, classes) = (self.labels.len(), self.model.outputs());
        let rows = Rows { classes, stride: padded(classes) };
        let mut padded = vec![0.0; batch * LANES];
        padded
            .chunks_mut(LANES)
            .zip(logits.chunks(classes))
            .for_each(|(p, l)| p[..classes].copy_from_slice(l));
        let mut gradient = vec![0.0; padded.len()];
        let scores = Scores { losses: &mut vec![0.0; batch], correct: &mut vec![0; batch] };
        let scale = 1.0 / batch as f32;
        let labels = fallline::engine::losses::Targets::Classes(&self.labels);
        self.recipe.model.loss.function().gradient(&mut gradient, scores, &padded, labels, rows, scale);
        gradient.chunks(LANES).flat_map(|row| row[..classes].to_vec()).collect()
    }

    /// The gradient of the data, which a model's first layer never computes: by a layer like it that
    /// does. `y` is its output and `dy` the gradient of that.
    fn input_gradient(&self, mut dy: Activations, y: &Activations) -> Activations {
        let [inputs, outputs] = [self.dims[0] as usize, self.dims[1] as usize];
        // Where the activation is a layer of its own, the dense layer has none.
        let apart = self.model.layers().len() > 2;
        let dense = self.recipe.model.layers[0].settings().unwrap();
        let activation = if apart { Activation::IDENTITY } else { dense.values().activation("activation") };
        let zeros = Init::Zeros;
        let layer = Dense {
            inputs,
            outputs,
            bias: true,
            activation,
            weight_init: zeros,
            bias_init: zeros,
            input_gradient: true,
            whole_columns: false,
            by_inputs: false,
            sparse_input: false,
        };
        let parameters = [splitmix::weights(0, outputs, inputs), splitmix::biases(0, outputs)];
        let placed = Placed::new(&layer, packed(&layer, &parameters));
        let x = Activations::padded(&self.inputs, inputs);
        placed.backward(&mut dy, &x, y, Some(inputs)).expect("it was asked for")
    }

    /// The mean loss, as evaluation computes it.
    fn value(&self) -> f64 {
        let shape = [1, 1, self.dims[0] as usize];
        let targets = Targets::Classes(self.labels.clone());
        let samples = Samples::floats(self.inputs.clone(), shape, targets, self.model.outputs()).unwrap();
        train::evaluate(&self.model, &samples, &self.recipe.data, &Team::new(2).unwrap()).unwrap().loss
    }
}

fn agrees(case: &Value, answer: &Answer) -> bool {
    close(&answer.logits, &numbers(&case["logits"]), TOLERANCE)
        && close(&answer.inputs, &numbers(&case["d_inputs"]), TOLERANCE)
        && close(&answer.weights, &numbers(&case["d_weights"]), TOLERANCE)
        && close(&answer.biases, &numbers(&case["d_biases"]), TOLERANCE)
}

#[test]
fn networks_agree_with_pytorch() {
    let file = golden::read("layers.json");
    for case in golden::cases(&file) {
        let network = Network::new(&file, case);
        let about = format!("{} {}", case["activation"], case["loss"]);
        assert!(agrees(case, &network.answer()), "{about}");
        assert!(close(&[network.value() as f32], &numbers(&case["value"]), TOLERANCE), "{about}");
    }
    // Every activation but the identity with cross-entropy, and one with another loss.
    assert_eq!(golden::cases(&file).len(), activation::ALL.len());
}

#[test]
fn a_broken_gradient_is_seen() {
    let file = golden::read("layers.json");
    let case = &golden::cases(&file)[3];
    let right = Network::new(&file, case).answer();
    let broken: [fn(&mut Answer); 5] = [
        |answer| answer.logits[4] += 1e-5,
        |answer| answer.inputs.swap(0, 7),
        |answer| answer.weights[36] *= 1.001,
        |answer| answer.weights.swap(1, 7),
        |answer| answer.biases.iter_mut().for_each(|bias| *bias *= 4.0),
    ];
    for break_it in broken {
        let mut wrong = right.clone();
        break_it(&mut wrong);
        assert!(agrees(case, &right) && !agrees(case, &wrong));
    }
}
