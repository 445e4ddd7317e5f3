//! Samples in memory: features and targets, validated once, when they are made.

pub use super::checks::MOST_CLASSES;
use super::checks::{check_finite, check_labels, check_weights, mismatch};
use std::path::PathBuf;
use std::sync::Arc;

use super::idx::{ElementType, joined};
use super::table::encode::encoder::Encoder;
use super::text::Vocabulary;
use super::unit::Unit;
use crate::error::Result;
use crate::kernels::loss::{self, NO_TOKEN};

/// The features that a network reads. Row-major, one sample after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// Bytes `[samples, height, width, channels]`, converted when a batch is gathered.
    Bytes(Vec<u8>),
    /// Floats `[samples, height, width, channels]`, all finite.
    Floats(Vec<f32>),
}

/// The targets of a network.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// The class of each sample, `[samples]`, from 0.
    Classes(Vec<u8>),
    /// The target values, `[samples, width]`, all finite.
    Values { values: Vec<f32>, width: usize },
    /// A class for each position of each sample.
    Tokens(Tokens),
    /// None: samples for a loss that takes no targets.
    None,
}

/// A class for each position of each sample, or [`NO_TOKEN`](crate::kernels::loss::NO_TOKEN) where a position does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Those of sample `i` begin at `i * step`.
    pub ids: Vec<u32>,
    /// Positions of a sample.
    pub positions: usize,
    /// Tokens from one sample to the next: fewer than `positions` where samples overlap.
    pub step: usize,
    /// The classes: each token that counts is below it.
    pub vocabulary: usize,
}

impl Tokens {
    /// The tokens, borrowed.
    pub fn view(&self) -> loss::Tokens<'_> {
        loss::Tokens { ids: &self.ids, positions: self.positions, step: self.step }
    }

    fn check(&self, samples: usize) -> Result<()> {
        let Tokens { ids, positions, step, vocabulary } = self;
        let expected = samples.checked_sub(1).and_then(|last| last.checked_mul(*step));
        if *positions == 0 || expected.and_then(|last| last.checked_add(*positions)) != Some(ids.len()) {
            let expected = format!("those of {samples} samples of {positions} positions, {step} apart");
            return Err(mismatch("tokens", expected, ids.len()));
        }
        let is_class = |&id: &u32| id == NO_TOKEN || (id as usize) < *vocabulary;
        match ids.iter().position(|id| !is_class(id)) {
            Some(at) => {
                Err(mismatch("tokens", format!("below {vocabulary}"), format!("{} at {at}", ids[at])))
            }
            None => Ok(()),
        }
    }
}

/// One split of a data set: at least one sample, and as many targets as samples, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    features: Features,
    /// The type of the features in their file.
    element_type: ElementType,
    shape: [usize; 3],
    /// Numbers from one sample to the next: fewer than a sample has where samples overlap.
    step: usize,
    targets: Targets,
    /// One for each target value of a sample; empty where values stand for themselves.
    units: Vec<Unit>,
    /// `[samples]`, each at least 0; empty where all count alike.
    weights: Vec<f32>,
    /// `[samples]`, how many positions of each count, from 1; empty where all do.
    pub(super) lengths: Vec<u32>,
    /// What made them of the rows of a table, if that is where they come from.
    encoder: Option<Arc<Encoder>>,
    /// What made them of a text, if that is where they come from.
    vocabulary: Option<Arc<Vocabulary>>,
    count: usize,
}

/// A data set: samples to train on and samples to test on, of one shape.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// The name: "mnist", or that of the folder.
    pub name: String,
    /// The number of classes; labels are below it.
    pub classes: usize,
    pub train: Samples,
    pub test: Samples,
    pub origin: Origin,
    /// Whether `test` is a validation part, which a training looks at after each epoch, and there is none to test on.
    pub validates: bool,
    /// The names of the classes, in order; empty where they have none.
    pub class_names: Vec<String>,
    /// What was assumed when it was read, a sentence each.
    pub notes: Vec<String>,
}

/// The origin of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The folder that holds its files.
    Folder(PathBuf),
    /// It was generated.
    Generated { seed: u64 },
    /// These files.
    Files(Vec<PathBuf>),
    /// It is part of the program.
    Embedded,
}

