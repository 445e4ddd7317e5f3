//! State dicts of PyTorch as safetensors: tensors by name, without a word about the network that they belong to.

mod aliases;
mod export;
mod import;
mod misfits;
pub mod optimizer;
mod order;
mod pairing;
mod rename;

pub use export::{Exported, Style, export};
pub use import::{import, import_tensors};
pub use pairing::{How, Options, Pair, Pairing};
pub use rename::{Pattern, Rename};
