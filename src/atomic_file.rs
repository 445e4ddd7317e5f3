//! Files that are replaced whole or not at all: whoever opens the path sees the old content or the
//! new, and the old content survives a full disk, a crash or an error half-way.

mod stream;
mod temporary;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::pipe;
pub use stream::is_standard_stream;
use temporary::Temporary;
pub use temporary::{Staging, remove_leftovers, remove_temporaries};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Another file takes its place once it is whole.
    Whole,
    /// Over the old content, which a failure half-way spoils: the file may be written, not replaced.
    InPlace,
    /// To a device or a pipe.
    Directly,
}

/// Links that lead to links, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Writes the file at `path`: a temporary file in the same folder, flushed to the disk, renamed
/// over `path`, and the folder flushed too, so that the rename outlives a power cut.
///
/// A symbolic link is followed, also to a file that is not there yet. What exists but is no regular file
/// (`/dev/stdout`, a pipe) cannot be renamed over and is written to directly; a named pipe waits for its
/// reader, as [`pipe::create`] says. A file that may be written but not replaced (one that is mounted,
/// another user's in a folder such as `/tmp`) is written in place. `/dev/stdout` and `/dev/stderr` go on where
/// they are, also in a file.
///
/// # Errors
/// [`Error::Io`] from the file system or from `content`; the old file is then untouched, unless it is
/// written in place, and no temporary file is left behind.
pub fn write(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if let Some(stream) = stream::standard_stream(path) {
        return fill(stream.map_err(Error::io(path, "open"))?, content).map_err(Error::io(path, "write"));
    }
    let target = resolve(path).map_err(Error::io(path, "open"))?;
    match std::fs::metadata(&target) {
        Ok(metadata) if metadata.is_file() => replace(&target, Some(metadata.permissions()), content),
        Ok(metadata) if pipe::is_pipe(&metadata) => {
            let pipe = pipe::create(path).map_err(Error::io(path, "open"))?;
            fill(pipe, content).map_err(Error::io(path, "write"))
        }
        Ok(_) => write_directly(path, content),
        Err(error) if is_missing(&error) => replace(&target, None, content),
        // What is there, and how it may be written, is not known.
        Err(error) => Err(Error::io(path, "open")(error)),
    }
}

/// Checks that [`write()`] can write the file at `path`, by the steps that it will take, and says how it
/// will. Nothing is left behind, not even if the process is killed.
///
/// # Errors
/// [`Error::Io`] naming the path, or the folder in which no file can be made.
pub fn check(path: &Path) -> Result<Way> {
    if is_standard_stream(path) {
        return Ok(Way::Directly);
    }
    let target = resolve(path).map_err(Error::io(path, "write"))?;
    let existing = match std::fs::metadata(&target) {
        Ok(existing) if existing.is_dir() => {
            return Err(Error::io(path, "write")(io::ErrorKind::IsADirectory.into()));
        }
        Ok(existing) if is_socket(&existing) => {
            let reason = "expected a file, found a socket";
            return Err(Error::io(path, "write")(io::Error::new(io::ErrorKind::Unsupported, reason)));
        }
        Ok(existing) if !existing.is_file() => return Ok(Way::Directly),
        Ok(existing) => Some(existing),
        Err(error) if error.kind() == io::ErrorKind::NotFound && names_folder(&target) => {
            let reason = "expected the name of a file, found that of a folder which is not there";
            return Err(Error::io(path, "write")(io::Error::new(io::ErrorKind::NotFound, reason)));
        }
        // A missing folder is told by its own name below.
        Err(error) if is_missing(&error) => None,
        Err(error) => return Err(Error::io(path, "write")(error)),
    };
    let folder = folder_of(&target);
    let made = check_folder(&folder);
    let Some(existing) = existing else { return made.map(|_| Way::Whole) };
    let opened = File::options().write(true).open(&target);
    match (made, opened) {
        (Ok(made), Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            // The permissions of a file do not keep it from being replaced; a mark of the file system
            // ("immutable", EPERM) and what is mounted or in a folder of many users do.
            if is_denied_by_mode(&error) && !is_kept(&existing, &folder, &made) && !is_mounted(&target) {
                return Ok(Way::Whole);
            }
            Err(Error::io(path, "replace")(error))
        }
        // A program that is running can be replaced, though not written to.
        (Ok(_), Err(error)) if error.kind() == io::ErrorKind::ExecutableFileBusy => Ok(Way::Whole),
        (_, Err(error)) => Err(Error::io(path, "write")(error)),
        (Ok(made), Ok(_)) if !is_kept(&existing, &folder, &made) && !is_mounted(&target) => Ok(Way::Whole),
        (Err(Error::Io { path, action, source }), Ok(_)) if !takes_no_files(&source) => {
            Err(Error::io(&path, action)(source))
        }
        (_, Ok(_)) => Ok(Way::InPlace),
    }
}

