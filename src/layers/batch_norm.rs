//! Batch normalisation: each channel of an image, or each feature, over all samples of a batch (Ioffe,
//! Szegedy: Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift,
//! 2015), as `torch.nn.BatchNorm1d` and `BatchNorm2d`.
//!
//! In training a row's output depends on all others. So it is no [`Layer`](super::Layer): the step takes moments of
//! parts of the batch, from which each worker makes all that it needs to normalise its rows.

use std::ops::Range;

use super::affine::Affine;
use super::layer::{Backward, Forward};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{Partitioning, Sharding};
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;
use crate::kernels::normalisation::normalise::{self, Scaling, Slopes};
use crate::tensor::{MatrixMut, MatrixRef, padded};

/// `y = activation((x - mean) / sqrt(variance + epsilon) · weight + bias)`, with an activation whose
/// derivative follows from its output.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    channels: usize,
    /// Input and output if samples are images.
    image: Option<Image>,
    epsilon: f64,
    /// The part of the running statistics that each batch renews.
    momentum: f64,
    activation: Activation,
    affine: Affine,
}

/// Some rows of a batch in the backward pass, of which the gradient of weight and bias is summed up.
pub struct BackwardSums<'a> {
    /// Takes the sums, `[storage_len]`.
    pub out: &'a mut [f32],
    /// The gradient of the output.
    pub dy: MatrixMut<'a>,
    pub x: MatrixRef<'a>,
    pub y: MatrixRef<'a>,
    /// The state of the batch, `[state_len]`.
    pub state: &'a [f32],
    /// Whether the sums carry on from what is there.
    pub accumulate: bool,
    /// `[scratch_len]`
    pub scratch: &'a mut [f32],
}

/// Arrays of one number a channel that each worker keeps of a batch, one after the other.
const MEAN: usize = 0;
/// Weight over deviation.
const SCALE: usize = 1;
/// One over deviation.
const RATE: usize = 2;
/// The variance of the batch as an estimate: over one less than there are values.
const VARIANCE: usize = 3;
const SLOPE: usize = 4;
const OFFSET: usize = 5;
const STATES: usize = 6;

impl BatchNorm {
    /// Of images, or of so many features.
    pub fn new(
        image: Option<Image>,
        features: usize,
        epsilon: f64,
        momentum: f64,
        activation: Activation,
    ) -> BatchNorm {
        let channels = image.map_or(features, |image| image.channels);
        let affine = Affine::new(vec![channels], Layout::Plain, padded(channels));
        BatchNorm { channels, image, epsilon, momentum, activation, affine }
    }

    /// Floats of one array of a number a channel.
    fn pitch(&self) -> usize {
        padded(self.channels)
    }

    /// Values of a channel in a sample.
    pub fn values(&self) -> usize {
        self.image.map_or(1, |image| image.pixels())
    }

    /// Floats of what a worker keeps of a batch.
    pub fn state_len(&self) -> usize {
        STATES * self.pitch()
    }

    /// Numbers of the moments of some rows.
    pub fn moments_len(&self) -> usize {
        2 * self.pitch()
    }

    /// How many matrices of observations some rows are: features are one, each image is one.
    fn matrices(&self, rows: usize) -> usize {
        if self.image.is_some() { rows } else { 1 }
    }

