//! An activation as a layer of its own: for those whose derivative needs the input (GELU, SiLU),
//! and wherever one does not follow a dense layer or a convolution.

use super::layer::{Backward, Forward, Layer};
use crate::kernels::activation::{self, Activation};
use crate::kernels::image::Image;

/// `y = activation(x)`, element by element.
#[derive(Clone, Debug)]
pub struct Elementwise {
    /// Of a sample, or of a pixel if samples are images.
    pub features: usize,
    pub activation: Activation,
    /// Input and output if samples are images.
    pub image: Option<Image>,
}

impl Layer for Elementwise {
    fn kind(&self) -> String {
        self.activation.name().into()
    }

    fn outputs(&self) -> usize {
        self.image.map_or(self.features, |image| image.features())
    }

    fn image(&self) -> Option<Image> {
        self.image
    }

    fn forward(&self, Forward { mut y, x, .. }: Forward) {
        for row in 0..y.rows() {
            let (y, x) = (y.row(row), x.row(row));
            match self.image {
                // All pixels at once, which is faster than one by one.
                Some(_) => activation::forward(self.activation, y, x),
                None => activation::forward(self.activation, &mut y[..self.features], &x[..self.features]),
            }
            // Padding stays zero, which an activation need not make of it; the first layer's input
            // has none.
            let pitch = self.image.map_or(y.len(), |image| image.pitch);
            y.chunks_exact_mut(pitch).for_each(|pixel| pixel[self.features..].fill(0.0));
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, Backward { dx, dy, x, y, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        let saved = if self.activation.derivative_from_output() { y } else { x };
        for row in 0..dx.rows() {
            activation::backward(self.activation, dx.row(row), dy.row(row), saved.row(row));
        }
    }
}
