//! (to come)

pub mod digits;
