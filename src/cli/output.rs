//! Files that a command will write at its end, checked at its start.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::atomic_file::{self, Way};
use crate::data::folder;
use crate::data::{DataSet, samples::Origin};
use crate::error::{Error, Result};
use crate::pipe;
use crate::report::terminal;

/// How the names of charts end.
const CHARTS: [&str; 2] = ["png", "svg"];

/// All that a command will write: files, and folders of reports.
#[derive(Debug, Default)]
pub struct Outputs {
    files: Vec<PathBuf>,
    /// Folders, with the names in them that are known before there are charts.
    reports: Vec<(PathBuf, Vec<&'static str>)>,
}

impl Outputs {
    /// These files.
    pub fn files<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Outputs {
        Outputs { files: files.into_iter().cloned().collect(), reports: Vec::new() }
    }

    /// And, if there is to be one, a report: files of these names in a folder, and charts.
    pub fn report(mut self, folder: Option<&PathBuf>, names: &[&'static str]) -> Outputs {
        self.reports.extend(folder.map(|folder| (folder.clone(), names.to_vec())));
        self
    }

    /// Checks that each file can be written, as it will be, so that hours of training are not lost to a
    /// mistyped folder; that no two are the same file; and that none is one of those in `read`. Nothing is
    /// left behind and existing files stay as they are. A file that will be written in place gets a
    /// warning.
    ///
    /// # Errors
    /// [`Error::Io`] naming the path or its folder; [`Error::Mismatch`] if two paths lead to the same
    /// file, or to a file that the command reads.
    pub fn check<'a>(&self, read: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        for (folder, _) in &self.reports {
            check_folder(folder)?;
        }
        let written = self.written();
        for (index, path) in written.iter().enumerate() {
            if atomic_file::check(path)? == Way::InPlace {
                let path = path.display();
                let text = format!(
                    "warning: {path}: cannot be replaced as a whole and will be written in place; a full disk \
                     would then spoil it\n"
                );
                terminal::stderr().write_all(text.as_bytes()).ok();
            }
            if written[..index].iter().any(|other| is_same(path, other)) {
                return refused("different paths", format!("{} twice", path.display()));
            }
        }
        for path in &self.files {
            if self.charts().iter().any(|chart| is_same(path, chart)) || self.is_chart(path) {
                return refused("different paths", format!("{}, a chart of the report", path.display()));
            }
        }
        self.check_apart(read)
    }

    /// Checks that nothing is written over these files, which the command reads.
    ///
    /// # Errors
    /// [`Error::Mismatch`]
    pub fn check_apart<'a>(&self, read: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let written: Vec<PathBuf> = self.written().into_iter().chain(self.charts()).collect();
        for read in read {
            if let Some(path) = written.iter().find(|path| is_same(path, read)) {
                return refused("other files than those read", format!("{}, which is read", path.display()));
            }
        }
        Ok(())
    }

    /// [`check_apart`](Self::check_apart) for the files that a data set was read from.
    ///
    /// # Errors
    /// [`Error::Mismatch`]
    pub fn check_data(&self, data: &DataSet) -> Result<()> {
        match &data.origin {
            Origin::Folder(folder) => {
                self.check_apart(folder::find(folder)?.iter().flatten().map(PathBuf::as_path))
            }
            Origin::Files(files) => self.check_apart(files.iter().map(PathBuf::as_path)),
            Origin::Generated { .. } | Origin::Embedded => Ok(()),
        }
    }

    /// The files, and those of reports except charts. Names in a folder that is not there yet cannot be
    /// anything else.
    fn written(&self) -> Vec<PathBuf> {
        let reports = self.reports.iter().filter(|(folder, _)| folder.exists());
        let named = reports.flat_map(|(folder, names)| names.iter().map(|name| folder.join(name)));
        self.files.iter().cloned().chain(named).collect()
    }

    /// What is there and may be replaced by a chart: which there will be is not known before the results.
    fn charts(&self) -> Vec<PathBuf> {
        let entries = self.reports.iter().filter_map(|(folder, _)| fs::read_dir(folder).ok());
        entries.flatten().flatten().map(|entry| entry.path()).filter(|path| is_chart_name(path)).collect()
    }

    /// Whether a path is that of a possible chart, one that may not be there yet.
    fn is_chart(&self, path: &Path) -> bool {
        let Ok(target) = atomic_file::resolve(path) else { return false };
        let is_in = |folder: &Path| {
            is_same_folder(target.parent().unwrap_or(Path::new("")), folder) && is_chart_name(&target)
        };
        self.reports.iter().any(|(folder, _)| is_in(folder))
    }
}

