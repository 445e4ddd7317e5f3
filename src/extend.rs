//! What a program needs to add layers, losses and update rules of its own.
//!
//! Each is a `static` with a name and [`HyperParameter`]s, and a function of their [`HyperValues`]: that of a [`LayerKind`]
//! makes what implements [`Layer`], that of a [`LossKind`] what implements [`ElementwiseLoss`] or [`RowLoss`], that of an
//! [`OptimizerKind`] what implements [`Rule`]. [`testing`](crate::testing) checks
//! them. They train without more ado; once a kind is registered, recipes and saved models may name it, and a program that then
//! calls [`cli::main`](crate::cli::main) is a `fallline` that knows it.

pub use crate::hyper::{
    HyperParameter, HyperValue, HyperValues, Range, above, above_one, at_least_one, between, divisor, finite,
    non_negative, positive, unit, unit_inner, unit_open, unit_positive,
};
pub use crate::kernels::image::{Image, Side};
pub use crate::kernels::simd::prefetch::PrefetchQueue;
pub use crate::layers::{
    Backward, Derivation, Derived, Flops, Forward, Input, Layer, LayerKind, LayerSettings, Layout,
    MOST_PARTS, Misfit, ParameterSpec, Partitioning, Reader, Refusal, Role, RowsGradient, Shape, Sharding,
    Sparse, Training,
};
pub use crate::losses::{About, ElementwiseLoss, LossFunction, LossKind, Reference, RowLoss, Takes, Target};
pub use crate::model::recipe::OptimizerKind;
pub use crate::optim::{
    Adjustment, Coefficients, Factored, MOST_SLOTS, Orthogonal, PerTensor, Rule, StepSettings, coefficients,
};
pub use crate::tensor::{Entry, MatrixMut, MatrixRef, SparseRef};
