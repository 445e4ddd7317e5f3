//! Sentences in lines that fit a terminal.

use console::measure_text_width;

/// How lines begin that are commands to copy.
const COMMANDS: [&str; 3] = ["fallline ", "`fallline ", "try: fallline "];

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

/// A text whose lines are at most `columns` wide: longer ones are broken between words, and go on two columns further in
/// than they began. A longer word has a line of its own, and what was several spaces within a line stays so.
pub fn fitted(text: &str, columns: usize) -> String {
    text.split_inclusive('\n').map(|line| fitted_line(line, columns)).collect()
}

fn fitted_line(line: &str, columns: usize) -> String {
    let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
    // A command that is broken could not be copied.
    let is_command = COMMANDS.iter().any(|first| line.trim_start().starts_with(first));
    if is_command || measure_text_width(line) <= columns {
        return format!("{line}{end}");
    }
    let indent = line.len() - line.trim_start_matches(' ').len();
    let next = (indent + 2).min(columns / 2);
    let mut lines = line[..indent].to_string();
    let (mut used, mut spaces) = (indent, 0);
    let mut is_first_word = true;
    for word in line[indent..].split(' ') {
        if word.is_empty() {
            spaces += 1;
            continue;
        }
        let width = measure_text_width(word);
        if !is_first_word && used + 1 + spaces + width > columns {
            lines = format!("{lines}\n{}", " ".repeat(next));
            used = next;
        } else if !is_first_word {
            lines += &" ".repeat(1 + spaces);
            used += 1 + spaces;
        }
        lines += word;
        (used, spaces, is_first_word) = (used + width, 0, false);
    }
    lines + end
}

#[cfg(test)]
mod tests {
    use super::{fitted, wrapped};

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three four", 10, "- "), "- one two\n  three\n  four\n");
        assert_eq!(wrapped("incomprehensible word", 5, ""), "incomprehensible\nword\n");
        assert_eq!(wrapped("", 5, "  "), "  \n");
        assert_eq!(fitted("short\n\n  one  two three four", 12), "short\n\n  one  two\n    three\n    four");
        let command = "  try: fallline train digits-mlp\n";
        assert_eq!(fitted(command, 12), command);
        assert_eq!(fitted("incomprehensible word\n", 5), "incomprehensible\n  word\n");
        assert_eq!(fitted("\x1b[31mred\x1b[0m is not wide", 15), "\x1b[31mred\x1b[0m is not wide");
        assert_eq!(wrapped("\x1b[31mred\x1b[0m is not wide", 12, ""), "\x1b[31mred\x1b[0m is not\nwide\n");
    }
}
