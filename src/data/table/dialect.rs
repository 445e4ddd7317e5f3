//! How a table is written, told from its beginning: the delimiter, a line of counts, a header.

use csv::ByteRecord;

use super::blanks::Blanks;
use super::date::date;
use super::number::number;
use super::options::{Encoding, TableOptions};

/// The delimiters that are looked for, in the order of preference: where several divide all lines alike, commas may be
/// those of decimals.
pub const DELIMITERS: [(&str, u8); 4] =
    [("tab", b'\t'), ("pipe", b'|'), ("semicolon", b';'), ("comma", b',')];

/// The byte that a name, or a mark itself, stands for.
pub fn delimiter_named(text: &str) -> Option<u8> {
    if let Some((_, byte)) = DELIMITERS.iter().find(|(name, _)| *name == text) {
        return Some(*byte);
    }
    match text.as_bytes() {
        // These would make a field of nothing, or of half of one.
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n.-+".contains(byte) => {
            Some(*byte)
        }
        _ => None,
    }
}

/// Records that are looked at: for the delimiter, and for all else.
const RECORDS_FOR_DELIMITER: usize = 100;
const RECORDS: usize = 1000;

/// What the first line of some tables says about the others, as in those that come with scikit-learn:
/// `150,4,setosa,versicolor,virginica`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Rows below.
    pub rows: usize,
    /// Columns, without that of the classes.
    pub features: usize,
    /// The names of the classes, whose numbers the last column holds; empty where there are none.
    pub classes: Vec<String>,
}

/// The records at the beginning of a file.
pub(super) fn records(head: &[u8], delimiter: u8, most: usize) -> Vec<ByteRecord> {
    let without = Blanks::needed(head, delimiter).map(|mut blanks| {
        let mut head = head.to_vec();
        let kept = blanks.drop_from(&mut head);
        head.truncate(kept);
        head
    });
    let mut reader =
        reader(delimiter).buffer_capacity(8 << 10).from_reader(without.as_deref().unwrap_or(head));
    // What cannot be read here cannot be read later either, and is told then.
    let records = reader.byte_records().map_while(Result::ok);
    records.take(most).map(trimmed).collect()
}

/// The way that all tables are read.
pub(super) fn reader(delimiter: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter);
    builder
}

fn trimmed(mut record: ByteRecord) -> ByteRecord {
    record.trim();
    record
}

/// The beginning of a table, taken apart.
pub(super) struct Beginning {
    pub delimiter: u8,
    pub counts: Option<Counts>,
    pub header: Option<ByteRecord>,
    /// The first rows.
    pub rows: Vec<ByteRecord>,
}

impl Beginning {
    /// Takes the beginning of a file apart, as the options say, or as it looks.
    pub fn of(head: &[u8], options: &TableOptions) -> Beginning {
        let delimiter = options.delimiter.unwrap_or_else(|| delimiter_of(head));
        let mut records = records(head, delimiter, RECORDS).into_iter().peekable();
        let first = records.next();
        let counts = first
            .as_ref()
            .zip(records.peek())
            .and_then(|(first, second)| counts_of(first, second, options.encoding));
        let mut rows: Vec<ByteRecord> =
            first.filter(|_| counts.is_none()).into_iter().chain(records).collect();
        let has_header = options.header.unwrap_or_else(|| has_header(&rows, options));
        let header = (has_header && !rows.is_empty()).then(|| rows.remove(0));
        Beginning { delimiter, counts, header, rows }
    }

    /// Records before the first row.
    pub fn skipped(&self) -> usize {
        usize::from(self.counts.is_some()) + usize::from(self.header.is_some())
    }
}

/// The delimiter that divides most lines into the same number of fields, more than one.
fn delimiter_of(head: &[u8]) -> u8 {
    let mut best = (0.0, 0, b',');
    for (_, delimiter) in DELIMITERS {
        let records = records(head, delimiter, RECORDS_FOR_DELIMITER);
        let mut lengths: Vec<usize> =
            records.iter().map(ByteRecord::len).filter(|&length| length > 1).collect();
        lengths.sort_unstable();
        let runs = lengths.chunk_by(|a, b| a == b);
        let Some((count, length)) = runs.map(|run| (run.len(), run[0])).max() else { continue };
        let share = count as f64 / records.len() as f64;
        // One line says little: there the most fields count.
        if share > best.0 || (share == best.0 && records.len() == 1 && length > best.1) {
            best = (share, length, delimiter);
        }
    }
    best.2
}

