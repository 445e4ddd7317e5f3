//! Results as JSON files.

use std::path::Path;

use serde::Serialize;

use crate::atomic_file;
use crate::error::Result;

/// Writes a result as indented JSON; the file is complete or does not appear at all. Numbers that
/// are not finite become `null`.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be written.
pub fn write(path: &Path, result: &impl Serialize) -> Result<()> {
    atomic_file::write(path, |file| {
        serde_json::to_writer_pretty(&mut *file, result)?;
        file.write_all(b"\n")
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_result_is_written_and_an_old_file_survives_a_failure() {
        struct Unwritable;
        impl serde::Serialize for Unwritable {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("refused"))
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        super::write(&path, &[1.5, f64::NAN]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[\n  1.5,\n  null\n]\n");
        assert!(super::write(&path, &Unwritable).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[\n  1.5,\n  null\n]\n");
    }
}