    fn matrix<'a>(&self, x: MatrixRef<'a>, number: usize) -> MatrixRef<'a> {
        match self.image {
            Some(image) => MatrixRef::new(x.row(number), image.pixels(), image.pitch, image.pitch),
            None => x,
        }
    }

    fn matrix_mut<'a>(&self, x: &'a mut MatrixMut, number: usize) -> MatrixMut<'a> {
        match self.image {
            Some(image) => MatrixMut::new(x.row(number), image.pixels(), image.pitch, image.pitch),
            None => x.reborrow(),
        }
    }

    fn scale(&self, mut y: MatrixMut, x: MatrixRef, scaling: Scaling) {
        for number in 0..self.matrices(x.rows()) {
            let y = self.matrix_mut(&mut y, number);
            normalise::forward(self.activation, y, self.matrix(x, number), scaling, self.channels);
        }
    }

    fn array<'a>(&self, state: &'a [f32], which: usize) -> &'a [f32] {
        &state[which * self.pitch()..(which + 1) * self.pitch()]
    }

    /// Adds rows of the input to the moments, `[moments_len]`, of `before` rows.
    pub fn add_moments(&self, moments: &mut [f64], before: usize, x: MatrixRef) {
        for number in 0..self.matrices(x.rows()) {
            let before = (before + if self.image.is_some() { number } else { 0 }) * self.values();
            normalise::add_moments(moments, before, self.matrix(x, number));
        }
    }

    /// Makes the state of a worker, `[state_len]`, from the moments of all parts of a batch of `rows`
    /// rows, `[parts][moments_len]`, in their order. A part has `part` rows, the last one maybe fewer.
    pub fn prepare(&self, state: &mut [f32], moments: &[f64], part: usize, rows: usize, storage: &[f32]) {
        let pitch = self.pitch();
        let weight = self.affine.weight(storage);
        let total = (rows * self.values()) as f64;
        for channel in 0..pitch {
            let (mut mean, mut squares) = (moments[channel], moments[pitch + channel]);
            for (number, moments) in moments.chunks_exact(2 * pitch).enumerate().skip(1) {
                let count = (number * part * self.values()) as f64;
                let more = (part.min(rows - number * part) * self.values()) as f64;
                let others = [moments[channel], moments[pitch + channel]];
                normalise::combine(&mut mean, &mut squares, count, others, more);
            }
            let rate = 1.0 / (squares / total + self.epsilon).sqrt();
            state[MEAN * pitch + channel] = mean as f32;
            state[SCALE * pitch + channel] = (f64::from(weight[channel]) * rate) as f32;
            state[RATE * pitch + channel] = rate as f32;
            state[VARIANCE * pitch + channel] = (squares / (total - 1.0)) as f32;
        }
    }

    /// The output `y` of rows `x`, by the batch that `state` is of.
    pub fn normalise(&self, y: MatrixMut, x: MatrixRef, state: &[f32], storage: &[f32]) {
        let scaling = Scaling {
            mean: self.array(state, MEAN),
            scale: self.array(state, SCALE),
            bias: self.affine.bias(storage),
        };
        self.scale(y, x, scaling);
    }

    /// Inverts the activation, so that `dy` becomes the gradient of weight and bias, and sums that up.
    pub fn backward_sums(&self, pass: BackwardSums) {
        let BackwardSums { out, mut dy, x, y, state, accumulate, scratch } = pass;
        let [dweight, dbias] = self.affine.split(out);
        let (mean, rate) = (self.array(state, MEAN), self.array(state, RATE));
        if !accumulate {
            dweight.fill(0.0);
            dbias.fill(0.0);
        }
        for number in 0..self.matrices(x.rows()) {
            let dy = self.matrix_mut(&mut dy, number);
            let (x, y) = (self.matrix(x, number), self.matrix(y, number));
            normalise::backward_sums(self.activation, scratch, dy, x, y, mean);
            let (sums, products) = scratch.split_at(dbias.len());
            for (((dweight, dbias), rate), (sum, product)) in
                dweight.iter_mut().zip(dbias.iter_mut()).zip(rate).zip(sums.iter().zip(products))
            {
                *dbias += sum;
                *dweight = rate.mul_add(*product, *dweight);
            }
        }
    }

    /// Makes what [`backward_input`](BatchNorm::backward_input) needs of the state, from the sums over all
    /// parts of a batch of `rows` rows, `[parts, storage_len]`.
    ///
    /// With s = Σ dz, t = Σ dz x̂ over N values: dx = weight / deviation · (dz - s / N - x̂ t / N).
    pub fn prepare_backward(&self, state: &mut [f32], sums: MatrixRef, rows: usize) {
        let pitch = self.pitch();
        let total = (rows * self.values()) as f64;
        for channel in 0..pitch {
            let sum = |at: usize| (0..sums.rows()).map(|part| f64::from(sums.row(part)[at])).sum::<f64>();
            let (of_products, of_gradients) = (sum(channel), sum(pitch + channel));
            let [scale, rate] = [SCALE, RATE].map(|array| f64::from(state[array * pitch + channel]));
            state[SLOPE * pitch + channel] = (-scale * rate * of_products / total) as f32;
            state[OFFSET * pitch + channel] = (-scale * of_gradients / total) as f32;
        }
    }

    /// The gradient of the input, of `dz` as [`backward_sums`](BatchNorm::backward_sums) left it.
    pub fn backward_input(&self, mut dx: MatrixMut, dz: MatrixRef, x: MatrixRef, state: &[f32]) {
        let [mean, scale, slope, offset] = [MEAN, SCALE, SLOPE, OFFSET].map(|which| self.array(state, which));
        for number in 0..self.matrices(x.rows()) {
            let dx = self.matrix_mut(&mut dx, number);
            let slopes = Slopes { mean, scale, slope, offset };
            normalise::backward(dx, self.matrix(dz, number), self.matrix(x, number), slopes);
        }
    }

    /// Where the running statistics, mean and variance, lie in storage.
    pub fn running(&self) -> Range<usize> {
        self.affine.storage_len()..self.affine.storage_len() + 2 * self.pitch()
    }

    /// Moves the running statistics, `[running]`, towards those of the batch.
    pub fn update_running(&self, running: &mut [f32], state: &[f32]) {
        let (means, variances) = running.split_at_mut(self.pitch());
        let momentum = self.momentum as f32;
        for (running, which) in [(means, MEAN), (variances, VARIANCE)] {
            for (running, new) in running.iter_mut().zip(self.array(state, which)) {
                *running = momentum.mul_add(new - *running, *running);
            }
        }
    }
}

