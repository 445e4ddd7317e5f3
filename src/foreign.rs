//! JSON from elsewhere, read within bounds: of its length, of how many values it holds and how deep they lie. And the
//! listing of folders.

use std::fs::ReadDir;
use std::io::{self, Read};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::{Error, Result};
use crate::{memory, panics, pipe};

/// The longest text that is read, in bytes.
pub const LARGEST_JSON: u64 = 64 << 20;

/// The most values that a text may hold: the shortest take two bytes there, and some tens in memory.
const MOST_VALUES: usize = 4 << 20;

/// The bytes of a file or a pipe. What is longer than [`LARGEST_JSON`] is not read at all if its length is
/// known, and no further than that if it is not.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] if there are more bytes; an error if memory is short.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let file = pipe::open(path).map_err(Error::io(path, "open"))?;
    let length = file.length().map_err(Error::io(path, "read"))?;
    let too_long = |found: String| Error::Format {
        path: path.into(),
        place: "length of the file".into(),
        expected: format!("at most {LARGEST_JSON} bytes"),
        found,
    };
    if let Some(length) = length.filter(|&length| length > LARGEST_JSON) {
        return Err(too_long(length.to_string()));
    }
    let room = length.map_or(0, |length| length as usize + 1);
    let mut bytes = memory::reserved("a JSON file", room)?;
    memory::refusable(|| file.take(LARGEST_JSON + 1).read_to_end(&mut bytes))
        .map_err(Error::io(path, "read"))?;
    if bytes.len() as u64 > LARGEST_JSON { Err(too_long("more".into())) } else { Ok(bytes) }
}

/// What lies in a folder. The standard library opens a file again where a signal has interrupted that, a folder it does not.
///
/// # Errors
/// Those of the system.
pub fn read_folder(folder: &Path) -> io::Result<ReadDir> {
    loop {
        match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            opened => return opened,
        }
    }
}

/// What is wrong with a JSON text.
#[derive(Debug, PartialEq)]
pub struct Fault {
    /// "line 7, column 12"
    pub place: String,
    pub expected: String,
    pub found: String,
}

/// The value that the text says. Lists and objects may lie in each other 128 deep.
///
/// # Errors
/// The [`Fault`] if it is no JSON, or that of another kind of value, or holds too many.
pub fn json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    if let Some(place) = beyond(text, MOST_VALUES) {
        let before = &text[..place];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
        let expected = format!("at most {MOST_VALUES} values");
        return Err(Fault { place: format!("line {line}, column {column}"), expected, found: "more".into() });
    }
    let parsed = panics::caught(|| serde_json::from_slice(text)).map_err(|panic| Fault {
        place: "text".into(),
        expected: "JSON".into(),
        found: format!("some that {panic}"),
    })?;
    parsed.map_err(|error: serde_json::Error| {
        let text = error.to_string();
        // The place stands in front already.
        let message = text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message);
        let expected = match error.classify() {
            Category::Data => "a record of results",
            Category::Eof => "the whole of a JSON file",
            Category::Syntax | Category::Io => "JSON",
        };
        let place = format!("line {}, column {}", error.line(), error.column());
        Fault { place, expected: expected.into(), found: shortened(message) }
    })
}

/// Where the text begins another value than the first `most`, if it has so many. Each is counted by what stands
/// before it: a comma, or the bracket that it is the first in.
fn beyond(text: &[u8], most: usize) -> Option<usize> {
    let (mut values, mut in_string, mut escaped) = (0, false, false);
    for (place, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => {
                values += 1;
                if values > most {
                    return Some(place);
                }
            }
            _ => {}
        }
    }
    None
}

/// What a message can hold of a text that may be long, on one line.
pub fn shortened(text: &str) -> String {
    line(text, 120)
}

/// At most so many letters of a text, on one line.
pub fn line(text: &str, longest: usize) -> String {
    let clean = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    let more = text.chars().nth(longest).map(|_| '…');
    text.chars().take(longest).map(clean).chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde::de::IgnoredAny;

    #[test]
    fn values_are_counted_and_texts_are_not_looked_into() {
        let text = br#"{"a,[{": [1, 2], "b\",": {}}"#;
        assert_eq!((beyond(text, 5), beyond(text, 4)), (None, Some(25)));
        let long = format!("[{}0]", "0,\n".repeat(MOST_VALUES));
        let fault = json::<IgnoredAny>(long.as_bytes()).unwrap_err();
        assert_eq!((&*fault.expected, &*fault.place), ("at most 4194304 values", "line 4194304, column 2"));
    }

    #[test]
    fn a_deep_text_is_refused_and_exhausts_no_stack() {
        let deep = "[".repeat(1 << 20);
        assert!(json::<IgnoredAny>(deep.as_bytes()).is_err());
        assert!(json::<serde_json::Value>(deep.as_bytes()).unwrap_err().found.contains("recursion limit"));
        let nested = format!("{}1{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert!(json::<serde_json::Value>(nested.as_bytes()).is_err());
    }

    #[test]
    fn a_panic_while_parsing_is_the_fault_of_the_text() {
        struct Falls;
        impl<'de> Deserialize<'de> for Falls {
            fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                panic!("a hole in the parser")
            }
        }
        let fault = json::<Falls>(b"1").err().unwrap();
        assert_eq!(fault.found, "some that makes its reader fail (a hole in the parser)");
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.json");
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let refused = read(&path).unwrap_err().to_string();
        assert!(refused.ends_with("expected at most 67108864 bytes, found 1099511627776"), "{refused}");
    }
}
