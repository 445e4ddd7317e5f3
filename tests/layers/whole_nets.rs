//! Whole networks with residual and squeeze-excite blocks: the gradient of a training step against finite
//! differences of a naive network in f64, which reads the same recipe.

use std::collections::HashMap;
use std::path::Path;

use crate::common::compare::{close, widened};
use crate::common::runs::epoch;
use crate::common::splitmix::{self, uniform};
use fallline::data::{Samples, Targets};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{Image, Window};
use fallline::engine::kernels::reference::image::{Convolution, Pool, Shape};
use fallline::engine::kernels::reference::{self, Dense, Transposed, merge, numeric_gradient};
use fallline::engine::model::recipe::{LayerConfig, Recipe};
use fallline::engine::model::{Model, NamedTensor};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Session};

const CLASSES: usize = 3;

/// Of the largest number, or of 1.
const TOLERANCE: f64 = 5e-6;

const STEP: f64 = 1e-5;

/// A sample between two layers: features have one pixel.
#[derive(Clone)]
struct Sample {
    shape: Shape,
    /// `[channels, height, width]`
    values: Vec<f64>,
}

impl Sample {
    fn features(values: Vec<f64>) -> Sample {
        Sample { shape: [values.len(), 1, 1], values }
    }

    fn pixels(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    fn placed(&self, window: Window, channels: usize, values: Vec<f64>) -> Sample {
        let [_, height, width] = self.shape;
        let placed = window.output(Image::new(height, width, channels), channels);
        Sample { shape: [channels, placed.height, placed.width], values }
    }
}

/// All parameters by their names.
struct Naive<'a>(HashMap<&'a str, &'a [f64]>);

impl Naive<'_> {
    /// The weight and the bias of a module.
    fn of(&self, module: &str) -> [Vec<f64>; 2] {
        ["weight", "bias"].map(|name| self.0[format!("{module}.{name}").as_str()].to_vec())
    }

    fn dense(&self, module: &str, x: &Sample, activation: Activation) -> Sample {
        let [weight, bias] = self.of(module);
        Sample::features(Dense { weight, bias, activation }.forward(&x.values))
    }

    /// The layers of a list, whose modules have numbers behind `prefix`.
    fn forward(&self, layers: &[LayerConfig], prefix: &str, input: &Sample) -> Sample {
        let (mut x, mut number) = (input.clone(), 0);
        for layer in layers {
            let module = format!("{prefix}{number}");
            number += 1;
            let pool = |x: &Sample, window, max| {
                x.placed(window, x.shape[0], Pool { input: x.shape, window, max }.forward(&x.values))
            };
            let settings = match layer {
                LayerConfig::Of(settings) => settings,
                LayerConfig::Residual(block) => {
                    let main = self.forward(&block.layers, &format!("{module}.layers."), &x);
                    let other = self.forward(&block.shortcut, &format!("{module}.shortcut."), &x);
                    assert_eq!(main.values.len(), other.values.len());
                    let values = merge::sum(block.activation, &main.values, &other.values);
                    x = Sample { values, ..main };
                    continue;
                }
            };
            x = match layer.kind() {
                "dense" => {
                    let activation = settings.values().activation("activation");
                    number += usize::from(activation != Activation::IDENTITY);
                    self.dense(&module, &x, activation)
                }
                "conv" => {
                    let (window, activation) =
                        (settings.values().window("window"), settings.values().activation("activation"));
                    number += usize::from(activation != Activation::IDENTITY);
                    let [weight, bias] = self.of(&module);
                    let twin = Convolution { input: x.shape, window, weight, bias, activation };
                    x.placed(window, settings.values().integer("channels"), twin.forward(&x.values))
                }
                "conv-transpose" => {
                    let (window, activation) =
                        (settings.values().window("window"), settings.values().activation("activation"));
                    number += usize::from(activation != Activation::IDENTITY);
                    let [weight, bias] = self.of(&module);
                    let (input, output_padding) = (x.shape, settings.values().pair("output_padding"));
                    let twin = Transposed { input, window, output_padding, weight, bias, activation };
                    Sample { shape: twin.output(), values: twin.forward(&x.values) }
                }
                "max-pool" => pool(&x, settings.values().window("window"), true),
                "average-pool" => pool(&x, settings.values().window("window"), false),
                "global-average-pool" => {
                    number += 1;
                    means(&x)
                }
                "flatten" => Sample::features(x.values),
                "squeeze-excite" => {
                    let hidden = self.dense(&format!("{module}.fc1"), &means(&x), Activation::RELU);
                    let gate = self.dense(&format!("{module}.fc2"), &hidden, Activation::SIGMOID);
                    let values = merge::scale(&x.values, &gate.values, x.pixels());
                    Sample { values, ..x }
                }
                kind => {
                    let Some(activation) = settings.as_activation() else {
                        panic!("the networks of this test have no {kind}")
                    };
                    let values = x.values.iter().map(|&x| reference::activation(activation, x)).collect();
                    Sample { values, ..x }
                }
            };
        }
        x
    }
}