/// The counts of the first record, if it has them: rows, columns but one of the second record, and texts, or
/// nothing, in all that follows.
fn counts_of(first: &ByteRecord, second: &ByteRecord, encoding: Encoding) -> Option<Counts> {
    let mut fields = first.iter();
    let mut whole = || std::str::from_utf8(fields.next()?).ok()?.parse::<usize>().ok();
    let (rows, features) = (whole()?, whole()?);
    let classes: Vec<&[u8]> = fields.collect();
    let is_text = |field: &&[u8]| number(field).is_none() && date(field).is_none();
    if features.checked_add(1) != Some(second.len()) || classes.is_empty() || !classes.iter().all(is_text) {
        return None;
    }
    // A row of two numbers and texts looks the same, if the one below it does too.
    if first.len() == second.len() && second.iter().skip(2).all(|field| is_text(&field)) {
        return None;
    }
    let classes = classes.into_iter().filter(|class| !class.is_empty());
    let classes = classes.map(|class| encoding.text(class)).collect::<Option<_>>()?;
    Some(Counts { rows, features, classes })
}

/// Whether the first record looks like names: no number, date or mark of a missing value among its fields, and
/// either a column of numbers or dates below it, or texts of which none comes again below.
fn has_header(records: &[ByteRecord], options: &TableOptions) -> bool {
    let Some((first, rows)) = records.split_first() else { return false };
    let is_value = |field: &[u8]| {
        number(field).is_some() || date(field).is_some() || (!field.is_empty() && options.is_missing(field))
    };
    if first.iter().any(is_value) || first.iter().all(<[u8]>::is_empty) {
        return false;
    }
    let mut again = false;
    let mut repeats = false;
    for (column, name) in first.iter().enumerate() {
        let fields = rows.iter().filter_map(|row| row.get(column)).filter(|field| !options.is_missing(field));
        let (mut count, mut values) = (0, 0);
        let mut last: Option<&[u8]> = None;
        for field in fields {
            count += 1;
            values += usize::from(is_value(field));
            again |= field == name;
            repeats |= last == Some(field);
            last = Some(field);
        }
        if count > 0 && 20 * values >= 19 * count {
            return true;
        }
    }
    repeats && !again
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(text: &str) -> Beginning {
        Beginning::of(text.as_bytes(), &TableOptions::default())
    }

    #[test]
    fn the_delimiter_is_the_one_that_divides_all_lines_alike() {
        for (text, delimiter) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n2,5;3,0\n", b';'),
            ("a\tb, c\n1\t2\n", b'\t'),
            ("1|2|3\n4|5|6\n", b'|'),
            ("\"a;b\",\"c\"\n\"d\",\"e\"\n", b','),
            ("x\n1\n2\n", b','),
            ("1,2,3;4", b','),
            ("", b','),
        ] {
            assert_eq!(char::from(delimiter_of(text.as_bytes())), char::from(delimiter), "{text}");
        }
    }

    #[test]
    fn a_header_is_told_from_a_row() {
        for (text, header) in [
            ("a,b\n1,x\n2,y\n", true),
            ("5.1,setosa\n4.9,setosa\n", false),
            ("M,0.4\nF,0.5\n", false),
            ("name,2001-01\nx,3\ny,4\n", false),
            ("Month,Sales\n1-01,266.0\n1-02,145.9\n", true),
            (",a\nx,1\ny,2\n", true),
            ("colour,size\nred,S\nred,M\nblue,S\n", true),
            ("red,S\nred,M\nblue,S\nred,S\n", false),
            ("?,a\n1,b\n", false),
            ("a,b\n?,\n1,NA\n", true),
            ("a,b\n", false),
            ("", false),
        ] {
            assert_eq!(beginning(text).header.is_some(), header, "{text}");
        }
    }

    #[test]
    fn a_line_of_counts_is_told_from_a_row_and_a_header() {
        let iris = beginning("150,4,setosa,versicolor,virginica\n5.1,3.5,1.4,0.2,0\n4.9,3.0,1.4,0.2,0\n");
        let names = ["setosa", "versicolor", "virginica"].map(String::from).to_vec();
        assert_eq!(iris.counts, Some(Counts { rows: 150, features: 4, classes: names }));
        assert_eq!((iris.skipped(), iris.rows.len()), (1, 2));
        let boston = beginning("506,2,,\nCRIM,ZN,MEDV\n0.1,18,24\n0.2,0,21\n");
        assert_eq!(boston.counts, Some(Counts { rows: 506, features: 2, classes: Vec::new() }));
        assert!(boston.header.is_some());
        for text in ["2,3,x,y\n4,3,x,y\n", "2,2,3\n1,1,1\n", "2,4,x\n1,1,1\n", "2,2\n1,1,1\n", "2,2,x\n"] {
            assert_eq!(beginning(text).counts, None, "{text}");
        }
    }
}
