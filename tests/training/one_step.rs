//! One training step of batches of many sizes, however they are cut up inside, against the gradient
//! of the naive layers in f64 over the whole batch.

use crate::common::compare::widened;
use crate::common::runs::{digits, first_losses};
use fallline::data::Samples;
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::reference::{self, Dense};
use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::Session;

/// One sample, batches below and above what is computed together (128 and 256 rows), several such
/// blocks, whole or with a short last one.
const BATCHES: [usize; 10] = [1, 2, 127, 129, 255, 256, 257, 512, 600, 1100];

const HIDDEN: usize = 70;
const CLASSES: usize = 10;
const PIXELS: usize = 784;

/// Of the largest element of a tensor: an update rounds each parameter, of up to 0.2, to f32.
const TOLERANCE: f64 = 1e-5;

/// The change of a parameter by one step with a learning rate of 1 is its gradient.
const RECIPE: &str = "name = \"one-step\"\n[data]\nset = \"digits\"\n[model]\n\
    [[model.layers]]\ntype = \"dense\"\nunits = 70\nactivation = \"tanh\"\n\
    [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
    [optimizer]\nname = \"sgd\"\nlearning_rate = 1.0\n[train]\nbatch = 1000000\nshuffle = false\n";

/// The loss of a batch and its gradients by each tensor of the model.
struct Step {
    loss: f64,
    gradients: Vec<Vec<f64>>,
}

fn new_model(recipe: &Recipe, samples: &Samples) -> Model {
    Model::build(&recipe.model, samples.shape(), CLASSES, 1).unwrap()
}

/// The step that training takes.
fn fast(samples: &Samples) -> Step {
    let recipe = Recipe::parse(RECIPE, "test recipe").unwrap();
    let mut model = new_model(&recipe, samples);
    let before = model.tensors();
    let team = Team::new(2).unwrap();
    let losses = first_losses(&mut Session::new(&mut model, samples, &recipe, &team).unwrap(), 1);
    let change = |(before, after): (&NamedTensor, NamedTensor)| {
        let values = widened(&before.values).into_iter().zip(widened(&after.values));
        values.map(|(before, after)| before - after).collect()
    };
    Step { loss: losses[0], gradients: before.iter().zip(model.tensors()).map(change).collect() }
}

/// The naive step.
fn exact(samples: &Samples) -> Step {
    let recipe = Recipe::parse(RECIPE, "test recipe").unwrap();
    let tensors: Vec<Vec<f64>> =
        new_model(&recipe, samples).tensors().iter().map(|tensor| widened(&tensor.values)).collect();
    let dense = |layer: usize, activation| Dense {
        weight: tensors[2 * layer].clone(),
        bias: tensors[2 * layer + 1].clone(),
        activation,
    };
    let (first, last) = (dense(0, Activation::TANH), dense(1, Activation::IDENTITY));
    let pixels = (0..samples.len()).flat_map(|i| samples.row_bytes(i).expect("images are bytes"));
    let x: Vec<f64> = pixels.map(|&byte| f64::from(byte) / 255.0).collect();
    assert_eq!(x.len(), samples.len() * PIXELS);
    let hidden = first.forward(&x);
    assert_eq!(hidden.len(), samples.len() * HIDDEN);
    let (mut loss, mut dlogits) = (0.0, Vec::new());
    for (row, logits) in last.forward(&hidden).chunks(CLASSES).enumerate() {
        let label = samples.label(row).expect("classes").into();
        let (row_loss, gradient) = reference::softmax_cross_entropy(logits, label);
        loss += row_loss / samples.len() as f64;
        dlogits.extend(gradient.into_iter().map(|d| d / samples.len() as f64));
    }
    let of_last = last.backward(&dlogits, &hidden);
    let of_first = first.backward(&of_last.x, &x);
    Step { loss, gradients: vec![of_first.weight, of_first.bias, of_last.weight, of_last.bias] }
}

fn agrees(fast: &Step, exact: &Step) -> bool {
    let near = |fast: &[f64], exact: &[f64]| {
        let largest = exact.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        fast.len() == exact.len()
            && fast.iter().zip(exact).all(|(fast, exact)| (fast - exact).abs() <= TOLERANCE * largest)
    };
    near(&[fast.loss], &[exact.loss])
        && fast.gradients.len() == exact.gradients.len()
        && fast.gradients.iter().zip(&exact.gradients).all(|(fast, exact)| near(fast, exact))
}

#[test]
fn a_step_follows_the_gradient_of_the_whole_batch() {
    let all = &digits(1100, 1).train;
    for batch in BATCHES {
        let samples = all.take(&Vec::from_iter(0..batch)).unwrap();
        assert!(agrees(&fast(&samples), &exact(&samples)), "batch {batch}");
    }
}

#[test]
fn a_forgotten_sample_or_a_wrong_gradient_is_seen() {
    let all = &digits(600, 1).train;
    let exact = exact(all);
    assert!(agrees(&fast(all), &exact));
    assert!(!agrees(&fast(&all.take(&Vec::from_iter(0..599)).unwrap()), &exact));
    for tensor in 0..4 {
        let mut wrong = fast(all);
        wrong.gradients[tensor].iter_mut().for_each(|gradient| *gradient *= 1.0001);
        assert!(!agrees(&wrong, &exact));
    }
}
