//! Smooth random fields: noise convolved with a Gaussian.
//!
//! A field of white noise that a Gaussian of deviation σ has smoothed holds nothing much finer than σ, so
//! it is made of noise on points that are σ apart. By Poisson's summation formula, the Gaussians around
//! such points add up to the covariance of the convolution over all pixels but for a part of
//! exp(-π² σ² / spacing²), which is 5·10^-5; that the Gaussian ends at 3 σ costs 10^-4. Below σ = 2 the
//! points are the pixels.

use crate::kernels::augmentation::warp::starts;
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, padded};

/// Below this deviation every pixel is a point: so few points would feel where the Gaussian ends.
const FINE: f64 = 2.0;
/// Deviations from its middle to its end.
const REACH: f64 = 3.0;
/// Deviations to which the Gaussian over all pixels is summed up that the sums are measured by.
const WHOLE: f64 = 6.0;

/// How the pixels of a line sum up the noise of points before, between and behind them.
#[derive(Clone, Debug)]
pub struct Axis {
    points: usize,
    /// \[pixels\]: the first point that a pixel takes.
    firsts: Vec<usize>,
    /// \[pixels, taps\]
    weights: Vec<f32>,
    taps: usize,
    /// Of each vector of pixels: the first pixel, and the first point that one of them takes.
    chunks: Vec<(usize, usize)>,
    /// \[vectors, points of a vector\]: the weights of its pixels.
    vectors: Vec<[f32; LANES]>,
    vector_taps: usize,
}

impl Axis {
    /// For a line of so many pixels, at least 1, and a Gaussian of this deviation, above 0. Noise of
    /// variance 1 becomes a line of the variance that a convolution of all pixels with the Gaussian,
    /// its sum being 1, gives.
    pub fn new(pixels: usize, deviation: f64) -> Axis {
        let spacing = if deviation < FINE { 1.0 } else { deviation };
        let reach = (REACH * deviation / spacing).ceil();
        let taps = 2 * reach as usize + 1;
        let firsts: Vec<usize> = (0..pixels).map(|pixel| first_point(pixel, spacing)).collect();
        let distance = |pixel: usize, point: usize| pixel as f64 - (point as f64 - reach) * spacing;
        let value = |pixel, point| {
            let deviations = distance(pixel, point) / deviation;
            let inside = distance(pixel, point).abs() <= reach * spacing + 1e-9;
            if inside { (-0.5 * deviations * deviations).exp() } else { 0.0 }
        };
        let near = |pixel: usize| firsts[pixel]..firsts[pixel] + taps;
        let squares = |pixel: usize| near(pixel).map(|point| f64::powi(value(pixel, point), 2)).sum::<f64>();
        let mean = (0..pixels).map(squares).sum::<f64>() / pixels as f64;
        let factor = (sum_of_squares(deviation) / mean).sqrt();
        let weight = |pixel, point| (factor * value(pixel, point)) as f32;
        let weights = (0..pixels).flat_map(|pixel| near(pixel).map(move |point| weight(pixel, point)));
        let chunks: Vec<(usize, usize)> =
            starts(pixels).map(|start| (start, first_point(start, spacing))).collect();
        let vector_taps = taps + first_point(LANES.min(pixels) - 1, spacing) + 1;
        let mut vectors = Vec::new();
        for &(start, first) in &chunks {
            for point in first..first + vector_taps {
                vectors.push(std::array::from_fn(|i| weight(start + i, point)));
            }
        }
        let last = chunks.iter().map(|(_, first)| first + vector_taps).max().unwrap_or(0);
        Axis { points: last, weights: weights.collect(), firsts, taps, chunks, vectors, vector_taps }
    }

    /// Points that have noise.
    pub fn points(&self) -> usize {
        self.points
    }

    pub fn pixels(&self) -> usize {
        self.firsts.len()
    }

    /// The first point that a pixel takes, and the weights of this and those after it.
    pub fn of_pixel(&self, pixel: usize) -> (usize, &[f32]) {
        (self.firsts[pixel], &self.weights[pixel * self.taps..(pixel + 1) * self.taps])
    }
}

/// The first point in reach of a pixel; point 0 is the first in reach of pixel 0.
fn first_point(pixel: usize, spacing: f64) -> usize {
    (pixel as f64 / spacing - 1e-9).ceil().max(0.0) as usize
}

/// Of the Gaussian over all pixels whose sum is 1.
fn sum_of_squares(deviation: f64) -> f64 {
    let reach = (WHOLE * deviation).ceil() as i64;
    let value = |place: i64| (-0.5 * (place as f64 / deviation).powi(2)).exp();
    let sum: f64 = (-reach..=reach).map(value).sum();
    (-reach..=reach).map(|place| (value(place) / sum).powi(2)).sum()
}

/// Floats of the noise of both fields.
pub fn noise_len(rows: &Axis, columns: &Axis) -> usize {
    rows.points * line_len(columns)
}

/// Floats of a row of the noise of both fields.
pub fn line_len(columns: &Axis) -> usize {
    2 * padded(columns.points)
}

/// Two smooth fields: `fields` \[2, height, padded width\], of which only the width counts, from `noise`
/// \[points down, 2, padded points across\]. `line` \[2, padded points across\] is scratch.
pub fn smooth(fields: &mut [f32], noise: &[f32], line: &mut [f32], rows: &Axis, columns: &Axis) {
    let (height, pitch) = (rows.pixels(), padded(columns.pixels()));
    debug_assert_eq!(fields.len(), 2 * height * pitch);
    debug_assert_eq!(noise.len(), noise_len(rows, columns));
    debug_assert_eq!(line.len(), line_len(columns));
    let (xs, ys) = fields.split_at_mut(height * pitch);
    let (noise, line) = (noise.as_chunks::<LANES>().0, line.as_chunks_mut::<LANES>().0);
    let vectors = line.len();
    vectorise(
        #[inline(always)]
        || {
            for (row, (xs, ys)) in xs.chunks_exact_mut(pitch).zip(ys.chunks_exact_mut(pitch)).enumerate() {
                let (first, weights) = rows.of_pixel(row);
                let noise = &noise[first * vectors..(first + weights.len()) * vectors];
                for (index, line) in line.iter_mut().enumerate() {
                    // In a register, where a reference would be memory.
                    let mut sums = [0.0; LANES];
                    for (noise, &weight) in noise[index..].iter().step_by(vectors).zip(weights) {
                        for i in 0..LANES {
                            sums[i] = weight.mul_add(noise[i], sums[i]);
                        }
                    }
                    *line = sums;
                }
                let (of_x, of_y) = line.as_flattened().split_at(LANES * vectors / 2);
                let all = columns.vectors.chunks_exact(columns.vector_taps);
                for (&(start, first), weights) in columns.chunks.iter().zip(all) {
                    let points = first..first + columns.vector_taps;
                    let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
                    for ((&a, &b), weights) in of_x[points.clone()].iter().zip(&of_y[points]).zip(weights) {
                        for i in 0..LANES {
                            x[i] = a.mul_add(weights[i], x[i]);
                            y[i] = b.mul_add(weights[i], y[i]);
                        }
                    }
                    xs[start..start + LANES].copy_from_slice(&x);
                    ys[start..start + LANES].copy_from_slice(&y);
                }
            }
        },
    )
}
