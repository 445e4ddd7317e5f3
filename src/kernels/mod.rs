//! (to come)
pub mod isa;
