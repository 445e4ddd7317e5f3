//! Inspection of the files of a data set: their content, and whether they are as published.

use std::path::{Path, PathBuf};

use super::folder::{self, ROLES};
use super::idx::{ElementType, Elements, Idx, joined};
use super::known::{self, KNOWN, KnownSet};
use crate::error::{Error, Result};

/// The content of one file.
#[derive(Clone, Debug)]
pub struct FileInfo {
    pub path: PathBuf,
    /// The role of the file: "train images".
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
    /// Moments of images, and of numbers that are no labels: in the units of the file, 0 to 255 for bytes. The
    /// deviation is that of the population.
    Moments { mean: f64, standard_deviation: f64 },
    /// The histogram of labels: how many there are of each value, in ascending order.
    Histogram(Vec<(i64, usize)>),
}

/// One file that was checked.
#[derive(Debug)]
pub struct FileCheck {
    pub path: PathBuf,
    /// The role of the file: "train images".
    pub role: &'static str,
    /// The verdict, or the error of the file.
    pub outcome: Result<Verdict>,
}

/// The verdict on a file without fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The file is, by its SHA-256, that of this published set.
    Published { set: &'static str },
    /// The file is a sound one of a set that has no published checksums.
    Sound,
}

/// The content of the data files of `folder`, in the order of [`ROLES`].
///
/// # Errors
/// Those of [`folders`], [`folder::find`] and [`Idx::read`].
pub fn info(folder: &Path) -> Result<Vec<FileInfo>> {
    let mut infos = Vec::new();
    for folder in folders(folder)? {
        for (role, path) in ROLES.into_iter().zip(folder::find(&folder)?) {
            let Some(path) = path else { continue };
            infos.push(describe(role, Idx::read(&path)?, path));
        }
    }
    Ok(infos)
}

/// The folders with data files: `folder` itself, or else those directly in it.
///
/// # Errors
/// [`Error::Io`] if one of them cannot be read, [`Error::Mismatch`] if there are none.
pub fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "read the folder"))?;
    if folder::has_any(folder)? {
        return Ok(vec![folder.to_path_buf()]);
    }
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(folder, "read the folder"))?.path();
        if folder::has_any(&path)? {
            found.push(path);
        }
    }
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

fn describe(role: &'static str, idx: Idx, path: PathBuf) -> FileInfo {
    let element_type = idx.elements.element_type();
    let is_labels = role.ends_with("labels") && element_type.is_integer();
    let values = if is_labels { histogram(&idx.elements) } else { moments(&idx.elements) };
    let bytes = idx.elements.len() * element_type.bytes();
    FileInfo { path, role, element_type, dimensions: idx.dimensions, bytes, values }
}

/// The histogram of integers, which are all that labels can be.
fn histogram(labels: &Elements) -> Values {
    let mut counts = std::collections::BTreeMap::new();
    for label in labels.iter_f64() {
        *counts.entry(label as i64).or_insert(0) += 1;
    }
    Values::Histogram(counts.into_iter().collect())
}

/// The moments in two passes: the mean, then the squares of the distances to it.
fn moments(values: &Elements) -> Values {
    let count = values.len() as f64;
    let mean = values.iter_f64().sum::<f64>() / count;
    let squares: f64 = values.iter_f64().map(|value| (value - mean) * (value - mean)).sum();
    Values::Moments { mean, standard_deviation: (squares / count).sqrt() }
}

