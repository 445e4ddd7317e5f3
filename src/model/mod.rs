//! From a recipe's text to a network: recipes, the layers with their parameters, saved models.

mod begun;
mod build;
pub mod checkpoint;
mod freeze;
mod initial;
mod inputs;
mod network;
mod normalisation;
pub mod recipe;
pub mod saved;
mod section;
mod sequential;
mod summary;

pub use network::{Model, PlacedLayer, Tied, names_of};

pub use begun::{InitialFile, InitialState};
pub(crate) use build::check_input;
pub use checkpoint::{ModelFile, NamedTensor};
pub use freeze::{ALL_BUT_LAST, Frozen};
pub(crate) use initial::checksum_of;
pub use initial::{Fit, Initialised};
pub use inputs::{Inputs, Origin};
pub use normalisation::{Normalisation, Seen};
pub use recipe::{ModelConfig, Recipe};
pub use sequential::ModelBuilder;
pub use summary::SummaryRow;
