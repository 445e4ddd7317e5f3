//! Normalisation of whole rows, each number with a weight and a bias of its own: all features of a sample
//! (Ba, Kiros, Hinton: Layer normalization, 2016). A row is pixels of `pitch` floats, `channels` of which
//! are no padding; features are one such pixel.

use crate::kernels::activation::{self, Activation};
use crate::kernels::simd::reduce::{LANES, tree};
use crate::kernels::simd::vectorise::vectorise;

/// What a row's numbers are, and what they are normalised by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    pub mean: f64,
    /// The sum of the squared deviations from the mean.
    pub squares: f64,
}

/// The lanes, [`LANES`] as in [`reduce`](crate::kernels::simd::reduce), after the terms of all numbers of all pixels.
#[inline(always)]
fn lanes(x: &[f32], pitch: usize, channels: usize, term: impl Fn(f32) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    for pixel in x.chunks(pitch) {
        let (chunks, rest) = pixel[..channels].as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                lanes[i] += term(chunk[i]);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            *lane += term(x);
        }
    }
    tree(
        lanes,
        #[inline(always)]
        |a, b| a + b,
    )
}

/// The moments of a row, in f64, in two passes.
pub fn moments(x: &[f32], pitch: usize, channels: usize) -> Moments {
    let count = (x.len() / pitch * channels) as f64;
    vectorise(
        #[inline(always)]
        || {
            let mean = lanes(x, pitch, channels, f64::from) / count;
            let squares = lanes(
                x,
                pitch,
                channels,
                #[inline(always)]
                |x| (f64::from(x) - mean) * (f64::from(x) - mean),
            );
            Moments { mean, squares }
        },
    )
}

/// `y = activation((x - mean) · rate · weight + bias)`, all of one length; `rate` is one over the
/// deviation.
pub fn forward(
    activation: Activation,
    y: &mut [f32],
    x: &[f32],
    [mean, rate]: [f32; 2],
    weight: &[f32],
    bias: &[f32],
) {
    let is_relu = activation == Activation::RELU;
    vectorise(
        #[inline(always)]
        || {
            for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                let z = ((x - mean) * rate).mul_add(*weight, *bias);
                // In this order, NaN stays NaN.
                *y = if is_relu & (z <= 0.0) { 0.0 } else { z };
            }
        },
    );
    if !is_relu {
        activation::forward_in_place(activation, y);
    }
}

/// The sums of `weight dy` and of its products with the normalised `x`. All of one length, padding with
/// weights of 0.
pub fn backward_sums(dy: &[f32], x: &[f32], [mean, rate]: [f32; 2], weight: &[f32]) -> [f64; 2] {
    vectorise(
        #[inline(always)]
        || {
            // One after the other: two sums in one loop were compiled to scalar instructions, several times
            // as slow.
            [
                weighted_sum(
                    dy,
                    x,
                    weight,
                    #[inline(always)]
                    |gradient, _| gradient,
                ),
                weighted_sum(
                    dy,
                    x,
                    weight,
                    #[inline(always)]
                    |gradient, x| gradient * ((x - mean) * rate),
                ),
            ]
        },
    )
}

/// The sum of a term of `weight dy` and `x`.
#[inline(always)]
fn weighted_sum(dy: &[f32], x: &[f32], weight: &[f32], term: impl Fn(f32, f32) -> f32) -> f64 {
    let mut lanes = [0.0; LANES];
    let (dys, dy_rest) = dy.as_chunks::<LANES>();
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (weights, weight_rest) = weight.as_chunks::<LANES>();
    for ((dy, x), weight) in dys.iter().zip(xs).zip(weights) {
        for i in 0..LANES {
            lanes[i] += f64::from(term(weight[i] * dy[i], x[i]));
        }
    }
    for (lane, ((dy, x), weight)) in lanes.iter_mut().zip(dy_rest.iter().zip(x_rest).zip(weight_rest)) {
        *lane += f64::from(term(weight * dy, *x));
    }
    tree(
        lanes,
        #[inline(always)]
        |a, b| a + b,
    )
}

/// Inverts [`forward`]: `dx = rate (weight dy - means[0] - x̂ means[1])` with the means of what
/// [`backward_sums`] sums.
pub fn backward(
    dx: &mut [f32],
    dy: &[f32],
    x: &[f32],
    [mean, rate]: [f32; 2],
    weight: &[f32],
    means: [f32; 2],
) {
    vectorise(
        #[inline(always)]
        || {
            for (((dx, dy), x), weight) in dx.iter_mut().zip(dy).zip(x).zip(weight) {
                let normalised = (x - mean) * rate;
                *dx = rate * weight.mul_add(*dy, -normalised.mul_add(means[1], means[0]));
            }
        },
    );
}

/// Adds a row's gradient of weight and bias: `dweight += dy x̂`, `dbias += dy`.
pub fn add_gradient(dweight: &mut [f32], dbias: &mut [f32], dy: &[f32], x: &[f32], [mean, rate]: [f32; 2]) {
    vectorise(
        #[inline(always)]
        || {
            for (((dweight, dbias), dy), x) in dweight.iter_mut().zip(dbias.iter_mut()).zip(dy).zip(x) {
                *dweight = dy.mul_add((x - mean) * rate, *dweight);
                *dbias += dy;
            }
        },
    );
}