/// Checks that a file can be made in an existing folder; gives what the system says of one that was,
/// which had no name.
///
/// # Errors
/// [`Error::Io`] naming the folder.
pub fn check_folder(folder: &Path) -> Result<std::fs::Metadata> {
    // The system's own words for a missing folder are clearer than those for the kind of error.
    std::fs::metadata(folder)
        .and_then(|_| tempfile::tempfile_in(folder))
        .and_then(|file| file.metadata())
        .map_err(Error::io(folder, "create a file in this folder"))
}

/// The file that `path` leads to, through all links, also if it is not there yet.
///
/// # Errors
/// Those of the file system; links that lead in a circle.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    match std::fs::metadata(path) {
        Ok(existing) if existing.is_file() => return path.canonicalize(),
        // What the links of `/dev/stdout` say is no path.
        Ok(_) => return Ok(path.to_path_buf()),
        Err(_) => {}
    }
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&target) {
            // What the link says counts from the folder in which it lies.
            Ok(next) => target = folder_of(&target).join(next),
            Err(_) => return Ok(target),
        }
    }
    // The system's own error for too many links.
    target.canonicalize()
}

/// "models/", "x/.", "..": names that only a folder can have.
fn names_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    let ends = |separator: char| {
        let mut end = [0; 4];
        let end = separator.encode_utf8(&mut end).as_bytes();
        text.ends_with(end) || text.strip_suffix(b".").is_some_and(|rest| rest.ends_with(end))
    };
    path.file_name().is_none() || ends('/') || ends(std::path::MAIN_SEPARATOR)
}

/// Sockets have names, and cannot be opened.
fn is_socket(metadata: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type());
    #[cfg(not(unix))]
    return {
        let _ = metadata;
        false
    };
}

fn is_missing(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind())
}

/// Whether a file cannot be made because of its folder, which is not to be written or is none of a disk. A file in it
/// may be written nevertheless. On a disk that is full or fails, that would only destroy it.
fn takes_no_files(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    [NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported].contains(&error.kind())
}

/// Whether a file refuses to be replaced, though it may be written: another user's, or one that is mounted.
fn refuses_replacement(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, ResourceBusy};
    [CrossesDevices, PermissionDenied, ResourceBusy].contains(&error.kind())
}

/// Whether a "permission denied" is about the bits of a file's mode.
fn is_denied_by_mode(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::EACCES);
    #[cfg(not(unix))]
    return error.kind() != io::ErrorKind::PermissionDenied;
}

/// Whether a file is another user's in a folder where only owners replace files, as `/tmp` is. `own` is
/// a file that this process has made.
#[cfg(unix)]
fn is_kept(existing: &std::fs::Metadata, folder: &Path, own: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    const STICKY: u32 = 0o1000;
    let user = own.uid();
    let is_foreign = user != 0 && user != existing.uid();
    is_foreign
        && std::fs::metadata(folder).is_ok_and(|folder| folder.mode() & STICKY != 0 && folder.uid() != user)
}

#[cfg(not(unix))]
fn is_kept(_existing: &std::fs::Metadata, _folder: &Path, _own: &std::fs::Metadata) -> bool {
    false
}