/// What a [`Node`](super::Node) asks of it as of other layers.
impl BatchNorm {
    pub(super) fn kind(&self) -> String {
        super::activation::with_activation("batch-norm", self.activation)
    }

    pub(super) fn outputs(&self) -> usize {
        self.image.map_or(self.channels, |image| image.features())
    }

    pub(super) fn image(&self) -> Option<Image> {
        self.image
    }

    pub fn parameters(&self) -> Vec<ParameterSpec> {
        self.affine.parameters()
    }

    /// The running statistics.
    pub fn statistics(&self) -> Vec<ParameterSpec> {
        let Range { start, .. } = self.running();
        let spec = |(name, start): (&'static str, usize)| ParameterSpec {
            name,
            shape: vec![self.channels],
            range: start..start + self.pitch(),
            layout: Layout::Plain,
            init: None,
        };
        [("running_mean", start), ("running_var", start + self.pitch())].map(spec).into()
    }

    /// The running variance begins as 1, the mean as 0.
    pub fn complete(&self, storage: &mut [f32]) {
        let variance = self.running().start + self.pitch();
        storage[variance..variance + self.channels].fill(1.0);
    }

    pub fn scratch_len(&self) -> usize {
        2 * self.pitch()
    }

    /// The output of rows by the running statistics, as a model is used that is not in training.
    pub fn infer(&self, Forward { y, x, storage, scratch, .. }: Forward) {
        let scale = &mut scratch[..self.pitch()];
        let mean = self.running_scale(scale, storage);
        self.scale(y, x, Scaling { mean, scale, bias: self.affine.bias(storage) });
    }

    /// Writes weight over deviation, `[pitch]`, by the running statistics, and gives their means, `[pitch]`.
    fn running_scale<'a>(&self, scale: &mut [f32], storage: &'a [f32]) -> &'a [f32] {
        let (mean, variance) = storage[self.running()].split_at(self.pitch());
        for ((scale, weight), &variance) in scale.iter_mut().zip(self.affine.weight(storage)).zip(variance) {
            *scale = (f64::from(*weight) / (f64::from(variance) + self.epsilon).sqrt()) as f32;
        }
        mean
    }

    /// Inverts [`infer`](BatchNorm::infer), whose statistics are constants: dx = weight / deviation · dz, where dz is
    /// the gradient in front of the activation.
    pub fn backward_infer(&self, Backward { dx, mut dy, x, y, storage, scratch, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let scratch = &mut scratch[..2 * self.pitch()];
        let (means, _) = storage[self.running()].split_at(self.pitch());
        for number in 0..self.matrices(x.rows()) {
            let (x, y) = (self.matrix(x, number), self.matrix(y, number));
            // The sums are those of gradients that nobody wants, and are overwritten; what counts is that dy is inverted in
            // place.
            normalise::backward_sums(self.activation, scratch, self.matrix_mut(&mut dy, number), x, y, means);
            let (scale, zeros) = scratch.split_at_mut(self.pitch());
            let mean = self.running_scale(scale, storage);
            zeros.fill(0.0);
            let dz = dy.as_ref();
            let slopes = Slopes { mean, scale, slope: zeros, offset: zeros };
            normalise::backward(self.matrix_mut(&mut dx, number), self.matrix(dz, number), x, slopes);
        }
    }

    pub(super) fn partition(&self, wanted: Partitioning) -> Box<dyn Sharding> {
        Box::new(self.affine.partitioned(wanted))
    }
}
