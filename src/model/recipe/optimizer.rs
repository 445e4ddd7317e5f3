//! The `[optimizer]` table: the name of an update rule, its learning rate and hyper-parameters.

mod config;
mod full_batch;
mod global;
mod make;
mod minimise;
mod read;
mod registry;
mod shared;
mod table;

pub use config::{Optimizer, OptimizerKind};
pub use registry::{optimizer_kind, optimizer_kinds, optimizer_names};
pub use table::OPTIMIZERS;
