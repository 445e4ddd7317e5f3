//! Layers: configuration only. A layer knows its shapes and its arithmetic; where its parameters lie, which worker
//! runs it and by which rule it learns is decided elsewhere.
//!
//! [`Layer`] is what a layer is, [`Sharding`] how its parameters are partitioned among workers, [`Derived`] what it
//! makes of them after each update; the last two are for layers that gain by it. A [`Node`] is what stands in a
//! network: a layer, or one of the two kinds that read more than their own row of one input, a [`Merge`] of two
//! inputs, and [`BatchNorm`].

mod activation;
mod affine;
mod attention;
mod batch_norm;
mod convolution;
mod convolution_pool;
mod dense;
mod depthwise;
mod derived;
mod dropout;
mod elementwise;
mod embedding;
mod entries;
mod factors;
mod flatten;
mod fourier;
mod gated;
mod group_norm;
mod grouped;
mod in_order;
mod kind;
mod layer;
mod layer_norm;
mod merge;
mod node;
mod parameter;
mod placed;
mod pointwise;
mod polynomial;
mod pool;
mod position_dense;
mod position_norm;
mod positions;
mod prelu;
mod recurrent;
mod registry;
mod shape;
mod sharding;
mod sparse;
mod squared_distances;
mod transposed;
mod weight_norm;
mod windowed;
mod windows;

pub use attention::Attention;
pub use batch_norm::{BackwardSums, BatchNorm};
pub use convolution::Convolution;
pub use convolution_pool::ConvolutionPool;
pub use dense::Dense;
pub use depthwise::Depthwise;
pub use derived::{Derivation, Derived, Reader};
pub use dropout::Dropout;
pub use elementwise::Elementwise;
pub use embedding::{Embedding, MOST_TABLES};
pub use entries::{monomials, with_pool};
pub use flatten::Flatten;
pub use fourier::RandomFourier;
pub use gated::Gated;
pub use group_norm::GroupNorm;
pub use grouped::Grouped;
pub use in_order::{Advance, Along, InOrder};
pub use kind::{Branch, Input, LayerKind, LayerSettings, Misfit, Refusal};
pub use layer::{Backward, Flops, Forward, Layer, RowsGradient, Training};
pub use layer_norm::LayerNorm;
pub use merge::{Add, Scale};
pub use node::{InputGradient, Merge, Node};
pub use parameter::{Layout, ParameterSpec, trained_numbers};
pub use placed::Built;
pub use pointwise::Pointwise;
pub use polynomial::Polynomial;
pub use pool::{GlobalAverage, GlobalMax, Pool, Pooling};
pub use position_dense::PositionDense;
pub use position_norm::PositionNorm;
pub use positions::permutation;
pub use prelu::Prelu;
pub use recurrent::{Cell, Recurrent};
pub use registry::RESIDUAL;
pub use shape::{Incoming, Shape};
pub use sharding::{MOST_PARTS, Partitioning, Role, Sharding, ShardsTogether};
pub use sparse::Sparse;
pub use squared_distances::SquaredDistances;
pub use transposed::Transposed;
pub use weight_norm::WeightNorm;
