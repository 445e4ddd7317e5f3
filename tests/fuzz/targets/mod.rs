//! One file for each reader: all that this program of tests knows of the product stands in them.

pub mod idx;

use super::harness::Target;

/// Every target.
pub const ALL: [&Target; 1] = [&idx::TARGET];
