//! What a training began with, where that is a file.

use serde::{Deserialize, Serialize};

/// The file that gave a model its first parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InitialFile {
    /// Its path, as it was given.
    pub path: String,
    /// CRC-32C of each tensor that was taken, its name and its values in single precision, all added up: the same for the same
    /// tensors in any order and type of number that holds them.
    pub checksum: u32,
    /// The tensors of the model that were not taken from it, and are as they were drawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drawn: Vec<String>,
}

/// What an optimizer began with, where it has kept something of another training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InitialState {
    /// The path of the file, as it was given; absent if a program has handed it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// CRC-32C of all that it has kept.
    pub checksum: u32,
    /// The steps that it had done.
    pub steps: u64,
}
