//! The lengths of names in a terminal.

use crate::report::markup::printable;

/// The most letters of a layer, an operation, a kind or a verdict in a table, and in one that is narrower
/// than [`NARROW`].
pub(super) const LONGEST_NAME: usize = 24;

pub(super) const LONGEST_OF_NARROW: usize = 16;

pub(super) const NARROW: usize = 80;

/// A name short enough for a column.
pub(super) fn cut(name: &str, longest: usize) -> String {
    let name = printable(name);
    if name.chars().count() <= longest {
        return name;
    }
    name.chars().take(longest - 1).chain(['…']).collect()
}

/// The most letters of a name in a table of so many columns.
pub(super) fn longest_name(columns: usize) -> usize {
    if columns < NARROW { LONGEST_OF_NARROW } else { LONGEST_NAME }
}
