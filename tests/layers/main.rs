//! The layers, as training runs them, against their naive twins and against PyTorch; the twins
//! against finite differences.

mod blocks;
mod dense;
mod differences;
mod elementwise;
#[path = "../common/golden.rs"]
mod golden;
mod grouped;
mod grouped_rules;
mod images;
mod narrow;
mod normalisation;
mod pass;
mod pointwise;
mod pytorch;
mod pytorch_images;
mod pytorch_normalisation;
#[path = "../common/splitmix.rs"]
mod splitmix;
mod weight_norm;
mod whole_nets;

use fallline::kernels::activation::Activation;

/// Every activation, some with unusual parameters.
const ACTIVATIONS: [Activation; 10] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu { slope: 0.01 },
    Activation::LeakyRelu { slope: 0.0 },
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Gelu,
    Activation::Silu,
    Activation::Softplus,
    Activation::Elu { alpha: 1.5 },
];

/// Whether all pairs agree to `tolerance` of the largest exact number, or of 1 if that is less.
fn close(fast: &[f32], exact: &[f64], tolerance: f64) -> bool {
    let scale = exact.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
    fast.len() == exact.len()
        && fast.iter().zip(exact).all(|(&fast, exact)| (f64::from(fast) - exact).abs() <= tolerance * scale)
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| x.into()).collect()
}
