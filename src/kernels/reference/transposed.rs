//! The naive twin of the transposed convolution, in PyTorch's layout.

use super::activations::{activation, activation_derivative};
use super::image::{ImageGradients, Shape, each, index, under};
use crate::kernels::activation::Activation;
use crate::kernels::image::Window;

/// A transposed convolution, by its definition: each number of the input, times the weights of its channel, is added to
/// the pixels of the output under its place of the window.
#[derive(Clone, Debug)]
pub struct Transposed {
    /// Of a sample that goes in.
    pub input: Shape,
    pub window: Window,
    /// Pixels more below the output and to its right.
    pub output_padding: [usize; 2],
    /// `[channels in, out, kernel height, kernel width]`
    pub weight: Vec<f64>,
    /// `[out]`
    pub bias: Vec<f64>,
    pub activation: Activation,
}

impl Transposed {
    /// The shape that comes out: PyTorch's formula.
    pub fn output(&self) -> Shape {
        let Window { kernel, stride, padding, dilation, .. } = self.window;
        let along = |axis: usize| {
            let [before, after] = padding[axis];
            let spread = (self.input[axis + 1] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1;
            spread + self.output_padding[axis] - before - after
        };
        [self.bias.len(), along(0), along(1)]
    }

    /// Calls `each_term` with the indices of every output, weight and input of a sample that belong together.
    fn each_term(&self, mut each_term: impl FnMut(usize, usize, usize)) {
        let ([height, width], outputs, output) = (self.window.kernel, self.bias.len(), self.output());
        for (channel, place) in each(self.input) {
            let x = index(self.input, channel, place);
            for (out, [i, j]) in each([outputs, height, width]) {
                // Places of the window are pixels of the input; what lies under them, of the output.
                let Some(at) = under(self.window, place, [i, j], output) else { continue };
                let weight = ((channel * outputs + out) * height + i) * width + j;
                each_term(index(output, out, at), weight, x);
            }
        }
    }

    /// Before the activation, of one sample.
    fn sums(&self, x: &[f64]) -> Vec<f64> {
        let output = self.output();
        let mut sums: Vec<f64> = each(output).map(|(out, _)| self.bias[out]).collect();
        self.each_term(|y, w, at| sums[y] += self.weight[w] * x[at]);
        sums
    }

    /// The output of `x`, `[rows, channels, height, width]`.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        let rows = x.chunks_exact(self.input.iter().product());
        rows.flat_map(|x| self.sums(x)).map(|sum| activation(self.activation, sum)).collect()
    }

    /// The gradients at `x`, of which `dy` is that of the output.
    pub fn backward(&self, dy: &[f64], x: &[f64]) -> ImageGradients {
        let mut gradients = ImageGradients {
            x: vec![0.0; x.len()],
            weight: vec![0.0; self.weight.len()],
            bias: vec![0.0; self.bias.len()],
        };
        let (inputs, outputs): (usize, usize) = (self.input.iter().product(), self.output().iter().product());
        for (row, (x, dy)) in x.chunks_exact(inputs).zip(dy.chunks_exact(outputs)).enumerate() {
            let sums = self.sums(x);
            let slope = |(dy, sum): (&f64, f64)| dy * activation_derivative(self.activation, sum);
            let dz: Vec<f64> = dy.iter().zip(sums).map(slope).collect();
            self.each_term(|y, w, at| {
                gradients.weight[w] += dz[y] * x[at];
                gradients.x[row * inputs + at] += dz[y] * self.weight[w];
            });
            for ((out, _), dz) in each(self.output()).zip(dz) {
                gradients.bias[out] += dz;
            }
        }
        gradients
    }
}
