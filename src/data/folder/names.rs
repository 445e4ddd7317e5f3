//! The names of the files of a data set.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::data::idx::ElementType;
use crate::error::{Error, Result};

/// The content of each of the four files, in the order the program lists them.
pub const ROLES: [&str; 4] = ["train images", "train labels", "test images", "test labels"];

/// The names that files of bytes are written under, by role.
pub const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The beginnings of the names of files, by role.
pub(super) const STEMS: [&[&str]; 4] =
    [&["train-images"], &["train-labels"], &["t10k-images", "test-images"], &["t10k-labels", "test-labels"]];

/// The files in `folder` that may be those of a data set, by role and in the order of their names: files,
/// or links to files, whose names are
///
/// - `train-images`, `train-labels`, `t10k-images` or `test-images`, `t10k-labels` or `test-labels`,
/// - alone, or with `.idx` behind it, or with `-idx` or `.idx`, a number, and one of `-ubyte`, `-byte`,
///   `-short`, `-int`, `-float`, `-double`: `train-images-idx3-ubyte`, `train-images.idx3-ubyte`,
/// - plain or with `.gz` at the end.
///
/// Neither the number nor the type is compared with what is in the file. A folder that is not there holds
/// no files.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read.
pub fn candidates(folder: &Path) -> Result<[Vec<PathBuf>; 4]> {
    let mut found: [Vec<PathBuf>; 4] = Default::default();
    for (role, path) in named(folder)? {
        // Folders, pipes and links to nowhere are no data, whatever they are called.
        if path.is_file() {
            found[role].push(path);
        }
    }
    Ok(found)
}

/// All that has the name of a data file, whatever it is, with its role.
pub(super) fn named(folder: &Path) -> Result<Vec<(usize, PathBuf)>> {
    let role = |path: &Path| role_of(path.file_name()?.to_str()?);
    Ok(entries(folder)?.into_iter().filter_map(|path| Some((role(&path)?, path))).collect())
}

/// All that lies in the folder, in the order of the names.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let broken = |error| Error::io(folder, "read the folder")(error);
    let entries = match crate::foreign::read_folder(folder) {
        Ok(entries) => entries,
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(broken(error)),
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(broken)?;
    paths.sort();
    Ok(paths)
}

/// The content of the file of this name, as an index of [`ROLES`].
pub(super) fn role_of(name: &str) -> Option<usize> {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let fits = |stem: &&str| name.strip_prefix(*stem).is_some_and(is_ending);
    STEMS.iter().position(|stems| stems.iter().any(&fits))
}

/// Whether a name may end so behind its stem.
pub(super) fn is_ending(rest: &str) -> bool {
    if ["", ".idx"].contains(&rest) {
        return true;
    }
    let Some(rest) = rest.strip_prefix("-idx").or_else(|| rest.strip_prefix(".idx")) else { return false };
    let Some((rank, element_type)) = rest.split_once('-') else { return false };
    rank.bytes().all(|digit| digit.is_ascii_digit())
        && rank.parse::<u8>().is_ok_and(|rank| rank > 0)
        && ElementType::ALL.iter().any(|known| known.in_file_names() == element_type)
}

/// The names of files in one folder.
pub(in crate::data) fn names(paths: &[PathBuf]) -> String {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(name).collect::<Vec<_>>().join(", ")
}