fn means(x: &Sample) -> Sample {
    let channel = |channel: &[f64]| channel.iter().sum::<f64>() / channel.len() as f64;
    Sample::features(x.values.chunks_exact(x.pixels()).map(channel).collect())
}

struct Network {
    recipe: Recipe,
    input: [usize; 3],
    /// `[rows, height, width, channels]`
    values: Vec<f32>,
    labels: Vec<u8>,
    tensors: Vec<NamedTensor>,
}

impl Network {
    /// Layers as a recipe writes them, of which the last gives the classes.
    fn new(input: [usize; 3], layers: &str, rows: usize) -> Network {
        let toml = format!(
            "name = 'whole'\n[data]\nset = 'folder'\n[model]\nlayers = [{layers}]\n[optimizer]\nname = 'sgd'\nlearning_rate = 1.0\n[train]\nbatch = 1000\nshuffle = false\n"
        );
        let recipe = Recipe::parse(&toml, "test recipe").unwrap_or_else(|error| panic!("{error}\n{layers}"));
        let model = Model::build(&recipe.model, input, CLASSES, 1)
            .unwrap_or_else(|error| panic!("{error}\n{layers}"));
        assert_eq!(recipe.model.parameters(input).unwrap(), model.parameters());
        // Biases that are not zero, and weights that keep the size of what passes.
        let drawn = |(number, tensor): (usize, NamedTensor)| {
            let inputs: usize = tensor.shape[1..].iter().product();
            let bound = if tensor.shape.len() > 1 { (3.0 / inputs as f32).sqrt() } else { 0.5 };
            let values = uniform(500 + number as u64, tensor.values.len());
            NamedTensor { values: values.iter().map(|x| x * bound).collect(), ..tensor }
        };
        let tensors = model.tensors().into_iter().enumerate().map(drawn).collect();
        let values = uniform(splitmix::INPUTS, rows * input.iter().product::<usize>());
        Network { recipe, input, values, labels: splitmix::labels(rows, CLASSES as u64), tensors }
    }

    /// The mean loss of the naive network with these parameters, one after the other.
    fn loss(&self, parameters: &[f64]) -> f64 {
        let mut rest = parameters;
        let mut named = HashMap::new();
        for tensor in &self.tensors {
            let (values, after) = rest.split_at(tensor.values.len());
            named.insert(tensor.name.as_str(), values);
            rest = after;
        }
        let (naive, [height, width, channels]) = (Naive(named), self.input);
        let mut sum = 0.0;
        for (row, &label) in self.values.chunks_exact(height * width * channels).zip(&self.labels) {
            let channel = |channel: usize| row.iter().skip(channel).step_by(channels).map(|&x| f64::from(x));
            let values = (0..channels).flat_map(channel).collect();
            let sample = Sample { shape: [channels, height, width], values };
            let logits = naive.forward(&self.recipe.model.layers, "", &sample).values;
            sum += reference::softmax_cross_entropy(&logits, label.into()).0;
        }
        sum / self.labels.len() as f64
    }

    fn parameters(&self) -> Vec<f64> {
        self.tensors.iter().flat_map(|tensor| widened(&tensor.values)).collect()
    }