impl Samples {
    /// Images as bytes.
    ///
    /// `pixels`: `[labels.len(), height, width, channels]`; `shape`: height, width, channels.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if the sizes disagree, nothing is given, or a label is not below
    /// `classes`.
    pub fn images(pixels: Vec<u8>, shape: [usize; 3], labels: Vec<u8>, classes: usize) -> Result<Samples> {
        check_labels("labels", &labels, classes)?;
        Samples::checked(Features::Bytes(pixels), ElementType::U8, shape, Targets::Classes(labels))
    }

    /// Samples as floating-point numbers.
    ///
    /// `values`: `[samples, height, width, channels]`; `shape`: height, width, channels, where a
    /// plain vector of n features is `[1, 1, n]`. `classes` bounds the labels, if there are any.
    ///
    /// # Errors
    /// Those of [`Samples::images`]; also if a value is not finite.
    pub fn floats(values: Vec<f32>, shape: [usize; 3], targets: Targets, classes: usize) -> Result<Samples> {
        check_finite("features", &values)?;
        match &targets {
            Targets::Classes(labels) => check_labels("labels", labels, classes)?,
            Targets::Values { values, .. } => check_finite("target values", values)?,
            Targets::Tokens(_) | Targets::None => {}
        }
        Samples::checked(Features::Floats(values), ElementType::F32, shape, targets)
    }

    /// Samples of which no targets are known, to be classified: all are of class 0. `element_type` is the type of the
    /// features in their file.
    ///
    /// # Errors
    /// Those of [`Samples::images`]; also if a value is not finite.
    pub fn unlabelled(features: Features, element_type: ElementType, shape: [usize; 3]) -> Result<Samples> {
        if let Features::Floats(values) = &features {
            check_finite("features", values)?;
        }
        let count = features.len() / shape.iter().product::<usize>().max(1);
        Samples::checked(features, element_type, shape, Targets::Classes(vec![0; count]))
    }

    /// Samples that are codes, each `context` of them, such as the tokens of a text: sample `i` begins at number `i * step` of
    /// `features`, so that samples may overlap in memory. Codes are whole numbers, and never scaled unless a recipe says so.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if features or targets are not those of as many samples.
    pub fn windows(
        features: Features,
        context: usize,
        step: usize,
        targets: Targets,
        count: usize,
    ) -> Result<Samples> {
        check_count(count)?;
        match &targets {
            Targets::Tokens(tokens) => tokens.check(count)?,
            Targets::Classes(labels) if labels.len() == count => {}
            Targets::None => {}
            _ => return Err(mismatch("targets", format!("tokens, or classes of {count} samples"), "others")),
        }
        let expected = (count - 1).checked_mul(step).and_then(|last| last.checked_add(context));
        if expected != Some(features.len()) || context == 0 || step == 0 {
            let expected = format!("those of {count} samples of {context} tokens, {step} apart");
            return Err(mismatch("number of features", expected, features.len()));
        }
        if let Features::Floats(values) = &features {
            check_finite("features", values)?;
        }
        let shape = [1, 1, context];
        Ok(Samples { step, ..Samples::of(features, ElementType::I32, shape, targets, count) })
    }

    fn of(
        features: Features,
        element_type: ElementType,
        shape: [usize; 3],
        targets: Targets,
        count: usize,
    ) -> Samples {
        let step = shape.iter().product();
        let (units, weights, lengths) = (Vec::new(), Vec::new(), Vec::new());
        let (encoder, vocabulary) = (None, None);
        Samples {
            features,
            element_type,
            shape,
            step,
            targets,
            units,
            weights,
            lengths,
            encoder,
            vocabulary,
            count,
        }
    }

    /// Checks the conditions that all constructors share.
    pub(super) fn checked(
        features: Features,
        element_type: ElementType,
        shape: [usize; 3],
        targets: Targets,
    ) -> Result<Samples> {
        let values = features.len();
        let count = match &targets {
            Targets::None => values / shape.iter().fold(1usize, |all, &size| all.saturating_mul(size)).max(1),
            Targets::Classes(labels) => labels.len(),
            Targets::Tokens(tokens) => {
                let count = tokens.ids.len() / tokens.positions.max(1);
                tokens.check(count)?;
                count
            }
            Targets::Values { values, width } if *width > 0 && values.len() % width == 0 => {
                values.len() / width
            }
            Targets::Values { values, width } => {
                return Err(mismatch("target values", format!("rows of {width}"), values.len()));
            }
        };
        check_count(count)?;
        let [height, width, channels] = shape;
        let expected = [height, width, channels].iter().try_fold(count, |product, &d| product.checked_mul(d));
        if expected != Some(values) || values == 0 {
            let product = format!("{count} x {height} x {width} x {channels}, none of them 0");
            return Err(mismatch("number of features", product, values));
        }
        Ok(Samples::of(features, element_type, shape, targets, count))
    }

