//! Normalisation of the channels of each position by themselves: layer normalisation as Transformers have it (Ba, Kiros,
//! Hinton: Layer Normalization, 2016), and by the root mean square alone (Zhang, Sennrich: Root Mean Square Layer
//! Normalization, 2019). A row is positions of `pitch` floats, of which the first `channels` count; all others are 0.

use crate::kernels::simd::reduce::{LANES, tree};
use crate::kernels::simd::vectorise::vectorise;

/// How the channels of a position are normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Form {
    /// Whether the mean is taken off; else the numbers are divided by their root mean square.
    pub centred: bool,
    /// What is added to the variance, or to the mean square.
    pub epsilon: f32,
    pub channels: usize,
    /// Floats from one position to the next.
    pub pitch: usize,
}

/// The sum over the channels of `term` of a number of each of two positions, in lanes.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let ((of_a, rest_of_a), (of_b, rest_of_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in of_a.iter().zip(of_b) {
        for i in 0..LANES {
            lanes[i] += term(a[i], b[i]);
        }
    }
    for (lane, (&a, &b)) in lanes.iter_mut().zip(rest_of_a.iter().zip(rest_of_b)) {
        *lane += term(a, b);
    }
    tree(
        lanes,
        #[inline(always)]
        |a, b| a + b,
    )
}

/// `y = (x - mean) · rate · weight + bias` at each position; leaves mean and rate, one over the deviation, of each in
/// `statistics` `[positions, 2]`. `y` `[positions, padded channels]`, `x` `[positions, pitch]`, `weight` and `bias`
/// `[padded channels]`, 0 behind the channels; without centring there is no bias.
pub fn forward(y: &mut [f32], x: &[f32], statistics: &mut [f32], weight: &[f32], bias: &[f32], form: Form) {
    let Form { centred, epsilon, channels, pitch } = form;
    let count = channels as f32;
    vectorise(
        #[inline(always)]
        || {
            let positions = y.chunks_exact_mut(weight.len()).zip(x.chunks_exact(pitch));
            for ((y, x), statistics) in positions.zip(statistics.as_chunks_mut::<2>().0) {
                let x = &x[..channels];
                let mean = if centred { sum(x, x, |x, _| x) / count } else { 0.0 };
                let squares = sum(x, x, |x, _| (x - mean) * (x - mean));
                let rate = 1.0 / (squares / count + epsilon).sqrt();
                *statistics = [mean, rate];
                let (y, padding) = y.split_at_mut(channels);
                if centred {
                    for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                        *y = ((x - mean) * rate).mul_add(*weight, *bias);
                    }
                } else {
                    for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
                        *y = x * rate * weight;
                    }
                }
                padding.fill(0.0);
            }
        },
    );
}

/// Inverts [`forward`]: `dx = rate · (g - mean g - x̂ mean(g x̂))`, g = weight · dy; without centring without the mean of g.
/// `dx`, `x` `[positions, pitch]`, `dy` `[positions, padded channels]`.
pub fn backward(dx: &mut [f32], dy: &[f32], x: &[f32], statistics: &[f32], weight: &[f32], form: Form) {
    let Form { centred, channels, pitch, .. } = form;
    let count = channels as f32;
    vectorise(
        #[inline(always)]
        || {
            let positions = dx.chunks_exact_mut(pitch).zip(x.chunks_exact(pitch));
            let outputs = dy.chunks_exact(weight.len()).zip(statistics.as_chunks::<2>().0);
            for ((dx, x), (dy, &[mean, rate])) in positions.zip(outputs) {
                let (x, weight) = (&x[..channels], &weight[..channels]);
                let (dx, padding) = dx.split_at_mut(channels);
                for ((dx, dy), weight) in dx.iter_mut().zip(dy).zip(weight) {
                    *dx = dy * weight;
                }
                let mean_of_g = if centred { sum(dx, dx, |g, _| g) / count } else { 0.0 };
                let along = sum(dx, x, |g, x| g * ((x - mean) * rate)) / count;
                for (dx, x) in dx.iter_mut().zip(x) {
                    let normalised = (x - mean) * rate;
                    *dx = rate * (*dx - normalised.mul_add(along, mean_of_g));
                }
                padding.fill(0.0);
            }
        },
    );
}