    /// The loss of an evaluation, and the change that a step of gradient descent with the rate 1 makes.
    fn fast(&self, threads: usize) -> (f64, Vec<f32>) {
        let mut model = Model::build(&self.recipe.model, self.input, CLASSES, 1).unwrap();
        model.load_tensors(Path::new("test"), self.tensors.clone()).unwrap();
        let targets = Targets::Classes(self.labels.clone());
        let samples = Samples::floats(self.values.clone(), self.input, targets, CLASSES).unwrap();
        let team = Team::new(threads).unwrap();
        let loss = train::evaluate(&model, &samples, &self.recipe.data, &team).unwrap().loss;
        let mut session = Session::new(&mut model, &samples, &self.recipe, &team).unwrap();
        epoch(&mut session).unwrap();
        drop(session);
        let after = model.tensors();
        let change = |(before, after): (&NamedTensor, &NamedTensor)| -> Vec<f32> {
            before.values.iter().zip(&after.values).map(|(before, after)| before - after).collect()
        };
        (loss, self.tensors.iter().zip(&after).flat_map(change).collect())
    }
}

/// A convolution that keeps the size of an image.
fn conv(channels: usize, activation: &str) -> String {
    let activation = format!("activation = '{activation}'");
    format!("{{ type = 'conv', channels = {channels}, kernel = 3, padding = 1, {activation} }}")
}

fn dense(units: usize, activation: &str) -> String {
    format!("{{ type = 'dense', units = {units}, activation = '{activation}' }}")
}

fn residual(layers: &[String], shortcut: &[String], activation: &str) -> String {
    let (layers, shortcut) = (layers.join(", "), shortcut.join(", "));
    format!(
        "{{ type = 'residual', layers = [{layers}], shortcut = [{shortcut}], activation = '{activation}' }}"
    )
}

fn squeeze_excite(reduction: usize) -> String {
    format!("{{ type = 'squeeze-excite', reduction = {reduction} }}")
}

const SHRINK: &str = "{ type = 'conv', channels = 5, kernel = 1, stride = 2 }";
const SHRINKING: &str =
    "{ type = 'conv', channels = 5, kernel = 3, stride = 2, padding = 1, activation = 'tanh' }";
const GROW: &str =
    "{ type = 'conv-transpose', channels = 3, kernel = 3, stride = 2, padding = 1, activation = 'tanh' }";
const GROWN_DATA: &str = "{ type = 'conv-transpose', channels = 4, kernel = [2, 3], stride = [2, 1], \
    padding = [0, 1, 1, 0], output_padding = [1, 0], activation = 'silu' }";
const FLATTEN: &str = "{ type = 'flatten' }";
const MEAN: &str = "{ type = 'global-average-pool' }";

