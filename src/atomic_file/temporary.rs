//! Temporary files that are removed even when the program ends in haste.

use std::fs::File;
#[cfg(unix)]
use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{NamedTempFile, TempDir};

/// What the names of all such files begin and end with.
const PREFIX: &str = ".fallline-";
const SUFFIX: &str = ".tmp";

/// What this process has made and has to remove.
struct Registry {
    paths: Vec<PathBuf>,
    /// Folders in which it has looked for what killed processes have left.
    tidied: Vec<PathBuf>,
    /// Nothing is made any more.
    is_closed: bool,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { paths: Vec::new(), tidied: Vec::new(), is_closed: false });

/// How long a temporary file has not been written to before another process may take it for abandoned. Locks do not reach
/// every machine that writes to a shared disk, nor do all clocks agree.
#[cfg(unix)]
const ABANDONED: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

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

/// Removes the temporary files that processes which were killed have left in a folder, however new they are. Those of
/// this process stay, and those that another one has locked, which is at work.
pub fn remove_leftovers(folder: &Path) {
    remove_temporaries_in(folder, &registry(), |path| !is_in_use(path));
}

/// Whether another process holds the lock of a file or a folder.
#[cfg(unix)]
fn is_in_use(path: &Path) -> bool {
    let is_ours = |metadata: std::fs::Metadata| metadata.is_file() || metadata.is_dir();
    std::fs::symlink_metadata(path).is_ok_and(is_ours)
        && matches!(File::open(path).map(|file| file.try_lock()), Ok(Err(TryLockError::WouldBlock)))
}

#[cfg(not(unix))]
fn is_in_use(_path: &Path) -> bool {
    false
}

/// Removes those temporary files in a folder that are not this process's and of which `is_abandoned` says so.
fn remove_temporaries_in(folder: &Path, registry: &Registry, is_abandoned: impl Fn(&Path) -> bool) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let is_temporary = text.starts_with(PREFIX) && text.ends_with(SUFFIX);
        // Names are drawn at random: the same one is the same file, however the path to it is written.
        let is_own = || registry.paths.iter().any(|own| own.file_name() == Some(name.as_os_str()));
        let path = entry.path();
        if is_temporary && !is_own() && is_abandoned(&path) {
            std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path)).ok();
        }
    }
}

/// Whether no process writes a file or a folder any more: it is not locked, and has not changed for a while. Where files
/// cannot be locked, nobody knows.
#[cfg(unix)]
fn is_abandoned(path: &Path) -> bool {
    let is_old = |file: &File| {
        let changed = file.metadata().and_then(|metadata| metadata.modified());
        changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age >= ABANDONED))
    };
    // To open a pipe would wait for who writes to it.
    let is_ours = |metadata: std::fs::Metadata| metadata.is_file() || metadata.is_dir();
    std::fs::symlink_metadata(path).is_ok_and(is_ours)
        && File::open(path).is_ok_and(|file| is_old(&file) && file.try_lock().is_ok())
}

#[cfg(not(unix))]
fn is_abandoned(_path: &Path) -> bool {
    false
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
        if !registry.tidied.iter().any(|tidied| tidied == folder) {
            registry.tidied.push(folder.to_path_buf());
            remove_temporaries_in(folder, &registry, is_abandoned);
        }
        let file = builder.tempfile_in(folder)?;
        // Those who tidy up see by the lock that somebody is at work; a file system without locks is never tidied up. What
        // is locked on other systems cannot be read.
        #[cfg(unix)]
        file.as_file().try_lock().ok();
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

/// A folder for files that are to get their names together; removed when dropped, with what is in it still.
pub struct Staging {
    folder: TempDir,
    /// As with files: who tidies up sees that somebody is at work.
    #[cfg(unix)]
    _lock: File,
}

impl Staging {
    /// # Errors
    /// Those of the system.
    pub fn create_in(folder: &Path) -> io::Result<Staging> {
        let folder = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempdir_in(folder)?;
        #[cfg(unix)]
        let lock = File::open(folder.path())?;
        #[cfg(unix)]
        lock.try_lock().ok();
        Ok(Staging {
            folder,
            #[cfg(unix)]
            _lock: lock,
        })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
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

    #[cfg(unix)]
    #[test]
    fn what_a_killed_process_has_left_is_removed_by_the_next_that_writes_there() {
        let place = tempfile::tempdir().unwrap();
        let write = |folder: &str, name: &str, age: u64| {
            let path = place.path().join(folder).join(name);
            let file = File::create(&path).unwrap();
            file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
            (path, file)
        };
        std::fs::create_dir(place.path().join("a")).unwrap();
        let old = write("a", ".fallline-Old123.tmp", 200_000).0;
        let new = write("a", ".fallline-New123.tmp", 0).0;
        let other = write("a", "fallline-Old123.tmp", 200_000).0;
        let staged = place.path().join("a/.fallline-Staged.tmp");
        std::fs::create_dir(&staged).unwrap();
        std::fs::write(staged.join("half"), "").unwrap();
        let days_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(200_000);
        File::open(&staged).unwrap().set_modified(days_ago).unwrap();
        let (under_way, at_work) = write("a", ".fallline-Work12.tmp", 200_000);
        at_work.lock().unwrap();
        let own = Temporary::create_in(&place.path().join("a")).unwrap();
        let exist = [&old, &staged, &new, &other, &under_way].map(|path| path.exists());
        assert_eq!(exist, [false, false, true, true, true]);
        assert!(
            File::open(own.path()).unwrap().try_lock().is_err(),
            "another process sees that it is in use"
        );
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