/// Checks every data file of one folder: that it is the only one for what it holds, and sound; that images
/// and labels agree in number, test images with training images in shape and element type; that all four
/// are of one set, as far as can be told; and, if the folder is that of a published set (by its name or by
/// the checksum of any of its files), that all four are there with the published checksums.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read.
pub fn verify(folder: &Path) -> Result<Vec<FileCheck>> {
    let mut paths = [const { None }; 4];
    let mut contents: [Option<Result<Content>>; 4] = [const { None }; 4];
    for (role, candidates) in folder::candidates(folder)?.into_iter().enumerate() {
        paths[role] = candidates.first().cloned();
        contents[role] = match folder::only(folder, role, candidates) {
            Ok(path) => path.map(|path| Content::read(&path, role)),
            Err(error) => Some(Err(error)),
        };
    }
    let set = published(folder, &contents);
    let known = contents.each_ref().map(|content| match content {
        Some(Ok(content)) => Some((content.path.clone(), content.dimensions.clone(), content.element_type)),
        _ => None,
    });
    let mut checks = Vec::new();
    for (role, (content, path)) in contents.into_iter().zip(paths).enumerate() {
        let outcome = match content {
            Some(content) => content.and_then(|content| {
                if let Some(other) = BESIDE[role].and_then(|other| known[other].as_ref()) {
                    content.check_beside(role, other)?;
                }
                content.check(set, role)
            }),
            None => Err(absent(folder, role)),
        };
        let path = path.unwrap_or_else(|| folder.join(folder::NAMES[role]));
        checks.push(FileCheck { path, role: ROLES[role], outcome });
    }
    if let Err(error) = folder::check_whole(folder) {
        checks.push(FileCheck { path: folder.join(folder::MARKER), role: "data set", outcome: Err(error) });
    }
    Ok(checks)
}

/// The file that each is compared with: labels with the images of the same split, test images with
/// training images.
const BESIDE: [Option<usize>; 4] = [None, Some(0), Some(0), Some(2)];

/// Path, dimensions and element type of another file.
type Other = (PathBuf, Vec<usize>, ElementType);

/// The facts of a file that are compared.
struct Content {
    path: PathBuf,
    sha256: String,
    dimensions: Vec<usize>,
    element_type: ElementType,
}

impl Content {
    /// Reads a file's facts. Whatever [`folder::read`] would refuse by itself is an error here, too.
    fn read(path: &Path, role: usize) -> Result<Content> {
        let idx = Idx::read(path)?;
        let place = path.display();
        let refuse = |what: String, expected: &str, found: String| {
            Err(Error::Mismatch { what, expected: expected.into(), found })
        };
        let what = format!("{} in {place}", ROLES[role]);
        let element_type = idx.elements.element_type();
        let is_labels = ROLES[role].ends_with("labels");
        let (ranks, expected) = match is_labels {
            true => (1..=1, "one dimension"),
            false => (3..=4, "[samples, height, width] or [samples, height, width, channels]"),
        };
        if !ranks.contains(&idx.dimensions.len()) {
            return refuse(what, expected, joined(&idx.dimensions));
        }
        if is_labels && !element_type.is_integer() {
            return refuse(what, "an integer type", element_type.name().into());
        }
        let (fits, expected): (fn(f64) -> bool, _) = if is_labels {
            (|label| (0.0..=255.0).contains(&label), "classes from 0 to 255")
        } else {
            (|value| (value as f32).is_finite(), "finite numbers")
        };
        if let Some((index, value)) = idx.elements.iter_f64().enumerate().find(|&(_, value)| !fits(value)) {
            return refuse(what, expected, format!("{value} at index {index}"));
        }
        let sha256 = known::checksum(&idx);
        Ok(Content { path: path.to_path_buf(), sha256, dimensions: idx.dimensions, element_type })
    }

    fn check_beside(&self, role: usize, (path, dimensions, element_type): &Other) -> Result<()> {
        let refuse = |what: &str, expected: String, found: String| {
            Err(Error::Mismatch { what: format!("{what} in {}", self.path.display()), expected, found })
        };
        if role % 2 == 1 {
            let (images, labels) = (dimensions[0], self.dimensions[0]);
            if images != labels {
                return refuse("labels", format!("{images}, as many as images"), labels.to_string());
            }
        } else if shape(dimensions) != shape(&self.dimensions) {
            let [expected, found] = [dimensions, &self.dimensions].map(|all| joined(&shape(all)));
            return refuse(
                "height x width x channels of images",
                format!("{expected}, as in {}", path.display()),
                found,
            );
        } else if *element_type != self.element_type {
            let expected = format!("{}, as in {}", element_type.name(), path.display());
            return refuse("element type of images", expected, self.element_type.name().into());
        }
        Ok(())
    }

    fn check(self, set: Option<&'static KnownSet>, role: usize) -> Result<Verdict> {
        let place = self.path.display();
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

/// The shape of an image: height, width, channels.
fn shape(dimensions: &[usize]) -> [usize; 3] {
    let size = |axis: usize| dimensions.get(axis).copied().unwrap_or(1);
    [size(1), size(2), size(3)]
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
