//! The naive twins of the layers of images, in PyTorch's layout: images `[channels, height, width]`.

use super::activations::{activation, activation_derivative};
use crate::kernels::activation::Activation;
use crate::kernels::image::Window;

/// The shape of an image: channels, height, width.
pub type Shape = [usize; 3];

/// The pixel of an image under pixel `(i, j)` of the window at position `(y, x)`, if it is not on the border.
pub(super) fn under(
    window: Window,
    [y, x]: [usize; 2],
    [i, j]: [usize; 2],
    [_, height, width]: Shape,
) -> Option<[usize; 2]> {
    let along = |axis: usize, place: usize, i: usize, pixels: usize| {
        let at = place * window.stride[axis] + i * window.dilation[axis];
        at.checked_sub(window.padding[axis][0]).filter(|&at| at < pixels)
    };
    Some([along(0, y, i, height)?, along(1, x, j, width)?])
}

pub(super) fn index([_, height, width]: Shape, channel: usize, [y, x]: [usize; 2]) -> usize {
    (channel * height + y) * width + x
}

/// The shape of the output of a window over an image.
fn placed(window: Window, channels: usize, [_, height, width]: Shape) -> Shape {
    let along = |axis: usize, pixels: usize| {
        let [before, after] = window.padding[axis];
        let last =
            |place: usize| place * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis];
        (0..).take_while(|&place| last(place) < before + pixels + after).count()
    };
    [channels, along(0, height), along(1, width)]
}

/// All positions of a shape.
pub(super) fn each([channels, height, width]: Shape) -> impl Iterator<Item = (usize, [usize; 2])> {
    let pixels = move || (0..height).flat_map(move |y| (0..width).map(move |x| [y, x]));
    (0..channels).flat_map(move |channel| pixels().map(move |pixel| (channel, pixel)))
}

/// A convolution, `y = activation(w ⋆ x + bias)`.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// The shape of an input sample.
    pub input: Shape,
    pub window: Window,
    /// The weights, `[out, channels, kernel height, kernel width]`.
    pub weight: Vec<f64>,
    /// The bias, `[out]`.
    pub bias: Vec<f64>,
    pub activation: Activation,
}

/// The gradients of a layer of images, summed over a batch.
#[derive(Clone, Debug, Default)]
pub struct ImageGradients {
    /// The gradient of the input, `[rows, channels, height, width]`.
    pub x: Vec<f64>,
    /// The gradient of the weights, `[out, channels, kernel height, kernel width]`; empty for pools.
    pub weight: Vec<f64>,
    /// The gradient of the bias, `[out]`; empty for pools.
    pub bias: Vec<f64>,
}

impl Convolution {
    fn weight_index(&self, out: usize, channel: usize, [i, j]: [usize; 2]) -> usize {
        let [height, width] = self.window.kernel;
        ((out * self.input[0] + channel) * height + i) * width + j
    }

    /// The indices of all pairs of weight and input that make one output.
    fn terms(&self, out: usize, place: [usize; 2]) -> impl Iterator<Item = (usize, usize)> {
        let [height, width] = self.window.kernel;
        each([self.input[0], height, width]).filter_map(move |(channel, pixel)| {
            let at = under(self.window, place, pixel, self.input)?;
            Some((self.weight_index(out, channel, pixel), index(self.input, channel, at)))
        })
    }

    fn sum(&self, x: &[f64], out: usize, place: [usize; 2]) -> f64 {
        self.bias[out] + self.terms(out, place).map(|(w, at)| self.weight[w] * x[at]).sum::<f64>()
    }

    fn output(&self) -> Shape {
        placed(self.window, self.bias.len(), self.input)
    }

    /// The output of `x`, `[rows, channels, height, width]`.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        let row = |x| {
            each(self.output()).map(move |(out, place)| activation(self.activation, self.sum(x, out, place)))
        };
        x.chunks_exact(self.input.iter().product()).flat_map(row).collect()
    }

    /// The gradients at `x`, `[rows, channels, height, width]`, given `dy`, that of the output.
    pub fn backward(&self, dy: &[f64], x: &[f64]) -> ImageGradients {
        let mut gradients = ImageGradients {
            x: vec![0.0; x.len()],
            weight: vec![0.0; self.weight.len()],
            bias: vec![0.0; self.bias.len()],
        };
        let (inputs, outputs): (usize, usize) = (self.input.iter().product(), self.output().iter().product());
        for (row, x) in x.chunks_exact(inputs).enumerate() {
            for ((out, place), dy) in each(self.output()).zip(&dy[row * outputs..]) {
                let dz = dy * activation_derivative(self.activation, self.sum(x, out, place));
                for (w, at) in self.terms(out, place) {
                    gradients.weight[w] += dz * x[at];
                    gradients.x[row * inputs + at] += dz * self.weight[w];
                }
                gradients.bias[out] += dz;
            }
        }
        gradients
    }
}

/// A pool: the largest number or the mean under a window.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub input: Shape,
    pub window: Window,
    /// Whether the pool takes the largest number; else the mean.
    pub max: bool,
}

impl Pool {
    /// The index in a sample of each number under a position, with its share of the result.
    fn terms(&self, x: &[f64], channel: usize, place: [usize; 2]) -> Vec<(usize, f64)> {
        let [height, width] = self.window.kernel;
        let under = |(_, pixel)| under(self.window, place, pixel, self.input);
        let all: Vec<usize> =
            each([1, height, width]).filter_map(under).map(|at| index(self.input, channel, at)).collect();
        if self.max {
            // The first of several equal ones.
            let first = |best: usize, at: usize| if x[at] > x[best] { at } else { best };
            let best = all.iter().copied().reduce(first);
            return best.map(|at| (at, 1.0)).into_iter().collect();
        }
        let share = 1.0 / (height * width) as f64;
        all.into_iter().map(|at| (at, share)).collect()
    }

    fn output(&self) -> Shape {
        placed(self.window, self.input[0], self.input)
    }

    /// The output of `x`, `[rows, channels, height, width]`.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        let row = |x: &[f64]| -> Vec<f64> {
            let sum = |(channel, place)| {
                self.terms(x, channel, place).iter().map(|(at, share)| share * x[*at]).sum()
            };
            each(self.output()).map(sum).collect()
        };
        x.chunks_exact(self.input.iter().product()).flat_map(row).collect()
    }

    /// The gradient at `x`, `[rows, channels, height, width]`, given `dy`, that of the output.
    pub fn backward(&self, dy: &[f64], x: &[f64]) -> ImageGradients {
        let mut dx = vec![0.0; x.len()];
        let (inputs, outputs): (usize, usize) = (self.input.iter().product(), self.output().iter().product());
        for (row, x) in x.chunks_exact(inputs).enumerate() {
            for ((channel, place), dy) in each(self.output()).zip(&dy[row * outputs..]) {
                for (at, share) in self.terms(x, channel, place) {
                    dx[row * inputs + at] += share * dy;
                }
            }
        }
        ImageGradients { x: dx, ..ImageGradients::default() }
    }
}
