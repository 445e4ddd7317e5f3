//! What is printed of the tour.

use console::style;

use super::super::markup::printable;
use super::super::numbers::{counted, duration};
use super::super::wrap::wrapped;
use crate::tour::{CaseRecord, TourRecord};

/// The most columns of a paragraph: longer lines are hard to read.
const WIDEST: usize = 100;

/// A case that is done: its title, how long it took, and its first sentence. `number`: which one of how many it is.
pub fn case_block(number: usize, of: usize, case: &CaseRecord, columns: usize) -> String {
    let width = of.to_string().len();
    let title = style(printable(&case.title)).bold();
    let first = case.text.first().map_or("", |text| sentence(text));
    let indent = " ".repeat(2 * width + 3);
    let text = wrapped(&printable(first), columns.min(WIDEST), &indent);
    format!("{number:>width$}/{of}  {title}  {}\n{text}", duration(case.seconds))
}

/// The first sentence of a text.
fn sentence(text: &str) -> &str {
    let ends = text.match_indices(['.', '!', '?', ':']).map(|(index, _)| index);
    // A point within a number or a name is followed by none.
    let is_end = |&index: &usize| text[index + 1..].starts_with(' ') && !text[index..].starts_with(':');
    ends.into_iter().find(is_end).map_or(text, |index| &text[..=index])
}

/// What the tour has come to.
pub fn result(record: &TourRecord) -> String {
    let seconds: f64 = record.cases.iter().map(|case| case.seconds).sum();
    format!(
        "\n{} in {}, {}\n",
        counted(record.cases.len(), "case"),
        duration(seconds),
        counted(record.threads, "thread")
    )
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_sentence_ends_before_a_space() {
        assert_eq!(sentence("With a rate of 0.01 it is slow. Then"), "With a rate of 0.01 it is slow.");
        assert_eq!(sentence("All: of it"), "All: of it");
        assert_eq!(sentence(""), "");
    }
}
