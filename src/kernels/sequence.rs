//! Sequences: what acts along the positions of a sample.

pub mod attention;
pub mod recurrent;
pub mod rotary;
