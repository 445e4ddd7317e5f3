//! A recipe: everything that decides a training run, as a TOML file.
//!
//! The recipes of `recipes/` are part of the binary; a file of one's own works the same way. Every
//! key that is not known is an error, so a misspelt setting never goes unnoticed.

mod augment;
mod average;
mod carry;
mod checks;
mod config;
mod constraint;
mod data;
mod embed;
mod gradient;
mod keys;
mod kind;
mod layers;
mod limits;
mod linear;
mod loss;
mod network;
mod optimizer;
mod overrides;
mod program;
mod read;
mod reproduce;
mod schedule;
mod series;
mod stop;
mod table;
mod text;
mod tied;
mod train;
mod values;
mod write;

pub use average::{AverageConfig, AverageMethod};
pub use carry::check_carried;
pub use checks::{check_augmentation, check_samples};
pub use config::Recipe;
pub use constraint::ConstraintConfig;
pub use data::table::TableConfig;
pub use data::task::TaskConfig;
pub use data::text::TextConfig;
pub use data::{DATA_SETS, DataConfig, GRAMMAR, Held, TABLE, TEXT};
pub use embed::EMBED;
pub use gradient::GradientConfig;
pub(crate) use layers::find_layer;
pub(super) use layers::in_residual;
pub use layers::{LayerConfig, ResidualConfig};
pub(super) use network::MOST_PARAMETERS;
pub use network::ModelConfig;
pub use optimizer::{OPTIMIZERS, Optimizer, OptimizerKind, optimizer_kind, optimizer_kinds, optimizer_names};
pub use overrides::Override;
pub use reproduce::{MOST_SEEDS, ReproduceConfig};
pub use schedule::SCHEDULES;
pub use stop::{Patience, StopConfig, Tolerance, Watched};
pub use table::{TableFacts, of_table};
pub use text::RecipeText;
pub(super) use tied::Tie;
pub use train::{ALL_SAMPLES, TrainConfig};

pub use crate::hyper::{HyperParameter, HyperValue};

#[cfg(test)]
mod tests;
