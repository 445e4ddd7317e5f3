//! The values of options, read: what clap calls for each.

use crate::team::MAX_THREADS;

/// The most seconds that anything is measured for.
const MOST_SECONDS: f64 = 3600.0;
/// The most pictures that are shown.
pub(super) const MOST_SHOWN: i64 = 1000;

/// A whole number above 0.
pub(super) fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| "expected a whole number above 0".into())
}

/// A whole number from 1 to `most`.
pub(super) fn whole(text: &str, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("expected a whole number from 1 to {most}"))
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    whole(text, MAX_THREADS)
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= MOST_SECONDS => Ok(seconds),
        _ => Err(format!("expected seconds above 0, at most {MOST_SECONDS}")),
    }
}

/// The part of a measurement that two may differ by.
pub(super) fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(part) if (0.0..1.0).contains(&part) => Ok(part),
        _ => Err("expected a part of 1 from 0 to below 1, such as 0.05".into()),
    }
}
