//! The depthwise convolution: each channel by itself, under a kernel of its own or several.
//!
//! `y[o] = activation(Σ w[o, 0, i, j] · x[c, i', j'] + b[o])` with c = ⌊o / multiplier⌋ and i', j' the
//! place of pixel (i, j) of the window (Chollet, "Xception: Deep Learning with Depthwise Separable
//! Convolutions", 2017; as PyTorch's `Conv2d` with as many groups as channels).

use super::dense::Dense;
use super::in_order::Along;
use super::layer::{Backward, Flops, Forward, Layer, RowsGradient};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{Partitioning, Sharding};
use super::windowed::{self, Windowed};
use crate::kernels::activation::{self, Activation};
use crate::kernels::convolution::depthwise::{self, Depthwise as Shape};
use crate::kernels::image::channels;
use crate::kernels::image::{Image, Window};
use crate::kernels::products::gemm::{self, Epilogue};
use crate::tensor::MatrixRef;

/// A depthwise convolution with its activation, which must be one whose derivative follows from its
/// output.
#[derive(Clone, Debug)]
pub struct Depthwise {
    pub input: Image,
    pub window: Window,
    /// Holds the parameters: its inputs are the pixels of the window, its outputs a multiple of the
    /// input's channels.
    pub patch: Dense,
}

impl Depthwise {
    /// The convolution of an image with as many channels as come out.
    fn shape(&self) -> Shape {
        let Image { height, width, .. } = self.input;
        Shape { input: Image::new(height, width, self.patch.outputs), window: self.window }
    }

    fn output(&self) -> Image {
        self.shape().output()
    }

    /// Whether the input is that image already; else its channels are repeated, or padded.
    fn is_direct(&self) -> bool {
        self.input == self.shape().input
    }

    fn weights<'a>(&self, storage: &'a [f32]) -> &'a [f32] {
        &storage[..self.shape().weights_len()]
    }

    /// The image of a sample.
    fn repeated<'a>(&self, x: &'a [f32], scratch: &'a mut [f32]) -> &'a [f32] {
        if self.is_direct() {
            return x;
        }
        let image = &mut scratch[..self.shape().input.columns()];
        channels::repeat(image, self.shape().input, x, self.input.channels, self.input.pitch);
        image
    }
}

impl Layer for Depthwise {
    fn kind(&self) -> String {
        super::activation::with_activation(&format!("depthwise {}", self.window), self.patch.activation)
    }

    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut parameters = self.patch.parameters();
        parameters[0].shape = [&[self.patch.outputs, 1], self.window.kernel_shape()].concat();
        parameters[0].layout = Layout::Kernels;
        parameters
    }

    fn scratch_len(&self) -> usize {
        if self.is_direct() { 0 } else { self.shape().input.columns() }
    }

    fn flops(&self) -> Flops {
        let pixels = self.output().pixels() as f64;
        let Flops { forward, backward, gradient } = self.patch.flops();
        Flops { forward: pixels * forward, backward: pixels * backward, gradient: pixels * gradient }
    }

    fn forward(&self, Forward { mut y, x, storage, scratch, .. }: Forward) {
        let (shape, epilogue) = (self.shape(), self.patch.epilogue());
        let bias = self.patch.bias.then(|| &storage[self.patch.bias_range()]);
        for row in 0..y.rows() {
            let (y, x) = (y.row(row), self.repeated(x.row(row), scratch));
            let weights = self.weights(storage);
            depthwise::forward(y, x, weights, bias, shape, epilogue.unwrap_or(Epilogue::Plain));
            if epilogue.is_none() {
                activation::forward_in_place(self.patch.activation, y);
                channels::clear_padding(y, self.output());
            }
        }
    }

    fn prepares_gradient(&self) -> bool {
        self.patch.activation != Activation::IDENTITY
    }

    fn along(&self) -> Along<'_> {
        windowed::along(self)
    }

    fn backward(&self, Backward { dx, mut dy, y, storage, scratch, .. }: Backward) {
        // Inverts the activation.
        if self.patch.activation != Activation::IDENTITY {
            for row in 0..dy.rows() {
                activation::backward_in_place(self.patch.activation, dy.row(row), y.row(row));
            }
        }
        let Some(mut dx) = dx else { return };
        let (dy, shape, weights) = (dy.as_ref(), self.shape(), self.weights(storage));
        for row in 0..dx.rows() {
            if self.is_direct() {
                depthwise::input_gradient(dx.row(row), dy.row(row), weights, shape);
            } else {
                let repeated = &mut scratch[..shape.input.columns()];
                depthwise::input_gradient(repeated, dy.row(row), weights, shape);
                channels::sum_repeated(dx.row(row), self.input, repeated, shape.input);
            }
        }
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, scratch, .. }: RowsGradient) {
        let (shape, Image { pitch, .. }) = (self.shape(), self.output());
        let (dw, db) = out.split_at_mut(shape.weights_len());
        for row in 0..dy.rows() {
            let (accumulate, dy) = (accumulate || row > 0, dy.row(row));
            depthwise::weight_gradient(dw, dy, self.repeated(x.row(row), scratch), shape, accumulate);
            if !db.is_empty() {
                let pixels = MatrixRef::new(dy, self.output().pixels(), pitch, pitch);
                gemm::column_sums(db, pixels, accumulate);
            }
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(&self.patch)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(self.patch.partitioned(wanted)))
    }
}

impl Windowed for Depthwise {
    fn placed(&self) -> (Image, Window) {
        (self.input, self.window)
    }

    fn over(&self, input: Image, window: Window) -> Depthwise {
        Depthwise { input, window, ..self.clone() }
    }
}
