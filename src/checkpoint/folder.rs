//! A folder of checkpoints: the newest ones of one training.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::file::{self, Checkpoint, Opened};
use crate::{Error, Result, atomic_file, foreign};

/// The names of checkpoints, with the number of their step in between.
const BEGINNING: &str = "checkpoint-";
const ENDING: &str = ".safetensors";

/// The file by which a process keeps the folder to itself.
const LOCK: &str = "lock";

/// A folder to which no other process writes meanwhile.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// How many checkpoints are kept; at least 1.
    keep: usize,
    /// Those that were found damaged, until they are removed: they do not count among those that are kept.
    damaged: Vec<PathBuf>,
    _lock: File,
}

/// What a folder holds to go on from.
#[derive(Debug, Default)]
pub struct Newest {
    /// The newest checkpoint that is whole, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// What is wrong with those that are newer.
    pub damaged: Vec<Error>,
    /// Where these are.
    paths: Vec<PathBuf>,
}

impl Folder {
    /// The folder at this path, made if it is not there, of which the newest `keep` checkpoints are kept: at least 1.
    /// What a process that was killed has left of a file that it wrote there is removed.
    ///
    /// # Errors
    /// [`Error::Io`], also if another process writes to it.
    pub fn lock(path: &Path, keep: usize) -> Result<Folder> {
        fs::create_dir_all(path).map_err(Error::io(path, "create"))?;
        let place = path.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&place);
        let lock = file.map_err(Error::io(&place, "create"))?;
        lock.try_lock().map_err(|refused| {
            let refused = match refused {
                TryLockError::Error(error) => error,
                TryLockError::WouldBlock => {
                    io::Error::new(ErrorKind::ResourceBusy, "another training writes its checkpoints there")
                }
            };
            Error::io(path, "lock")(refused)
        })?;
        atomic_file::remove_leftovers(path);
        Ok(Folder { path: path.into(), keep: keep.max(1), damaged: Vec::new(), _lock: lock })
    }

    /// [`newest`] of this folder. Damaged ones are removed once there is a newer one that is whole.
    ///
    /// # Errors
    /// Those of [`newest`].
    pub fn newest(&mut self) -> Result<Newest> {
        let found = newest(&self.path)?;
        self.damaged.clone_from(&found.paths);
        Ok(found)
    }

    /// Writes the checkpoint after this step, and then removes those that are not kept.
    ///
    /// # Errors
    /// Those of [`file::write`]: all others are then still there.
    pub fn write(
        &mut self,
        step: u64,
        about: &str,
        visit: &mut dyn FnMut(&mut Archive) -> Result<()>,
    ) -> Result<PathBuf> {
        let path = self.path.join(format!("{BEGINNING}{step}{ENDING}"));
        file::write(&path, about, visit)?;
        // One of them may have been in the place of this one.
        self.damaged.retain(|damaged| *damaged != path && !is_removed(damaged));
        // A folder that cannot be listed holds this one nevertheless: it is tidied up after the next.
        let Ok(mut found) = steps_in(&self.path) else { return Ok(path) };
        found.retain(|(of, path)| *of != step && !self.damaged.contains(path));
        // Those after this step are of no use: the training went on from one before them.
        let (after, before): (Vec<_>, Vec<_>) = found.into_iter().partition(|(of, _)| *of > step);
        for (_, old) in after.into_iter().chain(before.into_iter().skip(self.keep - 1)) {
            fs::remove_file(old).ok();
        }
        Ok(path)
    }
}

/// Removes what is damaged, if it can: a file, or an empty folder of such a name.
fn is_removed(path: &Path) -> bool {
    fs::remove_file(path).or_else(|_| fs::remove_dir(path)).is_ok()
}

/// Whether a folder holds checkpoints, or what is called like them.
///
/// # Errors
/// [`Error::Io`].
pub fn is_used(folder: &Path) -> Result<bool> {
    steps_in(folder).map(|found| !found.is_empty())
}

/// Removes the checkpoints in a folder, as far as it can, and the folder itself if nothing else is in it. No process may
/// have it to itself meanwhile.
pub fn clear(folder: &Path) {
    for (_, path) in steps_in(folder).unwrap_or_default() {
        fs::remove_file(path).ok();
    }
    if !is_used(folder).unwrap_or(true) {
        atomic_file::remove_leftovers(folder);
        fs::remove_file(folder.join(LOCK)).ok();
        fs::remove_dir(folder).ok();
    }
}

/// The newest checkpoint of a folder that is whole; nothing of a folder that is not there. What cannot be read counts as
/// damaged.
///
/// # Errors
/// [`Error::Format`] if there are files of another program, or of a later version, or all are damaged; [`Error::Io`] if the
/// folder cannot be read, or none of the files.
pub fn newest(folder: &Path) -> Result<Newest> {
    let mut found = Newest::default();
    for (_, path) in steps_in(folder)? {
        match file::open(&path) {
            Ok(Opened::Whole(checkpoint)) => {
                found.checkpoint = Some(checkpoint);
                return Ok(found);
            }
            Ok(Opened::Damaged(error)) | Err(error @ Error::Io { .. }) => {
                found.damaged.push(error);
                found.paths.push(path);
            }
            Err(error) => return Err(error),
        }
    }
    match found.damaged.pop() {
        Some(error) => Err(error.hinting("and no other checkpoint there is whole")),
        None => Ok(found),
    }
}

