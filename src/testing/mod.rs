//! Checks for what a program defines itself: that it keeps the word that the engine takes it at.

mod rule;

pub use rule::check_rule;
