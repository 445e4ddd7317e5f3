//! Temporary files that are removed even when the program ends in haste.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

/// What the names of all such files begin and end with.
const PREFIX: &str = ".fallline-";
const SUFFIX: &str = ".tmp";

/// What this process has made and has to remove.
struct Registry {
    paths: Vec<PathBuf>,
    /// Nothing is made any more.
    is_closed: bool,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { paths: Vec::new(), is_closed: false });

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all temporary files of this process, for a program that ends at once: no file is replaced after
/// that. It may wait for a file that is being given its name, so it is nothing to call in a handler of
/// signals itself, but in the thread that a signal wakes.
pub fn remove_temporaries() {
    let mut registry = registry();
    registry.is_closed = true;
    for path in registry.paths.drain(..) {
        // What is gone already is as it should be.
        std::fs::remove_file(&path).ok();
    }
}

/// Removes the temporary files that processes which were killed have left in a folder. Whoever calls this knows that no
/// other process writes there; those of this one stay.
pub fn remove_leftovers(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let registry = registry();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let is_temporary = text.starts_with(PREFIX) && text.ends_with(SUFFIX);
        // Names are drawn at random: the same one is the same file, however the path to it is written.
        if is_temporary && !registry.paths.iter().any(|own| own.file_name() == Some(name.as_os_str())) {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

/// A temporary file in the folder of the file that it will become; removed when dropped.
pub struct Temporary {
    file: NamedTempFile,
}

impl Temporary {
    /// # Errors
    /// Those of the system, and one if the program is about to end.
    pub fn create_in(folder: &Path) -> io::Result<Temporary> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        // Temporary files are private by default; this one becomes an ordinary file under the umask.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // Nothing is made between the removal and the end of the program.
        let mut registry = registry();
        if registry.is_closed {
            return Err(ending());
        }
        let file = builder.tempfile_in(folder)?;
        registry.paths.push(file.path().to_path_buf());
        Ok(Temporary { file })
    }

    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Gives the file its name, over whatever has it.
    ///
    /// # Errors
    /// The temporary file, and why it could not be.
    pub fn rename(mut self, path: &Path) -> Result<(), (Temporary, io::Error)> {
        // Held until the name has changed: what has become a file is not removed.
        let mut registry = registry();
        if registry.is_closed {
            return Err((self, ending()));
        }
        match std::fs::rename(self.file.path(), path) {
            Ok(()) => {
                registry.paths.retain(|other| other != self.file.path());
                self.file.disable_cleanup(true);
                Ok(())
            }
            Err(error) => {
                drop(registry);
                Err((self, error))
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        registry().paths.retain(|path| path != self.file.path());
    }
}

fn ending() -> io::Error {
    io::Error::other("the program is about to end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_left_is_removed_and_what_is_under_way_stays() {
        let folder = tempfile::tempdir().unwrap();
        let own = Temporary::create_in(folder.path()).unwrap();
        let names = [".fallline-Ab12.tmp", ".fallline-Ab12", "fallline-Ab12.tmp", "a.tmp"];
        let paths = names.map(|name| folder.path().join(name));
        paths.iter().for_each(|path| std::fs::write(path, "half").unwrap());
        remove_leftovers(folder.path());
        assert_eq!(paths.map(|path| path.exists()), [false, true, true, true]);
        assert!(own.path().exists());
        remove_leftovers(&folder.path().join("none"));
    }

    #[test]
    fn temporary_files_are_known_until_they_are_renamed_or_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let known = |path: &Path| registry().paths.contains(&path.to_path_buf());
        let (one, other) =
            (Temporary::create_in(folder.path()).unwrap(), Temporary::create_in(folder.path()).unwrap());
        let paths = [one.path().to_path_buf(), other.path().to_path_buf()];
        assert!(paths.iter().all(|path| known(path) && path.exists()));
        one.rename(&folder.path().join("file")).map_err(|(_, error)| error).unwrap();
        drop(other);
        assert!(!paths.iter().any(|path| known(path) || path.exists()));
        assert!(folder.path().join("file").exists());

        // A name that cannot be given: the file is still known.
        let kept = Temporary::create_in(folder.path()).unwrap();
        let (kept, _) = kept.rename(&folder.path().join("none/file")).err().unwrap();
        let path = kept.path().to_path_buf();
        assert!(known(&path) && path.exists());
    }
}
