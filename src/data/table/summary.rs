//! What is in a column: ranges of numbers and dates, counts of values.

use serde::Serialize;

use super::category::MISSING;
use super::column::{Column, NO_DATE, Unreadable, Values};
use super::date::written;
use super::kind::Kind;
use super::strength::Strength;
use crate::error::Result;
use crate::memory;

/// The most frequent values that are told.
pub const MOST_FREQUENT: usize = 10;

/// The most letters of a value that is told.
const LONGEST: usize = 200;

/// A column, described.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnRecord {
    /// From 1 on.
    pub number: usize,
    pub name: String,
    pub kind: Kind,
    pub missing: usize,
    /// Values that are not of the column's kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<Unreadable>,
    /// How many different values there are; absent where there are too many to be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumberSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<DateSummary>,
    /// The most frequent values first, at most ten; of codes, categories and texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frequent: Vec<Frequent>,
    /// How much the column says about the target, alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<Strength>,
}

/// The range of numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NumberSummary {
    pub minimum: f64,
    pub mean: f64,
    pub median: f64,
    pub maximum: f64,
    /// The standard deviation of the population.
    pub deviation: f64,
    pub zeros: usize,
    /// Whether zero lies far from all other values, none of which is negative, as where it stands for a missing one.
    pub zeros_apart: bool,
}

/// The range of dates, in ISO 8601.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DateSummary {
    pub first: String,
    pub last: String,
    /// Whether each date is later than the one above it.
    pub ascending: bool,
}

/// A value, and in how many rows it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frequent {
    pub value: String,
    pub count: usize,
}

impl ColumnRecord {
    /// Describes a column of a table.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if memory does not suffice for a sorted copy of the column.
    pub fn of(index: usize, column: &Column, rows: usize) -> Result<ColumnRecord> {
        let mut record = ColumnRecord {
            number: index + 1,
            name: column.name.clone(),
            kind: column.kind,
            missing: column.missing,
            unreadable: column.unreadable.clone(),
            distinct: None,
            numbers: None,
            dates: None,
            frequent: Vec::new(),
            strength: None,
        };
        match &column.values {
            Values::Dropped => record.distinct = (column.kind == Kind::Empty).then_some(0),
            Values::Single(_) | Values::Double(_) => {
                let sorted = sorted(column, rows)?;
                let runs = || sorted.chunk_by(|a, b| a == b);
                record.distinct = Some(runs().count());
                record.numbers = summary(&sorted);
                if column.kind == Kind::Code {
                    record.frequent = frequent(runs().map(|run| (run[0].to_string(), run.len())).collect());
                }
            }
            Values::Categories(categories) => {
                let mut counts = vec![0; categories.names.len()];
                for &code in categories.codes.iter().filter(|&&code| code != MISSING) {
                    counts[code as usize] += 1;
                }
                record.distinct = Some(counts.len());
                let mut order: Vec<usize> = (0..counts.len()).collect();
                order.sort_by_key(|&index| std::cmp::Reverse(counts[index]));
                let named = |&index: &usize| (categories.names[index].clone(), counts[index]);
                record.frequent = frequent(order.iter().take(MOST_FREQUENT).map(named).collect());
            }
            Values::Dates(form, seconds) => {
                let mut present: Vec<i64> = memory::reserved("sorted dates", seconds.len())?;
                present.extend(seconds.iter().filter(|&&second| second != NO_DATE));
                let ascending = present.is_sorted_by(|a, b| a < b);
                present.sort_unstable();
                record.distinct = Some(present.chunk_by(|a, b| a == b).count());
                if let (Some(&first), Some(&last)) = (present.first(), present.last()) {
                    let (first, last) = (written(*form, first), written(*form, last));
                    record.dates = Some(DateSummary { first, last, ascending });
                }
            }
        }
        Ok(record)
    }
}

