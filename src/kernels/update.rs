//! Parts of updates that go by outputs or inputs of a matrix.

pub mod columns;
pub mod factored;
