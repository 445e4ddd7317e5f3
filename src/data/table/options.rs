//! How a table is to be read, where that is not left to what its beginning looks like.

use super::kind::Kind;

/// The encoding of a file's texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Encoding {
    /// UTF-8; anything else is an error.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1: each byte is the letter of this number.
    #[serde(rename = "latin-1")]
    Latin1,
}

impl Encoding {
    /// Whether these bytes are a text.
    pub fn is_text(self, bytes: &[u8]) -> bool {
        self == Encoding::Latin1 || std::str::from_utf8(bytes).is_ok()
    }

    /// The text of these bytes, if they are one.
    pub fn text(self, bytes: &[u8]) -> Option<String> {
        match self {
            Encoding::Utf8 => std::str::from_utf8(bytes).ok().map(String::from),
            Encoding::Latin1 => Some(bytes.iter().map(|&byte| char::from(byte)).collect()),
        }
    }
}

/// What is said about a table. Without a word all is detected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableOptions {
    /// The byte between two fields.
    pub delimiter: Option<u8>,
    /// Whether the first line has the names of the columns.
    pub header: Option<bool>,
    /// The names of the columns, in place of those of the header; none, or as many as there are columns.
    pub names: Vec<String>,
    /// Columns, by name or number, and what they are. Values that do not fit are then errors.
    pub kinds: Vec<(String, Kind)>,
    /// Fields that stand for a missing value, beside `?`, the empty field, NA, N/A, NaN and null.
    pub missing: Vec<String>,
    pub encoding: Encoding,
}

impl TableOptions {
    /// Whether a field stands for a missing value; blanks around it are gone.
    pub(super) fn is_missing(&self, field: &[u8]) -> bool {
        match field.len() {
            0 => true,
            1 => field == b"?" || self.is_own_missing(field),
            2..=4 => {
                // Most fields are told apart by their first letter.
                let words: [&[u8]; 4] = [b"na", b"n/a", b"nan", b"null"];
                (matches!(field[0], b'n' | b'N') && words.iter().any(|word| word.eq_ignore_ascii_case(field)))
                    || self.is_own_missing(field)
            }
            _ => self.is_own_missing(field),
        }
    }

    fn is_own_missing(&self, field: &[u8]) -> bool {
        self.missing.iter().any(|word| word.as_bytes() == field)
    }
}
