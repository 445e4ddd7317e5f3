//! A linear fit beside its exact solution.

use crate::report::numbers::thousands;
use crate::report::page::{Cell, Column, Part, Section, Table};
use crate::report::table::{self, Side};
use crate::train::{CoefficientRecord, ExactRecord};

/// How near descent has come, in a line.
pub fn text(record: &ExactRecord) -> String {
    let ExactRecord { method, objective, least, .. } = record;
    if !record.converged {
        return format!(
            "objective {}; {method} found no end: without a penalty there may be no best weights",
            number(*objective)
        );
    }
    let excess = record.excess.map(|excess| format!(", {} more", relative(excess))).unwrap_or_default();
    let distance = match record.distance {
        Some(distance) => format!("; weights {} of their norm from the exact ones", relative(distance)),
        None => format!("; weights {} from the exact ones, at most", relative(record.largest_difference)),
    };
    format!("objective {}, exact {} ({method}){excess}{distance}", number(*objective), number(*least))
}

/// The most coefficients that a terminal shows.
const FEW: usize = 20;

/// The coefficients as a table for a terminal, if they are few.
pub fn coefficients(record: &ExactRecord) -> String {
    if !record.converged || record.numbers > FEW || record.coefficients.len() < record.numbers {
        return String::new();
    }
    let outputs = record.coefficients.iter().any(|coefficient| coefficient.output > 0);
    let row = |coefficient: &CoefficientRecord| {
        let CoefficientRecord { descent, exact, .. } = *coefficient;
        let numbers = [descent, exact, descent - exact].map(number);
        [vec![name_of(coefficient, outputs)], numbers.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = record.coefficients.iter().map(row).collect();
    let titles = ["descent", "exact", "difference"].map(|title| (title, Side::Right));
    let titles = [&[("coefficient", Side::Left)][..], &titles].concat();
    table::table(&titles, &rows, 0)
}

/// "output 1, feature 0", without the output if there is only one, and with the name of the feature if it has one.
fn name_of(coefficient: &CoefficientRecord, outputs: bool) -> String {
    let numbered = coefficient.feature.map_or("bias".to_string(), |feature| format!("feature {feature}"));
    let feature = coefficient.name.clone().unwrap_or(numbered);
    if outputs { format!("output {}, {feature}", coefficient.output) } else { feature }
}

/// The section of a page, with a table of coefficients.
pub(super) fn section(name: &str, one_of_several: bool, record: &ExactRecord) -> Section {
    let of = if one_of_several { format!(" of {name}") } else { String::new() };
    let mut notes = vec![Part::Text(format!("{name}: {}.", text(record)))];
    if let Some([exact, descent]) = record.not_zero {
        notes.push(Part::Text(format!("Weights that are not 0: {exact} exact ones, {descent} of descent.")));
    }
    let outputs = record.coefficients.iter().any(|coefficient| coefficient.output > 0);
    let row = |coefficient: &CoefficientRecord| {
        let CoefficientRecord { descent, exact, .. } = *coefficient;
        let name = name_of(coefficient, outputs);
        let shown = |value: f64| Cell::number(number(value), value);
        vec![Cell::text(&name), shown(descent), shown(exact), shown(descent - exact)]
    };
    let columns = [
        ("coefficient", "features and outputs are counted from 0"),
        ("descent", "as trained"),
        ("exact", ""),
        ("difference", ""),
    ];
    let shown = record.coefficients.len();
    let caption = if shown < record.numbers {
        format!("The {shown} largest of {} coefficients", thousands(record.numbers as u64))
    } else {
        "Coefficients".into()
    };
    let table = Table {
        caption,
        columns: columns.map(|(title, hint)| Column::new(title, hint)).to_vec(),
        rows: record.coefficients.iter().map(row).collect(),
    };
    notes.push(Part::Table(table));
    Section { heading: format!("Exact solution{of}"), parts: notes }
}

/// Six digits, or as a power of ten if it is small or huge.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e6).contains(&size) { format!("{value:.6}") } else { format!("{value:.5e}") }
}

pub(super) fn relative(value: f64) -> String {
    format!("{value:.1e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ExactRecord {
        let coefficient =
            |feature, descent, exact| CoefficientRecord { output: 0, feature, name: None, descent, exact };
        ExactRecord {
            kind: "lasso".into(),
            method: "coordinate descent".into(),
            converged: true,
            objective: 0.5001,
            least: 0.5,
            excess: Some(0.0002),
            distance: Some(1e-3),
            largest_difference: 0.002,
            numbers: 3,
            not_zero: Some([1, 1]),
            coefficients: vec![
                coefficient(Some(0), 2.002, 2.0),
                coefficient(Some(1), 0.0, 0.0),
                coefficient(None, 1e-4, 1e-4),
            ],
        }
    }

    #[test]
    fn a_line_says_how_near_it_is() {
        let near = record();
        assert_eq!(
            text(&near),
            "objective 0.500100, exact 0.500000 (coordinate descent), 2.0e-4 more; weights 1.0e-3 of their norm from \
             the exact ones"
        );
        let perfect = ExactRecord { excess: None, distance: None, least: 0.0, objective: 1e-9, ..record() };
        assert_eq!(
            text(&perfect),
            "objective 1.00000e-9, exact 0.000000 (coordinate descent); weights 2.0e-3 from the exact ones, at most"
        );
        let endless = ExactRecord { converged: false, ..record() };
        assert!(text(&endless).contains("found no end"));
    }

    #[test]
    fn a_terminal_shows_few_coefficients() {
        let shown = coefficients(&record());
        assert!(shown.starts_with("coefficient") && shown.lines().count() == 5, "{shown}");
        assert!(shown.contains("feature 0      2.002000    2.000000    0.002000\n"), "{shown}");
        assert_eq!(coefficients(&ExactRecord { numbers: 21, ..record() }), "");
        assert_eq!(coefficients(&ExactRecord { converged: false, ..record() }), "");
    }

    #[test]
    fn the_section_has_a_row_for_each_coefficient() {
        let section = section("a run", false, &record());
        let [Part::Text(_), Part::Text(sparse), Part::Table(table)] = &section.parts[..] else {
            panic!("{section:?}")
        };
        assert_eq!(sparse, "Weights that are not 0: 1 exact ones, 1 of descent.");
        let texts: Vec<&str> = table.rows[2].iter().map(|cell| &*cell.text).collect();
        assert_eq!(texts, ["bias", "1.00000e-4", "1.00000e-4", "0.000000"]);
        assert_eq!((table.rows.len(), &*table.caption), (3, "Coefficients"));
    }
}
