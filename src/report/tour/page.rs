//! The page of the tour.

use super::charts::chart;
use crate::report::numbers::{counted, duration};
use crate::report::page::{Cell, Column, Page, Part, Section, Table};
use crate::tour::figure::Listing;
use crate::tour::{CaseRecord, TourRecord};

const INTRODUCTION: [&str; 2] = [
    "Gradient descent looks for the lowest place of a landscape, the loss, by going downhill: at each step it asks how the loss \
     changes with each parameter, which is the gradient, and moves all parameters a little against it. How large a step should \
     be, how many samples to ask, when to stop, and what to do about narrow valleys, flat parts and wrong valleys: each case \
     below runs one of these questions, and shows what happens.",
    "Every number on this page was measured by the run that made it. Below each case stands the name of a short program that \
     does the same in few lines on the library: change a number in it, and see what becomes of the picture. Where nothing else \
     is said, a line of a picture begins at a ring and ends at a filled mark, and stars are the places that are looked for.",
];

/// The page as one HTML file, from a record with its pictures.
pub fn page(record: &TourRecord) -> String {
    let mut sections = vec![Section { heading: "What this is".into(), parts: introduction(record) }];
    sections.extend(record.cases.iter().enumerate().map(|(index, of)| section(index + 1, of)));
    sections.push(Section { heading: "How it was made".into(), parts: made(record) });
    let seconds: f64 = record.cases.iter().map(|case| case.seconds).sum();
    let subtitle = format!("{}, run in {}", counted(record.cases.len(), "short case"), duration(seconds));
    let title = "A tour of gradient descent".into();
    Page { title, subtitle, heroes: Vec::new(), sections }.to_html()
}

fn introduction(record: &TourRecord) -> Vec<Part> {
    let mut parts: Vec<Part> = INTRODUCTION.iter().map(|text| Part::Text((*text).into())).collect();
    if record.incomplete {
        parts.push(Part::Notes(vec!["The tour was interrupted: cases are missing.".into()]));
    }
    parts
}

fn section(number: usize, case: &CaseRecord) -> Section {
    let mut parts: Vec<Part> = case.text.iter().map(|text| Part::Text(text.clone())).collect();
    if !case.figures.is_empty() {
        parts.push(Part::Charts(case.figures.iter().map(chart).collect()));
    }
    parts.extend(case.tables.iter().map(|listing| Part::Table(table(listing))));
    parts.push(Part::Text(format!("The program: examples/{}.rs", case.example)));
    parts.push(Part::Code(format!("cargo run --release --example {}", case.example)));
    Section { heading: format!("{number}. {}", case.title), parts }
}

/// A table whose columns of numbers are sorted as such.
fn table(listing: &Listing) -> Table {
    let of_column = |column: usize| listing.rows.iter().filter_map(move |row| row.get(column));
    let numbers: Vec<bool> =
        (0..listing.columns.len()).map(|column| are_numbers(of_column(column))).collect();
    let cell = |(text, is_number): (&String, &bool)| Cell {
        value: number(text).filter(|_| *is_number),
        ..Cell::text(text)
    };
    // Rows have as many cells as there are columns.
    let empty = String::new();
    let row =
        |row: &Vec<String>| row.iter().chain(std::iter::repeat(&empty)).zip(&numbers).map(cell).collect();
    Table {
        caption: listing.caption.clone(),
        columns: listing.columns.iter().map(|title| Column::new(title, "")).collect(),
        rows: listing.rows.iter().map(row).collect(),
    }
}

/// Whether all cells of a column are numbers or say that there is none, and an order makes a difference.
fn are_numbers<'a>(cells: impl Iterator<Item = &'a String>) -> bool {
    let cells: Vec<&String> = cells.collect();
    let numbers: Vec<f64> = cells.iter().filter_map(|text| number(text)).collect();
    let is_none = |text: &str| ["", "-", "–", "—"].contains(&text.trim());
    cells.iter().all(|text| is_none(text) || number(text).is_some())
        && numbers.iter().any(|value| *value != numbers[0])
}

/// The number that a text is: 1,000, -0.1084, −3, 97.65 %.
fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('%').trim_end().replace(',', "").replace('−', "-");
    let starts = text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-' || letter == '.');
    text.parse().ok().filter(|value: &f64| starts && value.is_finite())
}

fn made(record: &TourRecord) -> Vec<Part> {
    let machine = &record.machine;
    let facts = [
        ("Command", record.command.clone()),
        ("Version", record.version.clone()),
        ("Threads", record.threads.to_string()),
        ("Processor", machine.cpu.clone()),
        ("Instruction set", machine.instruction_set.clone()),
        ("System", machine.os.clone()),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let rows = record.cases.iter().map(|case| {
        vec![
            Cell::text(&case.case),
            Cell::text(&case.title),
            Cell::number(duration(case.seconds), case.seconds),
        ]
    });
    let columns = vec![
        Column::new("case", "as the command line names it"),
        Column::new("title", ""),
        Column::new("time", "of the trainings and of all else that the case computes"),
    ];
    let text = "Each picture also lies beside this page, as an SVG file and as a PNG file that are named after the case, and all \
                numbers are in tour.json. The same version of the program gives the same numbers with any number of threads.";
    vec![
        Part::Text(text.into()),
        Part::Facts(facts.map(|(name, value)| (name.to_string(), value)).collect()),
        Part::Table(Table { caption: "The cases".into(), columns, rows: rows.collect() }),
    ]
}