fn is_chart_name(path: &Path) -> bool {
    path.extension().is_some_and(|ending| CHARTS.iter().any(|chart| ending.eq_ignore_ascii_case(chart)))
}

fn refused(expected: &str, found: String) -> Result<()> {
    let (what, expected) = ("files to write".to_string(), expected.to_string());
    Err(Error::Mismatch { what, expected, found })
}

/// Whether both paths lead to one ordinary file, however they are spelt. Devices may be shared.
fn is_same(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a_is), Ok(b_is)) if a_is.is_file() && b_is.is_file() => {
            is_one(&a_is, &b_is) || full(a) == full(b)
        }
        (Err(_), Err(_)) => full(a) == full(b),
        // What is there and what is not are two.
        _ => false,
    }
}

/// Whether a file has two names (hard links).
#[cfg(unix)]
fn is_one(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_one(_a: &fs::Metadata, _b: &fs::Metadata) -> bool {
    false
}

fn is_same_folder(a: &Path, b: &Path) -> bool {
    let full = |path: &Path| named(path).canonicalize().unwrap_or_else(|_| path.to_path_buf());
    full(a) == full(b)
}

/// "a", the parent of "a/b", is in the folder "".
fn named(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The path without links and detours, also of a file that is not there yet.
fn full(path: &Path) -> PathBuf {
    let target = atomic_file::resolve(path).unwrap_or_else(|_| path.to_path_buf());
    let of_new = || Some(named(target.parent()?).canonicalize().ok()?.join(target.file_name()?));
    of_new().unwrap_or_else(|| target.clone())
}

/// The longest name, in bytes, that goes into that of a rescued file.
const LONGEST_NAME: usize = 200;

/// Saves what took hours to make. Where it cannot be written at `path`, it goes to a new file beside it, or
/// else in the folder for temporary files, and the error says where it is. A folder of devices is no place
/// for files.
///
/// # Errors
/// That of `save` at `path`.
pub fn save_or_rescue(path: &Path, save: impl Fn(&Path) -> Result<()>) -> Result<()> {
    let Err(error) = save(path) else { return Ok(()) };
    let is_device = |found: fs::Metadata| !found.is_file() && !found.is_dir() && !pipe::is_pipe(&found);
    let is_device = atomic_file::is_standard_stream(path) || fs::metadata(path).is_ok_and(is_device);
    let beside = path.parent().filter(|_| !is_device).map(|folder| named(folder).to_path_buf());
    let folders = [beside, Some(std::env::temp_dir())];
    let name = path.file_name().filter(|name| name.len() <= LONGEST_NAME);
    let mut ending = OsString::from("-");
    ending.push(name.unwrap_or("output".as_ref()));
    let saved = folders.into_iter().flatten().find_map(|folder| {
        let mut place = tempfile::Builder::new();
        place.prefix("fallline-rescued-").suffix(&ending);
        let (_, place) = place.tempfile_in(folder).ok()?.keep().ok()?;
        // "x/./y" is "x/y".
        let place: PathBuf = place.components().collect();
        if save(&place).is_ok() {
            return Some(place);
        }
        fs::remove_file(&place).ok();
        None
    });
    match (error, saved) {
        (Error::Io { path, action, source }, Some(place)) => {
            let text = format!("{source}; it is saved in {} instead", place.display());
            Err(Error::Io { path, action, source: std::io::Error::new(source.kind(), text) })
        }
        (error, _) => Err(error),
    }
}

/// Checks that files can be written into a folder, or that it can be made where it is to be; makes
/// nothing.
///
/// # Errors
/// [`Error::Io`] naming the folder, or the one in which it cannot be made.
pub fn check_folder(folder: &Path) -> Result<()> {
    for place in folder.ancestors().map(named) {
        match fs::metadata(place) {
            Ok(_) => return atomic_file::check_folder(place).map(drop),
            Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {}
            Err(error) => return Err(Error::io(place, "create a file in this folder")(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &[&Path], read: &[&Path]) -> Result<()> {
        let written: Vec<PathBuf> = written.iter().map(|path| path.to_path_buf()).collect();
        Outputs::files(&written).check(read.iter().copied())
    }

    #[test]
    fn paths_that_cannot_be_written_are_refused_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "old").unwrap();
        fs::create_dir(at("inner")).unwrap();

        check(&[&at("new"), &at("old"), Path::new("/dev/null"), Path::new("bare-name")], &[]).unwrap();
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

        let refusal = |path: PathBuf| check(&[&path], &[]).unwrap_err().to_string();
        assert!(refusal(at("none/x")).contains("none: cannot create a file in this folder: "));
        assert!(refusal(at("old/x")).contains("old: cannot create a file in this folder: "));
        assert!(refusal(at("inner")).contains("inner: cannot write: "));
    }

    #[test]
    fn folders_that_cannot_be_made_are_refused_and_none_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        for place in [folder.path().into(), at("new"), at("new/newer"), "bare-name".into(), "./a/b".into()] {
            check_folder(&place).unwrap();
        }
        for place in ["file", "file/inner"] {
            let message = check_folder(&at(place)).unwrap_err().to_string();
            assert!(message.contains("file: cannot create a file in this folder: "), "{message}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(!Path::new("bare-name").exists());
        #[cfg(target_os = "linux")]
        assert!(check_folder(Path::new("/proc/new")).unwrap_err().to_string().starts_with("/proc: cannot "));
    }

    #[test]
    fn a_file_is_not_written_twice_nor_over_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("inner")).unwrap();
        fs::write(at("old"), "old").unwrap();
        let refusal = |written: &[&Path], read: &[&Path]| check(written, read).unwrap_err().to_string();
        for other in ["a", "./a", "inner/../a"] {
            assert!(refusal(&[&at("a"), &at(other)], &[]).ends_with("a twice"), "{other}");
        }
        assert!(refusal(&[&at("inner/../old")], &[&at("old")]).ends_with("old, which is read"));
        check(&[&at("a"), &at("inner/a")], &[&at("old"), &at("none")]).unwrap();
        check(&[Path::new("/dev/null"), Path::new("/dev/null")], &[]).unwrap();
    }

    #[test]
    fn a_report_keeps_its_names_and_spares_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let refusal = |file: &str, read: &Path| {
            let files = [at(file)];
            Outputs::files(&files).report(Some(&at("")), &["run.json"]).check([read]).unwrap_err().to_string()
        };
        let none = at("none");
        assert!(refusal("run.json", &none).ends_with("run.json twice"));
        assert!(refusal("loss.png", &none).ends_with("loss.png, a chart of the report"));
        fs::write(at("recipe"), "").unwrap();
        fs::hard_link(at("recipe"), at("loss.svg")).unwrap();
        assert!(refusal("x", &at("recipe")).ends_with("loss.svg, which is read"));
        assert!(refusal("loss.svg", &none).ends_with("loss.svg, a chart of the report"));
    }

    #[test]
    fn a_file_of_two_names_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "").unwrap();
        fs::hard_link(at("a"), at("b")).unwrap();
        assert!(check(&[&at("a")], &[&at("b")]).is_err());
        assert!(check(&[&at("a"), &at("b")], &[]).is_err());
    }

    #[test]
    fn what_cannot_be_saved_in_its_place_is_saved_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let save = |path: &Path| atomic_file::write(path, |file| file.write_all(b"weights"));
        save_or_rescue(&at("good"), save).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let error = save_or_rescue(&at("folder"), save).unwrap_err().to_string();
        let place = error.split_once("; it is saved in ").unwrap().1.strip_suffix(" instead").unwrap();
        assert!(Path::new(place).starts_with(folder.path()), "{error}");
        assert_eq!(fs::read(place).unwrap(), b"weights");
        assert!(place.ends_with("-folder"), "{place}");
    }
}
