//! What is in a text, for a terminal.

use std::f64::consts::LN_2;

use super::markup::printable;
use super::numbers::{counted, loss, percent, thousands};
use super::table::{Side, table};
use crate::data::text::{FrequentToken, TextRecord, TextSplit};

/// The description of a text.
pub fn text(record: &TextRecord) -> String {
    let file = record.file.map_or(String::new(), |file| {
        format!(" in {}, {} bytes", counted(file.lines, "line"), thousands(file.bytes as u64))
    });
    let mut text = format!(
        "{}: {}{file}\nvocabulary: {}; by their frequencies alone {} bits each, a loss of {}\n",
        printable(&record.name),
        named(record.tokens, record.unit),
        named(record.vocabulary, record.unit),
        loss(record.bits),
        loss(record.bits * LN_2),
    );
    if let Some(split) = &record.split {
        text += &divided(split);
    }
    let row =
        |token: &FrequentToken| vec![quoted(&token.text), thousands(token.count as u64), percent(token.part)];
    let rows: Vec<Vec<String>> = record.frequent.iter().map(row).collect();
    text + &format!(
        "\n{}",
        table(&[(record.unit, Side::Left), ("count", Side::Right), ("part", Side::Right)], &rows, 0)
    )
}

/// So many tokens in words; of a longer name the first word has the plural: "2 pieces of a text".
fn named(count: usize, unit: &str) -> String {
    match unit.split_once(" of ") {
        Some((first, rest)) => format!("{} of {rest}", counted(count, first)),
        None => counted(count, unit),
    }
}

fn divided(split: &TextSplit) -> String {
    let [train, validation] = [split.train, split.validation].map(|count| thousands(count as u64));
    let (what, form) = match split.lines {
        true => ("lines", format!("padded to {}", counted(split.positions, "position"))),
        false => {
            let every = counted(split.step, "token");
            ("windows", format!("of {}, one every {every} to learn from", counted(split.positions, "token")))
        }
    };
    format!("{train} {what} to learn from and {validation} for validation, {form}\n")
}

/// A text in quotes, in which control characters are escaped: harmless on any terminal.
pub fn quoted(text: &str) -> String {
    format!("{text:?}")
}
