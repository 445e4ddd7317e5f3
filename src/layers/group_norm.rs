//! Group normalisation: some neighbouring channels of a sample together, over all its pixels (Wu, He:
//! Group Normalization, 2018), as `torch.nn.GroupNorm`. Features are channels of one pixel.

use std::ops::Range;

use super::affine::Affine;
use super::layer::{Backward, Forward, Layer, RowsGradient};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{Partitioning, Sharding};
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;
use crate::kernels::normalisation::normalise::{self, Scaling, Slopes};
use crate::tensor::{MatrixMut, MatrixRef, padded};

/// `y = activation((x - mean) / sqrt(variance + epsilon) · weight + bias)`, with a weight and a bias for
/// each channel, and an activation whose derivative follows from its output.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    channels: usize,
    /// Input and output if samples are images.
    image: Option<Image>,
    groups: usize,
    epsilon: f64,
    activation: Activation,
    affine: Affine,
}

/// A sample's numbers for each channel, `[pitch]` each, cut from scratch. Padding is zeros.
struct Channels<'a> {
    mean: &'a mut [f32],
    scale: &'a mut [f32],
    rate: &'a mut [f32],
    slope: &'a mut [f32],
    offset: &'a mut [f32],
    /// Two in one.
    sums: &'a mut [f32],
}

/// Arrays of [`Channels`], sums being two.
const ARRAYS: usize = 7;

impl GroupNorm {
    /// Of images, or of so many features; `groups` divides the channels.
    pub fn new(
        image: Option<Image>,
        features: usize,
        groups: usize,
        epsilon: f64,
        activation: Activation,
    ) -> GroupNorm {
        let channels = image.map_or(features, |image| image.channels);
        debug_assert!(channels.is_multiple_of(groups));
        let affine = Affine::new(vec![channels], Layout::Plain, padded(channels));
        GroupNorm { channels, image, groups, epsilon, activation, affine }
    }

    fn pitch(&self) -> usize {
        padded(self.channels)
    }

    fn channels<'a>(&self, scratch: &'a mut [f32]) -> Channels<'a> {
        scratch[..ARRAYS * self.pitch()].fill(0.0);
        let mut rest = scratch;
        let mut cut = |len| rest.split_off_mut(..len).expect("scratch is so long");
        let pitch = self.pitch();
        let [mean, scale, rate, slope, offset] = [(); 5].map(|()| cut(pitch));
        Channels { mean, scale, rate, slope, offset, sums: cut(2 * pitch) }
    }

    /// A sample's pixels, each a row.
    fn pixels<'a>(&self, row: &'a [f32]) -> MatrixRef<'a> {
        match self.image {
            Some(image) => MatrixRef::new(row, image.pixels(), image.pitch, image.pitch),
            None => MatrixRef::new(row, 1, row.len(), row.len()),
        }
    }

    fn pixels_mut<'a>(&self, row: &'a mut [f32]) -> MatrixMut<'a> {
        match self.image {
            Some(image) => MatrixMut::new(row, image.pixels(), image.pitch, image.pitch),
            None => {
                let len = row.len();
                MatrixMut::new(row, 1, len, len)
            }
        }
    }

    /// The channels of each group.
    fn groups(&self) -> impl Iterator<Item = Range<usize>> {
        let size = self.channels / self.groups;
        (0..self.groups).map(move |group| group * size..(group + 1) * size)
    }

    /// Numbers of a group.
    fn count(&self) -> f64 {
        let pixels = self.image.map_or(1, |image| image.pixels());
        (self.channels / self.groups * pixels) as f64
    }

    /// Makes mean, scale and rate of a sample, in two passes over its pixels.
    fn measure(&self, channels: &mut Channels, x: MatrixRef, weight: &[f32]) {
        let sums = &mut channels.sums[..self.pitch()];
        let total =
            |sums: &[f32], group: Range<usize>| sums[group].iter().map(|&sum| f64::from(sum)).sum::<f64>();
        normalise::column_sums(sums, x);
        for group in self.groups() {
            let mean = total(sums, group.clone()) / self.count();
            channels.mean[group].fill(mean as f32);
        }
        normalise::squared_deviations(sums, x, channels.mean);
        for group in self.groups() {
            let variance = total(sums, group.clone()) / self.count();
            let rate = 1.0 / (variance + self.epsilon).sqrt();
            for channel in group {
                channels.rate[channel] = rate as f32;
                channels.scale[channel] = (f64::from(weight[channel]) * rate) as f32;
            }
        }
    }
}

