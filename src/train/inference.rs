//! Models in use: the forward pass alone, and what it says of samples.

pub mod analysis;
pub mod clusters;
pub(in crate::train) mod evaluate;
pub(in crate::train) mod forward;
pub mod generate;
pub mod metrics;
pub(in crate::train) mod order;
mod predictor;
pub(in crate::train) mod scores;
pub(in crate::train) mod series;
pub(in crate::train) mod stream;
pub mod throughput;

pub use analysis::{analyse, analyse_in};
pub use evaluate::{evaluate, evaluate_in, outputs, outputs_in, predict};
pub use order::Order;
pub use predictor::Predictor;
