//! Normalisation of the channels of each position, or pixel, by themselves: `torch.nn.LayerNorm` over the last dimension, and
//! `torch.nn.RMSNorm`. It may be that of some positions alone, beside which the others pass through as they are.

use std::ops::Range;

use super::affine::Affine;
use super::in_order::Along;
use super::layer::{Backward, Forward, Layer, RowsGradient};
use super::parameter::{Layout, ParameterSpec};
use super::shape::Shape;
use super::sharding::{Partitioning, Sharding};
use crate::kernels::image::Image;
use crate::kernels::normalisation::per_position::{self, Form};
use crate::tensor::padded;

/// `y = (x - mean) / sqrt(variance + epsilon) · weight + bias` at each position, or `x / sqrt(mean x² + epsilon) · weight`.
#[derive(Clone, Debug)]
pub struct PositionNorm {
    /// Of features, which are one position, or of an image.
    input: Shape,
    centred: bool,
    epsilon: f32,
    affine: Affine,
    /// The positions that are normalised.
    part: Range<usize>,
}

impl PositionNorm {
    /// Layer normalisation if `centred`, else by the root mean square.
    pub fn new(input: Shape, centred: bool, epsilon: f64) -> PositionNorm {
        let channels = input.channels();
        let affine = Affine::new(vec![channels], Layout::Plain, padded(channels));
        let part = 0..input.image().map_or(1, |image| image.pixels());
        PositionNorm { input, centred, epsilon: epsilon as f32, affine, part }
    }

    /// The same of these positions alone.
    pub fn within(self, part: Range<usize>) -> PositionNorm {
        debug_assert!(part.end <= self.positions(), "{part:?} of {}", self.positions());
        PositionNorm { part, ..self }
    }

    fn positions(&self) -> usize {
        self.input.image().map_or(1, |image| image.pixels())
    }

    /// Floats of a row that are normalised, of the input and of the output.
    fn parts(&self) -> [Range<usize>; 2] {
        let of = |pitch: usize| self.part.start * pitch..self.part.end * pitch;
        [of(self.form().pitch), of(padded(self.input.channels()))]
    }

    /// Copies the positions of a row that are not normalised, with zeros behind the channels: `from` and `to`
    /// `[positions, pitch]` of pitches of their own.
    fn pass(&self, to: &mut [f32], to_pitch: usize, from: &[f32], from_pitch: usize) {
        let channels = self.input.channels();
        for position in (0..self.part.start).chain(self.part.end..self.positions()) {
            let to = &mut to[position * to_pitch..][..to_pitch];
            to[..channels].copy_from_slice(&from[position * from_pitch..][..channels]);
            to[channels..].fill(0.0);
        }
    }

    fn form(&self) -> Form {
        let channels = self.input.channels();
        let pitch = self.input.image().map_or(channels, |image| image.pitch);
        Form { centred: self.centred, epsilon: self.epsilon, channels, pitch }
    }

    /// Floats of a row that hold positions, of the input and of the output.
    fn used(&self) -> [usize; 2] {
        [self.positions() * self.form().pitch, self.positions() * padded(self.input.channels())]
    }

    fn weight_and_bias<'a>(&self, storage: &'a [f32]) -> [&'a [f32]; 2] {
        let bias = if self.centred { self.affine.bias(storage) } else { &[] };
        [self.affine.weight(storage), bias]
    }
}

impl Layer for PositionNorm {
    fn kind(&self) -> String {
        let kind = if self.centred { "layer-norm by position" } else { "rms-norm" };
        let is_whole = self.part.len() == self.positions();
        if is_whole { kind.into() } else { format!("{kind}, {} positions", self.part.len()) }
    }

    fn outputs(&self) -> usize {
        self.input.features()
    }

    fn image(&self) -> Option<Image> {
        self.input.image().map(|image| Image::new(image.height, image.width, image.channels))
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut parameters = self.affine.parameters();
        parameters.truncate(if self.centred { 2 } else { 1 });
        parameters
    }

    /// Mean and rate of each position.
    fn saved_len(&self, rows: usize) -> usize {
        2 * self.part.len() * rows
    }

    fn forward(&self, Forward { mut y, x, storage, scratch, .. }: Forward) {
        let ([weight, bias], form, [of_x, of_y]) = (self.weight_and_bias(storage), self.form(), self.used());
        for (row, statistics) in (0..y.rows()).zip(scratch.chunks_exact_mut(2 * self.part.len())) {
            let (y, padding) = y.row(row).split_at_mut(of_y);
            let x = &x.row(row)[..of_x];
            let [part_of_x, part_of_y] = self.parts();
            per_position::forward(&mut y[part_of_y], &x[part_of_x], statistics, weight, bias, form);
            self.pass(y, padded(form.channels), x, form.pitch);
            padding.fill(0.0);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn along(&self) -> Along<'_> {
        if self.part.len() == self.positions() { Along::Apart } else { Along::Together }
    }

    /// Inverts the forward pass.
    fn backward(&self, Backward { dx, dy, x, storage, scratch, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let (dy, [weight, _], [of_x, of_y]) = (dy.as_ref(), self.weight_and_bias(storage), self.used());
        for (row, statistics) in (0..dx.rows()).zip(scratch.chunks_exact(2 * self.part.len())) {
            let (dx, padding) = dx.row(row).split_at_mut(of_x);
            let (dy, x) = (&dy.row(row)[..of_y], &x.row(row)[..of_x]);
            let ([part_of_x, part_of_y], form) = (self.parts(), self.form());
            let own = &mut dx[part_of_x.clone()];
            per_position::backward(own, &dy[part_of_y], &x[part_of_x], statistics, weight, form);
            self.pass(dx, form.pitch, dy, padded(form.channels));
            padding.fill(0.0);
        }
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, scratch, .. }: RowsGradient) {
        if !accumulate {
            out.fill(0.0);
        }
        let len = padded(self.input.channels());
        let (dweight, dbias) = out.split_at_mut(len);
        let [part_of_x, part_of_y] = self.parts();
        for (row, statistics) in (0..dy.rows()).zip(scratch.chunks_exact(2 * self.part.len())) {
            let (dy, x) = (&dy.row(row)[part_of_y.clone()], &x.row(row)[part_of_x.clone()]);
            per_position::add_gradient(dweight, dbias, dy, x, statistics, self.form());
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        self.centred.then_some(&self.affine as &dyn Sharding)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        self.centred.then(|| Box::new(self.affine.partitioned(wanted)) as Box<dyn Sharding>)
    }
}
