//! What the losses give, and what training with them comes to.

#[path = "../common/mod.rs"]
pub mod common;

mod trained;