/// The values that are there, in ascending order.
fn sorted(column: &Column, rows: usize) -> Result<Vec<f64>> {
    let present = column.present(rows);
    memory::check("a sorted copy of a column", present.saturating_mul(size_of::<f64>()))?;
    let mut values = memory::reserved("a sorted copy of a column", present)?;
    // -0 is 0.
    values.extend(
        column.numbers().into_iter().flatten().filter(|value| !value.is_nan()).map(|value| value + 0.0),
    );
    values.sort_unstable_by(f64::total_cmp);
    Ok(values)
}

/// The values with the largest counts; those that come first, of equal ones.
fn frequent(mut values: Vec<(String, usize)>) -> Vec<Frequent> {
    values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let short = |value: String| match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    };
    values
        .into_iter()
        .take(MOST_FREQUENT)
        .map(|(value, count)| Frequent { value: short(value), count })
        .collect()
}

/// `sorted`: at least one value, ascending.
fn summary(sorted: &[f64]) -> Option<NumberSummary> {
    let (&minimum, &maximum) = (sorted.first()?, sorted.last()?);
    let count = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / count;
    let squares: f64 = sorted.iter().map(|value| (value - mean) * (value - mean)).sum();
    Some(NumberSummary {
        minimum,
        mean,
        median: middle(sorted),
        maximum,
        deviation: (squares / count).sqrt(),
        zeros: sorted.iter().filter(|&&value| value == 0.0).count(),
        zeros_apart: zeros_apart(sorted),
    })
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { sorted[half - 1] / 2.0 + sorted[half] / 2.0 }
}

/// Different values above zero that a gap is compared with, and how many times as wide it is at least.
const NEIGHBOURS: usize = 10;
const GAP: f64 = 3.0;

/// The smallest value above zero is at least this part of their median.
const PART: f64 = 0.1;

/// A single zero may be a measurement, and where most values are zeros, zero is what is usual.
const FEWEST_ZEROS: usize = 2;

/// Whether there are zeros, all other values are positive, and the gap above zero is much wider than those that follow
/// it: a blood pressure of 0 where the next one is 24, then 30 and 38.
fn zeros_apart(sorted: &[f64]) -> bool {
    if sorted.first() != Some(&0.0) {
        return false;
    }
    let zeros = sorted.partition_point(|&value| value <= 0.0);
    let positive = &sorted[zeros..];
    if zeros < FEWEST_ZEROS || zeros > positive.len() {
        return false;
    }
    let low: Vec<f64> = positive.chunk_by(|a, b| a == b).map(|run| run[0]).take(NEIGHBOURS + 1).collect();
    if low.len() <= NEIGHBOURS {
        return false;
    }
    let mut gaps: Vec<f64> = low.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    low[0] > GAP * middle(&gaps) && low[0] >= PART * middle(positive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_stand_apart_where_nothing_is_near_them() {
        let values = |first: f64, step: f64| {
            let above = (0..40).map(move |index| first + step * f64::from(index));
            [0.0, 0.0].into_iter().chain(above).collect::<Vec<_>>()
        };
        assert!(zeros_apart(&values(24.0, 2.0)));
        assert!(!zeros_apart(&values(1.0, 1.0)));
        assert!(!zeros_apart(&values(5.0, 2.0)));
        assert!(!zeros_apart(&values(0.01, 1e-5)[..1]));
        assert!(!zeros_apart(&values(24.0, 2.0)[1..]));
        assert!(!zeros_apart(&[vec![0.0; 50], values(24.0, 2.0)].concat()));
        let mut negative = values(24.0, 2.0);
        negative.insert(0, -1.0);
        assert!(!zeros_apart(&negative));
    }

    #[test]
    fn numbers_are_summed_up() {
        let found = summary(&[0.0, 1.0, 2.0, 5.0]).unwrap();
        assert_eq!(
            (found.minimum, found.mean, found.median, found.maximum, found.zeros),
            (0.0, 2.0, 1.5, 5.0, 1)
        );
        assert!((found.deviation - 3.5f64.sqrt()).abs() < 1e-15);
        assert_eq!(summary(&[]), None);
    }
}
