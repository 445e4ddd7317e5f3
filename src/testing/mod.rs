//! Checks that programs run on what they have added to the library.
//!
//! Each returns an error that says what was expected, what was found and where; it is meant to be called in a test.

mod rule;

pub use rule::check_rule;
