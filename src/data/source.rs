//! Finding a data set by name: which folders are searched, and in what order.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::digits;
use super::folder;
use super::idx::Idx;
use super::known::{self, KNOWN};
use super::samples::{DataSet, Origin, Samples};
use super::small::{self, SmallSet};
use crate::error::{Error, Result};
use crate::memory;

/// The name of the generated data set.
pub const DIGITS: &str = "digits";

/// The seed of the generated data set where no other is asked for. It is no part of a run's seed: every
/// run sees the same digits.
pub const DIGITS_SEED: u64 = 1;

/// The samples of the generated data set where no number is asked for: as many as MNIST has.
pub const DIGITS_SAMPLES: [usize; 2] = [60_000, 10_000];

/// The index of the first test sample, far from any training sample.
const FIRST_TEST_DIGIT: u64 = 1 << 32;

/// The environment variable that names a folder of data sets.
pub const VARIABLE: &str = "FALLLINE_DATA";

/// The places where a data set is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Places {
    /// This folder alone, since the user has named it.
    Named { folder: PathBuf, by: Naming },
    /// These folders, one after the other: `datasets` in the working folder, and [`cache_dir`].
    Usual(Vec<PathBuf>),
}

/// The origin of a folder's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The caller: `--data` of the program.
    Caller,
    /// The environment variable [`VARIABLE`].
    Variable,
}

impl Places {
    /// The places for a set: `data_dir` alone, if there is one; else the folder that `$FALLLINE_DATA` names alone, if
    /// it does; else the usual places.
    pub fn new(data_dir: Option<&Path>) -> Places {
        Places::of(data_dir, std::env::var_os(VARIABLE), cache_dir())
    }

    fn of(data_dir: Option<&Path>, variable: Option<OsString>, cache: Option<PathBuf>) -> Places {
        let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        match (data_dir, variable) {
            (Some(folder), _) => Places::Named { folder: folder.to_path_buf(), by: Naming::Caller },
            (None, Some(folder)) => Places::Named { folder, by: Naming::Variable },
            (None, None) => Places::Usual([PathBuf::from("datasets")].into_iter().chain(cache).collect()),
        }
    }

    /// Whether the user has named a folder. Nothing then stands in for a set that is not in it.
    pub fn is_named(&self) -> bool {
        matches!(self, Places::Named { .. })
    }

    fn folders(&self) -> &[PathBuf] {
        match self {
            Places::Named { folder, .. } => std::slice::from_ref(folder),
            Places::Usual(folders) => folders,
        }
    }

    /// Checks that a folder that the user has named is one.
    fn check(&self) -> Result<()> {
        let Places::Named { folder, by } = self else { return Ok(()) };
        let action = match by {
            Naming::Caller => "read the folder",
            Naming::Variable => "read the folder, which $FALLLINE_DATA names",
        };
        std::fs::read_dir(folder).map(drop).map_err(Error::io(folder, action))
    }
}

/// The folder for downloads unless another is named: `fallline` in the user's cache folder, if there is one.
pub fn cache_dir() -> Option<PathBuf> {
    dirs::cache_dir().map(|folder| folder.join("fallline"))
}

/// The data set called `set`.
///
/// `set` is the name of a published set, of a folder in one of the [`Places`], or, without `data_dir`, the
/// path of a folder with the four files. In each place, the folder of that name comes before the place
/// itself. `digits` is generated, unless `data_dir` is given, which must hold it then, or the folder that
/// `$FALLLINE_DATA` names has a folder of that name. A [small set](small) needs no folder: it is drawn or
/// embedded, and becomes samples as a table does that nothing is said of.
///
/// # Errors
/// [`Error::Io`] if a folder cannot be read; [`Error::DataMissing`] and [`Error::Unknown`] if the set is
/// nowhere; [`Error::Mismatch`] if a folder of its name holds another set, or if a path or a small set and
/// `data_dir` are given; those of [`folder::read`].
pub fn load(set: &str, data_dir: Option<&Path>) -> Result<DataSet> {
    if set == DIGITS {
        return match find_digits(data_dir)? {
            Some(folder) => read_digits(&folder),
            None => generate_digits(DIGITS_SAMPLES, DIGITS_SEED),
        };
    }
    if let Some(small) = SmallSet::named(set) {
        small.check_alone(data_dir)?;
        return small.data_set();
    }
    match (is_path(set), data_dir) {
        (true, None) => read_path(Path::new(set)),
        (true, Some(data_dir)) => Err(Error::Mismatch {
            what: "data set".into(),
            expected: format!("a name to be found in {}, or a path alone", data_dir.display()),
            found: format!("the path {set}"),
        }),
        (false, _) => load_from(set, &Places::new(data_dir)),
    }
}

