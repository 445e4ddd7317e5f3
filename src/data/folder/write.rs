//! Writing the four files of a data set as one.
//!
//! All of them are first written into a folder beside and flushed to the disk, so whatever fails until
//! then leaves the old set as it was. Four files cannot be renamed in one step. So before the first is, a
//! marker with the checksums of all is put beside them, and removed behind the last: where an interrupted
//! program leaves files of two sets, the marker tells.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::names::{NAMES, candidates};
use super::{arrays, names};
use crate::atomic_file::{self, Staging};
use crate::data::idx::{ElementType, Idx};
use crate::data::known;
use crate::data::samples::DataSet;
use crate::error::{Error, Result};
use crate::pipe;

/// The name of the marker.
pub const MARKER: &str = ".fallline-set";
/// The largest marker that is read, in bytes.
const LARGEST_MARKER: u64 = 1 << 16;
const EXPLANATION: &str = "\
# The SHA-256 of the uncompressed content of files that are being written together. If this file has
# stayed behind and only some of them are there, they are of two data sets: write the set again.
";

/// Writes the four files of `set` into `folder`, which is created if need be, and returns their
/// paths. Files that exist are replaced only if `force`, and then all or none: if the
/// program or the machine stops half-way, the folder holds the old set, the new one, or one that
/// [`find`](super::find) refuses.
///
/// # Errors
/// [`Error::Io`] if a file exists and may not be replaced (nothing is written then), or cannot be
/// written; [`Error::Mismatch`] if the targets are not classes.
pub fn write(set: &DataSet, folder: &Path, gzip: bool, force: bool) -> Result<Vec<PathBuf>> {
    write_in_steps(set, folder, gzip, force, &mut || Ok(()))
}

/// [`write`], with a call before each step that changes the disk; tests make it fail.
fn write_in_steps(
    set: &DataSet,
    folder: &Path,
    gzip: bool,
    force: bool,
    before: &mut dyn FnMut() -> io::Result<()>,
) -> Result<Vec<PathBuf>> {
    let [train_images, train_labels] = arrays(&set.train)?;
    let [test_images, test_labels] = arrays(&set.test)?;
    let arrays = [train_images, train_labels, test_images, test_labels];
    let names: Vec<String> =
        NAMES.iter().zip(&arrays).map(|(name, array)| file_name(name, array, gzip)).collect();
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    for (existing, path) in candidates(folder)?.iter().zip(&paths) {
        check_free(existing, path, force)?;
    }
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;

    let mut step = |path: &Path| before().map_err(Error::io(path, "write"));
    step(folder)?;
    let staged = Staging::create_in(folder).map_err(Error::io(folder, "create a folder in"))?;
    let mut sums = String::from(EXPLANATION);
    for (array, name) in arrays.iter().zip(&names) {
        step(&folder.join(name))?;
        // The user knows the folder, not the one in it.
        let of_target = |error| match error {
            Error::Io { action, source, .. } => Error::Io { path: folder.join(name), action, source },
            other => other,
        };
        array.write(&staged.path().join(name), gzip).map_err(of_target)?;
        sums += &format!("{}  {name}\n", known::checksum(array));
    }
    let marker = folder.join(MARKER);
    step(&marker)?;
    atomic_file::write(&marker, |out| out.write_all(sums.as_bytes()))?;
    for (name, path) in names.iter().zip(&paths) {
        step(path)?;
        std::fs::rename(staged.path().join(name), path).map_err(Error::io(path, "replace"))?;
    }
    step(folder)?;
    sync(folder).map_err(Error::io(folder, "flush"))?;
    step(&marker)?;
    std::fs::remove_file(&marker).map_err(Error::io(&marker, "remove"))?;
    Ok(paths)
}

/// The name says how many dimensions of which type are in the file.
fn file_name(name: &str, array: &Idx, gzip: bool) -> String {
    let element_type = array.elements.element_type();
    let name = name
        .replace("idx3", &format!("idx{}", array.dimensions.len()))
        .replace(ElementType::U8.in_file_names(), element_type.in_file_names());
    if gzip { name + ".gz" } else { name }
}

/// Refuses to replace a file unasked, to put one beside another of the same role, and to replace anything that
/// is no file of this folder.
fn check_free(existing: &[PathBuf], path: &Path, force: bool) -> Result<()> {
    let refuse = |path: &Path, reason: String| {
        Err(Error::io(path, "replace")(io::Error::new(ErrorKind::AlreadyExists, reason)))
    };
    if let Some(other) = existing.iter().find(|other| *other != path) {
        let new = names(&[path.to_path_buf()]);
        return refuse(other, format!("it would lie beside the new {new}; remove it first"));
    }
    match path.symlink_metadata() {
        Ok(there) if there.is_symlink() => refuse(path, "it is a link; remove it first".into()),
        Ok(there) if !there.is_file() => refuse(path, "it is no file; remove it first".into()),
        Ok(_) if !force => refuse(path, "it exists; --force replaces it".into()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io(path, "read")(error)),
    }
}

/// Flushes the folder: renames outlive a power cut once it is on the disk. Only Unix lets a program flush one.
fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Checks that the files in `folder` are of one set, if a marker says that they were being written.
///
/// # Errors
/// [`Error::Mismatch`] if some are those that the marker names and others are not; [`Error::Io`] and
/// [`Error::Format`] if the marker cannot be read.
pub fn check_whole(folder: &Path) -> Result<()> {
    let marker = folder.join(MARKER);
    let Some(sums) = read_marker(&marker)? else { return Ok(()) };
    let is_new = |(name, sum): (&String, &String)| {
        Idx::read(&folder.join(name)).is_ok_and(|idx| known::checksum(&idx) == *sum)
    };
    let (new, old): (Vec<_>, Vec<_>) = sums.iter().partition(|&entry| is_new(entry));
    if new.is_empty() || old.is_empty() {
        return Ok(());
    }
    let list = |files: Vec<(&String, &String)>| {
        files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    };
    Err(Error::Mismatch {
        what: format!("files in {}", folder.display()),
        expected: "those of one data set".into(),
        found: format!(
            "those of two, since their writing was interrupted: {} new, {} not; write them again \
             (`data generate --force`), or remove {} if they go together",
            list(new),
            list(old),
            marker.display()
        ),
    })
}

