//! The four files of a data set in a folder: finding and reading them; writing is in `write`.

mod arrays;
mod names;
mod write;

pub use arrays::arrays;
pub(super) use names::names;
pub use names::{NAMES, ROLES, candidates};
use names::{entries, named};
use std::path::{Path, PathBuf};

pub use write::{MARKER, check_whole, write};

use super::files::Pair;
use super::idx::joined;
use super::samples::{DataSet, MOST_CLASSES, Origin, Samples};
use crate::error::{Error, Result};
use crate::memory;

/// The files of a data set in `folder`, by role: the only [candidates] for each.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read; [`Error::Mismatch`] if there are several files for one
/// role, or if the writing of a set was interrupted and files of two sets lie there.
pub fn find(folder: &Path) -> Result<[Option<PathBuf>; 4]> {
    let mut found = [const { None }; 4];
    for (role, candidates) in candidates(folder)?.into_iter().enumerate() {
        found[role] = only(folder, role, candidates)?;
    }
    check_whole(folder)?;
    Ok(found)
}

/// The only one of the candidates for a role, if there is any.
///
/// # Errors
/// [`Error::Mismatch`] that names them if there are several.
pub fn only(folder: &Path, role: usize, mut candidates: Vec<PathBuf>) -> Result<Option<PathBuf>> {
    if candidates.len() > 1 {
        return Err(Error::Mismatch {
            what: format!("files in {}", folder.display()),
            expected: format!("one file of {}", ROLES[role]),
            found: format!("{}; remove what is not wanted", names(&candidates)),
        });
    }
    Ok(candidates.pop())
}

/// Whether `folder` holds any file of a data set.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read.
pub fn has_any(folder: &Path) -> Result<bool> {
    Ok(candidates(folder)?.iter().any(|candidates| !candidates.is_empty()))
}

/// The content of a folder, in a few words: "x holds a, b and 3 more".
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn described(folder: &Path) -> Result<String> {
    /// The most names that are listed.
    const MOST: usize = 5;
    let (place, entries) = (folder.display(), entries(folder)?);
    Ok(match entries.len() {
        0 => format!("{place} is empty"),
        count if count <= MOST => format!("{place} holds {}", names(&entries)),
        count => format!("{place} holds {} and {} more", names(&entries[..MOST]), count - MOST),
    })
}

/// The data set in `folder`. If the number of classes is not known, it is one more than the largest
/// label. The headers of all four files are read and compared before any of their elements.
///
/// # Errors
/// Those of [`find`]; [`Error::Mismatch`] if one of the four files is missing, if test samples have
/// another shape or element type than training samples, or if memory does not suffice; those of
/// [`Samples::from_idx`].
pub fn read(name: &str, folder: &Path, classes: Option<usize>) -> Result<DataSet> {
    let files = find(folder)?;
    let missing: Vec<usize> = (0..ROLES.len()).filter(|&role| files[role].is_none()).collect();
    let [Some(train_images), Some(train_labels), Some(test_images), Some(test_labels)] = files else {
        let others: Vec<PathBuf> = named(folder)?
            .into_iter()
            .filter(|(role, _)| missing.contains(role))
            .map(|(_, path)| path)
            .collect();
        let found: Vec<String> = missing.iter().map(|&role| format!("no {}", ROLES[role])).collect();
        let but = match &others[..] {
            [] => String::new(),
            others => format!(", since these are no regular files: {}", names(others)),
        };
        return Err(Error::Mismatch {
            what: format!("files in {}", folder.display()),
            expected: format!("those of a data set, such as {}", NAMES.join(", ")),
            found: found.join(", ") + &but,
        });
    };
    let (train, test) = (Pair::open(&train_images, &train_labels)?, Pair::open(&test_images, &test_labels)?);
    check_alike(&train, &test)?;
    let bytes = train.bytes().saturating_add(test.bytes());
    let what = format!("the samples in {}", folder.display());
    memory::check(&what, usize::try_from(bytes).unwrap_or(usize::MAX))?;
    let allowed = classes.unwrap_or(MOST_CLASSES);
    let (train, test) = (train.read(allowed)?, test.read(allowed)?);
    let largest = [&train, &test].into_iter().flat_map(Samples::labels).flatten().max();
    let classes = classes.unwrap_or(usize::from(*largest.unwrap_or(&0)) + 1);
    DataSet::new(name, classes, train, test, Origin::Folder(folder.to_path_buf()))
}

