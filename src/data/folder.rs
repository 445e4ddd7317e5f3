//! The four files of a data set in a folder: finding, reading and writing them.

use std::io;
use std::path::{Path, PathBuf};

use super::idx::{Elements, Idx};
use super::samples::{DataSet, Features, Origin, Samples, Targets};
use crate::error::{Error, Result};

/// What each of the four files holds, in the order the program lists them.
pub const ROLES: [&str; 4] = ["train images", "train labels", "test images", "test labels"];

/// The names that files are written under, by role.
pub const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// What the names of files begin with, by role.
const STEMS: [&[&str]; 4] =
    [&["train-images"], &["train-labels"], &["t10k-images", "test-images"], &["t10k-labels", "test-labels"]];

/// The files of a data set in `folder`, by role. A file may be plain or end in `.gz`, and its name
/// may be a stem alone or go on with `-idx` or `.idx`: `train-images-idx3-ubyte.gz`,
/// `train-images.idx3-ubyte`. If several fit, the plain one and then the first by name is taken.
///
/// A folder that cannot be read holds no files.
pub fn find(folder: &Path) -> [Option<PathBuf>; 4] {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    STEMS.map(|stems| {
        let fitting = names.iter().filter(|name| stems.iter().any(|stem| fits(name, stem)));
        fitting.min_by_key(|name| name.ends_with(".gz")).map(|name| folder.join(name))
    })
}

fn fits(name: &str, stem: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.strip_prefix(stem)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("-idx") || rest.starts_with(".idx"))
}

/// Whether `folder` holds any file of a data set.
pub fn has_any(folder: &Path) -> bool {
    find(folder).iter().any(Option::is_some)
}

/// The data set in `folder`. If the number of classes is not known, it is one more than the largest
/// label.
///
/// # Errors
/// [`Error::Mismatch`] if one of the four files is missing; those of [`Samples::from_idx`].
pub fn read(name: &str, folder: &Path, classes: Option<usize>) -> Result<DataSet> {
    let files = find(folder);
    let missing: Vec<&str> =
        ROLES.iter().zip(&files).filter(|(_, file)| file.is_none()).map(|(role, _)| *role).collect();
    let [Some(train_images), Some(train_labels), Some(test_images), Some(test_labels)] = files else {
        return Err(Error::Mismatch {
            what: format!("files in {}", folder.display()),
            expected: format!("those of a data set, such as {}", NAMES.join(", ")),
            found: format!("no {}", missing.join(", no ")),
        });
    };
    let allowed = classes.unwrap_or(MOST_CLASSES);
    let train = Samples::from_idx(&train_images, &train_labels, allowed)?;
    let test = Samples::from_idx(&test_images, &test_labels, allowed)?;
    let largest = [&train, &test].into_iter().flat_map(Samples::labels).flatten().max();
    let classes = classes.unwrap_or(usize::from(*largest.unwrap_or(&0)) + 1);
    DataSet::new(name, classes, train, test, Origin::Folder(folder.to_path_buf()))
}

/// As many as a label of one byte can tell apart.
const MOST_CLASSES: usize = 256;

/// Writes the four files of `set` into `folder`, which is created if need be, and returns their
/// paths. Files that exist are replaced only if `force`.
///
/// # Errors
/// [`Error::Io`] if a file exists and may not be replaced (nothing is written then), or cannot be
/// written; [`Error::Mismatch`] if the targets are not classes.
pub fn write(set: &DataSet, folder: &Path, gzip: bool, force: bool) -> Result<Vec<PathBuf>> {
    let [train_images, train_labels] = arrays(&set.train)?;
    let [test_images, test_labels] = arrays(&set.test)?;
    let arrays = [train_images, train_labels, test_images, test_labels];
    let paths: Vec<PathBuf> = NAMES
        .iter()
        .zip(&arrays)
        .map(|(name, array)| {
            let name = name.replace("idx3", &format!("idx{}", array.dimensions.len()));
            folder.join(if gzip { name + ".gz" } else { name })
        })
        .collect();
    for (existing, path) in find(folder).iter().zip(&paths) {
        check_free(existing.as_deref(), path, force)?;
    }
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    for (array, path) in arrays.iter().zip(&paths) {
        array.write(path, gzip)?;
    }
    Ok(paths)
}

/// Refuses to replace a file unasked, and to put one beside another that [`find`] would prefer.
fn check_free(existing: Option<&Path>, path: &Path, force: bool) -> Result<()> {
    let Some(existing) = existing else { return Ok(()) };
    let reason = match (existing == path, force) {
        (true, true) => return Ok(()),
        (true, false) => "it exists; --force replaces it".to_string(),
        (false, _) => format!("it would hide {}; remove it first", path.display()),
    };
    Err(Error::io(existing, "replace")(io::Error::new(io::ErrorKind::AlreadyExists, reason)))
}

