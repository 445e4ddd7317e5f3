//! The naive twin of each kernel in f64: one row, one formula at a time, no concern for speed. The
//! tests hold the fast kernels against these, and these against finite differences.

mod activations;
pub mod attention;
pub mod augment;
mod dense;
mod distances;
mod embedding;
pub mod features;
pub(super) mod functions;
pub mod grouped;
pub mod image;
mod loss;
pub mod merge;
pub mod normalise;
mod per_output;
mod recurrent;
mod transposed;

pub use activations::{activation, activation_derivative};
pub use dense::{Dense, DenseGradients};
pub use distances::{minimum, squared_distances, squared_distances_gradients};
pub use embedding::Embedding;
pub use functions::erf;
pub use loss::{
    binary_cross_entropy, binary_hinge, cross_entropy, focal, hinge, huber, kl_divergence, log_cosh,
    mean_absolute_error, mean_squared_error, one_hot, poisson, softmax, softmax_cross_entropy,
};

pub use per_output::{WeightNorm, WeightNormGradients, clip_adaptively, limit_norm};
pub use recurrent::{Recurrent, recurrent_cell};
pub use transposed::Transposed;

/// The gradient of `f` at `x` `[n]` by central differences with this `step`.
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
