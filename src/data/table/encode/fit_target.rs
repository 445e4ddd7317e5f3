//! What is to be predicted, by the training rows.

use super::super::category::{Categories, MISSING};
use super::super::column::{Column, Values};
use super::super::kind::Kind;
use super::super::read::Table;
use super::encoder::{Target, ValueColumn};
use super::readable::check_readable;
use super::scales::mean_and_deviation;
use super::setup::Setup;
use crate::data::samples::MOST_CLASSES;
use crate::data::unit::Unit;
use crate::error::{Error, Result};

/// The target of these columns, by the training rows; no row of the table may lack it.
pub(super) fn fit(table: &Table, columns: &[usize], rows: &[u32], setup: &Setup) -> Result<Target> {
    if columns.is_empty() {
        return Ok(Target::None);
    }
    for &index in columns {
        let column = &table.columns[index];
        check_readable(table, column)?;
        if column.missing > 0 {
            return Err(missing(table, index));
        }
    }
    // What goes on in time is numbers, however few of them are different.
    if let ([only], None) = (columns, &setup.windows) {
        let column = &table.columns[*only];
        match &column.values {
            Values::Categories(categories) if column.kind == Kind::Category => {
                return of_texts(table, column, categories, rows);
            }
            Values::Single(values) if column.kind == Kind::Code => {
                return of_codes(table, column, values, rows);
            }
            _ => {}
        }
    }
    let of_column = |&index: &usize| {
        let column = &table.columns[index];
        if !matches!(column.kind, Kind::Number | Kind::Code) {
            return Err(wrong_kind(table, column, columns.len(), setup.windows.is_some()));
        }
        let unit = if setup.standardise_target {
            let trained: Vec<f64> = rows.iter().map(|&row| column.number(row as usize)).collect();
            let [offset, deviation] = mean_and_deviation(&trained);
            Unit { factor: if deviation > 0.0 { deviation } else { 1.0 }, offset }
        } else {
            Unit::ONE
        };
        if !unit.is_sound() {
            let (expected, found) =
                ("numbers of less than 1e150".into(), format!("a mean of {}", unit.offset));
            return Err(Error::Mismatch { what: format!("target `{}`", column.name), expected, found });
        }
        Ok(ValueColumn { column: column.name.clone(), unit })
    };
    Ok(Target::Values { columns: columns.iter().map(of_column).collect::<Result<_>>()? })
}

fn missing(table: &Table, index: usize) -> Error {
    let column = &table.columns[index];
    let more = match column.missing {
        1 => String::new(),
        count => format!(", the first of {count}"),
    };
    Error::Format {
        path: table.path.clone(),
        place: format!("line {}, column {} (`{}`)", column.first_missing, index + 1, column.name),
        expected: "a value in every row, as it is the target".into(),
        found: format!("a missing one{more}"),
    }
}

fn wrong_kind(table: &Table, column: &Column, targets: usize, is_series: bool) -> Error {
    let name = &column.name;
    let several = if targets > 1 { "each of several targets" } else { "the target" };
    let expected = match targets {
        1 if !is_series => "numbers, or texts or whole numbers that are classes".to_string(),
        _ => "numbers".to_string(),
    };
    let found = match column.kind {
        Kind::Text => {
            format!("texts that are mostly different; data.target names another column than `{name}`")
        }
        Kind::Empty => "nothing: all its values are missing".to_string(),
        kind => format!("values of type {}", kind.name()),
    };
    Error::Mismatch { what: format!("{}: column `{name}`, {several}", table.path.display()), expected, found }
}

fn of_texts(table: &Table, column: &Column, categories: &Categories, rows: &[u32]) -> Result<Target> {
    let mut there = vec![false; categories.names.len()];
    for &row in rows {
        let code = categories.codes[row as usize];
        if code != MISSING {
            there[code as usize] = true;
        }
    }
    let trained = categories.names.iter().zip(there).filter(|(_, there)| *there);
    let mut values: Vec<String> = trained.map(|(name, _)| name.clone()).collect();
    values.sort();
    check_number(table, column, values.len())?;
    Ok(Target::Classes { column: column.name.clone(), values, names: Vec::new(), numbers: false })
}

fn of_codes(table: &Table, column: &Column, codes: &[f32], rows: &[u32]) -> Result<Target> {
    let mut values: Vec<f32> = Vec::new();
    for &row in rows {
        let code = codes[row as usize];
        if !values.contains(&code) {
            values.push(code);
        }
    }
    values.sort_by(f32::total_cmp);
    check_number(table, column, values.len())?;
    // A line of counts has the names of the classes 0, 1 and so on.
    let names = table.counts.as_ref().map_or(&[][..], |counts| &counts.classes);
    let is_numbered = values.iter().enumerate().all(|(index, &value)| value == index as f32);
    let names = if names.len() == values.len() && is_numbered { names.to_vec() } else { Vec::new() };
    let values = values.iter().map(f32::to_string).collect();
    Ok(Target::Classes { column: column.name.clone(), values, names, numbers: true })
}

fn check_number(table: &Table, column: &Column, classes: usize) -> Result<()> {
    if (2..=MOST_CLASSES).contains(&classes) {
        return Ok(());
    }
    let name = &column.name;
    let found = match classes {
        1 => "one alone, from which there is nothing to tell it".to_string(),
        more => format!("{more}; data.types.{name}=number takes numbers for what they are"),
    };
    let what = format!("{}: classes of the target `{name}`", table.path.display());
    Err(Error::Mismatch { what, expected: format!("2 to {MOST_CLASSES} in the training rows"), found })
}
