//! A file of images and a file of labels: first their headers, then their elements.

use std::path::Path;

use super::checks::{bad_label, check_finite, check_labels, mismatch};
use super::idx::{ElementType, Elements, IdxReader, joined};
use super::samples::{Features, Samples, Targets};
use crate::error::Result;

/// A file of images and a file of labels that are open; their headers have been read and go together.
pub(super) struct Pair {
    images: IdxReader<'static>,
    labels: IdxReader<'static>,
    /// The shape of an image: height, width, channels.
    shape: [usize; 3],
}

impl Pair {
    /// Opens both files and compares their headers, before any of their elements are read.
    ///
    /// # Errors
    /// Those of [`IdxReader::open`]; [`Error::Mismatch`](crate::Error::Mismatch) if the images are not
    /// `[samples, height, width]` or `[samples, height, width, channels]`, the labels not `[samples]` of an
    /// integer type, or not as many.
    pub fn open(images: &Path, labels: &Path) -> Result<Pair> {
        let (images, labels) = (IdxReader::open(images)?, IdxReader::open(labels)?);
        let shape = shape_of(&images)?;
        check_header(&labels)?;
        let (count, found) = (images.dimensions()[0], labels.dimensions()[0]);
        if count != found {
            return Err(mismatch(
                format!("labels in {}", labels.path().display()),
                format!("{count}, as many as images in {}", images.path().display()),
                found,
            ));
        }
        if u32::try_from(count).is_err() {
            let what = format!("number of samples in {}", images.path().display());
            return Err(mismatch(what, "1 to 4294967295", count));
        }
        Ok(Pair { images, labels, shape })
    }

    /// The shape of an image: height, width, channels.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The element type of the images.
    pub fn element_type(&self) -> ElementType {
        self.images.element_type()
    }

    /// The file of images.
    pub fn path(&self) -> &Path {
        self.images.path()
    }

    /// Bytes of memory that the samples will take.
    pub fn bytes(&self) -> u64 {
        let size = if self.element_type() == ElementType::U8 { 1 } else { size_of::<f32>() as u64 };
        self.images.count().saturating_mul(size).saturating_add(self.labels.count())
    }

    /// Reads both files: images of u8 stay bytes, other types are converted to f32 piece by piece.
    ///
    /// # Errors
    /// Those of [`IdxReader::read`]; [`Error::Mismatch`](crate::Error::Mismatch) if a label is not below
    /// `classes` or a value not finite.
    pub fn read(self, classes: usize) -> Result<Samples> {
        let Pair { images, labels, shape } = self;
        let targets = Targets::Classes(labels_of(labels, classes)?);
        let element_type = images.element_type();
        Samples::checked(features(images)?, element_type, shape, targets)
    }
}

/// Height, width and channels of images.
fn shape_of(images: &IdxReader) -> Result<[usize; 3]> {
    match *images.dimensions() {
        [_, height, width] => Ok([height, width, 1]),
        [_, height, width, channels] => Ok([height, width, channels]),
        _ => Err(mismatch(
            format!("dimensions of {}", images.path().display()),
            "[samples, height, width] or [samples, height, width, channels]",
            joined(images.dimensions()),
        )),
    }
}

/// The elements of images: bytes of u8, else floats.
///
/// # Errors
/// Those of [`IdxReader::read`]; [`Error::Mismatch`](crate::Error::Mismatch) if a value is not finite.
pub fn features(images: IdxReader) -> Result<Features> {
    if images.element_type() != ElementType::U8 {
        let what = format!("values of {}", images.path().display());
        let values = images.floats()?;
        check_finite(&what, &values)?;
        return Ok(Features::Floats(values));
    }
    match images.read()?.elements {
        Elements::U8(pixels) => Ok(Features::Bytes(pixels)),
        _ => unreachable!("the header says u8"),
    }
}

/// The labels of a file, as bytes below `classes`.
///
/// # Errors
/// Those of [`IdxReader::open`] and [`IdxReader::read`]; [`Error::Mismatch`](crate::Error::Mismatch) if
/// there are not whole numbers in one dimension, or one is not below `classes`.
pub fn read_labels(path: &Path, classes: usize) -> Result<Vec<u8>> {
    let labels = IdxReader::open(path)?;
    check_header(&labels)?;
    labels_of(labels, classes)
}

fn what_of(labels: &IdxReader) -> String {
    format!("labels in {}", labels.path().display())
}

fn check_header(labels: &IdxReader) -> Result<()> {
    if labels.dimensions().len() != 1 {
        return Err(mismatch(what_of(labels), "one dimension", joined(labels.dimensions())));
    }
    if !labels.element_type().is_integer() {
        return Err(mismatch(what_of(labels), "an integer type", labels.element_type().name()));
    }
    Ok(())
}

fn labels_of(labels: IdxReader, classes: usize) -> Result<Vec<u8>> {
    let what = what_of(&labels);
    let labels = match labels.read()?.elements {
        Elements::U8(labels) => labels,
        integers => {
            let narrow = |(i, value): (usize, f64)| {
                let label = value as u8;
                let fits = f64::from(label) == value;
                fits.then_some(label).ok_or_else(|| bad_label(&what, i, value, classes))
            };
            integers.iter_f64().enumerate().map(narrow).collect::<Result<_>>()?
        }
    };
    check_labels(&what, &labels, classes)?;
    Ok(labels)
}

impl Samples {
    /// The samples of a file of images and a file of labels.
    ///
    /// Images are `[samples, height, width]` or `[samples, height, width, channels]`. Those of u8
    /// stay bytes; other types become f32 (from i32 and f64: the nearest). Labels are `[samples]`
    /// of any integer type.
    ///
    /// # Errors
    /// Those of [`Idx::read`](super::idx::Idx::read); [`Error::Mismatch`](crate::Error::Mismatch) if a file has other dimensions,
    /// if the two disagree, or if a label is not below `classes`.
    pub fn from_idx(images: &Path, labels: &Path, classes: usize) -> Result<Samples> {
        Pair::open(images, labels)?.read(classes)
    }
}
