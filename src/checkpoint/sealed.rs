//! Records in files of JSON with a checksum, so that damage is noticed.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::foreign::{self, shortened};
use crate::{Error, Result, atomic_file};

/// What such a file holds.
#[derive(Serialize, Deserialize)]
struct Sealed {
    schema: String,
    /// CRC-32C of the content as JSON without white space, in the order of its keys.
    checksum: u32,
    content: Value,
}

fn checksum(content: &Value) -> u32 {
    crc32c::crc32c(content.to_string().as_bytes())
}

/// Writes `content` under the name of its schema; the file is whole or stays as it was. Numbers that are not finite become
/// `null`.
///
/// # Errors
/// [`Error::Mismatch`] if JSON cannot hold it; [`Error::Io`].
pub fn write(path: &Path, schema: &str, content: &impl Serialize) -> Result<()> {
    let content = serde_json::to_value(content).map_err(|error| Error::Mismatch {
        what: path.display().to_string(),
        expected: "content that JSON can hold, such as paths in UTF-8".into(),
        found: error.to_string(),
    })?;
    let sealed = Sealed { schema: schema.into(), checksum: checksum(&content), content };
    atomic_file::write(path, |file| {
        serde_json::to_writer_pretty(&mut *file, &sealed)?;
        file.write_all(b"\n")
    })
}

/// The content of a file that [`write`] has written under this schema.
///
/// # Errors
/// [`Error::Format`] if it is another kind of file, of another version, or damaged; [`Error::Io`].
pub fn read<T: DeserializeOwned>(path: &Path, schema: &str) -> Result<T> {
    let refused = |place: &str, expected: String, found: String| Error::Format {
        path: path.into(),
        place: place.into(),
        expected,
        found,
    };
    let bytes = foreign::read(path)?;
    let sealed: Sealed =
        foreign::json(&bytes).map_err(|fault| refused(&fault.place, fault.expected, fault.found))?;
    if sealed.schema != schema {
        return Err(refused("key `schema`", format!("\"{schema}\""), shortened(&sealed.schema)));
    }
    let found = checksum(&sealed.content);
    if found != sealed.checksum {
        let expected = format!("content with the checksum {:08x}", sealed.checksum);
        return Err(refused("key `content`", expected, format!("{found:08x}")));
    }
    serde_json::from_value(sealed.content)
        .map_err(|error| refused("key `content`", schema.to_string(), shortened(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SCHEMA: &str = "fallline.test/1";

    #[test]
    fn what_is_written_is_read_and_any_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        let content: (String, Vec<f64>) = ("a \"b\" ü\n".into(), vec![0.1 + 0.2, -0.0, 5e-324, 1e300, 3.0]);
        write(&path, SCHEMA, &content).unwrap();
        let read_back: (String, Vec<f64>) = read(&path, SCHEMA).unwrap();
        assert_eq!(read_back.0, content.0);
        let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read_back.1), bits(&content.1));

        let refusal = || read::<(String, Vec<f64>)>(&path, SCHEMA).unwrap_err().to_string();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, whole.replace("3.0", "3.5")).unwrap();
        assert!(refusal().contains("key `content`: expected content with the checksum "), "{}", refusal());
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(refusal().contains("r.json: line "), "{}", refusal());
        fs::write(&path, whole.replace(SCHEMA, "fallline.test/2")).unwrap();
        assert!(refusal().ends_with("expected \"fallline.test/1\", found fallline.test/2"), "{}", refusal());
        // Of another kind, with a checksum that is right.
        write(&path, SCHEMA, &7).unwrap();
        assert!(refusal().contains("key `content`: expected fallline.test/1, found "), "{}", refusal());
        fs::remove_file(&path).unwrap();
        assert!(refusal().contains("cannot open"), "{}", refusal());
    }

    /// Spaces are no content, and numbers that are not finite are `null` on both sides.
    #[test]
    fn the_checksum_is_that_of_what_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        write(&path, SCHEMA, &[f64::NAN, 1.0]).unwrap();
        let text: String = fs::read_to_string(&path).unwrap().split_whitespace().collect();
        fs::write(&path, text).unwrap();
        assert_eq!(read::<[Option<f64>; 2]>(&path, SCHEMA).unwrap(), [None, Some(1.0)]);
    }
}