/// The names of files and their checksums; none if there is no marker.
fn read_marker(marker: &Path) -> Result<Option<BTreeMap<String, String>>> {
    let file = match pipe::open(marker) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(Error::io(marker, "open"))?,
    };
    let mut text = Vec::new();
    file.take(LARGEST_MARKER + 1).read_to_end(&mut text).map_err(Error::io(marker, "read"))?;
    let text = String::from_utf8_lossy(&text);
    let entry = |line: &str| {
        let (sum, name) = line.split_once("  ")?;
        // A name of another folder is none of ours.
        super::names::role_of(name).map(|_| (name.to_string(), sum.to_string()))
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sums: Option<BTreeMap<_, _>> = lines.map(entry).collect();
    match sums {
        Some(sums) if text.len() as u64 <= LARGEST_MARKER && !sums.is_empty() => Ok(Some(sums)),
        _ => Err(Error::Format {
            path: marker.to_path_buf(),
            place: "file".into(),
            expected: "checksums and names of data files".into(),
            found: "something else; remove it if the files beside it go together".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::inspect;
    use crate::data::{folder, source};

    fn set(seed: u64) -> DataSet {
        source::generate_digits([7, 5], seed).unwrap()
    }

    fn put(set: &DataSet, place: &Path, before: &mut dyn FnMut() -> io::Result<()>) -> Result<Vec<PathBuf>> {
        write_in_steps(set, place, false, true, before)
    }

    fn is_sound(place: &Path) -> bool {
        inspect::verify(place).unwrap().iter().all(|check| check.outcome.is_ok())
    }

    /// Where the disk is full at any step, or the program ends there, no mixture is taken for a data set.
    #[test]
    fn whatever_step_fails_the_old_set_stays_or_the_new_one_or_a_mixture_is_noticed() {
        let (old, new) = (set(1), set(2));
        let mut seen = [0; 3];
        for fatal in 0.. {
            let place = tempfile::tempdir().unwrap();
            put(&old, place.path(), &mut || Ok(())).unwrap();
            let mut step = 0;
            let written = put(&new, place.path(), &mut || {
                step += 1;
                if step > fatal { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
            });
            if written.is_ok() {
                assert_eq!(fatal, 12, "a folder, four files, the marker, four names, and the end");
                break;
            }
            let found = match folder::read("x", place.path(), None) {
                Ok(read) => {
                    assert!(is_sound(place.path()), "{fatal}");
                    let is = |set: &DataSet| (&set.train, &set.test) == (&read.train, &read.test);
                    assert!(is(&old) || is(&new), "step {fatal}");
                    if is(&old) { 0 } else { 2 }
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("found those of two, since their writing was inter"), "{text}");
                    assert!(!is_sound(place.path()), "{fatal}");
                    1
                }
            };
            seen[found] += 1;
            // The set can be written again, and then all is well.
            put(&new, place.path(), &mut || Ok(())).unwrap();
            assert_eq!(folder::read("x", place.path(), None).unwrap().train, new.train);
            assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 4, "nothing stays behind");
        }
        assert_eq!(seen, [7, 3, 2]);
    }

    #[test]
    fn a_marker_that_makes_no_sense_is_refused_and_one_of_another_set_counts_for_nothing() {
        let place = tempfile::tempdir().unwrap();
        put(&set(1), place.path(), &mut || Ok(())).unwrap();
        let marker = place.path().join(MARKER);
        for text in ["", "x", "abc  ../train-labels", "abc  x\n", &"#".repeat(70_000)] {
            std::fs::write(&marker, text).unwrap();
            let refused = folder::find(place.path()).unwrap_err().to_string();
            assert!(refused.contains("expected checksums and names of data files"), "{refused}");
        }
        std::fs::write(&marker, "abc  train-labels-idx1-ubyte\n").unwrap();
        folder::find(place.path()).unwrap();
    }

    #[test]
    fn nothing_is_replaced_unasked_nor_put_beside_another_file() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let refusal = |gzip, force| write(&set(2), place.path(), gzip, force).unwrap_err().to_string();
        write(&set(1), place.path(), false, false).unwrap();
        assert!(refusal(false, false).ends_with("cannot replace: it exists; --force replaces it"));
        let beside = refusal(true, true);
        assert!(beside.contains("it would lie beside the new train-images-idx3-ubyte.gz; rem"), "{beside}");
        assert_eq!(folder::read("x", place.path(), None).unwrap().train, set(1).train);

        std::fs::remove_file(at(NAMES[2])).unwrap();
        std::fs::create_dir(at(NAMES[2])).unwrap();
        assert!(refusal(false, true).contains("it is no file; remove it first"));
        std::fs::remove_dir(at(NAMES[2])).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", at(NAMES[2])).unwrap();
            assert!(refusal(false, true).contains("it is a link; remove it first"));
            std::fs::remove_file(at(NAMES[2])).unwrap();
        }
        write(&set(2), place.path(), false, true).unwrap();
        assert_eq!(folder::read("x", place.path(), None).unwrap().train, set(2).train);
    }
}
