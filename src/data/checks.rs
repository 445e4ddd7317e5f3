//! Checks of labels and values, and their errors.

use crate::error::{Error, Result};

/// As many classes as a label of one byte can tell apart.
pub const MOST_CLASSES: usize = 1 + u8::MAX as usize;

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

/// Checks weights of so many samples: one for each, all finite numbers of at least 0, and none so small that workers
/// take it for 0 and others do not.
pub(crate) fn check_weights(what: &str, weights: &[f32], count: usize) -> Result<()> {
    if weights.len() != count {
        return Err(mismatch(what, format!("{count}, one for each"), weights.len()));
    }
    let fits = |&weight: &f32| weight == 0.0 || (f32::MIN_POSITIVE..=f32::MAX).contains(&weight);
    match weights.iter().position(|weight| !fits(weight)) {
        Some(i) => {
            let is_small = weights[i] > 0.0 && weights[i] < 1.0;
            let expected = if is_small { "0 or at least 1.2e-38" } else { "finite numbers of at least 0" };
            Err(mismatch(what, expected, format!("{:?} at index {i}", weights[i])))
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
