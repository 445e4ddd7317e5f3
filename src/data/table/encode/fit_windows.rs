//! What windows of a series need to know of the training rows, and what they ask of a table.

use super::super::column::{Column, Values};
use super::super::date;
use super::super::kind::Kind;
use super::super::read::Table;
use super::feature::Feature;
use super::readable::check_readable;
use super::setup::{Setup, WindowSetup};
use super::windows::{Dates, MOST_ROWS, Spacing, Windows};
use crate::error::{Error, Result};

/// Seconds of an hour and of a day.
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// Refuses a table whose rows are in no order of time, and settings that do not go with windows.
pub(super) fn check(table: &Table, setup: &Setup, target: &[usize]) -> Result<()> {
    let Some(windows) = &setup.windows else { return Ok(()) };
    let sizes = [("window", windows.window), ("horizon", windows.horizon), ("step", windows.step)];
    if let Some((key, size)) = sizes.into_iter().find(|(_, size)| !(1..=MOST_ROWS).contains(size)) {
        return Err(mismatch(&format!("data.{key}"), format!("1 to {MOST_ROWS} rows"), size.to_string()));
    }
    let weighed = [("weights", setup.weights.is_some()), ("class_weights", setup.balanced)];
    if let Some((key, _)) = weighed.into_iter().find(|(_, given)| *given) {
        let expected = "none with windows, each of which has several rows".to_string();
        return Err(mismatch(&format!("data.{key}"), expected, "some".into()));
    }
    let Some(index) = date_column(table, setup, target)? else { return Ok(()) };
    let column = &table.columns[index];
    check_readable(table, column)?;
    let (line, expected, found) = match column {
        Column { missing: 1.., first_missing, .. } => {
            (*first_missing, "a date in every row of a series", "a missing one")
        }
        Column { first_descent: 1.., .. } => (
            column.first_descent,
            "a later date than in the row above, as rows of a series come in the order of time; data.ignore leaves the \
             column out, and the order of the file holds then",
            "one that is not later",
        ),
        _ => return Ok(()),
    };
    Err(Error::Format {
        path: table.path.clone(),
        place: format!("line {line}, column {} (`{}`)", index + 1, column.name),
        expected: expected.into(),
        found: found.into(),
    })
}

/// The first column of dates that is not ignored.
fn date_column(table: &Table, setup: &Setup, target: &[usize]) -> Result<Option<usize>> {
    let ignored = setup.ignore.iter().map(|name| table.find(name)).collect::<Result<Vec<usize>>>()?;
    let is_date = |&index: &usize| {
        let column = &table.columns[index];
        let is_date = column.kind == Kind::Date && matches!(column.values, Values::Dates(..));
        is_date && !ignored.contains(&index) && !target.contains(&index)
    };
    Ok((0..table.columns.len()).find(is_date))
}

/// The windows that are asked for, with what the training rows say, and what there is to say about it.
pub(super) fn fit(
    table: &Table,
    rows: &[u32],
    setup: &Setup,
    target: &[usize],
    features: &[Feature],
) -> Result<Option<(Windows, Option<String>)>> {
    let Some(asked) = &setup.windows else { return Ok(None) };
    let mut dates = None;
    if let Some(index) = date_column(table, setup, target)?
        && let Values::Dates(form, all) = &table.columns[index].values
    {
        let trained: Vec<i64> = rows.iter().map(|&row| all[row as usize]).collect();
        let column = table.columns[index].name.clone();
        dates = Some(Dates { column, form: *form, spacing: spacing(&trained) });
    }
    let known = known(table, asked, target, features, dates.as_ref())?;
    let (season, note) = season(asked, dates.as_ref())?;
    let naive_errors = target.iter().map(|&index| naive_error(&table.columns[index], rows)).collect();
    let WindowSetup { window, horizon, step, sequence, .. } = *asked;
    Ok(Some((Windows { window, horizon, step, known, dates, season, sequence, naive_errors }, note)))
}

