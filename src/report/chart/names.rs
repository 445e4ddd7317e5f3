//! Names that fit.

/// The most characters of a name that a chart shows; longer ones are cut.
pub(super) const LONGEST_NAME: usize = 48;

/// A name short enough for a chart.
pub(super) fn cut(name: &str) -> String {
    if name.chars().count() <= LONGEST_NAME {
        return name.to_string();
    }
    name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}
