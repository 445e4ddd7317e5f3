//! The error of a layer that is wrong, and where bits differ.

use crate::error::{Error, Result};

pub(super) fn wrong(what: &str, expected: String, found: String) -> Error {
    Error::Mismatch { what: what.into(), expected, found }
}

/// Checks that both have the same bits.
pub(super) fn same_bits(what: &str, expected: &[f32], found: &[f32]) -> Result<()> {
    match expected.iter().zip(found).position(|(a, b)| a.to_bits() != b.to_bits()) {
        Some(at) => {
            let expected = format!("{:?}, as before", expected[at]);
            Err(wrong(&format!("{what}, float {at}"), expected, format!("{:?}", found[at])))
        }
        None => Ok(()),
    }
}
