//! Data that are part of the program.

use super::super::table::Table;

/// A table that is part of the program.
#[derive(Debug)]
pub struct Embedded {
    /// The name in recipes.
    pub name: &'static str,
    /// What it is of and where it is from, in a line.
    pub summary: &'static str,
    /// Makes the table.
    pub table: fn() -> Table,
}

impl PartialEq for Embedded {
    fn eq(&self, other: &Embedded) -> bool {
        self.name == other.name
    }
}