/// The columns that are said to be known ahead, without that of the dates, which always is.
fn known(
    table: &Table,
    asked: &WindowSetup,
    target: &[usize],
    features: &[Feature],
    dates: Option<&Dates>,
) -> Result<Vec<String>> {
    let mut known = Vec::new();
    for name in &asked.known {
        let index = table.find(name)?;
        let column = &table.columns[index].name;
        let is_feature = features.iter().any(|feature| feature.column == *column);
        if target.contains(&index) || !is_feature {
            let expected = "columns that features are made of, and not the target".to_string();
            return Err(mismatch("data.known", expected, format!("`{column}`")));
        }
        if dates.is_none_or(|dates| dates.column != *column) && !known.contains(column) {
            known.push(column.clone());
        }
    }
    Ok(known)
}

/// The season that was said, or that which the dates suggest if a window holds it.
fn season(asked: &WindowSetup, dates: Option<&Dates>) -> Result<(Option<usize>, Option<String>)> {
    let window = asked.window;
    if let Some(season) = asked.season {
        if (2..=window).contains(&season) {
            return Ok((Some(season), None));
        }
        let expected = format!("2 to {window}, as many rows as a window has");
        return Err(mismatch("data.season", expected, season.to_string()));
    }
    let season = dates.and_then(|dates| dates.spacing).and_then(|spacing| match spacing {
        Spacing::Months(1) => Some(12),
        Spacing::Seconds(DAY) => Some(7),
        Spacing::Seconds(HOUR) => Some(24),
        _ => None,
    });
    match season {
        Some(season) if season > window => {
            let note = format!(
                "there is no seasonal naive forecast to compare with, as a season of {season} rows is longer than the \
                 window of {window}"
            );
            Ok((None, Some(note)))
        }
        season => Ok((season, None)),
    }
}

/// The distance of ascending dates, if at least 19 in 20 have it.
fn spacing(dates: &[i64]) -> Option<Spacing> {
    let all = dates.len().checked_sub(1)?;
    let pairs = || dates.windows(2);
    let months = pairs().filter_map(|pair| date::months_between(pair[0], pair[1])).collect();
    let seconds = pairs().map(|pair| pair[1] - pair[0]).collect();
    usual(months, all).map(Spacing::Months).or_else(|| usual(seconds, all).map(Spacing::Seconds))
}

fn usual(mut values: Vec<i64>, all: usize) -> Option<i64> {
    values.retain(|&value| value > 0);
    values.sort_unstable();
    let longest = values.chunk_by(|a, b| a == b).max_by_key(|run| run.len())?;
    (20 * longest.len() >= 19 * all).then_some(longest[0])
}

/// The mean absolute difference from one of the rows to the next.
fn naive_error(column: &Column, rows: &[u32]) -> f64 {
    let all: Vec<f64> = column.numbers().into_iter().flatten().collect();
    let count = rows.len().saturating_sub(1).max(1) as f64;
    let difference = |pair: &[u32]| (all[pair[1] as usize] - all[pair[0] as usize]).abs() / count;
    rows.windows(2).map(difference).sum()
}

fn mismatch(what: &str, expected: String, found: String) -> Error {
    Error::Mismatch { what: what.into(), expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_dates_is_that_of_almost_all() {
        let at = |text: &str| date::date(text.as_bytes()).unwrap().1;
        assert_eq!(spacing(&["1960-11", "1960-12", "1961-01"].map(at)), Some(Spacing::Months(1)));
        assert_eq!(spacing(&["2001-05-03", "2002-05-03"].map(at)), Some(Spacing::Months(12)));
        assert_eq!(spacing(&["2001-05-03", "2001-05-04", "2001-05-05"].map(at)), Some(Spacing::Seconds(DAY)));
        assert_eq!(spacing(&["2001-05-03", "2001-05-04", "2001-05-06"].map(at)), None);
        assert_eq!((spacing(&[5]), spacing(&[])), (None, None));
        let mut days: Vec<i64> = (0..100).map(|day| day * DAY).collect();
        days.remove(40);
        assert_eq!(spacing(&days), Some(Spacing::Seconds(DAY)));
    }
}