/// The checkpoints of a folder with their steps, the newest first.
fn steps_in(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let entries = match foreign::read_folder(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::io(folder, "read"))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io(folder, "read"))?.file_name();
        let name = name.to_string_lossy();
        let step = name.strip_prefix(BEGINNING).and_then(|rest| rest.strip_suffix(ENDING));
        if let Some(step) = step.and_then(|step| step.parse().ok()) {
            found.push((step, folder.join(&*name)));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &mut Folder, step: u64) -> PathBuf {
        folder.write(step, "", &mut |archive| archive.value("step", &mut step.clone())).unwrap()
    }

    fn steps(folder: &Folder) -> Vec<u64> {
        steps_in(&folder.path).unwrap().into_iter().map(|(step, _)| step).collect()
    }

    #[test]
    fn the_newest_ones_are_kept() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new/c");
        assert!(!is_used(&path).unwrap() && newest(&path).unwrap().checkpoint.is_none());
        let mut folder = Folder::lock(&path, 2).unwrap();
        assert!(Folder::lock(&path, 2).unwrap_err().to_string().contains("another training writes"));
        assert!(!is_used(&path).unwrap());
        for (step, kept) in
            [(0, vec![0]), (9, vec![9, 0]), (10, vec![10, 9]), (10, vec![10, 9]), (100, vec![100, 10])]
        {
            write(&mut folder, step);
            assert_eq!(steps(&folder), kept, "{step}");
        }
        assert!(is_used(&path).unwrap());
    }

    #[test]
    fn a_folder_is_cleared_of_nothing_but_checkpoints() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("c");
        clear(&path);
        let mut folder = Folder::lock(&path, 2).unwrap();
        for step in [1, 2] {
            write(&mut folder, step);
        }
        drop(folder);
        fs::write(path.join("notes"), "").unwrap();
        clear(&path);
        assert!(!is_used(&path).unwrap() && path.join("notes").exists() && !path.join(LOCK).exists());
        fs::remove_file(path.join("notes")).unwrap();
        clear(&path);
        assert!(!path.exists());
    }

    #[test]
    fn a_damaged_one_gives_way_to_the_one_before() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::lock(place.path(), 3).unwrap();
        let paths = [1, 2, 3].map(|step| write(&mut folder, step));
        fs::write(&paths[2], &fs::read(&paths[2]).unwrap()[..100]).unwrap();
        let found = newest(place.path()).unwrap();
        assert_eq!(found.checkpoint.unwrap().path(), paths[1]);
        assert!(found.damaged.len() == 1 && found.damaged[0].to_string().contains("checkpoint-3."));
        // What comes then is not thought older than the damaged one.
        assert!(write(&mut folder, 2) == paths[1] && steps(&folder) == [2, 1]);
        for path in &paths[..2] {
            fs::write(path, "nothing").unwrap();
        }
        let error = newest(place.path()).unwrap_err().to_string();
        assert!(error.contains("no other checkpoint there is whole"), "{error}");
    }

    #[test]
    fn damaged_ones_do_not_count_among_those_that_are_kept() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::lock(place.path(), 2).unwrap();
        let paths = [10, 20].map(|step| write(&mut folder, step));
        fs::write(&paths[1], "nothing").unwrap();
        assert_eq!(folder.newest().unwrap().checkpoint.unwrap().path(), paths[0]);
        // After a step that the damaged one does not lie behind: it goes, and the one that was taken stays.
        write(&mut folder, 30);
        assert_eq!(steps(&folder), [30, 10]);
        write(&mut folder, 40);
        assert_eq!(steps(&folder), [40, 30]);
    }

    #[test]
    fn what_cannot_be_read_counts_as_damaged() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::lock(place.path(), 2).unwrap();
        let paths = [1, 2].map(|step| write(&mut folder, step));
        let named = place.path().join("checkpoint-3.safetensors");
        fs::create_dir(&named).unwrap();
        fs::write(named.join("thing"), "").unwrap();
        let found = folder.newest().unwrap();
        assert_eq!(found.checkpoint.as_ref().unwrap().path(), paths[1]);
        let [error] = &found.damaged[..] else { panic!("{:?}", found.damaged) };
        assert!(error.to_string().contains("checkpoint-3.safetensors: "), "{error}");
        // A folder with something in it is nobody's checkpoint, and stays without a place among those that are kept.
        write(&mut folder, 4);
        assert!(steps(&folder) == [4, 3, 2] && named.is_dir());
        write(&mut folder, 5);
        assert_eq!(steps(&folder), [5, 4, 3]);
        paths.iter().for_each(|path| assert!(!path.exists()));
        for step in [4, 5] {
            fs::remove_file(place.path().join(format!("checkpoint-{step}.safetensors"))).unwrap();
        }
        let error = newest(place.path()).unwrap_err().to_string();
        assert!(error.contains("checkpoint-3.safetensors: "), "{error}");
    }

    #[test]
    fn what_a_killed_process_has_left_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join(".fallline-a1B2c3.tmp");
        fs::write(&left, "half of a checkpoint").unwrap();
        let mut folder = Folder::lock(place.path(), 2).unwrap();
        assert!(!left.exists());
        // Whoever does not get the folder removes nothing.
        fs::write(&left, "").unwrap();
        assert!(Folder::lock(place.path(), 2).is_err() && left.exists());
        write(&mut folder, 1);
    }
}