impl Layer for GroupNorm {
    fn kind(&self) -> String {
        super::activation::with_activation("group-norm", self.activation)
    }

    fn outputs(&self) -> usize {
        self.image.map_or(self.channels, |image| image.features())
    }

    fn image(&self) -> Option<Image> {
        self.image
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        self.affine.parameters()
    }

    fn scratch_len(&self) -> usize {
        ARRAYS * self.pitch()
    }

    fn forward(&self, Forward { mut y, x, storage, scratch, .. }: Forward) {
        let mut channels = self.channels(scratch);
        for row in 0..y.rows() {
            let (x, y) = (self.pixels(x.row(row)), self.pixels_mut(y.row(row)));
            self.measure(&mut channels, x, self.affine.weight(storage));
            let Channels { mean, scale, .. } = &channels;
            let scaling = Scaling { mean, scale, bias: self.affine.bias(storage) };
            normalise::forward(self.activation, y, x, scaling, self.channels);
        }
    }

    fn backward(&self, Backward { dx, mut dy, x, y, storage, scratch, .. }: Backward) {
        let (weight, pitch) = (self.affine.weight(storage), self.pitch());
        let mut channels = self.channels(scratch);
        let mut dx = dx;
        for row in 0..dy.rows() {
            let (x, y) = (self.pixels(x.row(row)), self.pixels(y.row(row)));
            self.measure(&mut channels, x, weight);
            let Channels { mean, scale, rate, slope, offset, sums } = &mut channels;
            // Inverts the activation.
            normalise::backward_sums(self.activation, sums, self.pixels_mut(dy.row(row)), x, y, mean);
            let Some(dx) = &mut dx else { continue };
            // Of each group, with dx̂ = weight dz: dx = (dx̂ - Σ dx̂ / N - x̂ Σ dx̂ x̂ / N) / deviation.
            for group in self.groups() {
                let weighted = |sums: &[f32]| -> f64 {
                    let terms = group.clone().map(|c| f64::from(weight[c]) * f64::from(sums[c]));
                    terms.sum::<f64>() / self.count()
                };
                let rate = f64::from(rate[group.start]);
                slope[group.clone()].fill((-rate * rate * rate * weighted(&sums[pitch..])) as f32);
                offset[group.clone()].fill((-rate * weighted(&sums[..pitch])) as f32);
            }
            let slopes = Slopes { mean, scale, slope, offset };
            let dz = dy.as_ref();
            normalise::backward(self.pixels_mut(dx.row(row)), self.pixels(dz.row(row)), x, slopes);
        }
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, scratch, .. }: RowsGradient) {
        let [dweight, dbias] = self.affine.split(out);
        if !accumulate {
            dweight.fill(0.0);
            dbias.fill(0.0);
        }
        let mut channels = self.channels(scratch);
        for row in 0..dy.rows() {
            let (x, dz) = (self.pixels(x.row(row)), self.pixels(dy.row(row)));
            // The weight does not matter here.
            self.measure(&mut channels, x, dbias);
            let Channels { mean, rate, sums, .. } = &mut channels;
            normalise::gradient_sums(sums, dz, x, mean);
            let (of_dz, products) = sums.split_at(dbias.len());
            for (((dweight, dbias), rate), (sum, product)) in
                dweight.iter_mut().zip(dbias.iter_mut()).zip(rate.iter()).zip(of_dz.iter().zip(products))
            {
                *dbias += sum;
                *dweight = rate.mul_add(*product, *dweight);
            }
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(&self.affine)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(self.affine.partitioned(wanted)))
    }
}
