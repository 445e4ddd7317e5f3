//! Tables of text: columns under their titles, two spaces between them.

use console::measure_text_width;

/// The side on which a column's texts stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The left, for names.
    Left,
    /// The right, for numbers.
    Right,
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