/// Whether something is mounted at `target`, as containers do with single files; it cannot be renamed
/// over. Only Linux tells.
fn is_mounted(target: &Path) -> bool {
    let mut escaped = Vec::new();
    for &byte in target.as_os_str().as_encoded_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").into_bytes()),
            _ => escaped.push(byte),
        }
    }
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    // The fifth word of each line is the place.
    let place = |line: &[u8]| line.split(|&byte| byte == b' ').nth(4).is_some_and(|place| place == escaped);
    mounts.split(|&byte| byte == b'\n').any(place)
}

fn replace(
    path: &Path,
    permissions: Option<std::fs::Permissions>,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let folder = folder_of(path);
    let temporary = match Temporary::create_in(&folder) {
        Ok(temporary) => temporary,
        // A folder that takes no new file may hold one that can be written.
        Err(refused) if permissions.is_some() && takes_no_files(&refused) => {
            let file = File::options().write(true).open(path);
            let file = file.map_err(|_| Error::io(path, "create")(refused))?;
            let write = |mut file: File| {
                file.set_len(0)?;
                fill(&mut file, content)?;
                file.sync_all()
            };
            return write(file).map_err(Error::io(path, "write"));
        }
        Err(refused) => return Err(Error::io(path, "create")(refused)),
    };
    // From here on an early return drops `temporary`, which deletes the file.
    fill(temporary.file(), content).map_err(Error::io(path, "write"))?;
    if let Some(permissions) = permissions {
        temporary.file().set_permissions(permissions).map_err(Error::io(path, "write"))?;
    }
    temporary.file().sync_all().map_err(Error::io(path, "write"))?;
    if let Err((temporary, refused)) = temporary.rename(path) {
        if !refuses_replacement(&refused) {
            return Err(Error::io(path, "replace")(refused));
        }
        // Whole as it is, it is copied over a file that cannot be replaced.
        return copy_over(temporary.path(), path).map_err(|_| Error::io(path, "replace")(refused));
    }
    sync_folder(&folder).map_err(Error::io(&folder, "flush"))
}

fn fill(file: impl Write, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::new(file);
    let written = content(&mut buffered).and_then(|()| buffered.flush());
    // What is in the buffer still after a failure is not tried again.
    drop(buffered.into_parts());
    written
}

/// Copies the content of one file over that of another, which must be there.
fn copy_over(from: &Path, to: &Path) -> io::Result<()> {
    let mut old = File::options().write(true).open(to)?;
    let mut new = File::open(from)?;
    old.set_len(0)?;
    io::copy(&mut new, &mut old)?;
    old.sync_all()
}

fn write_directly(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let file = File::options().write(true).open(path).map_err(Error::io(path, "open"))?;
    fill(file, content).map_err(Error::io(path, "write"))
}

/// The folder that holds `path`; "." for a bare file name.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
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

    #[cfg(unix)]
    #[test]
    fn the_target_of_a_link_is_made_where_it_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("real")).unwrap();
        std::os::unix::fs::symlink("real/target", at("link")).unwrap();
        std::os::unix::fs::symlink("link", at("first")).unwrap();
        assert_eq!(check(&at("first")).unwrap(), Way::Whole);
        assert!(names(&at("real")).is_empty());
        write(&at("first"), |out| out.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(at("real/target")).unwrap(), b"new");
        assert!(std::fs::symlink_metadata(at("link")).unwrap().is_symlink());

        std::os::unix::fs::symlink("b", at("a")).unwrap();
        std::os::unix::fs::symlink("a", at("b")).unwrap();
        assert!(check(&at("a")).is_err() && write(&at("a"), |_| Ok(())).is_err());
    }

    #[test]
    fn names_that_no_file_can_have_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["n".repeat(300).as_str(), "models/", "x/.", "x/..", "none/x"] {
            assert!(check(&folder.path().join(name)).is_err(), "{name}");
        }
        assert_eq!(check(&folder.path().join("x")).unwrap(), Way::Whole);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn whole_content_is_copied_over_what_cannot_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&from, "new").unwrap();
        assert!(copy_over(&from, &to).is_err());
        std::fs::write(&to, "old and longer").unwrap();
        copy_over(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
    }
}
