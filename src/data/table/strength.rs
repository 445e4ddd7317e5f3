//! How much a column says about the target, alone.

use serde::Serialize;

use super::category::MISSING;
use super::column::{Column, Values};
use super::kind::Kind;
use crate::error::Result;
use crate::memory;

/// The most pairs of a category and a class that are counted.
const MOST_PAIRS: usize = 1 << 22;

/// A strength, and what it is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Strength {
    pub measure: Measure,
    pub value: f64,
}

/// Measures of what one column says about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Of two numbers, from -1 to 1 (K. Pearson).
    Correlation,
    /// Of a number and classes: the part of its variance that lies between the classes, as in the analysis of
    /// variance (R. Fisher), from 0 to 1.
    EtaSquared,
    /// Of two sorts of classes, from 0 to 1 (H. Cramér, "Mathematical Methods of Statistics", 1946).
    CramersV,
}

/// The values of a target.
pub(super) enum TargetValues {
    /// `[rows]`; NaN where there is none.
    Numbers(Vec<f64>),
    Classes(Classes),
}

/// `[rows]`, each below `count` or [`MISSING`].
pub(super) struct Classes {
    codes: Vec<u32>,
    count: usize,
}

impl TargetValues {
    /// The values of a column that may be a target; none of one that may not.
    pub fn of(column: &Column) -> Result<Option<TargetValues>> {
        Ok(match column.kind {
            Kind::Number | Kind::Date => column_numbers(column)?.map(TargetValues::Numbers),
            Kind::Code | Kind::Category => Classes::of(column)?.map(TargetValues::Classes),
            Kind::Text | Kind::Empty => None,
        })
    }
}

fn column_numbers(column: &Column) -> Result<Option<Vec<f64>>> {
    let Some(numbers) = column.numbers() else { return Ok(None) };
    let len = numbers.size_hint().0;
    memory::check("the values of the target", len.saturating_mul(size_of::<f64>()))?;
    let mut values = memory::reserved("the values of the target", len)?;
    // -0 is 0.
    values.extend(numbers.map(|value| value + 0.0));
    Ok(Some(values))
}

impl Classes {
    fn of(column: &Column) -> Result<Option<Classes>> {
        if let Values::Categories(categories) = &column.values {
            let codes = memory::copied("the classes of a column", &categories.codes)?;
            return Ok(Some(Classes { codes, count: categories.names.len() }));
        }
        let Some(numbers) = column_numbers(column)? else { return Ok(None) };
        let mut different = memory::copied("the classes of a column", &numbers)?;
        different.retain(|value| !value.is_nan());
        different.sort_unstable_by(f64::total_cmp);
        different.dedup();
        let code =
            |value: &f64| different.binary_search_by(|known| known.total_cmp(value)).unwrap_or(0) as u32;
        let codes = numbers.iter().map(|value| if value.is_nan() { MISSING } else { code(value) }).collect();
        Ok(Some(Classes { codes, count: different.len() }))
    }
}

impl Strength {
    /// What a column says about a target; none if either does not vary, or the column's values are no help.
    pub(super) fn of(column: &Column, target: &TargetValues) -> Result<Option<Strength>> {
        let is_number = matches!(column.kind, Kind::Number | Kind::Date);
        let is_class = matches!(column.kind, Kind::Code | Kind::Category);
        let (measure, value) = match target {
            TargetValues::Numbers(target) if is_number || column.kind == Kind::Code => {
                let pairs = || column.numbers().into_iter().flatten().zip(target.iter().copied());
                (Measure::Correlation, correlation(pairs))
            }
            TargetValues::Numbers(target) if is_class => {
                let Some(classes) = Classes::of(column)? else { return Ok(None) };
                (
                    Measure::EtaSquared,
                    eta_squared(|| target.iter().copied().zip(classes.codes.iter().copied()), classes.count),
                )
            }
            TargetValues::Classes(target) if is_number => {
                let pairs = || column.numbers().into_iter().flatten().zip(target.codes.iter().copied());
                (Measure::EtaSquared, eta_squared(pairs, target.count))
            }
            TargetValues::Classes(target) if is_class => {
                let Some(classes) = Classes::of(column)? else { return Ok(None) };
                (Measure::CramersV, cramers_v(&classes, target))
            }
            _ => return Ok(None),
        };
        Ok(value.filter(|value| value.is_finite()).map(|value| Strength { measure, value }))
    }
}

/// The correlation of pairs that have both numbers.
fn correlation<I: Iterator<Item = (f64, f64)>>(pairs: impl Fn() -> I) -> Option<f64> {
    let whole = || pairs().filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (count, a_sum, b_sum) =
        whole().fold((0.0, 0.0, 0.0), |(n, a, b), pair| (n + 1.0, a + pair.0, b + pair.1));
    let (a_mean, b_mean) = (a_sum / count, b_sum / count);
    let (mut products, mut a_squares, mut b_squares) = (0.0, 0.0, 0.0);
    for (a, b) in whole() {
        let (a, b) = (a - a_mean, b - b_mean);
        products += a * b;
        a_squares += a * a;
        b_squares += b * b;
    }
    (a_squares > 0.0 && b_squares > 0.0).then(|| products / a_squares.sqrt() / b_squares.sqrt())
}

