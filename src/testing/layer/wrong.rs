//! The error of a layer that is wrong.

use crate::error::Error;

pub(super) fn wrong(what: &str, expected: String, found: String) -> Error {
    Error::Mismatch { what: what.into(), expected, found }
}
