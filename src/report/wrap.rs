//! Sentences in lines that fit a terminal.

use console::measure_text_width;

/// The text in lines of at most `columns`, broken between words alone: a longer word has a line of its own.
/// The first line begins with `first`, the others with as much room. Each line ends with a line feed.
pub fn wrapped(text: &str, columns: usize, first: &str) -> String {
    let indent = measure_text_width(first);
    let mut lines = first.to_string();
    let mut used = indent;
    let mut is_first_word = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let width = measure_text_width(word);
        if !is_first_word && used + 1 + width > columns {
            lines = format!("{lines}\n{}", " ".repeat(indent));
            (used, is_first_word) = (indent, true);
        }
        if !is_first_word {
            lines.push(' ');
            used += 1;
        }
        lines += word;
        used += width;
        is_first_word = false;
    }
    lines + "\n"
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three four", 10, "- "), "- one two\n  three\n  four\n");
        assert_eq!(wrapped("incomprehensible word", 5, ""), "incomprehensible\nword\n");
        assert_eq!(wrapped("", 5, "  "), "  \n");
        assert_eq!(wrapped("\x1b[31mred\x1b[0m is not wide", 12, ""), "\x1b[31mred\x1b[0m is not\nwide\n");
    }
}