    /// The number of samples, from 1 to `u32::MAX`.
    #[allow(clippy::len_without_is_empty)] // there is always at least one
    pub fn len(&self) -> usize {
        self.count
    }

    /// Bytes of memory that the features take.
    pub fn bytes(&self) -> usize {
        match &self.features {
            Features::Bytes(bytes) => bytes.len(),
            Features::Floats(floats) => size_of_val(&floats[..]),
        }
    }

    /// The type of the features in the file that they were read from; u8 of bytes and f32 of floats that
    /// were made in memory. It decides the scale by which they are divided unless a recipe sets one.
    pub fn element_type(&self) -> ElementType {
        self.element_type
    }

    /// The shape of a sample: height, width, channels.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Features of a sample: height x width x channels.
    pub fn features_per_sample(&self) -> usize {
        self.shape.iter().product()
    }

    /// Numbers from the beginning of one sample in [`features`](Samples::features) to that of the next: as many as a sample
    /// has, or fewer where samples overlap.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The features, `[samples, height, width, channels]`, but that samples lie a [`step`](Samples::step) apart.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The targets, `[samples]` or `[samples, width]`, if there are some.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The samples, with what their target values are measured in, one for each value of a sample: metrics are told
    /// in these units. Without any, values stand for themselves.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if there are not as many units as values, or one is not of finite
    /// numbers with a factor above 0.
    pub fn with_units(self, units: Vec<Unit>) -> Result<Samples> {
        let width = match &self.targets {
            Targets::Values { width, .. } => *width,
            Targets::Classes(_) | Targets::Tokens(_) | Targets::None => 0,
        };
        if !units.is_empty() && units.len() != width {
            return Err(mismatch("units of target values", format!("{width} or none"), units.len()));
        }
        if let Some(unit) = units.iter().find(|unit| !unit.is_sound()) {
            return Err(mismatch(
                "unit of a target value",
                "finite numbers, the factor above 0",
                format!("{unit:?}"),
            ));
        }
        Ok(Samples { units, ..self })
    }

    /// What the target values of a sample are measured in; empty where they stand for themselves.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// The samples, with a weight for each: its loss and its gradient count so many times, and a mean divides by the sum
    /// of the weights. One of weight 2 is as good as the same sample twice, and one of weight 0 as none; but layers that
    /// normalise by batch see each sample once, and accuracies are parts of all samples alike.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if there are not as many weights as samples, one is not a number of
    /// at least 0 or is above it by less than 1.2e-38, or all are 0.
    pub fn with_weights(self, weights: Vec<f32>) -> Result<Samples> {
        check_weights("weights of samples", &weights, self.count)?;
        if weights.iter().all(|&weight| weight == 0.0) {
            return Err(mismatch("weights of samples", "at least one above 0", "none"));
        }
        Ok(Samples { weights, ..self })
    }

    /// The weight of each sample, `[samples]`; empty where all count alike.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The samples, with what made them of the rows of a table: a model that is trained on them keeps it.
    pub fn with_encoder(self, encoder: Arc<Encoder>) -> Samples {
        Samples { encoder: Some(encoder), ..self }
    }

    /// What made the samples of the rows of a table, if that is where they come from.
    pub fn encoder(&self) -> Option<&Arc<Encoder>> {
        self.encoder.as_ref()
    }

    /// The samples, with the vocabulary whose tokens they are: a model that is trained on them keeps it.
    pub fn with_vocabulary(self, vocabulary: Arc<Vocabulary>) -> Samples {
        Samples { vocabulary: Some(vocabulary), ..self }
    }

    /// The vocabulary whose tokens the samples are, if they are a text's.
    pub fn vocabulary(&self) -> Option<&Arc<Vocabulary>> {
        self.vocabulary.as_ref()
    }

    /// The class of each sample, `[samples]`, if the targets are classes.
    pub fn labels(&self) -> Option<&[u8]> {
        match &self.targets {
            Targets::Classes(labels) => Some(labels),
            Targets::Values { .. } | Targets::Tokens(_) | Targets::None => None,
        }
    }

