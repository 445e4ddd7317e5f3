//! Looking at the files of a data set: what is in them, and whether they are as published.

use std::path::{Path, PathBuf};

use super::folder::{self, ROLES};
use super::idx::{ElementType, Elements, Idx};
use super::known::{self, KNOWN, KnownSet};
use crate::error::{Error, Result};

/// What is in one file.
#[derive(Clone, Debug)]
pub struct FileInfo {
    pub path: PathBuf,
    /// "train images"
    pub role: &'static str,
    pub element_type: ElementType,
    pub dimensions: Vec<usize>,
    /// The size of the uncompressed elements in bytes.
    pub bytes: usize,
    pub values: Values,
}

/// A summary of the elements of a file.
#[derive(Clone, Debug)]
pub enum Values {
    /// Of images: in the units of the file, 0 to 255 for bytes. The deviation is that of the
    /// population.
    Moments { mean: f64, standard_deviation: f64 },
    /// Of labels: how many there are of each value, in ascending order.
    Histogram(Vec<(i64, usize)>),
}

/// One file that was checked.
#[derive(Debug)]
pub struct FileCheck {
    pub path: PathBuf,
    /// "train images"
    pub role: &'static str,
    /// What was found, or what is wrong.
    pub outcome: Result<Verdict>,
}

/// What is known of a file without fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is, by its SHA-256, the file of this published set.
    Published { set: &'static str },
    /// It is a sound file of a set that has no published checksums.
    Sound,
}

/// What is in the data files of `folder`, in the order of [`ROLES`].
///
/// # Errors
/// As for [`folders`], and those of [`Idx::read`].
pub fn info(folder: &Path) -> Result<Vec<FileInfo>> {
    let files = folders(folder)?.into_iter().flat_map(|folder| by_role(&folder));
    files.map(|(role, path)| Ok(describe(role, Idx::read(&path)?, path))).collect()
}

/// The folders with data files: `folder` itself, or else those directly in it.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read, [`Error::Mismatch`] if there are none.
pub fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "read the folder"))?;
    if folder::has_any(folder) {
        return Ok(vec![folder.to_path_buf()]);
    }
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| folder::has_any(path)).collect();
    found.sort();
    if found.is_empty() {
        return Err(Error::Mismatch {
            what: format!("files in {}", folder.display()),
            expected: format!("those of a data set, such as {}", folder::NAMES.join(", ")),
            found: "none of them".into(),
        });
    }
    Ok(found)
}

fn by_role(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    ROLES.into_iter().zip(folder::find(folder)).filter_map(|(role, path)| Some((role, path?))).collect()
}

fn describe(role: &'static str, idx: Idx, path: PathBuf) -> FileInfo {
    let element_type = idx.elements.element_type();
    let values = if role.ends_with("labels") { histogram(&idx.elements) } else { moments(&idx.elements) };
    let bytes = idx.elements.len() * element_type.bytes();
    FileInfo { path, role, element_type, dimensions: idx.dimensions, bytes, values }
}

/// Labels of a floating-point type are counted by their integer part.
fn histogram(labels: &Elements) -> Values {
    let mut counts = std::collections::BTreeMap::new();
    for label in labels.iter_f64() {
        *counts.entry(label as i64).or_insert(0) += 1;
    }
    Values::Histogram(counts.into_iter().collect())
}

/// Two passes: the mean, then the squares of the distances to it.
fn moments(values: &Elements) -> Values {
    let count = values.len() as f64;
    let mean = values.iter_f64().sum::<f64>() / count;
    let squares: f64 = values.iter_f64().map(|value| (value - mean) * (value - mean)).sum();
    Values::Moments { mean, standard_deviation: (squares / count).sqrt() }
}

/// Checks every data file of one folder: that it is sound, that images and labels agree in number,
/// and, if the folder is that of a published set (by its name or by the checksum of any of its
/// files), that all four are there with the published checksums.
pub fn verify(folder: &Path) -> Vec<FileCheck> {
    let files = folder::find(folder);
    let contents: [Option<Result<Content>>; 4] =
        files.each_ref().map(|path| path.as_deref().map(Content::read));
    let set = published(folder, &contents);
    let counts = contents.each_ref().map(|content| match content {
        Some(Ok(content)) => Some(content.count),
        _ => None,
    });
    let mut checks = Vec::new();
    for (i, (content, path)) in contents.into_iter().zip(files).enumerate() {
        // Labels are held against the images of the same split.
        let images = if i % 2 == 1 { counts[i - 1] } else { None };
        let outcome = match content {
            Some(content) => content.and_then(|content| content.check(set, i, images)),
            None => Err(absent(folder, i)),
        };
        let path = path.unwrap_or_else(|| folder.join(folder::NAMES[i]));
        checks.push(FileCheck { path, role: ROLES[i], outcome });
    }
    checks
}

/// What is compared of a file.
struct Content {
    path: PathBuf,
    sha256: String,
    /// The first dimension.
    count: usize,
    dimensions: usize,
}

impl Content {
    fn read(path: &Path) -> Result<Content> {
        let idx = Idx::read(path)?;
        let (count, dimensions) = (idx.dimensions[0], idx.dimensions.len());
        Ok(Content { path: path.to_path_buf(), sha256: known::checksum(&idx), count, dimensions })
    }

    fn check(self, set: Option<&'static KnownSet>, role: usize, images: Option<usize>) -> Result<Verdict> {
        let place = self.path.display();
        let is_labels = ROLES[role].ends_with("labels");
        if is_labels != (self.dimensions == 1) {
            return Err(Error::Mismatch {
                what: format!("{} in {place}", ROLES[role]),
                expected: if is_labels { "one dimension" } else { "more than one dimension" }.into(),
                found: self.dimensions.to_string(),
            });
        }
        if let Some(images) = images.filter(|&images| images != self.count) {
            return Err(Error::Mismatch {
                what: format!("labels in {place}"),
                expected: format!("{images}, as many as images"),
                found: self.count.to_string(),
            });
        }
        match set {
            None => Ok(Verdict::Sound),
            Some(set) if self.sha256 == set.files[role].sha256 => Ok(Verdict::Published { set: set.name }),
            Some(set) => Err(Error::Mismatch {
                what: format!("SHA-256 of the content of {place}"),
                expected: format!("{} as published for {}", set.files[role].sha256, set.name),
                found: self.sha256,
            }),
        }
    }
}

fn published(folder: &Path, contents: &[Option<Result<Content>>; 4]) -> Option<&'static KnownSet> {
    let sound = contents.iter().flatten().flatten();
    let by_sum =
        || sound.filter_map(|content| known::by_checksum(&content.sha256)).map(|(set, _)| set).next();
    let full = folder.canonicalize().ok()?;
    KNOWN.iter().find(|set| full.ends_with(set.name)).or_else(by_sum)
}

fn absent(folder: &Path, role: usize) -> Error {
    Error::Mismatch {
        what: format!("files in {}", folder.display()),
        expected: format!("{} such as {}", ROLES[role], folder::NAMES[role]),
        found: "none".into(),
    }
}
