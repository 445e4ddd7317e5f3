//! The bytes of a table: from a file, plain or compressed, or from a pipe; and its beginning, read ahead.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use super::super::gzip::{self, Members};
use super::blanks::Blanks;
use crate::error::{Error, Result};
use crate::pipe;

/// Bytes of the beginning that is looked at before the table is read; more where its lines are long.
const HEAD: usize = 64 << 10;
const MOST_HEAD: usize = 4 << 20;
const LINES: usize = 20;

/// The most bytes of a record: a quote that nobody closes must not read all of a file into memory.
const MOST_RECORD: usize = 16 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The name that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// An open table.
pub(super) struct Source {
    pub gzip: bool,
    /// Whether it can be read once more from its beginning.
    pub is_file: bool,
    /// The beginning, without a byte order mark.
    pub head: Vec<u8>,
    /// Whether the beginning is all there is.
    pub is_whole: bool,
    rest: Box<dyn Read>,
}

impl Source {
    /// Opens a file, and reads its beginning.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is damaged, or no text.
    pub fn open(path: &Path) -> Result<Source> {
        let (mut reader, is_file): (Box<dyn BufRead>, bool) = if path.as_os_str() == STANDARD_INPUT {
            (Box::new(BufReader::new(io::stdin())), false)
        } else {
            let file = pipe::open(path).map_err(Error::io(path, "open"))?;
            let is_file = file.length().map_err(Error::io(path, "read"))?.is_some();
            (Box::new(BufReader::with_capacity(HEAD, file)), is_file)
        };
        let gzip = reader.fill_buf().map_err(Error::io(path, "read"))?.starts_with(&gzip::MAGIC);
        let rest: Box<dyn Read> = if gzip { Box::new(Members::new(reader)) } else { reader };
        let mut source = Source { gzip, is_file, head: Vec::new(), is_whole: false, rest };
        source.read_head().map_err(|error| source.broken(path, error))?;
        source.check_text(path)?;
        Ok(source)
    }

    fn read_head(&mut self) -> io::Result<()> {
        while self.head.len() < MOST_HEAD && !self.is_whole {
            let piece = self.rest.by_ref().take(HEAD as u64).read_to_end(&mut self.head)?;
            self.is_whole = piece < HEAD;
            if self.head.iter().filter(|&&byte| byte == b'\n').nth(LINES).is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Refuses what is no text, and drops a byte order mark.
    fn check_text(&mut self, path: &Path) -> Result<()> {
        let refuse = |place: String, found: &str| {
            let (expected, found) = ("a table as text".to_string(), found.to_string());
            Err(Error::Format { path: path.to_path_buf(), place, expected, found })
        };
        if self.head.starts_with(b"\xff\xfe") || self.head.starts_with(b"\xfe\xff") {
            return refuse("byte 0".into(), "UTF-16, which is not read; save it as UTF-8");
        }
        if let Some(place) = self.head.iter().position(|&byte| byte == 0) {
            return refuse(format!("byte {place}"), "a zero byte, which no text has");
        }
        // Some programs have written a second one.
        while self.head.starts_with(BOM) {
            self.head.drain(..BOM.len());
        }
        Ok(())
    }

    /// The beginning without a last line that may be cut off.
    pub fn whole_lines(&self) -> &[u8] {
        let end = self.head.iter().rposition(|&byte| byte == b'\n').filter(|_| !self.is_whole);
        end.map_or(&self.head, |end| &self.head[..=end])
    }

    /// Whether lines end with both CR and LF.
    pub fn ends_lines_with_cr(&self) -> bool {
        let end = self.head.iter().position(|&byte| byte == b'\n');
        end.is_some_and(|end| end > 0 && self.head[end - 1] == b'\r')
    }

    /// All bytes from the beginning on, and an end of a line behind the last one.
    pub fn into_bytes(self, delimiter: u8) -> (Watched, Rc<Cell<usize>>) {
        let end: &[u8] = if self.ends_lines_with_cr() { b"\r\n" } else { b"\n" };
        let blanks = Blanks::needed(self.whole_lines(), delimiter);
        let bytes = Box::new(io::Cursor::new(self.head).chain(self.rest).chain(end));
        let since = Rc::new(Cell::new(0));
        (Watched { bytes, blanks, since: since.clone() }, since)
    }

    /// The error for what the reader of this source found.
    fn broken(&self, path: &Path, error: io::Error) -> Error {
        broken(path, self.gzip, error)
    }
}

/// The error for what a reader found: a fault of the file's content if it is compressed.
pub(super) fn broken(path: &Path, gzip: bool, error: io::Error) -> Error {
    if !gzip {
        return Error::io(path, "read")(error);
    }
    let found = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the end of the file".to_string(),
        _ => error.to_string(),
    };
    let expected = "sound gzip data to the end of the file".to_string();
    Error::Format { path: path.to_path_buf(), place: "gzip stream".into(), expected, found }
}

/// A reader that gives up where a record has no end.
pub(super) struct Watched {
    bytes: Box<dyn Read>,
    blanks: Option<Blanks>,
    /// Bytes since whoever reads has last set it to 0.
    since: Rc<Cell<usize>>,
}

/// Whether a record of so many bytes is too long.
pub(super) fn is_too_long(bytes: usize) -> bool {
    bytes > MOST_RECORD
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if is_too_long(self.since.get()) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a record without an end"));
            }
            let count = self.bytes.read(buffer)?;
            self.since.set(self.since.get() + count);
            match &mut self.blanks {
                Some(blanks) if count > 0 => match blanks.drop_from(&mut buffer[..count]) {
                    // Nothing would be the end.
                    0 => {}
                    kept => return Ok(kept),
                },
                _ => return Ok(count),
            }
        }
    }
}
