//! What a program needs to add layers of its own.
//!
//! Each is a `static` of a kind: a [`LayerKind`] makes what implements [`Layer`]. [`testing`](crate::testing) checks it.
//! Once a kind is registered, recipes and saved models may name it, and a program that then calls
//! [`cli::main`](crate::cli::main) is a `fallline` that knows it.

pub use crate::hyper::{HyperParameter, HyperValue};
pub use crate::kernels::image::Image;
pub use crate::layers::{
    Arrangement, Backward, Derivation, Derived, Flops, Forward, Layer, LayerKind, LayerSettings,
    ParameterSpec, Reader, Role, RowsGradient, Shape, Sharding, Training,
};
pub use crate::tensor::{MatrixMut, MatrixRef};
