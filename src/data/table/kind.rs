//! What the columns of a table are.

use serde::Serialize;

/// The kind of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers with an order and distances.
    Number,
    /// Whole numbers, few of them different: classes, grades, counts.
    Code,
    /// Texts, many of them the same.
    Category,
    /// Dates, with a time or without.
    Date,
    /// Texts that are mostly different: names, remarks, keys.
    Text,
    /// Nothing: all values are missing.
    Empty,
}

impl Kind {
    /// The kinds that a column can be said to be.
    pub const CHOICES: [Kind; 5] = [Kind::Number, Kind::Code, Kind::Category, Kind::Date, Kind::Text];

    /// The name, as it is typed: "number".
    pub fn name(self) -> &'static str {
        match self {
            Kind::Number => "number",
            Kind::Code => "code",
            Kind::Category => "category",
            Kind::Date => "date",
            Kind::Text => "text",
            Kind::Empty => "empty",
        }
    }

    /// The kind of this name, one of [`Kind::CHOICES`].
    pub fn named(name: &str) -> Option<Kind> {
        Kind::CHOICES.into_iter().find(|kind| kind.name() == name)
    }

    /// What a value of this kind is, for messages: "a number".
    pub(super) fn value(self) -> &'static str {
        match self {
            Kind::Number => "a number",
            Kind::Code => "a whole number",
            Kind::Category | Kind::Text => "a text",
            Kind::Date => "a date such as 2001-12-31, 2001-12 or 2001-12-31T23:59",
            Kind::Empty => "nothing",
        }
    }
}
