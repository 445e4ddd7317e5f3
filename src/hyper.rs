//! Hyper-parameters of update rules, losses and layers: a key, the values that it may have, and its default.
//!
//! A table of rules, losses or layers lists them; recipes are read, written and checked by that list.

mod parameter;
mod range;
mod value;
mod values;
mod window;

pub use parameter::HyperParameter;
pub(crate) use parameter::{Allowed, LONGEST_NAME};
pub use range::{
    Range, above, above_one, at_least_one, between, divisor, finite, integer_text, non_negative, positive,
    unit, unit_inner, unit_open, unit_positive,
};
pub use value::HyperValue;
pub use values::HyperValues;
pub(crate) use window::{
    MOST_PIXELS, padding_text, pair_text, shortest_padding, shortest_pair, shortest_sides,
};
