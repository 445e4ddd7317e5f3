//! Files that are replaced whole or not at all: whoever opens the path sees the old content or the
//! new, and the old content survives a full disk, a crash or an error half-way.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes the file at `path`: a temporary file in the same folder, flushed to the disk, renamed
/// over `path`, and the folder flushed too, so that the rename outlives a power cut.
///
/// A symbolic link is followed. What exists but is no regular file (`/dev/stdout`, a pipe) cannot
/// be renamed over and is written to directly.
///
/// # Errors
/// [`Error::Io`] from the file system or from `content`; the old file is then untouched and no
/// temporary file is left behind.
pub fn write(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            let target = path.canonicalize().map_err(Error::io(path, "open"))?;
            replace(&target, Some(metadata.permissions()), content)
        }
        Ok(_) => write_directly(path, content),
        Err(_) => replace(path, None, content),
    }
}

fn replace(
    path: &Path,
    permissions: Option<std::fs::Permissions>,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let folder = folder_of(path);
    let temporary = create_in(&folder).map_err(Error::io(path, "create"))?;
    let mut buffered = BufWriter::new(temporary.as_file());
    let written = content(&mut buffered).and_then(|()| buffered.flush());
    drop(buffered);
    // From here on an early return drops `temporary`, which deletes the file.
    written.map_err(Error::io(path, "write"))?;
    if let Some(permissions) = permissions {
        temporary.as_file().set_permissions(permissions).map_err(Error::io(path, "write"))?;
    }
    temporary.as_file().sync_all().map_err(Error::io(path, "write"))?;
    temporary.persist(path).map_err(|refused| Error::io(path, "replace")(refused.error))?;
    sync_folder(&folder).map_err(Error::io(&folder, "flush"))
}

fn write_directly(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let file = File::options().write(true).open(path).map_err(Error::io(path, "open"))?;
    let mut buffered = BufWriter::new(file);
    content(&mut buffered).and_then(|()| buffered.flush()).map_err(Error::io(path, "write"))
}

/// The folder that holds `path`; "." for a bare file name.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn create_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fallline-").suffix(".tmp");
    // Temporary files are private by default; this one becomes an ordinary file under the umask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Only Unix lets a program flush a folder.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_created_and_then_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        for text in ["first", "second, and longer", "3rd"] {
            write(&path, |out| out.write_all(text.as_bytes())).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn the_old_file_survives_a_failure_half_way_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        write(&path, |out| out.write_all(b"old")).unwrap();
        let full = |out: &mut dyn Write| {
            out.write_all(&[7; 100_000])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let error = write(&path, full).unwrap_err();
        assert!(error.to_string().contains("model.safetensors: cannot write: "), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["model.safetensors"]);

        let new = folder.path().join("new");
        assert!(write(&new, full).is_err());
        assert_eq!(names(folder.path()), ["model.safetensors"]);
    }

    #[test]
    fn a_missing_folder_and_a_folder_as_target_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let missing = write(&folder.path().join("no/such/file"), |_| Ok(())).unwrap_err();
        assert!(missing.to_string().contains("cannot create"), "{missing}");
        assert!(write(folder.path(), |_| Ok(())).is_err());
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let error = write(Path::new("/dev/full"), |out| out.write_all(b"x")).unwrap_err();
        assert!(matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull));
        assert!(write(Path::new("/dev/null"), |out| out.write_all(b"x")).is_ok());
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        write(&real, |out| out.write_all(b"old")).unwrap();
        std::fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, |out| out.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(&real).unwrap(), b"new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