/// The images and the labels as arrays; images of one channel are `[samples, height, width]`.
pub fn arrays(samples: &Samples) -> Result<[Idx; 2]> {
    let Targets::Classes(labels) = samples.targets() else {
        return Err(Error::Mismatch {
            what: "targets to be written as a file of labels".into(),
            expected: "classes".into(),
            found: "values".into(),
        });
    };
    let [height, width, channels] = samples.shape();
    let mut dimensions = vec![samples.len(), height, width];
    if channels > 1 {
        dimensions.push(channels);
    }
    let elements = match samples.features() {
        Features::Bytes(pixels) => Elements::U8(pixels.clone()),
        Features::Floats(values) => Elements::F32(values.clone()),
    };
    let labels = Idx { dimensions: vec![labels.len()], elements: Elements::U8(labels.clone()) };
    Ok([Idx { dimensions, elements }, labels])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(shape: [usize; 3], classes: u8) -> DataSet {
        let samples = |count: u8| {
            let size: usize = shape.iter().product();
            let pixels = (0..usize::from(count) * size).map(|i| i as u8).collect();
            Samples::images(pixels, shape, (0..count).map(|i| i % classes).collect(), 256).unwrap()
        };
        let origin = Origin::Generated { seed: 0 };
        DataSet::new("x", usize::from(classes), samples(12), samples(4), origin).unwrap()
    }

    #[test]
    fn what_is_written_is_found_and_read() {
        for (shape, gzip) in [([3, 2, 1], false), ([3, 2, 1], true), ([2, 2, 3], true)] {
            let folder = tempfile::tempdir().unwrap();
            let (set, path) = (set(shape, 5), folder.path().join("new/folder"));
            let written = write(&set, &path, gzip, false).unwrap();
            assert_eq!(find(&path).map(Option::unwrap).to_vec(), written);
            let read = read("x", &path, None).unwrap();
            let refused = super::read("x", &path, Some(4)).unwrap_err().to_string();
            assert!(refused.contains("expected classes from 0 to 3, found 4 at index 4"), "{refused}");
            assert_eq!((&read.train, &read.test, read.classes), (&set.train, &set.test, 5));
            assert_eq!(read.origin, Origin::Folder(path));
        }
    }

    #[test]
    fn nothing_is_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (set([2, 2, 1], 5), set([3, 3, 1], 5));
        write(&old, folder.path(), false, false).unwrap();
        let refused = write(&new, folder.path(), false, false).unwrap_err().to_string();
        assert!(refused.ends_with("cannot replace: it exists; --force replaces it"), "{refused}");
        assert_eq!(read("x", folder.path(), None).unwrap().train, old.train);
        write(&new, folder.path(), false, true).unwrap();
        assert_eq!(read("x", folder.path(), None).unwrap().train, new.train);
        let hidden = write(&old, folder.path(), true, true).unwrap_err().to_string();
        assert!(hidden.contains("it would hide "), "{hidden}");
        assert_eq!(read("x", folder.path(), None).unwrap().train, new.train);
    }

    #[test]
    fn the_names_that_people_have_are_found() {
        let names = [
            [
                "train-images-idx3-ubyte",
                "train-images.idx3-ubyte.gz",
                "train-images",
                "train-images-idx4-float",
            ],
            [
                "train-labels.idx1-ubyte",
                "train-labels-idx1-ubyte.gz",
                "train-labels.gz",
                "train-labels-idx1-int",
            ],
            ["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte", "test-images.gz", "test-images-idx4-float"],
            ["t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte", "test-labels", "test-labels-idx1-int"],
        ];
        for variant in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            for name in names.map(|role| role[variant]) {
                std::fs::write(folder.path().join(name), "").unwrap();
            }
            // Neither of these is one of the files.
            for name in ["train-images.png", "t10k-labels-old", "x-train-images"] {
                std::fs::write(folder.path().join(name), "").unwrap();
            }
            let found = find(folder.path()).map(|path| path.unwrap());
            assert_eq!(found, names.map(|role| folder.path().join(role[variant])));
        }
    }

    #[test]
    fn missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let written = write(&set([2, 2, 1], 5), folder.path(), false, false).unwrap();
        std::fs::remove_file(&written[1]).unwrap();
        std::fs::remove_file(&written[2]).unwrap();
        let error = read("x", folder.path(), None).unwrap_err().to_string();
        assert!(error.ends_with("found no train labels, no test images"), "{error}");
    }
}
