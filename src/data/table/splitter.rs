//! The records of a block of bytes, field by field, where they lie: the grammar of RFC 4180 as the `csv` crate reads it,
//! for a fraction of what copying every byte costs.

use super::marks::Marks;

/// Goes through the records of a block.
pub(super) struct Splitter<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    /// The ends of fields, and quotes, from `position` on.
    marks: Marks<'a>,
    /// How many bytes have been taken, and the line of the next one.
    position: usize,
    line: u64,
    /// Where the fields of the last record end, each followed by one byte that is none of theirs.
    ends: Vec<usize>,
    /// A record that has quotes, without them.
    text: Vec<u8>,
}

/// A record.
pub(super) struct Record<'a> {
    text: &'a [u8],
    ends: &'a [usize],
    /// The line that it ends in.
    pub line: u64,
}

impl<'a> Record<'a> {
    /// How many fields there are, at least one.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn fields(&self) -> impl Iterator<Item = &'a [u8]> {
        let (text, mut start) = (self.text, 0);
        self.ends.iter().map(move |&end| {
            let field = &text[start..end];
            start = end + 1;
            field
        })
    }
}

fn ends_line(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// How many lines end within these bytes. So many that their number fits into a byte are counted at a time, many in one
/// instruction.
pub(super) fn lines(bytes: &[u8]) -> u64 {
    let count = |bytes: &[u8]| bytes.iter().map(|&byte| u8::from(byte == b'\n')).sum::<u8>();
    bytes.chunks(usize::from(u8::MAX)).map(|chunk| u64::from(count(chunk))).sum()
}

impl<'a> Splitter<'a> {
    /// For whole records, the first byte of which is in this line.
    pub fn new(bytes: &'a [u8], line: u64, delimiter: u8) -> Splitter<'a> {
        let marks = Marks::new(bytes, [delimiter, b'"', b'\n', b'\r']);
        Splitter { bytes, delimiter, marks, position: 0, line, ends: Vec::new(), text: Vec::new() }
    }

    /// How many bytes have been taken, and the line of the next one.
    pub fn place(&self) -> (usize, u64) {
        (self.position, self.line)
    }

    /// The next record; none at the end.
    pub fn next(&mut self) -> Option<Record<'_>> {
        // The end of the record before this one, and blank lines.
        while let Some(&byte) = self.bytes.get(self.position).filter(|&&byte| ends_line(byte)) {
            self.line += u64::from(byte == b'\n');
            self.position += 1;
        }
        if self.position == self.bytes.len() {
            return None;
        }
        let start = self.position;
        let is_plain = self.split_plain();
        if !is_plain {
            self.split_quoted();
        }
        let text = if is_plain { &self.bytes[start..] } else { &self.text };
        Some(Record { text, ends: &self.ends, line: self.line })
    }

    /// Finds the fields of a record without quotes; false if it has one that opens a field.
    fn split_plain(&mut self) -> bool {
        self.ends.clear();
        let start = self.position;
        let mut field = start;
        while let Some(at) = self.marks.next() {
            // The rest of a CR and LF, and blank lines.
            if at < start {
                continue;
            }
            let byte = self.bytes[at];
            if byte == self.delimiter {
                self.ends.push(at - start);
                field = at + 1;
            } else if byte != b'"' {
                self.ends.push(at - start);
                self.position = at;
                return true;
            } else if at == field {
                return false;
            }
            // Any other quote is a letter of its field.
        }
        self.ends.push(self.bytes.len() - start);
        self.position = self.bytes.len();
        true
    }

    /// Finds the fields of a record that has quotes, and copies them without these.
    fn split_quoted(&mut self) {
        self.ends.clear();
        self.text.clear();
        let rest = &self.bytes[self.position..];
        let mut at = 0;
        loop {
            if rest.get(at) == Some(&b'"') {
                at = self.copy_quoted(rest, at + 1);
            }
            // What follows the closing quote belongs to the field too.
            let is_end = |&byte: &u8| byte == self.delimiter || ends_line(byte);
            let end = rest[at..].iter().position(is_end).map_or(rest.len(), |length| at + length);
            self.text.extend_from_slice(&rest[at..end]);
            self.ends.push(self.text.len());
            at = end;
            if rest.get(at) != Some(&self.delimiter) {
                break;
            }
            self.text.push(self.delimiter);
            at += 1;
        }
        self.line += lines(&rest[..at]);
        self.position += at;
        self.marks.go_to(self.position);
    }

    /// Copies what is within quotes, from behind the opening one; where it goes on behind the closing one.
    fn copy_quoted(&mut self, rest: &[u8], mut at: usize) -> usize {
        while let Some(length) = rest[at..].iter().position(|&byte| byte == b'"') {
            self.text.extend_from_slice(&rest[at..at + length]);
            at += length + 1;
            // Two quotes stand for one.
            if rest.get(at) != Some(&b'"') {
                return at;
            }
            self.text.push(b'"');
            at += 1;
        }
        self.text.extend_from_slice(&rest[at..]);
        rest.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::table::dialect::reader;

    fn split(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut splitter = Splitter::new(text, 1, b',');
        let mut records = Vec::new();
        while let Some(record) = splitter.next() {
            assert_eq!(record.len(), record.fields().count());
            records.push(record.fields().map(<[u8]>::to_vec).collect());
        }
        records
    }

    proptest! {
        #[test]
        fn records_are_those_of_the_csv_crate(text in "[,,\"\"\n\r a]{0,30}") {
            let records = reader(b',').from_reader(text.as_bytes()).into_byte_records();
            let expected: Vec<Vec<Vec<u8>>> =
                records.map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
            prop_assert_eq!(split(text.as_bytes()), expected);
        }
    }

    #[test]
    fn a_record_is_in_the_line_that_it_ends_in() {
        for text in ["a\n\n\"b\nc\",d\n\"e\n", "a\r\n\r\n\"b\nc\",d\r\n\"e\n"] {
            let mut splitter = Splitter::new(text.as_bytes(), 7, b',');
            let lines: Vec<u64> = std::iter::from_fn(|| splitter.next().map(|record| record.line)).collect();
            assert_eq!(lines, [7, 10, 12], "{text:?}");
        }
    }
}
