//! Whole records of a table, a block of bytes at a time: what workers can read side by side.

use std::cell::Cell;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use super::records::too_long;
use super::source::{Source, Watched, broken, is_too_long};
use super::splitter::{Splitter, lines};
use crate::error::{Error, Result};

/// Bytes of a block: few enough that a worker keeps one in its cache with all that it makes of it, and that a table
/// of some megabytes is shared out evenly.
pub(super) const BLOCK: usize = 256 << 10;

/// Some records, whole ones.
pub(super) struct Block {
    pub bytes: Vec<u8>,
    /// The line of the first byte.
    pub line: u64,
}

/// Cuts a file into blocks.
pub(super) struct Blocks<'a> {
    path: &'a Path,
    bytes: Watched,
    since: Rc<Cell<usize>>,
    gzip: bool,
    delimiter: u8,
    /// Bytes that are read at a time.
    size: usize,
    /// Records that are yet to be passed over.
    skipped: usize,
    /// The beginning of the next block, and its line.
    rest: Vec<u8>,
    line: u64,
    /// Whether all has been read, or no more can be; and why, until that is told.
    is_done: bool,
    error: Option<Error>,
}

impl<'a> Blocks<'a> {
    /// Blocks of `size` bytes, or a little more, of the records behind the first `skipped` ones.
    pub fn of(path: &'a Path, delimiter: u8, source: Source, size: usize, skipped: usize) -> Blocks<'a> {
        let gzip = source.gzip;
        let (bytes, since) = source.into_bytes(delimiter);
        let (rest, line, is_done, error) = (Vec::new(), 1, false, None);
        Blocks { path, bytes, since, gzip, delimiter, size, skipped, rest, line, is_done, error }
    }

    /// Reads the next block; none at the end. Records before a damage are given first.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Format`] if it is damaged, or has a record of more than 16 MiB.
    pub fn next(&mut self) -> Result<Option<Block>> {
        if self.is_done {
            return self.error.take().map_or(Ok(None), Err);
        }
        let mut bytes = std::mem::take(&mut self.rest);
        let mut quotes = Quotes { delimiter: self.delimiter, is_open: false, may_open: true };
        let (mut seen, mut end) = (0, None);
        while end.is_none() && !self.is_done {
            bytes.reserve(self.size);
            let read = self.bytes.by_ref().take(self.size as u64).read_to_end(&mut bytes);
            end = quotes.last_end(&bytes[seen..]).map(|end| seen + end);
            seen = bytes.len();
            match read {
                Ok(count) if count == self.size => {}
                Ok(_) => {
                    self.is_done = true;
                    end = Some(bytes.len());
                }
                Err(error) => {
                    self.is_done = true;
                    self.error = Some(self.broken(&bytes, error));
                }
            }
        }
        let end = end.unwrap_or(0);
        self.rest = bytes.split_off(end);
        self.since.set(self.rest.len());
        Ok(Some(self.block(bytes)))
    }

    /// A block of these bytes, without the records that are to be passed over.
    fn block(&mut self, mut bytes: Vec<u8>) -> Block {
        let mut line = self.line;
        self.line += lines(&bytes);
        if self.skipped > 0 {
            let mut records = Splitter::new(&bytes, line, self.delimiter);
            while self.skipped > 0 && records.next().is_some() {
                self.skipped -= 1;
            }
            let (position, next) = records.place();
            bytes.drain(..position);
            line = next;
        }
        Block { bytes, line }
    }

    /// The error for what came behind these bytes.
    fn broken(&self, bytes: &[u8], error: io::Error) -> Error {
        if is_too_long(self.since.get()) {
            return too_long(self.path, self.line + lines(bytes));
        }
        broken(self.path, self.gzip, error)
    }
}

/// Tells what is within quotes, in bytes that come piece by piece from the beginning of a record on.
struct Quotes {
    delimiter: u8,
    /// Whether a quoted part goes on behind the last piece.
    is_open: bool,
    /// Whether a quote in front of the next piece would open a quoted part.
    may_open: bool,
}

impl Quotes {
    /// Where in the next piece the last record ends that does so there.
    fn last_end(&mut self, piece: &[u8]) -> Option<usize> {
        let ends_record = |&byte: &u8| (byte == b'\n' || byte == b'\r') && byte != self.delimiter;
        let last_in = |from: usize, to: usize| {
            piece[from..to].iter().rposition(ends_record).map(|place| from + place + 1)
        };
        let (mut end, mut outside) = (None, 0);
        let mut closing = None;
        // Most files have no quotes, and are told so at the speed of memory.
        let quotes = if piece.contains(&b'"') { piece } else { &[] };
        for (at, _) in quotes.iter().enumerate().filter(|&(_, &byte)| byte == b'"') {
            if self.is_open {
                self.is_open = false;
                (closing, outside) = (Some(at), at + 1);
                continue;
            }
            // At the beginning of a field, or the second of two that stand for one.
            let opens = match at.checked_sub(1) {
                None => self.may_open,
                Some(before) => {
                    closing == Some(before) || piece[before] == self.delimiter || ends_record(&piece[before])
                }
            };
            if opens {
                self.is_open = true;
                end = last_in(outside, at).or(end);
            }
        }
        if !self.is_open {
            end = last_in(outside, piece.len()).or(end);
        }
        if let Some(last) = piece.len().checked_sub(1) {
            self.may_open =
                closing == Some(last) || piece[last] == self.delimiter || ends_record(&piece[last]);
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ends of records that are seen if the text comes in pieces of this length.
    fn last_end(text: &str, piece: usize) -> Option<usize> {
        let mut quotes = Quotes { delimiter: b',', is_open: false, may_open: true };
        let mut end = None;
        for (index, part) in text.as_bytes().chunks(piece).enumerate() {
            end = quotes.last_end(part).map(|end| index * piece + end).or(end);
        }
        end
    }

    #[test]
    fn ends_of_lines_within_quotes_end_no_record() {
        for (text, end) in [
            ("a,b\nc", Some(4)),
            ("a,b\r\nc", Some(5)),
            ("a,\"b\nc\",d", None),
            ("a\n\"b\nc\"\nd", Some(8)),
            ("a\n\"b\n", Some(2)),
            ("a\n\"b\"\"\nc\"\"\n\"\n,", Some(13)),
            // A quote that opens no field is a letter.
            ("a\"b\nc", Some(4)),
            ("a\n\"b\"c\"\n", Some(8)),
            ("\"\"\n\"", Some(3)),
            ("a", None),
        ] {
            for piece in 1..=text.len() {
                assert_eq!(last_end(text, piece), end, "{text:?} in pieces of {piece}");
            }
        }
    }
}
