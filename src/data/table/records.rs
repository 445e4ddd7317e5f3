//! The records of a table, one after the other, each with its line.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use csv::ByteRecord;

use super::dialect::reader;
use super::source::{Source, Watched, broken, is_too_long};
use crate::error::{Error, Result};

pub(super) fn format_error(path: &Path, place: String, expected: String, found: String) -> Error {
    Error::Format { path: path.to_path_buf(), place, expected, found }
}

/// The error for a record that has not so many fields; `line` is its last, and `why` says where the number is from.
pub(super) fn ragged<'f>(
    path: &Path,
    line: u64,
    fields: impl Iterator<Item = &'f [u8]>,
    columns: usize,
    why: &str,
) -> Error {
    let (mut count, mut within) = (0, 0);
    for field in fields {
        count += 1;
        within += field.iter().filter(|&&byte| byte == b'\n').count();
    }
    let mut found = count.to_string();
    if within > 0 {
        found += &format!(" in {} lines; is there a quote without its other?", within + 1);
    }
    let place = format!("line {}", line.saturating_sub(within as u64));
    let plural = if columns == 1 { "field" } else { "fields" };
    format_error(path, place, format!("{columns} {plural}, {why}"), found)
}

/// The error for a record that has no end within 16 MiB; `line` is as far as it was read.
pub(super) fn too_long(path: &Path, line: u64) -> Error {
    let expected = "a row of at most 16 MiB".to_string();
    let found = "a longer one; is there a quote without its other?".to_string();
    format_error(path, format!("the row that ends behind line {line}"), expected, found)
}

/// The records of a file, with their lines.
pub(super) struct Records<'a> {
    path: &'a Path,
    reader: csv::Reader<Watched>,
    since: Rc<Cell<usize>>,
    gzip: bool,
    /// Lines that the reader is ahead of the record that it gave: of CR and LF it leaves the LF to the next.
    ahead: u64,
}

impl<'a> Records<'a> {
    pub fn of(path: &'a Path, delimiter: u8, source: Source) -> Records<'a> {
        let ahead = u64::from(!source.ends_lines_with_cr());
        let gzip = source.gzip;
        let (bytes, since) = source.into_bytes(delimiter);
        let reader = reader(delimiter).buffer_capacity(64 << 10).from_reader(bytes);
        Records { path, reader, since, gzip, ahead }
    }

    /// Reads a record; its last line, or none at the end.
    pub fn next(&mut self, record: &mut ByteRecord) -> Result<Option<u64>> {
        match self.reader.read_byte_record(record) {
            Ok(true) => {
                self.since.set(0);
                Ok(Some(self.reader.position().line().saturating_sub(self.ahead)))
            }
            Ok(false) => Ok(None),
            Err(error) => Err(self.broken(error)),
        }
    }

    fn broken(&self, error: csv::Error) -> Error {
        let line = self.reader.position().line();
        if is_too_long(self.since.get()) {
            return too_long(self.path, line);
        }
        match error.into_kind() {
            csv::ErrorKind::Io(error) => broken(self.path, self.gzip, error),
            other => format_error(self.path, format!("line {line}"), "a row".into(), format!("{other:?}")),
        }
    }
}
