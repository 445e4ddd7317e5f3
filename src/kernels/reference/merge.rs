//! The naive twins of the layers where two branches meet, in PyTorch's layout: images
//! `[channels, height, width]`.

use super::activations::{activation, activation_derivative};
use crate::kernels::activation::Activation;

/// y = activation(a + b), number by number.
pub fn sum(function: Activation, a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| activation(function, a + b)).collect()
}

/// The gradient of either of the inputs of [`sum`], at which `dy` is that of the output.
pub fn sum_backward(function: Activation, dy: &[f64], a: &[f64], b: &[f64]) -> Vec<f64> {
    let derivative = |(a, b): (&f64, &f64)| activation_derivative(function, a + b);
    dy.iter().zip(a.iter().zip(b)).map(|(dy, pair)| dy * derivative(pair)).collect()
}

/// Each channel times its gate: `x` `[rows, channels, pixels]`, `gate` `[rows, channels]`.
pub fn scale(x: &[f64], gate: &[f64], pixels: usize) -> Vec<f64> {
    let channel = |(x, gate): (&[f64], &f64)| -> Vec<f64> { x.iter().map(|x| x * gate).collect() };
    x.chunks_exact(pixels).zip(gate).flat_map(channel).collect()
}

/// The gradients of the image and of the gate of [`scale`], at which `dy` is that of the output.
pub fn scale_backward(dy: &[f64], x: &[f64], gate: &[f64], pixels: usize) -> [Vec<f64>; 2] {
    let dot = |(dy, x): (&[f64], &[f64])| dy.iter().zip(x).map(|(dy, x)| dy * x).sum();
    [scale(dy, gate, pixels), dy.chunks_exact(pixels).zip(x.chunks_exact(pixels)).map(dot).collect()]
}
