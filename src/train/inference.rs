//! Models in use: the forward pass alone, and what it says of samples.

pub mod analysis;
pub mod clusters;
pub(in crate::train) mod evaluate;
pub(in crate::train) mod forward;
pub mod generate;
pub mod metrics;
mod predictor;
pub(in crate::train) mod scores;
pub(in crate::train) mod series;
mod stream;
pub mod throughput;

pub use analysis::analyse;
pub use evaluate::{evaluate, outputs, predict};
pub use predictor::Predictor;
