//! Columns of numbers and dates with values that are none.

use super::super::column::Column;
use super::super::kind::Kind;
use super::super::read::Table;
use crate::error::{Error, Result};
use crate::foreign;

/// Refuses a column of numbers or dates with values that are none.
pub(super) fn check_readable(table: &Table, column: &Column) -> Result<()> {
    let Some(unreadable) = &column.unreadable else { return Ok(()) };
    let index = table.columns.iter().position(|other| other.name == column.name).unwrap_or(0);
    let (name, text) = (&column.name, foreign::shortened(&unreadable.text));
    let kind = if column.kind == Kind::Date { "a date" } else { "a number" };
    Err(Error::Format {
        path: table.path.clone(),
        place: format!("line {}, column {} (`{name}`)", unreadable.line, index + 1),
        expected: format!(
            "{kind}, as most values of the column are; data.missing = [\"{text}\"] takes this text for a missing value, \
             and data.types = {{ \"{name}\" = \"category\" }} all for categories"
        ),
        found: format!("`{text}`"),
    })
}
