//! Samples that the caller holds: borrowed for a step or a prediction, and rows on their way to become
//! [`Samples`].

use super::checks::mismatch;
use super::samples::{Features, Samples, Targets};
use crate::error::Result;

/// The features of some samples, borrowed; row-major, one sample after the other. Made of a slice, a vector or an
/// array of `f32` or `u8` by `into()`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FeaturesRef<'a> {
    /// Bytes `[samples, height, width, channels]`.
    Bytes(&'a [u8]),
    /// Floats `[samples, height, width, channels]`.
    Floats(&'a [f32]),
}

/// The targets of some samples, borrowed: slices, vectors and arrays of `u8` are classes, those of
/// `f32` are values. Classes of positions are named, as numbers without a type would else be either.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TargetsRef<'a> {
    /// The class of each sample, `[samples]`, from 0.
    Classes(&'a [u8]),
    /// The target values, `[samples, outputs]`.
    Values(&'a [f32]),
    /// The class of each position of each sample, `[samples, positions]`; `u32::MAX` where a position does not count.
    Tokens(&'a [u32]),
    /// None, for a loss that takes none.
    None,
}

impl FeaturesRef<'_> {
    /// Numbers of all samples together.
    pub fn len(&self) -> usize {
        match self {
            FeaturesRef::Bytes(bytes) => bytes.len(),
            FeaturesRef::Floats(floats) => floats.len(),
        }
    }

    /// Whether there are no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

macro_rules! views {
    ($($view:ident :: $variant:ident of $number:ty;)*) => {$(
        impl<'a> From<&'a [$number]> for $view<'a> {
            fn from(numbers: &'a [$number]) -> Self {
                $view::$variant(numbers)
            }
        }

        impl<'a> From<&'a Vec<$number>> for $view<'a> {
            fn from(numbers: &'a Vec<$number>) -> Self {
                $view::$variant(numbers)
            }
        }

        impl<'a, const N: usize> From<&'a [$number; N]> for $view<'a> {
            fn from(numbers: &'a [$number; N]) -> Self {
                $view::$variant(numbers)
            }
        }
    )*};
}

views! {
    FeaturesRef::Bytes of u8;
    FeaturesRef::Floats of f32;
    TargetsRef::Classes of u8;
    TargetsRef::Values of f32;
}

impl Features {
    /// The features, borrowed.
    pub fn view(&self) -> FeaturesRef<'_> {
        match self {
            Features::Bytes(bytes) => FeaturesRef::Bytes(bytes),
            Features::Floats(floats) => FeaturesRef::Floats(floats),
        }
    }
}

/// The rows of a matrix, which become [`Samples`] when their targets are given.
#[derive(Clone, Debug)]
pub struct SampleRows {
    x: Vec<f32>,
    width: usize,
}

impl Samples {
    /// Samples of a matrix of one's own, `x` `[samples, width]`, row-major: a sample is a row of `width` features.
    /// They are complete with their targets, or without any, which also reports what is wrong with them.
    ///
    /// ```
    /// use fallline::Samples;
    ///
    /// // Three samples of two features: with one value each, and with classes.
    /// let x = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    /// let regression = Samples::from_rows(x.clone(), 2).values(vec![0.5, 1.5, 2.5])?;
    /// let classification = Samples::from_rows(x, 2).classes(vec![0, 1, 1])?;
    /// assert_eq!((regression.len(), classification.len()), (3, 3));
    /// # Ok::<(), fallline::Error>(())
    /// ```
    pub fn from_rows(x: Vec<f32>, width: usize) -> SampleRows {
        SampleRows { x, width }
    }
}

impl SampleRows {
    /// Adds target values, `y` `[samples, outputs]`, row-major; how many there are for a sample
    /// follows from their number.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if there are no samples or no whole ones, if the values are not
    /// equally many for each, or if a number is not finite.
    pub fn values(self, y: Vec<f32>) -> Result<Samples> {
        let count = self.count()?;
        if y.is_empty() || !y.len().is_multiple_of(count) {
            let expected = format!("as many for each of {count} samples, and at least one");
            return Err(mismatch("target values", expected, y.len()));
        }
        let width = y.len() / count;
        Samples::floats(self.x, [1, 1, self.width], Targets::Values { values: y, width }, 0)
    }

    /// Adds the class of each sample, `[samples]`, from 0 to 255.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if there are no samples or no whole ones, if the classes are not
    /// as many, or if a feature is not finite.
    pub fn classes(self, classes: Vec<u8>) -> Result<Samples> {
        let count = self.count()?;
        if classes.len() != count {
            return Err(mismatch("classes", format!("{count}, one for each sample"), classes.len()));
        }
        Samples::floats(self.x, [1, 1, self.width], Targets::Classes(classes), 1 << u8::BITS)
    }

    /// Samples without targets, for a loss that takes none, such as that of k-means.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if there are no samples or no whole ones, or a feature is not finite.
    pub fn without_targets(self) -> Result<Samples> {
        self.count()?;
        Samples::floats(self.x, [1, 1, self.width], Targets::None, 0)
    }

    fn count(&self) -> Result<usize> {
        let (len, width) = (self.x.len(), self.width);
        if width == 0 || len == 0 || !len.is_multiple_of(width) {
            return Err(mismatch("number of features", format!("rows of {width}, and at least one"), len));
        }
        Ok(len / width)
    }
}