    /// The class of sample `i`, if the targets are classes.
    ///
    /// # Panics
    /// If there is no sample `i`.
    pub fn label(&self, i: usize) -> Option<u8> {
        self.labels().map(|labels| labels[i])
    }

    /// The features of sample `i`, `[height, width, channels]`, if they are bytes.
    ///
    /// # Panics
    /// If there is no sample `i`.
    pub fn row_bytes(&self, i: usize) -> Option<&[u8]> {
        match &self.features {
            Features::Bytes(pixels) => Some(&pixels[i * self.step..][..self.features_per_sample()]),
            Features::Floats(_) => None,
        }
    }

    /// A copy of the samples at `indices`, in that order.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if `indices` is empty or one of them is not below [`Samples::len`].
    pub fn take(&self, indices: &[usize]) -> Result<Samples> {
        if let Some(outside) = indices.iter().find(|&&i| i >= self.count) {
            return Err(mismatch("index of a sample", format!("below {}", self.count), outside));
        }
        let (size, step) = (self.features_per_sample(), self.step);
        let features = match &self.features {
            Features::Bytes(pixels) => Features::Bytes(rows(pixels, indices, [size, step])),
            Features::Floats(values) => Features::Floats(rows(values, indices, [size, step])),
        };
        let targets = match &self.targets {
            Targets::Classes(labels) => Targets::Classes(rows(labels, indices, [1; 2])),
            Targets::Values { values, width } => {
                Targets::Values { values: rows(values, indices, [*width; 2]), width: *width }
            }
            &Targets::Tokens(Tokens { ref ids, positions, step, vocabulary }) => {
                let ids = rows(ids, indices, [positions, step]);
                Targets::Tokens(Tokens { ids, positions, step: positions, vocabulary })
            }
            Targets::None => Targets::None,
        };
        if indices.is_empty() {
            return Err(mismatch("number of samples", "1 to 4294967295", 0));
        }
        let taken = Samples::of(features, self.element_type, self.shape, targets, indices.len());
        let weights = if self.weights.is_empty() { Vec::new() } else { rows(&self.weights, indices, [1; 2]) };
        let lengths = if self.lengths.is_empty() { Vec::new() } else { rows(&self.lengths, indices, [1; 2]) };
        let (units, encoder) = (self.units.clone(), self.encoder.clone());
        Ok(Samples { units, weights, lengths, encoder, vocabulary: self.vocabulary.clone(), ..taken })
    }

    /// The first `count` samples, in the memory of all.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if `count` is 0 or above [`Samples::len`].
    pub fn first(mut self, count: usize) -> Result<Samples> {
        if count == 0 || count > self.count {
            return Err(mismatch("samples", format!("1 to {}", self.count), count));
        }
        let numbers = (count - 1) * self.step + self.features_per_sample();
        match &mut self.features {
            Features::Bytes(pixels) => shorten(pixels, numbers),
            Features::Floats(values) => shorten(values, numbers),
        }
        match &mut self.targets {
            Targets::Classes(labels) => shorten(labels, count),
            Targets::Values { values, width } => shorten(values, count * *width),
            Targets::Tokens(Tokens { ids, positions, step, .. }) => {
                shorten(ids, (count - 1) * *step + *positions);
            }
            Targets::None => {}
        }
        shorten(&mut self.weights, count);
        shorten(&mut self.lengths, count);
        Ok(Samples { count, ..self })
    }
}

fn shorten<T>(values: &mut Vec<T>, length: usize) {
    values.truncate(length);
    values.shrink_to_fit();
}

impl Features {
    /// Numbers of all samples together.
    #[allow(clippy::len_without_is_empty)] // of no use for samples, of which there is always one
    pub fn len(&self) -> usize {
        match self {
            Features::Bytes(pixels) => pixels.len(),
            Features::Floats(values) => values.len(),
        }
    }
}

impl DataSet {
    /// Checks that train and test samples have one shape and one type and puts them together.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if they differ.
    pub fn new(name: &str, classes: usize, train: Samples, test: Samples, origin: Origin) -> Result<DataSet> {
        if train.shape != test.shape {
            let what = format!("height x width x channels of the test samples of `{name}`");
            return Err(mismatch(what, joined(&train.shape), joined(&test.shape)));
        }
        if train.element_type != test.element_type {
            let what = format!("element type of the test samples of `{name}`");
            return Err(mismatch(what, train.element_type.name(), test.element_type.name()));
        }
        Ok(DataSet {
            name: name.to_string(),
            classes,
            train,
            test,
            origin,
            validates: false,
            class_names: Vec::new(),
            notes: Vec::new(),
        })
    }
}