fn load_from(set: &str, places: &Places) -> Result<DataSet> {
    places.check()?;
    for place in places.folders() {
        if let Some(folder) = find_in(place, set)? {
            return folder::read(set, &folder, known::known(set).map(|known| known.classes));
        }
    }
    Err(missing(set, places)?)
}

/// The folder that holds the digits; none if they are to be generated.
///
/// # Errors
/// [`Error::Io`] if a folder that the user has named cannot be read; [`Error::DataMissing`] if
/// `data_dir` is given and does not hold them.
pub fn find_digits(data_dir: Option<&Path>) -> Result<Option<PathBuf>> {
    find_digits_in(&Places::new(data_dir))
}

fn find_digits_in(places: &Places) -> Result<Option<PathBuf>> {
    places.check()?;
    match places {
        Places::Named { folder, by: Naming::Caller } => match find_in(folder, DIGITS)? {
            None => Err(missing(DIGITS, places)?),
            found => Ok(found),
        },
        // The variable is for other data sets as well, so files in the folder itself need not be digits.
        Places::Named { folder, by: Naming::Variable } => {
            let named = folder.join(DIGITS);
            Ok(folder::has_any(&named)?.then_some(named))
        }
        Places::Usual(_) => Ok(None),
    }
}

/// The digits in a folder.
///
/// # Errors
/// Those of [`folder::read`].
pub fn read_digits(folder: &Path) -> Result<DataSet> {
    folder::read(DIGITS, folder, Some(digits::CLASSES))
}

/// The generated data set, with this many train and test samples.
///
/// # Errors
/// [`Error::Mismatch`] if a number of samples is 0 or above `u32::MAX`.
pub fn generate_digits(samples: [usize; 2], seed: u64) -> Result<DataSet> {
    let generate = |count: usize, first| {
        check_room(count)?;
        let made = digits::generate(count, seed, first)?;
        Samples::images(made.images, [28, 28, 1], made.labels, digits::CLASSES)
    };
    let [train, test] = samples;
    let (train, test) = (generate(train, 0)?, generate(test, FIRST_TEST_DIGIT)?);
    DataSet::new(DIGITS, digits::CLASSES, train, test, Origin::Generated { seed })
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
fn find_in(place: &Path, set: &str) -> Result<Option<PathBuf>> {
    let named = place.join(set);
    if folder::has_any(&named)? {
        return match other_set(&named, set)? {
            None => Ok(Some(named)),
            Some(other) => Err(Error::Mismatch {
                what: format!("files in {}", named.display()),
                expected: format!("those of {set}"),
                found: format!("those of {other}"),
            }),
        };
    }
    let holds_it = folder::has_any(place)? && other_set(place, set)?.is_none();
    Ok(holds_it.then(|| place.to_path_buf()))
}

/// The published set that the files in `folder` are of, by their labels, if it is another one than `set`.
/// (`--data mnist` must not give MNIST to someone who asked for Fashion-MNIST.)
fn other_set(folder: &Path, set: &str) -> Result<Option<&'static str>> {
    let [_, train_labels, _, test_labels] = folder::candidates(folder)?;
    let labels = train_labels.into_iter().chain(test_labels);
    let sums = labels.filter_map(|path| Some(known::checksum(&Idx::read(&path).ok()?)));
    let owners = sums.filter_map(|sum| known::by_checksum(&sum)).map(|(owner, _)| owner.name);
    Ok(owners.into_iter().find(|owner| *owner != set))
}

/// Whether `set` is a path: names are plain; a path has a separator or starts with a dot.
pub fn is_path(set: &str) -> bool {
    set.starts_with('.') || set.contains(std::path::is_separator)
}

fn read_path(path: &Path) -> Result<DataSet> {
    std::fs::read_dir(path).map_err(Error::io(path, "read the folder"))?;
    let full = path.canonicalize().map_err(Error::io(path, "read the folder"))?;
    let name = full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned();
    folder::read(&name, path, None)
}

