//! The terminal as the progress bar sees it.

use std::io;

use console::Term;
use indicatif::TermLike;

/// Columns that are left free: a terminal echoes `^C` behind the bar.
const FREE: u16 = 3;

/// Standard error, a little narrower than it is. The bar fills its last line up to the width, so an
/// echoed `^C` would begin a new line, and the bar above it could not be removed.
#[derive(Debug)]
pub struct Narrow(Term);

impl Narrow {
    pub fn stderr() -> Narrow {
        // Written at once when a frame is complete, so that it does not flicker.
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
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
