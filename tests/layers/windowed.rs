//! What the tests of layers of windows share: parameters and batches, what a layer makes of them, how that is held
//! against a twin, and what is broken in it.

use crate::common::compare::{bits, close};
use crate::common::splitmix::uniform;
use crate::pass::{Activations, Placed, packed};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::Image;
use fallline::engine::kernels::reference::image::ImageGradients;
use fallline::engine::kernels::reference::numeric_gradient;
use fallline::engine::layers::Layer;

/// Sums of up to a few ten thousand terms in f32, relative to the largest number.
pub const TOLERANCE: f64 = 5e-6;

pub const SOME_ACTIVATIONS: [Activation; 5] = [
    Activation::RELU,
    Activation::IDENTITY,
    Activation::TANH,
    // Not zero at zero: padding must stay so.
    Activation::SIGMOID,
    Activation::leaky_relu(0.1),
];

/// The image that the first layer gets, or a later one.
pub fn image(shape: [usize; 3], first: bool) -> Image {
    let [height, width, channels] = shape;
    if first { Image::data(shape) } else { Image::new(height, width, channels) }
}

/// So many weights, as large as an output of `inputs` of them wants it, and biases: zeros if there are none.
pub fn drawn(weights: usize, inputs: usize, outputs: usize, bias: bool) -> [Vec<f32>; 2] {
    let bound = (3.0 / inputs as f32).sqrt();
    let biases = if bias { uniform(2, outputs) } else { vec![0.0; outputs] };
    [uniform(1, weights).iter().map(|w| w * bound).collect(), biases]
}

/// What a layer is given.
pub struct Given {
    pub input: Image,
    /// Whether the layer is the first of its network, which has no gradient of its input.
    pub first: bool,
    /// Weights as PyTorch has them and, if there are any, biases.
    pub parameters: Vec<Vec<f32>>,
    /// `[rows, channels, height, width]`
    pub x: Vec<f32>,
    pub dy: Vec<f32>,
}

impl Given {
    /// These parameters and a batch for a layer, of so many rows.
    pub fn new(
        layer: &dyn Layer,
        input: Image,
        first: bool,
        rows: usize,
        parameters: [Vec<f32>; 2],
    ) -> Given {
        Given {
            input,
            first,
            parameters: parameters.into_iter().take(layer.parameters().len()).collect(),
            x: uniform(3, rows * input.features()),
            dy: uniform(4, rows * layer.image().expect("a layer of images").features()),
        }
    }

    /// The layer with the parameters.
    pub fn placed<'a>(&self, layer: &'a dyn Layer) -> Placed<'a> {
        Placed::new(layer, packed(layer, &self.parameters))
    }

    /// Rows together give the bits of rows alone.
    pub fn rows_are_apart(&self, layer: &dyn Layer) {
        let (placed, image) = (self.placed(layer), layer.image().expect("a layer of images"));
        let forward = |x: &[f32]| placed.forward_at_once(&Activations::images(x, self.input)).channels(image);
        let by_row: Vec<f32> = self.x.chunks(self.input.features()).flat_map(forward).collect();
        assert_eq!(bits(&forward(&self.x)), bits(&by_row));
    }
}

/// What a layer makes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub y: Vec<f32>,
    /// Of the input, which the first layer has not, of the weights, and of the biases.
    pub gradients: [Vec<f32>; 3],
}

impl Answer {
    pub fn of(layer: &dyn Layer, given: &Given) -> Answer {
        let (input, output) = (given.input, layer.image().expect("a layer of images"));
        let placed = given.placed(layer);
        let x = Activations::images(&given.x, input);
        let y = placed.forward_at_once(&x);
        let mut dy = Activations::images(&given.dy, output);
        let dx = placed.backward(&mut dy, &x, &y, (!given.first).then_some(input.columns()));
        let mut gradients = placed.gradient(&dy, &x).into_iter();
        let dx = dx.map_or(Vec::new(), |dx| dx.channels(input));
        let y = y.channels(output);
        Answer {
            y,
            gradients: [dx, gradients.next().expect("weights"), gradients.next().unwrap_or_default()],
        }
    }

    /// Whether it is that of a twin.
    pub fn agrees(&self, y: &[f64], exact: &ImageGradients, given: &Given) -> bool {
        let [dx, dweight, dbias] = &self.gradients;
        close(&self.y, y, TOLERANCE)
            && (given.first || close(dx, &exact.x, TOLERANCE))
            && close(dweight, &exact.weight, TOLERANCE)
            && (given.parameters.len() < 2 || close(dbias, &exact.bias, TOLERANCE))
    }

    /// The same with each part broken in ways of its own.
    pub fn broken(&self) -> impl Iterator<Item = Answer> {
        let breaks: [fn(&mut Answer); 6] = [
            |answer| answer.y[5] += 1e-3,
            |answer| answer.gradients[0].swap(0, 1),
            |answer| answer.gradients[0][9] += 1e-3,
            |answer| answer.gradients[1].swap(1, 3),
            |answer| answer.gradients[1][7] *= 1.01,
            |answer| answer.gradients[2][2] = 0.0,
        ];
        breaks.into_iter().map(|break_it| {
            let mut wrong = self.clone();
            break_it(&mut wrong);
            wrong
        })
    }
}

/// The gradients of Σ dy · y by input, weights and biases, of which `forward` makes y, by differences.
pub fn numeric(at: [&[f64]; 3], dy: &[f64], forward: impl Fn([&[f64]; 3]) -> Vec<f64>) -> [Vec<f64>; 3] {
    const STEP: f64 = 1e-5;
    [0, 1, 2].map(|part| {
        let sum = |moved: &[f64]| {
            let mut at = at;
            at[part] = moved;
            forward(at).iter().zip(dy).map(|(y, dy)| y * dy).sum::<f64>()
        };
        numeric_gradient(sum, at[part], STEP)
    })
}