/// The part of a number's variance between `classes` classes, over pairs of which neither is missing.
fn eta_squared<I: Iterator<Item = (f64, u32)>>(pairs: impl Fn() -> I, classes: usize) -> Option<f64> {
    let whole = || pairs().filter(|(value, class)| !value.is_nan() && *class != MISSING);
    let mut sums = vec![(0.0, 0.0); classes];
    let mut total = (0.0, 0.0);
    for (value, class) in whole() {
        let (count, sum) = &mut sums[class as usize];
        (*count, *sum) = (*count + 1.0, *sum + value);
        total = (total.0 + 1.0, total.1 + value);
    }
    let mean = total.1 / total.0;
    let all: f64 = whole().map(|(value, _)| (value - mean) * (value - mean)).sum();
    let present = sums.iter().filter(|(count, _)| *count > 0.0);
    let between: f64 =
        present.clone().map(|(count, sum)| count * (sum / count - mean) * (sum / count - mean)).sum();
    (all > 0.0 && present.count() > 1).then(|| (between / all).min(1.0))
}

/// The square root of chi squared over its largest possible value.
fn cramers_v(a: &Classes, b: &Classes) -> Option<f64> {
    let pairs = a.count.checked_mul(b.count).filter(|pairs| (1..=MOST_PAIRS).contains(pairs))?;
    let mut counts = vec![0u64; pairs];
    for (&a, &b_code) in a.codes.iter().zip(&b.codes).filter(|&(&a, &b)| a != MISSING && b != MISSING) {
        counts[a as usize * b.count + b_code as usize] += 1;
    }
    let of_a: Vec<f64> = counts.chunks(b.count).map(|row| row.iter().sum::<u64>() as f64).collect();
    let of_b: Vec<f64> =
        (0..b.count).map(|class| counts[class..].iter().step_by(b.count).sum::<u64>() as f64).collect();
    let total: f64 = of_a.iter().sum();
    let present = |sums: &[f64]| sums.iter().filter(|&&sum| sum > 0.0).count();
    let smaller = present(&of_a).min(present(&of_b));
    if smaller < 2 {
        return None;
    }
    let mut part = 0.0;
    for (row, a_sum) in counts.chunks(b.count).zip(&of_a) {
        let row = row.iter().zip(&of_b).filter(|(count, _)| **count > 0);
        part += row.map(|(&count, b_sum)| count as f64 / a_sum * (count as f64 / b_sum)).sum::<f64>();
    }
    let chi_squared = total * (part - 1.0).max(0.0);
    Some((chi_squared / total / (smaller - 1) as f64).sqrt().min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_correlate() {
        let of = |pairs: &[(f64, f64)]| correlation(|| pairs.iter().copied());
        assert!((of(&[(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]).unwrap() - 1.0).abs() < 1e-15);
        assert!((of(&[(1.0, 3.0), (2.0, 1.0), (f64::NAN, 9.0)]).unwrap() + 1.0).abs() < 1e-15);
        // By hand: deviations (-1, 0, 1) and (-1, 1, 0).
        assert!((of(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0)]).unwrap() - 0.5).abs() < 1e-15);
        assert_eq!((of(&[(1.0, 1.0), (1.0, 2.0)]), of(&[])), (None, None));
    }

    #[test]
    fn variance_lies_between_classes_or_within() {
        let of = |pairs: &[(f64, u32)]| eta_squared(|| pairs.iter().copied(), 3);
        assert_eq!(of(&[(1.0, 0), (1.0, 0), (4.0, 2)]), Some(1.0));
        assert_eq!(of(&[(1.0, 0), (3.0, 0), (1.0, 1), (3.0, 1)]), Some(0.0));
        // Means 1 and 3 of four values with deviations of 1 about them: 4 of 8.
        assert_eq!(of(&[(0.0, 0), (2.0, 0), (2.0, 1), (4.0, 1), (9.0, MISSING)]), Some(0.5));
        assert_eq!((of(&[(0.0, 1), (1.0, 1)]), of(&[])), (None, None));
    }

    #[test]
    fn classes_go_together_or_not() {
        let classes = |codes: &[u32], count| Classes { codes: codes.to_vec(), count };
        let of = |a: &[u32], b: &[u32]| cramers_v(&classes(a, 2), &classes(b, 3));
        assert_eq!(of(&[0, 1, 0, 1], &[2, 0, 2, 0]), Some(1.0));
        assert_eq!(of(&[0, 1, 0, 1], &[2, 2, 0, 0]), Some(0.0));
        // Counts [[2, 1], [1, 2]]: chi squared is 6 * (4/9 + 1/9 + 1/9 + 4/9 - 1) = 2/3.
        let v = of(&[0, 0, 0, 1, 1, 1, MISSING], &[0, 0, 1, 0, 1, 1, 0]).unwrap();
        assert!((v - 1.0 / 3.0).abs() < 1e-12, "{v}");
        assert_eq!(of(&[0, 0], &[0, 1]), None);
        for count in [0, 1 << 20] {
            assert_eq!(cramers_v(&classes(&[], count), &classes(&[], 1 << 20)), None);
        }
    }
}
