//! The naive twin of each kernel in f64: one row, one formula at a time, no concern for speed. The
//! tests hold the fast kernels against these, and these against finite differences.

pub mod augment;
pub mod grouped;
pub mod image;
pub mod join;
mod loss;
pub mod normalise;
mod unitwise;

pub use loss::{
    binary_cross_entropy, cross_entropy, focal, hinge, huber, kl_divergence, log_cosh, mean_absolute_error,
    mean_squared_error, one_hot, poisson, softmax, softmax_cross_entropy,
};

pub use unitwise::{WeightNorm, WeightNormGradients, clip_adaptively, limit_norm};

use super::activation::Activation;
use std::f64::consts::{PI, SQRT_2};

/// The error function: the series 2/sqrt(pi) e^-x^2 sum 2^n x^(2n+1) / (2n+1)!!, whose terms have
/// one sign (Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.6).
pub fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    let mut n = 1.0;
    while term.abs() > sum.abs() * 1e-17 {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// The logistic function.
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The distribution function of the standard normal.
pub(super) fn normal_distribution(x: f64) -> f64 {
    0.5 * (1.0 + erf(x / SQRT_2))
}

/// An activation of one number.
pub fn activation(activation: Activation, x: f64) -> f64 {
    (activation.entry().reference)(f64::from(activation.parameter().map_or(0.0, |(_, value)| value)), x)
}

/// The derivative of an activation at the input `x`.
pub fn activation_derivative(activation: Activation, x: f64) -> f64 {
    (activation.entry().reference_derivative)(
        f64::from(activation.parameter().map_or(0.0, |(_, value)| value)),
        x,
    )
}

/// A dense layer, `y = activation(x · wᵀ + bias)`.
#[derive(Clone, Debug)]
pub struct Dense {
    /// `[out, in]`
    pub weight: Vec<f64>,
    /// `[out]`; zeros are the same as none.
    pub bias: Vec<f64>,
    pub activation: Activation,
}

/// The gradients of a dense layer, summed over the rows of a batch.
#[derive(Clone, Debug)]
pub struct DenseGradients {
    /// `[rows, in]`
    pub x: Vec<f64>,
    /// `[out, in]`
    pub weight: Vec<f64>,
    /// `[out]`
    pub bias: Vec<f64>,
}

impl Dense {
    fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len()
    }

    /// `x · wᵀ + bias` of one row.
    fn affine(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.weight.chunks_exact(self.inputs());
        let dot = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        rows.zip(&self.bias).map(|(w, bias)| dot(w) + bias).collect()
    }

    /// The output, `[rows, out]`, of `x`, `[rows, in]`.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        let row = |x| self.affine(x).into_iter().map(|z| activation(self.activation, z));
        x.chunks_exact(self.inputs()).flat_map(row).collect()
    }

    /// The gradients at the input `x`, `[rows, in]`, of which `dy`, `[rows, out]`, is that of the output.
    pub fn backward(&self, dy: &[f64], x: &[f64]) -> DenseGradients {
        let (inputs, outputs) = (self.inputs(), self.bias.len());
        let mut gradients = DenseGradients {
            x: vec![0.0; x.len()],
            weight: vec![0.0; self.weight.len()],
            bias: vec![0.0; outputs],
        };
        let rows = x.chunks_exact(inputs).zip(gradients.x.chunks_exact_mut(inputs));
        for ((x, dx), dy) in rows.zip(dy.chunks_exact(outputs)) {
            for (out, z) in self.affine(x).into_iter().enumerate() {
                // y = activation(z)
                let dz = dy[out] * activation_derivative(self.activation, z);
                // z = Σ w[out][i] x[i] + bias[out]
                let place = out * inputs..(out + 1) * inputs;
                dx.iter_mut().zip(&self.weight[place.clone()]).for_each(|(dx, w)| *dx += dz * w);
                gradients.weight[place].iter_mut().zip(x).for_each(|(dw, x)| *dw += dz * x);
                gradients.bias[out] += dz;
            }
        }
        gradients
    }
}

/// The gradient of `f` at `x` by central differences with this `step`.
pub fn numeric_gradient(f: impl Fn(&[f64]) -> f64, x: &[f64], step: f64) -> Vec<f64> {
    let mut moved = x.to_vec();
    let mut gradient = Vec::with_capacity(x.len());
    for i in 0..x.len() {
        moved[i] = x[i] + step;
        let above = f(&moved);
        moved[i] = x[i] - step;
        let below = f(&moved);
        moved[i] = x[i];
        gradient.push((above - below) / (2.0 * step));
    }
    gradient
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_has_its_tabulated_values() {
        // Abramowitz and Stegun, table 7.1.
        for (x, value) in [(0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)] {
            assert!((erf(x) - value).abs() < 1e-10);
            assert_eq!(erf(-x), -erf(x));
        }
        assert_eq!([erf(0.0), erf(7.0), erf(f64::NEG_INFINITY)], [0.0, 1.0, -1.0]);
        assert!((erf(5.99) - 1.0).abs() < 1e-15);
    }
}
