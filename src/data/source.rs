//! Finding a data set by name: which folders are searched, and in what order.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::digits;
use super::folder;
use super::idx::Idx;
use super::known::{self, KNOWN};
use super::samples::{DataSet, Origin, Samples};
use crate::error::{Error, Result};
use crate::memory;

/// The name of the generated data set.
pub const DIGITS: &str = "digits";

/// The seed of the generated data set where none is asked for. It is no part of a run's seed: every
/// run sees the same digits.
pub const DIGITS_SEED: u64 = 1;

/// The samples of the generated data set where no number is asked for: as many as MNIST has.
pub const DIGITS_SAMPLES: [usize; 2] = [60_000, 10_000];

/// The generated digits are 0 to 9.
const DIGIT_CLASSES: usize = 10;

/// The index of the first test sample, far from any training sample.
const FIRST_TEST_DIGIT: u64 = 1 << 32;

/// The environment variable that names a folder of data sets.
pub const VARIABLE: &str = "FALLLINE_DATA";

/// Where data sets are searched, in this order: `data_dir`, the folder that `$FALLLINE_DATA`
/// names, `datasets` in the working folder, and [`cache_dir`].
pub fn places(data_dir: Option<&Path>) -> Vec<PathBuf> {
    places_from(data_dir, std::env::var_os(VARIABLE), cache_dir())
}

fn places_from(data_dir: Option<&Path>, variable: Option<OsString>, cache: Option<PathBuf>) -> Vec<PathBuf> {
    let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
    let folders = [data_dir.map(Path::to_path_buf), variable, Some(PathBuf::from("datasets")), cache];
    folders.into_iter().flatten().collect()
}

/// Where downloads go unless told otherwise: `fallline` in the user's cache folder, if there is one.
pub fn cache_dir() -> Option<PathBuf> {
    dirs::cache_dir().map(|folder| folder.join("fallline"))
}

/// The data set called `set`.
///
/// `set` is the name of a published set, of a folder in one of the [`places`], or the path of a
/// folder with the four files. In each place, the folder of that name comes before the place itself.
/// `digits` is generated, unless `data_dir` holds it.
///
/// # Errors
/// [`Error::Io`] if `data_dir` is no folder; [`Error::DataMissing`] and [`Error::Unknown`] if the
/// set is nowhere; those of [`folder::read`].
pub fn load(set: &str, data_dir: Option<&Path>) -> Result<DataSet> {
    load_from(set, data_dir, &places(data_dir))
}

fn load_from(set: &str, data_dir: Option<&Path>, places: &[PathBuf]) -> Result<DataSet> {
    if let Some(data_dir) = data_dir {
        std::fs::read_dir(data_dir).map_err(Error::io(data_dir, "read the folder"))?;
    }
    if set == DIGITS {
        return match data_dir.and_then(|place| find_in(place, set)) {
            Some(folder) => folder::read(set, &folder, Some(DIGIT_CLASSES)),
            None => generate_digits(DIGITS_SAMPLES, DIGITS_SEED),
        };
    }
    if is_path(set) {
        return read_path(Path::new(set));
    }
    match places.iter().find_map(|place| find_in(place, set)) {
        Some(folder) => folder::read(set, &folder, known::known(set).map(|known| known.classes)),
        None => Err(missing(set, places)),
    }
}

/// The generated data set, with this many train and test samples.
///
/// # Errors
/// [`Error::Mismatch`] if a number of samples is 0 or above `u32::MAX`.
pub fn generate_digits(samples: [usize; 2], seed: u64) -> Result<DataSet> {
    let generate = |count: usize, first| {
        check_room(count)?;
        let made = digits::generate(count, seed, first)?;
        Samples::images(made.images, [28, 28, 1], made.labels, DIGIT_CLASSES)
    };
    let [train, test] = samples;
    let (train, test) = (generate(train, 0)?, generate(test, FIRST_TEST_DIGIT)?);
    DataSet::new(DIGITS, DIGIT_CLASSES, train, test, Origin::Generated { seed })
}

/// Checks that `count` digits can be held in memory, before they are made.
fn check_room(count: usize) -> Result<()> {
    let room = |bytes| memory::reserved::<u8>("digits", bytes).is_ok();
    let fits = (1..=u32::MAX as usize).contains(&count) && count.checked_mul(28 * 28).is_some_and(room);
    if fits {
        return Ok(());
    }
    let expected = "at least 1 and no more than fit in memory, at 784 bytes each".into();
    Err(Error::Mismatch { what: "number of digits to generate".into(), expected, found: count.to_string() })
}

/// The folder in `place` that holds `set`: the one of that name, or `place` itself.
fn find_in(place: &Path, set: &str) -> Option<PathBuf> {
    let named = place.join(set);
    if folder::has_any(&named) {
        return Some(named);
    }
    (folder::has_any(place) && may_be(place, set)).then(|| place.to_path_buf())
}

/// Whether the files in `folder` may be those of `set`: not if their labels are known as those of
/// another set. (`--data mnist` must not bring MNIST to who asked for Fashion-MNIST.)
fn may_be(folder: &Path, set: &str) -> bool {
    let [_, train_labels, _, test_labels] = folder::find(folder);
    let labels = [train_labels, test_labels].into_iter().flatten();
    let sums = labels.filter_map(|path| Some(known::checksum(&Idx::read(&path).ok()?)));
    sums.filter_map(|sum| known::by_checksum(&sum)).all(|(owner, _)| owner.name == set)
}

