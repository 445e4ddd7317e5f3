//! Tables of text: columns under their titles, two spaces between them.

use console::{measure_text_width, style};

use super::wrap::wrapped;

/// The side on which a column's texts stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The left, for names.
    Left,
    /// The right, for numbers.
    Right,
}

/// A column of a table that leaves some out where it would be too wide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column<'a> {
    pub title: &'a str,
    pub side: Side,
    /// How soon it is left out: the highest first, 0 never.
    pub yields: u8,
}

/// The widest line of the sentence below a table, however wide the terminal is.
const WIDEST_TEXT: usize = 100;

/// [`table`] without the columns for which there is no room in `width`, and a sentence below it that names them; `elsewhere`
/// says what else shows them: ", --csv". All have room if there is no `width`.
pub fn fitted(
    columns: &[Column],
    rows: &[Vec<String>],
    totals: usize,
    width: Option<usize>,
    elsewhere: &str,
) -> String {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let mut dropped = Vec::new();
    loop {
        let cells = |row: &Vec<String>| -> Vec<String> {
            kept.iter().map(|&column| row.get(column).cloned().unwrap_or_default()).collect()
        };
        let titles: Vec<(&str, Side)> =
            kept.iter().map(|&column| (columns[column].title, columns[column].side)).collect();
        let text = table(&titles, &rows.iter().map(cells).collect::<Vec<_>>(), totals);
        let first = kept.iter().map(|&column| columns[column].yields).max().unwrap_or(0);
        let fits = |width: usize| text.lines().all(|line| measure_text_width(line) <= width);
        if first == 0 || width.is_none_or(fits) {
            return text + &left_out(&dropped, elsewhere, width);
        }
        dropped.extend(columns.iter().filter(|column| column.yields == first).map(|column| column.title));
        kept.retain(|&column| columns[column].yields != first);
    }
}

/// The sentence that says which columns had no room; empty if all had.
fn left_out(dropped: &[&str], elsewhere: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|_| !dropped.is_empty()) else { return String::new() };
    let text = format!("no room for: {}; a wider terminal{elsewhere} shows them", dropped.join(", "));
    style(wrapped(&text, width.min(WIDEST_TEXT), "")).dim().to_string()
}

/// A table with a rule below its titles, and one above its last `totals` rows if there are any.
/// Colours in a text do not count as its width. Lines have no spaces at their ends.
///
/// `rows`: as many texts each as there are `columns`; missing ones are empty.
pub fn table(columns: &[(&str, Side)], rows: &[Vec<String>], totals: usize) -> String {
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let titles: Vec<String> = columns.iter().map(|(title, _)| title.to_string()).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| {
            let cells = rows.iter().map(|row| measure_text_width(&cell(row, column)));
            cells.fold(measure_text_width(&titles[column]), usize::max)
        })
        .collect();
    let line = |row: &[String]| {
        let places = columns.iter().zip(&widths).enumerate();
        let cells = places.map(|(column, ((_, side), &width))| padded(&cell(row, column), *side, width));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let rule = widths.iter().map(|&width| "─".repeat(width)).collect::<Vec<_>>().join("──") + "\n";

    let first_total = rows.len().saturating_sub(totals);
    let mut text = line(&titles) + &rule;
    for (index, row) in rows.iter().enumerate() {
        if index == first_total {
            text += &rule;
        }
        text += &line(row);
    }
    text
}

fn padded(text: &str, side: Side, width: usize) -> String {
    let space = " ".repeat(width.saturating_sub(measure_text_width(text)));
    match side {
        Side::Left => format!("{text}{space}"),
        Side::Right => format!("{space}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|text| text.to_string()).collect()).collect()
    }

    #[test]
    fn columns_yield_in_their_order() {
        let columns = [("name", 0), ("µs", 2), ("note", 1), ("more", 2)].map(|(title, yields)| Column {
            title,
            side: Side::Left,
            yields,
        });
        let rows = rows(&[&["a", "1,234", "x", "y"], &["longer", "5"]]);
        let width = |width| console::strip_ansi_codes(&fitted(&columns, &rows, 0, width, "")).into_owned();
        assert!(!width(None).contains("no room"));
        assert_eq!(width(Some(25)), width(None));
        let text = width(Some(24));
        assert!(text.starts_with("name    note\n"), "{text}");
        assert!(text.ends_with("no room for: µs, more; a\nwider terminal shows\nthem\n"), "{text}");
        // The sentence, too, is broken between words.
        assert!(width(Some(11)).starts_with("name\n──────\na\nlonger\nno room\nfor: µs,\nmore, note;\n"));
        // What never yields stays, however narrow it is.
        assert!(width(Some(2)).starts_with("name\n──────\na\nlonger\n"));
    }

    const COLUMNS: [(&str, Side); 3] = [("name", Side::Left), ("µs", Side::Right), ("note", Side::Left)];

    #[test]
    fn names_stand_left_and_numbers_right() {
        let text =
            table(&COLUMNS, &rows(&[&["a", "1,234", "x"], &["longer", "5"], &["sum", "1,239", ""]]), 1);
        let expected = "\
name       µs  note
───────────────────
a       1,234  x
longer      5
───────────────────
sum     1,239
";
        assert_eq!(text, expected);
    }

    #[test]
    fn without_totals_there_is_one_rule_and_without_rows_only_titles() {
        let text = table(&COLUMNS, &rows(&[&["a", "1", "x"]]), 0);
        assert_eq!(text, "name  µs  note\n──────────────\na      1  x\n");
        assert_eq!(table(&COLUMNS, &[], 0), "name  µs  note\n──────────────\n");
    }

    #[test]
    fn colours_take_no_room() {
        let text = table(&COLUMNS, &rows(&[&["\x1b[31mred\x1b[0m", "1", "x"]]), 0);
        assert_eq!(text.lines().last().unwrap(), "\x1b[31mred\x1b[0m    1  x");
    }
}