/// Shapes of the data and layers.
fn networks() -> Vec<([usize; 3], String)> {
    let text = String::from;
    let chain = |layers: &[String]| [layers, &[dense(CLASSES, "identity")]].concat().join(", ");
    vec![
        // The input itself is the shortcut.
        (
            [5, 7, 2],
            chain(&[
                conv(3, "relu"),
                residual(&[conv(17, "relu"), conv(3, "identity")], &[], "relu"),
                text(MEAN),
            ]),
        ),
        // Both ways read the data, and make images of odd sizes half as large.
        (
            [7, 6, 2],
            chain(&[
                residual(&[text(SHRINKING), conv(5, "identity")], &[text(SHRINK)], "leaky-relu"),
                residual(&[text(SHRINKING)], &[text(SHRINK)], "gelu"),
                text(FLATTEN),
            ]),
        ),
        // Images become smaller and grow again.
        (
            [5, 7, 2],
            chain(&[
                text(SHRINKING),
                text(GROW),
                residual(&[text(SHRINKING), text(GROW)], &[], "relu"),
                text(MEAN),
            ]),
        ),
        ([3, 2, 2], chain(&[text(GROWN_DATA), conv(2, "tanh"), text(FLATTEN)])),
        // The shortcut is the data, and the activation a layer of its own.
        ([3, 4, 3], chain(&[residual(&[conv(3, "tanh")], &[], "silu"), text(FLATTEN)])),
        ([1, 1, 13], chain(&[residual(&[dense(5, "tanh"), dense(13, "identity")], &[], "sigmoid")])),
        // Gates of the data, of few and of many channels, and in a block.
        ([3, 5, 2], chain(&[squeeze_excite(16), conv(18, "tanh"), squeeze_excite(4), text(MEAN)])),
        (
            [4, 3, 1],
            chain(&[
                conv(4, "relu"),
                residual(&[conv(4, "relu"), squeeze_excite(2)], &[], "relu"),
                text(MEAN),
            ]),
        ),
        // Three layers and more read one output.
        (
            [3, 3, 2],
            chain(&[
                conv(3, "tanh"),
                residual(&[squeeze_excite(1), residual(&[conv(3, "tanh")], &[], "identity")], &[], "elu"),
                residual(
                    &[residual(&[residual(&[conv(3, "tanh")], &[], "tanh")], &[conv(3, "tanh")], "tanh")],
                    &[squeeze_excite(2), text("{ type = 'average-pool', kernel = 1 }")],
                    "identity",
                ),
                text(FLATTEN),
            ]),
        ),
        // Dense layers that read what is not the output before: all rows of it are kept.
        (
            [4, 3, 1],
            chain(&[residual(
                &[conv(2, "tanh"), text(FLATTEN), dense(5, "relu")],
                &[dense(5, "tanh")],
                "identity",
            )]),
        ),
        (
            [4, 3, 2],
            chain(&[
                conv(2, "identity"),
                text(FLATTEN),
                residual(&[text("{ type = 'tanh' }"), dense(5, "relu")], &[dense(5, "identity")], "tanh"),
            ]),
        ),
        // A block that is the last of the network.
        (
            [3, 3, 2],
            [
                conv(3, "tanh"),
                text(MEAN),
                residual(&[dense(4, "relu"), dense(CLASSES, "identity")], &[], "identity"),
            ]
            .join(", "),
        ),
        // Wide layers at the front, whose forward pass is split by features.
        (
            [1, 1, 5],
            chain(&[
                residual(&[dense(64, "tanh"), dense(65, "relu")], &[dense(65, "identity")], "identity"),
                residual(&[dense(3, "tanh"), dense(65, "identity")], &[], "tanh"),
            ]),
        ),
    ]
}

#[test]
fn gradients_are_those_of_the_whole_network() {
    for (turn, (input, layers)) in networks().into_iter().enumerate() {
        for rows in [1, 2 + turn % 3] {
            let network = Network::new(input, &layers, rows);
            let parameters = network.parameters();
            let numeric = numeric_gradient(|parameters| network.loss(parameters), &parameters, STEP);
            let (loss, gradient) = network.fast(1 + rows % 3);
            assert!(close(&[loss as f32], &[network.loss(&parameters)], TOLERANCE), "{layers}");
            let worst = gradient.iter().zip(&numeric).map(|(g, n)| (f64::from(*g) - n).abs());
            println!("{turn}, {rows} rows: off by {:.1e}", worst.fold(0.0, f64::max));
            assert!(close(&gradient, &numeric, TOLERANCE), "{rows} rows of {layers}");
            let mut wrong = gradient.clone();
            wrong[0] += 1e-4;
            assert!(!close(&wrong, &numeric, TOLERANCE));
        }
    }
}

/// What a reader of an output gives to its gradient must not get lost: a network in which one gives nothing
/// has other gradients.
#[test]
fn a_lost_reader_is_seen() {
    let with = |shortcut: &str| {
        let block =
            format!("{{ type = 'residual', layers = [{}], shortcut = [{shortcut}] }}", conv(3, "tanh"));
        Network::new(
            [3, 3, 2],
            &[conv(3, "tanh"), block, FLATTEN.into(), dense(CLASSES, "identity")].join(", "),
            2,
        )
    };
    let itself = with("");
    let numeric = numeric_gradient(|parameters| itself.loss(parameters), &itself.parameters(), STEP);
    assert!(close(&itself.fast(1).1, &numeric, TOLERANCE));
    let (mut cut, own) = (with("{ type = 'conv', channels = 3, kernel = 1 }"), itself.tensors.clone());
    // A shortcut of zeros hands nothing on.
    for tensor in &mut cut.tensors {
        match own.iter().find(|own| own.name == tensor.name) {
            Some(own) => tensor.values.clone_from(&own.values),
            None => tensor.values.fill(0.0),
        }
    }
    let first = itself.tensors[0].values.len();
    assert!(!close(&cut.fast(1).1[..first], &numeric[..first], TOLERANCE));
}
