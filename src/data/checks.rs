//! Checks of labels and values, and their errors.

use crate::error::{Error, Result};

pub(super) fn check_labels(what: &str, labels: &[u8], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        Some(i) => Err(bad_label(what, i, labels[i], classes)),
        None => Ok(()),
    }
}

pub(super) fn bad_label(what: &str, i: usize, label: impl std::fmt::Display, classes: usize) -> Error {
    let expected = format!("classes from 0 to {}", classes.saturating_sub(1));
    mismatch(what, expected, format!("{label} at index {i}"))
}

pub(super) fn check_finite(what: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(i) => Err(mismatch(what, "finite numbers", format!("{} at index {i}", values[i]))),
        None => Ok(()),
    }
}

/// Checks weights of so many samples: one for each, all finite numbers of at least 0.
pub(crate) fn check_weights(what: &str, weights: &[f32], count: usize) -> Result<()> {
    if weights.len() != count {
        return Err(mismatch(what, format!("{count}, one for each"), weights.len()));
    }
    match weights.iter().position(|weight| !(0.0..=f32::MAX).contains(weight)) {
        Some(i) => {
            Err(mismatch(what, "finite numbers of at least 0", format!("{} at index {i}", weights[i])))
        }
        None => Ok(()),
    }
}

pub(super) fn mismatch(
    what: impl Into<String>,
    expected: impl Into<String>,
    found: impl std::fmt::Display,
) -> Error {
    Error::Mismatch { what: what.into(), expected: expected.into(), found: found.to_string() }
}
