//! Files that a command will write at its end, checked at its start.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What is tried with a folder.
const TRIED: &str = "create a file in this folder";

/// Checks that a file can be written at each path, so that hours of training are not lost to a
/// mistyped folder, and that none of them is one of the files in `read`. Nothing is left behind and
/// existing files stay as they are.
///
/// # Errors
/// [`Error::Io`] naming the path or its folder; [`Error::Mismatch`] if two paths lead to the same
/// file, or to a file that the command reads.
pub fn check(written: &[&Path], read: &[&Path]) -> Result<()> {
    for (index, path) in written.iter().enumerate() {
        check_one(path)?;
        let refuse = |expected: &str, found: String| {
            let (what, expected) = ("files to write".to_string(), expected.to_string());
            Err(Error::Mismatch { what, expected, found })
        };
        if written[..index].iter().any(|other| is_same(path, other)) {
            return refuse("different paths", format!("{} twice", path.display()));
        }
        if read.iter().any(|other| is_same(path, other)) {
            return refuse("other files than those read", format!("{}, which is read", path.display()));
        }
    }
    Ok(())
}

/// Whether both paths lead to one ordinary file, however they are spelt. Devices may be shared.
fn is_same(a: &Path, b: &Path) -> bool {
    let is_device = fs::metadata(a).is_ok_and(|existing| !existing.is_file());
    !is_device && full(a) == full(b)
}

/// The path without links and detours, also of a file that is not there yet.
fn full(path: &Path) -> PathBuf {
    let of_new = || Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(of_new).unwrap_or_else(|| path.to_path_buf())
}

fn check_one(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(existing) if existing.is_dir() => {
            return Err(Error::io(path, "write")(ErrorKind::IsADirectory.into()));
        }
        // A device or a pipe is written to directly.
        Ok(existing) if !existing.is_file() => return Ok(()),
        _ => {}
    }
    let folder = folder_of(path);
    // What will be written first is a temporary file in that folder. The system's own words for a
    // missing folder are clearer than those for the kind of error.
    let created = fs::metadata(&folder)
        .and_then(|_| tempfile::NamedTempFile::new_in(&folder).map_err(|source| source.kind().into()));
    created.map(drop).map_err(Error::io(&folder, TRIED))
}

/// Checks that files can be written into a folder, or that it can be made where it is to be; makes
/// nothing.
///
/// # Errors
/// [`Error::Io`] naming the folder, or the one in which it cannot be made.
pub fn check_folder(folder: &Path) -> Result<()> {
    // "a", the ancestor of "a/b", is in the folder "".
    let named = |place: &Path| if place.as_os_str().is_empty() { PathBuf::from(".") } else { place.into() };
    for place in folder.ancestors().map(named) {
        match fs::metadata(&place) {
            Ok(_) => {
                let created = tempfile::NamedTempFile::new_in(&place).map_err(|source| source.kind().into());
                return created.map(drop).map_err(Error::io(&place, TRIED));
            }
            Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {}
            Err(error) => return Err(Error::io(&place, TRIED)(error)),
        }
    }
    Ok(())
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

        check(&[&at("new"), &at("old"), Path::new("/dev/null"), Path::new("bare-name")], &[]).unwrap();
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

        let refusal = |path: PathBuf| check(&[&path], &[]).unwrap_err().to_string();
        assert!(refusal(at("none/x")).contains("none: cannot create a file in this folder: "));
        assert!(refusal(at("old/x")).contains("old: cannot create a file in this folder: "));
        assert!(refusal(at("inner")).contains("inner: cannot write: "));
    }

    #[test]
    fn folders_that_cannot_be_made_are_refused_and_none_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        for place in [folder.path().into(), at("new"), at("new/newer"), "bare-name".into(), "./a/b".into()] {
            check_folder(&place).unwrap();
        }
        for place in ["file", "file/inner"] {
            let message = check_folder(&at(place)).unwrap_err().to_string();
            assert!(message.contains("file: cannot create a file in this folder: "), "{message}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(!Path::new("bare-name").exists());
        #[cfg(target_os = "linux")]
        assert!(check_folder(Path::new("/proc/new")).unwrap_err().to_string().starts_with("/proc: cannot "));
    }

    #[test]
    fn a_file_is_not_written_twice_nor_over_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("inner")).unwrap();
        fs::write(at("old"), "old").unwrap();
        let refusal = |written: &[&Path], read: &[&Path]| check(written, read).unwrap_err().to_string();
        for other in ["a", "./a", "inner/../a"] {
            assert!(refusal(&[&at("a"), &at(other)], &[]).ends_with("a twice"), "{other}");
        }
        assert!(refusal(&[&at("inner/../old")], &[&at("old")]).ends_with("old, which is read"));
        check(&[&at("a"), &at("inner/a")], &[&at("old"), &at("none")]).unwrap();
        check(&[Path::new("/dev/null"), Path::new("/dev/null")], &[]).unwrap();
    }
}
