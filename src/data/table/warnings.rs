//! What may be wrong with a table.

use serde::Serialize;

use super::kind::Kind;
use super::summary::{ColumnRecord, Frequent};

/// What may be wrong, in the order in which it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum TableWarning {
    /// The first line promises another number of rows.
    Rows { promised: usize, found: usize },
    /// All values of the column are missing.
    Empty { column: String },
    /// All values of the column are the same.
    Constant { column: String, value: String },
    /// Many values of the column are missing: their share.
    Missing { column: String, share: f64 },
    /// Some values are not of the column's kind; the first of them, and its line.
    Unreadable { column: String, count: usize, line: u64, text: String },
    /// Zeros that may stand for missing values.
    Zeros { column: String, zeros: usize },
    /// Whole numbers that are all different, one more in each row: a number of the row.
    RowNumbers { column: String },
    /// Too many different texts to be kept.
    ManyTexts { column: String },
    /// A text that is in many rows of a column of numbers.
    NumbersAndText { column: String, text: String, count: usize },
    /// The target has but one class.
    OneClass { column: String },
    /// The rarest class of the target has few rows beside the most frequent one.
    Imbalance { column: String, rarest: Frequent, most: Frequent },
    /// All classes of the target end with a period.
    Periods { column: String },
}

/// A share of missing values that is told.
const MANY_MISSING: f64 = 0.2;

/// The rarest class is told where the most frequent one has so many times as many rows.
const UNBALANCED: usize = 4;

/// Rows from which on numbers that are all different are the numbers of rows.
const ROWS: usize = 20;

/// The warnings about columns, and about the classes of the target: all of them, the most frequent first.
pub(super) fn warnings(
    columns: &[ColumnRecord],
    rows: usize,
    target: Option<(&ColumnRecord, &[Frequent])>,
) -> Vec<TableWarning> {
    let mut warnings: Vec<TableWarning> = columns.iter().flat_map(|column| of_column(column, rows)).collect();
    if let Some((record, classes)) = target {
        let column = record.name.clone();
        match classes {
            [] => {}
            [_] => warnings.push(TableWarning::OneClass { column }),
            [most, .., rarest] => {
                if most.count >= UNBALANCED * rarest.count {
                    let (rarest, most) = (rarest.clone(), most.clone());
                    warnings.push(TableWarning::Imbalance { column: column.clone(), rarest, most });
                }
                if record.kind == Kind::Category && classes.iter().all(|class| class.value.ends_with('.')) {
                    warnings.push(TableWarning::Periods { column });
                }
            }
        }
    }
    warnings
}

fn of_column(record: &ColumnRecord, rows: usize) -> Vec<TableWarning> {
    let column = || record.name.clone();
    if record.kind == Kind::Empty {
        return vec![TableWarning::Empty { column: column() }];
    }
    let mut warnings = Vec::new();
    if record.distinct == Some(1) && rows > 1 && record.missing == 0 && record.unreadable.is_none() {
        let range = record.numbers.as_ref().map(|numbers| numbers.minimum.to_string());
        let date = record.dates.as_ref().map(|dates| dates.first.clone());
        let value = record.frequent.first().map(|first| first.value.clone()).or(range).or(date);
        warnings.push(TableWarning::Constant { column: column(), value: value.unwrap_or_default() });
    }
    let share = record.missing as f64 / rows as f64;
    if share >= MANY_MISSING {
        warnings.push(TableWarning::Missing { column: column(), share });
    }
    if let Some(unreadable) = &record.unreadable {
        let (count, line, text) = (unreadable.count, unreadable.line, unreadable.text.clone());
        warnings.push(TableWarning::Unreadable { column: column(), count, line, text });
    }
    if let Some(numbers) = &record.numbers {
        if numbers.zeros_apart {
            warnings.push(TableWarning::Zeros { column: column(), zeros: numbers.zeros });
        }
        let steps = numbers.maximum - numbers.minimum;
        let is_numbered = record.distinct == Some(rows) && steps == (rows - 1) as f64;
        // Numbers of ten rows may be anything.
        if is_numbered && rows >= ROWS && numbers.minimum.fract() == 0.0 && numbers.mean == numbers.median {
            warnings.push(TableWarning::RowNumbers { column: column() });
        }
    }
    if record.kind == Kind::Text && record.distinct.is_none() {
        warnings.push(TableWarning::ManyTexts { column: column() });
    }
    if let Some(text) = number_and_text(record, rows) {
        warnings.push(TableWarning::NumbersAndText {
            column: column(),
            text: text.value.clone(),
            count: text.count,
        });
    }
    warnings
}

/// The text that is frequent where almost all other frequent values are numbers.
fn number_and_text(record: &ColumnRecord, rows: usize) -> Option<&Frequent> {
    let is_number = |frequent: &&Frequent| super::number::number(frequent.value.as_bytes()).is_some();
    let texts: Vec<&Frequent> = record.frequent.iter().filter(|value| !is_number(value)).collect();
    match texts[..] {
        [text] if record.frequent.len() > 5 && 20 * text.count >= rows && record.kind != Kind::Code => {
            Some(text)
        }
        _ => None,
    }
}