/// Names are plain; what has a separator or starts with a dot is a path.
fn is_path(set: &str) -> bool {
    set.starts_with('.') || set.contains(std::path::is_separator)
}

fn read_path(path: &Path) -> Result<DataSet> {
    std::fs::read_dir(path).map_err(Error::io(path, "read the folder"))?;
    let full = path.canonicalize().map_err(Error::io(path, "read the folder"))?;
    let name = full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned();
    folder::read(&name, path, None)
}

fn missing(set: &str, places: &[PathBuf]) -> Error {
    if known::known(set).is_some() {
        let hint = format!("; run \"fallline data download {set}\"");
        return Error::DataMissing { name: set.to_string(), searched: searched(set, places), hint };
    }
    let names = KNOWN.iter().map(|known| known.name).chain([DIGITS]);
    match Error::unknown("data", "data set", set, names.clone()) {
        unknown @ Error::Unknown { nearest: Some(_), .. } => unknown,
        _ => {
            let hint = format!("; known by name: {}", names.collect::<Vec<_>>().join(", "));
            Error::DataMissing { name: set.to_string(), searched: searched(set, places), hint }
        }
    }
}

fn searched(set: &str, places: &[PathBuf]) -> Vec<PathBuf> {
    places.iter().flat_map(|place| [place.join(set), place.clone()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a data set whose images have `size` x `size` pixels, to tell one from another.
    fn put(folder: &Path, size: usize) {
        let samples = || Samples::images(vec![1; size * size], [size, size, 1], vec![0], 1).unwrap();
        let set = DataSet::new("x", 1, samples(), samples(), Origin::Generated { seed: 0 }).unwrap();
        folder::write(&set, folder, false, false).unwrap();
    }

    fn size(set: Result<DataSet>) -> usize {
        set.unwrap().train.shape()[0]
    }

    #[test]
    fn places_are_searched_in_order() {
        let expected = ["a", "b", "datasets", "c"].map(PathBuf::from);
        assert_eq!(places_from(Some(Path::new("a")), Some("b".into()), Some("c".into())), expected);
        assert_eq!(places_from(None, Some("".into()), None), [PathBuf::from("datasets")]);

        let folder = tempfile::tempdir().unwrap();
        let places = [folder.path().join("first"), folder.path().join("second")];
        put(&places[1].join("mnist"), 3);
        put(&places[1], 2);
        assert_eq!(size(load_from("mnist", None, &places)), 3);
        put(&places[0], 4);
        assert_eq!(size(load_from("mnist", None, &places)), 4);
        put(&places[0].join("mnist"), 5);
        let found = load_from("mnist", None, &places).unwrap();
        assert_eq!(found.origin, Origin::Folder(places[0].join("mnist")));
        assert_eq!((found.name.as_str(), found.train.shape()), ("mnist", [5, 5, 1]));
    }

    #[test]
    fn a_missing_set_says_where_it_was_sought_and_what_to_do() {
        let places = [PathBuf::from("no-such-a"), PathBuf::from("no-such-b")];
        let error = load_from("mnist", None, &places).unwrap_err().to_string();
        let expected = "data set `mnist` not found; looked in no-such-a/mnist, no-such-a, no-such-b/mnist, \
                        no-such-b; run \"fallline data download mnist\"";
        assert_eq!(error, expected);
        let error = load_from("fashion_mnist", None, &places).unwrap_err().to_string();
        assert_eq!(error, "data: unknown data set `fashion_mnist`; did you mean `fashion-mnist`?");
        let error = load_from("xyz", None, &places).unwrap_err().to_string();
        assert!(error.ends_with("known by name: mnist, fashion-mnist, digits"), "{error}");
        let error = load_from("mnist", Some(Path::new("no-such")), &places).unwrap_err().to_string();
        assert!(error.starts_with("no-such: cannot read the folder"), "{error}");
    }

    #[test]
    fn a_path_is_read_as_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine");
        put(&path, 6);
        let set = load_from(path.to_str().unwrap(), None, &[]).unwrap();
        assert_eq!((set.name.as_str(), set.classes, set.train.shape()), ("mine", 1, [6, 6, 1]));
        assert!(matches!(load_from("./no-such", None, &[]), Err(Error::Io { .. })));
    }

    /// That the labels of another published set are passed over is tested with the real files, in
    /// `tests/data_commands.rs`.
    #[test]
    fn a_broken_file_of_labels_is_left_for_the_reader_to_report() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), 2);
        std::fs::write(folder.path().join(folder::NAMES[1]), "x").unwrap();
        assert!(may_be(folder.path(), "mnist"));
        assert!(matches!(load_from("mnist", None, &[folder.path().into()]), Err(Error::Format { .. })));
    }

    #[test]
    fn digits_are_generated_unless_the_given_folder_has_them() {
        let made = generate_digits([30, 20], 7).unwrap();
        assert_eq!((made.train.len(), made.test.len(), made.classes), (30, 20, 10));
        assert_eq!(made.origin, Origin::Generated { seed: 7 });
        assert!(generate_digits([0, 1], 7).is_err());
        assert!(generate_digits([1, usize::MAX], 7).is_err());

        let folder = tempfile::tempdir().unwrap();
        put(&folder.path().join("digits"), 3);
        assert_eq!(size(load_from("digits", Some(folder.path()), &[])), 3);
    }
}
