//! The layers, as training runs them, against their naive twins and against PyTorch; the twins
//! against finite differences.

#[path = "../common/mod.rs"]
pub mod common;

mod blocks;
mod convolution_pool;
mod dense;
mod distances;
mod elementwise;
mod embedding;
mod features;
mod gated;
mod grouped;
mod images;
mod lengths;
mod normalisation;
mod pass;
mod pointwise;
mod pytorch;
mod pytorch_images;
mod pytorch_normalisation;
mod pytorch_recurrent;
mod recurrent;
mod transposed;
mod weight_norm;
mod whole_nets;
mod windowed;

use fallline::engine::kernels::activation::{self, Activation};

/// Every activation, some with unusual parameters.
fn activations() -> Vec<Activation> {
    let usual =
        activation::ALL.map(|entry| Activation::of(entry, entry.parameter.map_or(0.0, |own| own.default)));
    usual.into_iter().chain([Activation::leaky_relu(0.0), Activation::elu(1.5)]).collect()
}
