//! The full-batch methods as update rules see them.

pub use super::search_rule::FullBatch;