/// Checks by their headers that training and test images can go through one network, in the same units.
fn check_alike(train: &Pair, test: &Pair) -> Result<()> {
    let differ = |what: &str, [expected, found]: [String; 2]| {
        Err(Error::Mismatch {
            what: format!("{what} of {}", test.path().display()),
            expected: format!("{expected}, as in {}", train.path().display()),
            found,
        })
    };
    if train.shape() != test.shape() {
        return differ("height x width x channels", [train, test].map(|pair| joined(&pair.shape())));
    }
    if train.element_type() != test.element_type() {
        return differ("element type", [train, test].map(|pair| pair.element_type().name().to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::names::role_of;
    use super::*;
    use crate::data::idx::Elements;
    use crate::data::idx::Idx;

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
            assert_eq!(find(&path).unwrap().map(Option::unwrap).to_vec(), written);
            let read = read("x", &path, None).unwrap();
            let refused = super::read("x", &path, Some(4)).unwrap_err().to_string();
            assert!(refused.contains("expected classes from 0 to 3, found 4 at index 4"), "{refused}");
            assert_eq!((&read.train, &read.test, read.classes), (&set.train, &set.test, 5));
            assert_eq!(read.origin, Origin::Folder(path));
        }
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
            // None of these names is that of one of the files.
            for name in names.map(|role| role[variant]) {
                let whole = name.strip_suffix(".gz").unwrap_or(name);
                for end in [".gz.sha256", ".gz.1", ".gz.part", ".part", ".npy", "~", ".bak", ".gz~", ".png"] {
                    std::fs::write(folder.path().join(format!("{whole}{end}")), "").unwrap();
                }
            }
            for name in
                ["train-images-old", "x-train-images", "train-images-idx3", "train-images.idx3-ubyte2"]
            {
                std::fs::write(folder.path().join(name), "").unwrap();
            }
            let found = find(folder.path()).unwrap().map(|path| path.unwrap());
            assert_eq!(found, names.map(|role| folder.path().join(role[variant])));
        }
    }

    #[test]
    fn what_names_may_be_is_bounded() {
        for (name, role) in [
            ("test-images.idx", Some(2)),
            ("train-labels.idx.gz", Some(1)),
            ("t10k-labels-idx255-double", Some(3)),
            ("train-images-idx03-byte", Some(0)),
            ("train-images-idx0-byte", None),
            ("train-images-idx256-byte", None),
            ("train-images-idx+3-byte", None),
            ("train-images-idx3-", None),
            ("train-images-idx", None),
            ("train-images_idx3-ubyte", None),
            ("train-images.gz.gz", None),
            ("Train-images", None),
            ("", None),
        ] {
            assert_eq!(role_of(name), role, "{name}");
        }
    }

    /// As the archive of MNIST at Kaggle has it: a folder of each file's name beside the file.
    #[test]
    fn only_files_count_whatever_has_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let set = set([2, 2, 1], 5);
        for path in write(&set, folder.path(), false, false).unwrap() {
            let dotted = path.to_str().unwrap().replace("-idx", ".idx");
            std::fs::rename(&path, dotted).unwrap();
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("train-images-idx3-ubyte"), "").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", at("train-images.gz")).unwrap();
        assert_eq!(read("x", folder.path(), None).unwrap().train, set.train);
        #[cfg(unix)]
        {
            // A link to a file is as good as the file.
            std::fs::rename(at("train-images.idx3-ubyte"), at("elsewhere")).unwrap();
            std::os::unix::fs::symlink("elsewhere", at("train-images")).unwrap();
            assert_eq!(read("x", folder.path(), None).unwrap().train, set.train);
        }
    }

    #[test]
    fn several_files_for_one_role_are_an_error_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let written = write(&set([2, 2, 1], 5), folder.path(), false, false).unwrap();
        for other in ["train-labels-idx1-ubyte.gz", "train-labels"] {
            std::fs::copy(&written[1], folder.path().join(other)).unwrap();
        }
        let error = read("x", folder.path(), None).unwrap_err().to_string();
        let expected = "expected one file of train labels, found train-labels, train-labels-idx1-ubyte, \
                        train-labels-idx1-ubyte.gz; remove what is not wanted";
        assert!(error.ends_with(expected), "{error}");
        assert!(has_any(folder.path()).unwrap());
    }

    #[test]
    fn test_images_of_another_type_or_shape_are_refused_by_their_headers() {
        let folder = tempfile::tempdir().unwrap();
        let set = set([3, 2, 1], 5);
        let written = write(&set, folder.path(), false, false).unwrap();
        let refusal = |dimensions: Vec<usize>, elements| {
            Idx { dimensions, elements }.write(&written[2], false).unwrap();
            read("x", folder.path(), None).unwrap_err().to_string()
        };
        let [test, train] = [&written[2], &written[0]].map(|path| path.display().to_string());
        assert_eq!(
            refusal(vec![4, 3, 2], Elements::F32(vec![0.5; 24])),
            format!("element type of {test}: expected u8, as in {train}, found f32")
        );
        assert_eq!(
            refusal(vec![4, 2, 3], Elements::U8(vec![5; 24])),
            format!(
                "height x width x channels of {test}: expected 3 x 2 x 1, as in {train}, found 2 x 3 x 1"
            )
        );
        assert!(refusal(vec![4, 6], Elements::U8(vec![5; 24])).contains("[samples, height, width]"));
        assert!(refusal(vec![5, 3, 2], Elements::U8(vec![5; 30])).contains("expected 5, as many as images"));
    }

    #[test]
    fn a_folder_is_described_in_a_few_words() {
        let folder = tempfile::tempdir().unwrap();
        let described = || described(folder.path()).unwrap().replace(folder.path().to_str().unwrap(), "x");
        assert_eq!(described(), "x is empty");
        for name in ["b", "a", "c"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(described(), "x holds a, b, c");
        for name in ["d", "e", "f", "g"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(described(), "x holds a, b, c, d, e and 2 more");
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
