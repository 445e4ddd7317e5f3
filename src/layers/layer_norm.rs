//! Layer normalisation: all numbers of a sample together, each with a weight and a bias of its own (Ba,
//! Kiros, Hinton: Layer Normalization, 2016), as `torch.nn.LayerNorm` over `[features]`, or over
//! `[channels, height, width]`.

use super::affine::Affine;
use super::layer::{Backward, Forward, Layer, RowsGradient};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{Partitioning, Sharding};
use crate::kernels::activation::{self, Activation};
use crate::kernels::image::Image;
use crate::kernels::normalisation::per_row::{self, Moments};
use crate::tensor::padded;

/// `y = activation((x - mean) / sqrt(variance + epsilon) · weight + bias)`, with an activation whose
/// derivative follows from its output.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    features: usize,
    /// Input and output if samples are images.
    image: Option<Image>,
    epsilon: f64,
    activation: Activation,
    affine: Affine,
}

impl LayerNorm {
    /// Of images, or of so many features.
    pub fn new(image: Option<Image>, features: usize, epsilon: f64, activation: Activation) -> LayerNorm {
        let affine = match image {
            Some(image) => {
                let shape = vec![image.channels, image.height, image.width];
                Affine::new(shape, Layout::Pixels, image.columns())
            }
            None => Affine::new(vec![features], Layout::Plain, padded(features)),
        };
        LayerNorm { features, image, epsilon, activation, affine }
    }

    /// The floats of a row from one pixel to the next, and those that are no padding; features are one
    /// pixel.
    fn pixel(&self) -> [usize; 2] {
        self.image.map_or([self.features; 2], |image| [image.pitch, image.channels])
    }

    /// Floats of a row, of a sample of features without padding.
    fn columns_of_row(&self) -> usize {
        self.image.map_or(self.features, |image| image.columns())
    }

    /// The mean of a row, and one over its deviation.
    fn statistics(&self, x: &[f32]) -> [f32; 2] {
        let [pitch, channels] = self.pixel();
        let Moments { mean, squares } = per_row::moments(x, pitch, channels);
        [mean as f32, (1.0 / (squares / self.features as f64 + self.epsilon).sqrt()) as f32]
    }

    /// Makes padding zeros again.
    fn clear_padding(&self, row: &mut [f32]) {
        let [pitch, channels] = self.pixel();
        if self.image.is_none() {
            row[channels..].fill(0.0);
        } else if pitch != channels {
            row.chunks_exact_mut(pitch).for_each(|pixel| pixel[channels..].fill(0.0));
        }
    }
}

impl Layer for LayerNorm {
    fn kind(&self) -> String {
        super::activation::with_activation("layer-norm", self.activation)
    }

    fn outputs(&self) -> usize {
        self.features
    }

    fn image(&self) -> Option<Image> {
        self.image
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        self.affine.parameters()
    }

    fn forward(&self, Forward { mut y, x, storage, .. }: Forward) {
        let (weight, bias) = (self.affine.weight(storage), self.affine.bias(storage));
        let columns = self.columns_of_row();
        for row in 0..y.rows() {
            let (y, x) = (y.row(row), &x.row(row)[..columns]);
            let of = self.statistics(x);
            per_row::forward(self.activation, &mut y[..columns], x, of, weight, bias);
            self.clear_padding(y);
        }
    }

    fn prepares_gradient(&self) -> bool {
        self.activation != Activation::IDENTITY
    }

    fn backward(&self, Backward { dx, mut dy, x, y, storage, .. }: Backward) {
        if self.activation != Activation::IDENTITY {
            for row in 0..dy.rows() {
                activation::backward_in_place(self.activation, dy.row(row), y.row(row));
            }
        }
        let Some(mut dx) = dx else { return };
        let (dy, weight, columns) = (dy.as_ref(), self.affine.weight(storage), self.columns_of_row());
        for row in 0..dx.rows() {
            let (dx, dy, x) = (dx.row(row), &dy.row(row)[..columns], &x.row(row)[..columns]);
            let (of, weight) = (self.statistics(x), &weight[..columns]);
            let sums = per_row::backward_sums(dy, x, of, weight);
            let means = sums.map(|sum| (sum / self.features as f64) as f32);
            per_row::backward(&mut dx[..columns], dy, x, of, weight, means);
            self.clear_padding(dx);
        }
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, .. }: RowsGradient) {
        let [dweight, dbias] = self.affine.split(out);
        if !accumulate {
            dweight.fill(0.0);
            dbias.fill(0.0);
        }
        let columns = self.columns_of_row();
        for row in 0..dy.rows() {
            let (dy, x) = (&dy.row(row)[..columns], &x.row(row)[..columns]);
            per_row::add_gradient(dweight, dbias, dy, x, self.statistics(x));
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(&self.affine)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(self.affine.partitioned(wanted)))
    }
}