fn check_count(count: usize) -> Result<()> {
    if count == 0 || u32::try_from(count).is_err() {
        return Err(mismatch("number of samples", "1 to 4294967295", count));
    }
    Ok(())
}

/// Rows of so many numbers, each of which begins so many behind the one before.
fn rows<T: Copy>(values: &[T], indices: &[usize], [size, step]: [usize; 2]) -> Vec<T> {
    indices.iter().flat_map(|&i| &values[i * step..][..size]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn sizes_that_disagree_are_refused() {
        let images = |pixels, shape, labels| Samples::images(vec![0; pixels], shape, vec![0; labels], 10);
        assert_eq!(images(12, [2, 3, 1], 2).unwrap().len(), 2);
        let expected = "number of features: expected 2 x 2 x 3 x 1, none of them 0, found 11";
        assert_eq!(message(images(11, [2, 3, 1], 2)), expected);
        assert_eq!(message(images(0, [2, 3, 1], 0)), "number of samples: expected 1 to 4294967295, found 0");
        assert!(images(0, [0, 3, 1], 2).is_err());
        assert!(images(0, [usize::MAX, 2, 2], 2).is_err());
    }

    #[test]
    fn labels_outside_the_classes_are_named() {
        let result = Samples::images(vec![0; 3], [1, 1, 1], vec![0, 9, 10], 10);
        assert_eq!(message(result), "labels: expected classes from 0 to 9, found 10 at index 2");
        assert!(Samples::images(vec![0], [1, 1, 1], vec![0], 0).is_err());
    }

    #[test]
    fn floats_must_be_finite_and_targets_whole_rows() {
        let values = |width| Targets::Values { values: vec![0.5; 4], width };
        assert_eq!(Samples::floats(vec![0.0; 6], [1, 1, 3], values(2), 0).unwrap().len(), 2);
        let odd = Samples::floats(vec![0.0; 6], [1, 1, 3], values(3), 0);
        assert_eq!(message(odd), "target values: expected rows of 3, found 4");
        assert!(Samples::floats(vec![0.0; 6], [1, 1, 3], values(0), 0).is_err());
        let not_finite = Samples::floats(vec![0.0, f32::NAN], [1, 1, 1], values(2), 0);
        assert_eq!(message(not_finite), "features: expected finite numbers, found NaN at index 1");
    }

    #[test]
    fn a_subset_keeps_order_features_and_targets_together() {
        let samples = Samples::images((0..8).collect(), [1, 2, 1], vec![0, 1, 2, 3], 4).unwrap();
        let subset = samples.take(&[3, 1, 3]).unwrap();
        assert_eq!(subset.labels().unwrap(), [3, 1, 3]);
        assert_eq!(subset.row_bytes(0).unwrap(), [6, 7]);
        assert_eq!(subset.row_bytes(1).unwrap(), [2, 3]);
        assert_eq!(message(samples.take(&[4])), "index of a sample: expected below 4, found 4");
        assert!(samples.take(&[]).is_err());

        let targets = Targets::Values { values: vec![1.0, 2.0, 3.0, 4.0], width: 2 };
        let samples = Samples::floats(vec![5.0, 6.0], [1, 1, 1], targets, 0).unwrap();
        let subset = samples.take(&[1]).unwrap();
        assert_eq!(*subset.targets(), Targets::Values { values: vec![3.0, 4.0], width: 2 });
        assert_eq!((subset.row_bytes(0), subset.label(0)), (None, None));
    }

    #[test]
    fn both_splits_have_one_shape() {
        let samples = |shape| Samples::images(vec![0; 4], shape, vec![0], 1).unwrap();
        let set = |test| DataSet::new("x", 1, samples([2, 2, 1]), test, Origin::Generated { seed: 0 });
        assert!(set(samples([2, 2, 1])).is_ok());
        let expected =
            "height x width x channels of the test samples of `x`: expected 2 x 2 x 1, found 4 x 1 x 1";
        assert_eq!(message(set(samples([4, 1, 1]))), expected);
    }
}
