//! From a recipe's text to a network, and from a network to a file and back.

pub mod checkpoint;
mod network;
pub mod recipe;
pub mod saved;
mod section;
pub mod summary;

pub use checkpoint::NamedTensor;
pub use network::Model;
pub use recipe::Recipe;
pub use summary::SummaryRow;
