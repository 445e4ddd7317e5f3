//! Files that a command will write at its end, checked at its start.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Checks that a file can be written at each path, so that hours of training are not lost to a
/// mistyped folder. Nothing is left behind and existing files stay as they are.
///
/// # Errors
/// [`Error::Io`] naming the path or its folder; [`Error::Mismatch`] if two paths are the same.
pub fn check(paths: &[&Path]) -> Result<()> {
    for (index, path) in paths.iter().enumerate() {
        if paths[..index].contains(path) {
            return Err(Error::Mismatch {
                what: "files to write".to_string(),
                expected: "different paths".to_string(),
                found: format!("{} twice", path.display()),
            });
        }
        check_one(path)?;
    }
    Ok(())
}

fn check_one(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(existing) if existing.is_dir() => {
            return Err(Error::io(path, "write")(std::io::ErrorKind::IsADirectory.into()));
        }
        // A device or a pipe is written to directly.
        Ok(existing) if !existing.is_file() => return Ok(()),
        _ => {}
    }
    let folder = folder_of(path);
    // What will be written first is a temporary file in that folder.
    tempfile::NamedTempFile::new_in(&folder).map(drop).map_err(|source| {
        let source = source.kind().into();
        Error::Io { path: folder, action: "create a file in this folder", source }
    })
}

fn folder_of(path: &Path) -> PathBuf {
    // A symbolic link is followed, as the writer follows it.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_cannot_be_written_are_refused_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "old").unwrap();
        fs::create_dir(at("inner")).unwrap();

        check(&[&at("new"), &at("old"), Path::new("/dev/null"), Path::new("bare-name")]).unwrap();
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

        let refusal = |path: PathBuf| check(&[&path]).unwrap_err().to_string();
        assert!(refusal(at("none/x")).contains("none: cannot create a file in this folder: "));
        assert!(refusal(at("old/x")).contains("old: cannot create a file in this folder: "));
        assert!(refusal(at("inner")).contains("inner: cannot write: "));
        assert!(check(&[&at("a"), &at("a")]).unwrap_err().to_string().ends_with("a twice"));
    }
}