/// The error for a set that is in none of the places.
///
/// # Errors
/// [`Error::Io`] if a folder that the user has named cannot be read.
fn missing(set: &str, places: &Places) -> Result<Error> {
    let name = set.to_string();
    let searched = places.folders().iter().flat_map(|place| [place.join(set), place.clone()]).collect();
    let names = KNOWN.iter().map(|known| known.name).chain([DIGITS]).chain(small::names());
    let is_known = names.clone().any(|known| known == set);
    let unknown = Error::unknown("data", "data set", set, names.clone());
    if !is_known && matches!(unknown, Error::Unknown { nearest: Some(_), .. }) {
        return Ok(unknown);
    }
    let mut hint = String::new();
    if let Places::Named { folder, .. } = places {
        hint += &match other_set(folder, set)? {
            Some(other) => format!("; {} holds the files of {other}", folder.display()),
            None => format!("; {}", folder::described(folder)?),
        };
    }
    hint += &match (places, set) {
        (Places::Named { .. }, DIGITS) => "; without --data they are generated".to_string(),
        _ if !is_known => format!("; known by name: {}", names.collect::<Vec<_>>().join(", ")),
        (Places::Usual(_), set) => format!("; run \"fallline data download {set}\""),
        (Places::Named { folder, .. }, set) => {
            format!("; run \"fallline data download {set} --out {}\"", folder.display())
        }
    };
    Ok(Error::DataMissing { name, searched, hint })
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

    fn named(folder: &Path) -> Places {
        Places::Named { folder: folder.to_path_buf(), by: Naming::Caller }
    }

    fn by_variable(folder: &Path) -> Places {
        Places::Named { folder: folder.to_path_buf(), by: Naming::Variable }
    }

    #[test]
    fn a_place_that_is_named_is_the_only_one() {
        let of = |data_dir: Option<&str>, variable: &str| {
            Places::of(data_dir.map(Path::new), Some(variable.into()), Some("cache".into()))
        };
        assert_eq!(of(Some("a"), "b"), named(Path::new("a")));
        assert_eq!(of(None, "b"), by_variable(Path::new("b")));
        let usual = Places::Usual(vec!["datasets".into(), "cache".into()]);
        assert_eq!(of(None, ""), usual);
        assert_eq!(Places::of(None, None, Some("cache".into())), usual);
        assert_eq!(Places::of(None, None, None), Places::Usual(vec!["datasets".into()]));
        assert!(of(None, "b").is_named() && !usual.is_named());
    }

    #[test]
    fn places_are_searched_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let places = [folder.path().join("first"), folder.path().join("second")];
        let usual = Places::Usual(places.to_vec());
        put(&places[1].join("mnist"), 3);
        put(&places[1], 2);
        assert_eq!(size(load_from("mnist", &usual)), 3);
        put(&places[0], 4);
        assert_eq!(size(load_from("mnist", &usual)), 4);
        assert_eq!(size(load_from("mnist", &named(&places[1]))), 3);
        put(&places[0].join("mnist"), 5);
        let found = load_from("mnist", &usual).unwrap();
        assert_eq!(found.origin, Origin::Folder(places[0].join("mnist")));
        assert_eq!((found.name.as_str(), found.train.shape()), ("mnist", [5, 5, 1]));
    }

    #[test]
    fn a_missing_set_says_where_it_was_sought_and_what_to_do() {
        let places = Places::Usual(vec!["no-such-a".into(), "no-such-b".into()]);
        let error = load_from("mnist", &places).unwrap_err().to_string();
        let expected = "data set `mnist` not found; looked in no-such-a/mnist, no-such-a, no-such-b/mnist, \
                        no-such-b; run \"fallline data download mnist\"";
        assert_eq!(error, expected);
        let error = load_from("fashion_mnist", &places).unwrap_err().to_string();
        assert_eq!(error, "data: unknown data set `fashion_mnist`; did you mean `fashion-mnist`?");
        let error = load_from("xyz", &places).unwrap_err().to_string();
        assert!(error.contains("known by name: mnist, fashion-mnist, digits, line, linear, "), "{error}");
        let error = load_from("mnist", &named(Path::new("no-such"))).unwrap_err().to_string();
        assert!(error.starts_with("no-such: cannot read the folder: "), "{error}");
        let error = load_from("mnist", &by_variable(Path::new("no-such"))).unwrap_err().to_string();
        assert!(
            error.starts_with("no-such: cannot read the folder, which $FALLLINE_DATA names: "),
            "{error}"
        );
    }

    #[test]
    fn what_is_in_a_named_place_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        let refusal = |set: &str| match set {
            DIGITS => find_digits_in(&named(folder.path())).unwrap_err().to_string().replace(&place, "x"),
            set => load_from(set, &named(folder.path())).unwrap_err().to_string().replace(&place, "x"),
        };
        let looked = "not found; looked in x/mnist, x; x";
        let advice = "; run \"fallline data download mnist --out x\"";
        assert_eq!(refusal("mnist"), format!("data set `mnist` {looked} is empty{advice}"));
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert_eq!(refusal("mnist"), format!("data set `mnist` {looked} holds notes.txt{advice}"));
        assert!(refusal("digits").ends_with("; x holds notes.txt; without --data they are generated"));
        assert!(refusal("xyz").contains("x holds notes.txt; known by name: mnist, fashion-mnist, digits, "));
    }

    #[cfg(unix)]
    #[test]
    fn a_place_that_cannot_be_read_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let places = [folder.path().join("first"), folder.path().join("second")];
        put(&places[1], 2);
        // A name that is too long for a file is an error of the system for everyone.
        let unreadable = Places::Usual(vec![folder.path().join("x".repeat(300)), places[1].clone()]);
        assert!(matches!(load_from("mnist", &unreadable), Err(Error::Io { .. })));
        assert_eq!(size(load_from("mnist", &Places::Usual(places.to_vec()))), 2);
    }

    #[test]
    fn a_path_is_read_as_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine");
        put(&path, 6);
        let set = load(path.to_str().unwrap(), None).unwrap();
        assert_eq!((set.name.as_str(), set.classes, set.train.shape()), ("mine", 1, [6, 6, 1]));
        assert!(matches!(load("./no-such", None), Err(Error::Io { .. })));
        let both = load("./mine", Some(folder.path())).unwrap_err().to_string();
        assert!(both.ends_with("or a path alone, found the path ./mine"), "{both}");
    }

    /// That the labels of another published set are noticed is tested with the real files, in
    /// `tests/data/commands.rs`.
    #[test]
    fn a_broken_file_of_labels_is_left_for_the_reader_to_report() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), 2);
        std::fs::write(folder.path().join(folder::NAMES[1]), "x").unwrap();
        assert_eq!(other_set(folder.path(), "mnist").unwrap(), None);
        assert!(matches!(load_from("mnist", &named(folder.path())), Err(Error::Format { .. })));
    }

    #[test]
    fn digits_are_generated_unless_a_named_folder_has_them() {
        let made = generate_digits([30, 20], 7).unwrap();
        assert_eq!((made.train.len(), made.test.len(), made.classes), (30, 20, 10));
        assert_eq!(made.origin, Origin::Generated { seed: 7 });
        assert!(generate_digits([0, 1], 7).is_err());
        assert!(generate_digits([1, usize::MAX], 7).is_err());

        let folder = tempfile::tempdir().unwrap();
        let (place, own) = (folder.path(), folder.path().join("digits"));
        assert_eq!(find_digits_in(&Places::Usual(vec![place.into()])).unwrap(), None);
        assert_eq!(find_digits_in(&by_variable(place)).unwrap(), None);
        assert!(matches!(find_digits_in(&named(place)), Err(Error::DataMissing { .. })));
        assert!(matches!(find_digits_in(&by_variable(&place.join("no"))), Err(Error::Io { .. })));
        // In a folder of data sets, other files than those of a folder of the name may be anything.
        put(place, 4);
        assert_eq!(find_digits_in(&by_variable(place)).unwrap(), None);
        assert_eq!(find_digits_in(&named(place)).unwrap(), Some(place.into()));
        put(&own, 3);
        for places in [named(place), by_variable(place)] {
            assert_eq!(find_digits_in(&places).unwrap(), Some(own.clone()));
        }
        assert_eq!(size(load("digits", Some(place))), 3);
        assert_eq!(find_digits_in(&Places::Usual(vec![place.into()])).unwrap(), None);
    }
}
