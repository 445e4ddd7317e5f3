//! The terminal: the text that is printed on it, made harmless, and how the progress bar sees it.

use std::io::{self, StderrLock, StdoutLock, Write};
use std::path::Path;

use console::Term;
use indicatif::TermLike;

use super::markup::{for_coloured_terminal, for_terminal};
use super::wrap::fitted;

/// The values of COLUMNS that are taken; others are no widths.
const LEAST_COLUMNS: usize = 20;
const MOST_COLUMNS: usize = 10_000;

/// A standard stream. Names of files, models and records may come from anywhere; no control character in them
/// gets through, but the ends of lines.
pub struct Clean<W> {
    to: W,
    make: fn(&str) -> String,
}

impl<W: Write> Write for Clean<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write_all((self.make)(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Standard output.
pub fn stdout() -> Clean<StdoutLock<'static>> {
    Clean { to: io::stdout().lock(), make: for_terminal }
}

/// Standard output for texts of our own with colours, in which names have been made harmless before.
pub fn coloured_stdout() -> Clean<StdoutLock<'static>> {
    Clean { to: io::stdout().lock(), make: for_coloured_terminal }
}

/// Standard error.
pub fn stderr() -> Clean<StderrLock<'static>> {
    Clean { to: io::stderr().lock(), make: for_terminal }
}

/// The columns of a text for people on standard output: those of its terminal, or what the variable COLUMNS says.
pub fn columns() -> Option<usize> {
    columns_of(&Term::stdout())
}

/// The columns that a text for people has: those of the terminal that a stream goes to, or what the variable COLUMNS says
/// where it goes elsewhere. Nothing is known of a pipe without it.
fn columns_of(stream: &Term) -> Option<usize> {
    let of_terminal = stream.size_checked().map(|(_, columns)| usize::from(columns));
    let is_usable = |columns: &usize| (LEAST_COLUMNS..=MOST_COLUMNS).contains(columns);
    let asked = || std::env::var("COLUMNS").ok()?.parse().ok().filter(is_usable);
    of_terminal.filter(|columns| *columns > 0).or_else(asked)
}

/// Prints a text for people to standard output: lines are broken between words where they would not fit.
///
/// # Errors
/// If standard output takes no more.
pub fn print(text: &str) -> io::Result<()> {
    stdout().write_all(fit(text, columns()).as_bytes())
}

/// [`print()`] of a text of our own with colours, in which names have been made harmless before.
///
/// # Errors
/// If standard output takes no more.
pub fn print_coloured(text: &str) -> io::Result<()> {
    coloured_stdout().write_all(fit(text, columns()).as_bytes())
}

/// [`print()`] to standard error.
///
/// # Errors
/// If standard error takes no more.
pub fn print_error(text: &str) -> io::Result<()> {
    stderr().write_all(fit(text, columns_of(&Term::stderr())).as_bytes())
}

fn fit(text: &str, columns: Option<usize>) -> String {
    columns.map_or_else(|| text.to_string(), |columns| fitted(text, columns))
}

/// The line that says that a file has been written.
pub fn wrote(path: &Path) -> String {
    format!("wrote {}\n", for_terminal(&path.display().to_string()))
}

/// Columns that are left free: a terminal echoes `^C` behind the bar.
const FREE: u16 = 3;

/// Standard error, a little narrower than it is. The bar fills its last line up to the width, so an
/// echoed `^C` would begin a new line, and the bar above it could not be removed.
#[derive(Debug)]
pub struct Narrow(Term);

impl Narrow {
    pub fn stderr() -> Narrow {
        // The whole frame is written when it is complete, so that it does not flicker.
        Narrow(Term::buffered_stderr())
    }
}

impl TermLike for Narrow {
    fn width(&self) -> u16 {
        TermLike::width(&self.0).saturating_sub(FREE)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(&for_coloured_terminal(text))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(&for_coloured_terminal(text))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_commands_the_terminal() {
        let mut seen = Vec::new();
        let name = "a\u{1b}[31m";
        writeln!(Clean { to: &mut seen, make: for_terminal }, "wrote {name}: {}", 1).unwrap();
        assert_eq!(String::from_utf8(seen).unwrap(), "wrote a\u{fffd}[31m: 1\n");
        assert_eq!(wrote(Path::new("\u{1b}]0;x\u{7}\u{202e}")), "wrote \u{fffd}]0;x\u{fffd}\u{fffd}\n");
    }
}