/// Adds the gradient of the weight, `dy x̂`, and of the bias, `dy`, position by position: `dweight`, `dbias`
/// `[padded channels]`, the latter empty where there is no bias.
pub fn add_gradient(
    dweight: &mut [f32],
    dbias: &mut [f32],
    dy: &[f32],
    x: &[f32],
    statistics: &[f32],
    form: Form,
) {
    let Form { channels, pitch, .. } = form;
    vectorise(
        #[inline(always)]
        || {
            let outputs = dy.chunks_exact(dweight.len()).zip(statistics.as_chunks::<2>().0);
            for (x, (dy, &[mean, rate])) in x.chunks_exact(pitch).zip(outputs) {
                for ((dweight, dy), x) in dweight.iter_mut().zip(&dy[..channels]).zip(x) {
                    *dweight = dy.mul_add((x - mean) * rate, *dweight);
                }
                for (dbias, dy) in dbias.iter_mut().zip(&dy[..channels]) {
                    *dbias += dy;
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::activation::Activation;
    use crate::kernels::reference::normalise::{Normalisation, Over};
    use crate::tensor::padded;

    /// Numbers that differ.
    fn drawn(len: usize, seed: u64) -> Vec<f32> {
        let number = |i: usize| ((i as u64 * 2_654_435_761 + seed * 97) % 1000) as f32 / 500.0 - 1.0;
        (0..len).map(number).collect()
    }

    fn placed(values: &[f32], channels: usize, pitch: usize) -> Vec<f32> {
        values
            .chunks(channels)
            .flat_map(|row| row.iter().copied().chain(vec![0.0; pitch - channels]))
            .collect()
    }

    /// Layer normalisation against the naive twin, of which a position is a row of one pixel.
    #[test]
    fn positions_are_normalised_as_rows_of_features_are() {
        for (positions, channels) in [(1, 1), (3, 5), (2, 16), (4, 40)] {
            let pitch = padded(channels);
            let form = Form { centred: true, epsilon: 1e-5, channels, pitch };
            let [x, dy] = [drawn(positions * channels, 1), drawn(positions * channels, 2)];
            let [weight, bias] = [drawn(channels, 3), drawn(channels, 4)];
            let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| v.into()).collect() };
            let twin = Normalisation {
                over: Over::Layer,
                channels,
                pixels: 1,
                epsilon: 1e-5,
                weight: wide(&weight),
                bias: wide(&bias),
                activation: Activation::IDENTITY,
            };
            let expected = twin.forward(&wide(&x));
            let gradients = twin.backward(&wide(&dy), &wide(&x));
            let [x, dy] = [placed(&x, channels, pitch), placed(&dy, channels, pitch)];
            let [weight, bias] = [placed(&weight, channels, pitch), placed(&bias, channels, pitch)];
            let mut y = vec![9.0; x.len()];
            let mut statistics = vec![0.0; 2 * positions];
            forward(&mut y, &x, &mut statistics, &weight, &bias, form);
            let mut dx = vec![9.0; x.len()];
            backward(&mut dx, &dy, &x, &statistics, &weight, form);
            let (mut dweight, mut dbias) = (vec![0.0; pitch], vec![0.0; pitch]);
            add_gradient(&mut dweight, &mut dbias, &dy, &x, &statistics, form);
            let compare = |found: &[f32], expected: &[f64]| {
                for (row, twin) in found.chunks(pitch).zip(expected.chunks(channels)) {
                    for (found, twin) in row.iter().zip(twin) {
                        assert!(
                            (f64::from(*found) - twin).abs() < 2e-4 * (1.0 + twin.abs()),
                            "{found} {twin}"
                        );
                    }
                    assert!(row[channels..].iter().all(|&padding| padding == 0.0));
                }
            };
            compare(&y, &expected);
            compare(&dx, &gradients.x);
            compare(&dweight, &gradients.weight);
            compare(&dbias, &gradients.bias);
        }
    }

    #[test]
    fn without_centring_it_is_division_by_the_root_mean_square() {
        let (x, weight) = ([3.0, 4.0], [1.0, 2.0]);
        let form = Form { centred: false, epsilon: 0.0, channels: 2, pitch: 2 };
        let (mut y, mut statistics) = ([0.0; 2], [0.0; 2]);
        forward(&mut y, &x, &mut statistics, &weight, &[], form);
        let root = 12.5f32.sqrt();
        assert!((y[0] - 3.0 / root).abs() < 1e-6 && (y[1] - 8.0 / root).abs() < 1e-6, "{y:?}");
        assert_eq!(statistics[0], 0.0);
    }
}
