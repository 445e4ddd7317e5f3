//! The trainings of both networks.

use rand::seq::SliceRandom;

use crate::data::digits::CLASSES;
use crate::data::{Features, Samples};
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::losses::Loss;
use crate::model::Model;
use crate::model::recipe::Optimizer;
use crate::rng::{Purpose, stream};
use crate::tour::case::Setting;
use crate::train::{Predictor, Trainer};

pub(super) const TRAIN: usize = 3000;
pub(super) const TEST: usize = 2000;
pub(super) const PIXELS: usize = 784;
pub(super) const NARROW: u64 = 10;
pub(super) const WIDE: u64 = 128;
pub(super) const EPOCHS: usize = 10;
pub(super) const BATCH: usize = 50;
pub(super) const RATE: f64 = 0.002;
/// Chance decides some of a network's mistakes, so each is trained from so many starts.
pub(super) const SEEDS: u64 = 3;

/// Digits, their pixels from 0 to 1.
pub(super) struct Digits {
    /// `[samples, 784]`
    pub(super) x: Vec<f32>,
    /// `[samples]`
    pub(super) classes: Vec<u8>,
}

/// How the network is told the digit.
#[derive(Clone, Copy)]
pub(super) enum Targets {
    /// By its number.
    Classes,
    /// By a row of ten numbers, 1 at the digit and 0 elsewhere.
    OneHot,
}

/// What a training has come to.
pub(super) struct Course {
    pub(super) parameters: usize,
    /// The mean loss of each step, all epochs one after the other.
    pub(super) steps: Vec<f64>,
    /// The part of the test digits that is right after each epoch.
    pub(super) accuracies: Vec<f64>,
    /// How often a digit (row) was read as another (column), by the end.
    pub(super) confusion: [[usize; CLASSES]; CLASSES],
}

/// The trainings of one kind from several starts.
pub(super) struct Runs {
    pub(super) courses: Vec<Course>,
}

/// All trainings.
pub(super) struct Trainings {
    pub(super) narrow: Runs,
    pub(super) wide: Runs,
    pub(super) narrow_squares: Runs,
    pub(super) wide_squares: Runs,
    /// From the first start, with one-hot rows: cross-entropy of both networks, and other losses of the narrow one.
    pub(super) narrow_one_hot: Course,
    pub(super) wide_one_hot: Course,
    pub(super) divergence: Course,
    pub(super) squares_one_hot: Course,
}

impl Trainings {
    pub(super) fn of(train: &Digits, test: &Digits, setting: &Setting) -> Result<Trainings> {
        let one = |units, loss: Loss, targets| train_one(train, test, [units, 1], loss, targets, setting);
        let all = |units, loss: Loss| -> Result<Runs> {
            let of = |seed| train_one(train, test, [units, seed], loss.clone(), Targets::Classes, setting);
            Ok(Runs { courses: (1..=SEEDS).map(of).collect::<Result<_>>()? })
        };
        let (entropy, squares) = (Loss::cross_entropy(), Loss::MEAN_SQUARED_ERROR);
        Ok(Trainings {
            narrow: all(NARROW, entropy.clone())?,
            wide: all(WIDE, entropy.clone())?,
            narrow_squares: all(NARROW, squares.clone())?,
            wide_squares: all(WIDE, squares.clone())?,
            narrow_one_hot: one(NARROW, entropy.clone(), Targets::OneHot)?,
            wide_one_hot: one(WIDE, entropy, Targets::OneHot)?,
            divergence: one(NARROW, Loss::KL_DIVERGENCE, Targets::OneHot)?,
            squares_one_hot: one(NARROW, squares, Targets::OneHot)?,
        })
    }
}

pub(super) fn digits(samples: &Samples) -> Digits {
    let x = match samples.features() {
        Features::Bytes(pixels) => pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect(),
        Features::Floats(values) => values.clone(),
    };
    Digits { x, classes: samples.labels().unwrap_or_default().to_vec() }
}

impl Digits {
    pub(super) fn pixels(&self, index: usize) -> &[f32] {
        &self.x[index * PIXELS..(index + 1) * PIXELS]
    }
}

/// A row for each class: 1 at the class and 0 elsewhere.
pub(super) fn one_hot(classes: &[u8]) -> Vec<f32> {
    let mut rows = vec![0.0; classes.len() * CLASSES];
    classes.iter().enumerate().for_each(|(row, &class)| rows[row * CLASSES + usize::from(class)] = 1.0);
    rows
}

/// Trains one hidden layer of so many units. The same seed gives the same weights at first, and the same batches.
pub(super) fn train_one(
    train: &Digits,
    test: &Digits,
    [units, seed]: [u64; 2],
    loss: Loss,
    targets: Targets,
    setting: &Setting,
) -> Result<Course> {
    let mut model = Model::sequential(PIXELS)
        .dense(units as usize, Activation::RELU)
        .dense(CLASSES, Activation::IDENTITY)
        .loss(loss)
        .seed(seed)
        .build()?;
    let parameters = model.parameters();
    let test_samples = Samples::from_rows(test.x.clone(), PIXELS).classes(test.classes.clone())?;
    let trainer = Trainer::new().optimizer(Optimizer::adam(RATE)).batch(BATCH).threads(setting.threads);
    let mut stepper = trainer.steps(&mut model)?;
    let (mut steps, mut accuracies) = (Vec::new(), Vec::new());
    let mut order: Vec<usize> = (0..train.classes.len()).collect();
    for epoch in 0..EPOCHS as u64 {
        order.shuffle(&mut stream(seed, Purpose::Tour, 700 + epoch));
        for chosen in order.chunks(BATCH) {
            let x: Vec<f32> = chosen.iter().flat_map(|&index| train.pixels(index)).copied().collect();
            let classes: Vec<u8> = chosen.iter().map(|&index| train.classes[index]).collect();
            let done = match targets {
                Targets::Classes => stepper.step(&x, &classes)?,
                Targets::OneHot => stepper.step(&x, &one_hot(&classes))?,
            };
            steps.push(done.loss);
        }
        accuracies.push(stepper.evaluate(&test_samples)?.accuracy.unwrap_or(f64::NAN));
    }
    drop(stepper);
    Ok(Course { parameters, steps, accuracies, confusion: confusion(model, test)? })
}

pub(super) fn confusion(model: Model, test: &Digits) -> Result<[[usize; CLASSES]; CLASSES]> {
    let mut outputs = vec![0.0; test.classes.len() * CLASSES];
    Predictor::new(model)?.predict(&test.x, &mut outputs)?;
    let mut confusion = [[0; CLASSES]; CLASSES];
    for (row, &class) in outputs.as_chunks::<CLASSES>().0.iter().zip(&test.classes) {
        // The first of the largest.
        let answer = (1..CLASSES).fold(0, |best, index| if row[index] > row[best] { index } else { best });
        confusion[usize::from(class)][answer] += 1;
    }
    Ok(confusion)
}

pub(super) fn largest_difference(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

impl Course {
    /// The mean loss of the steps of each epoch.
    pub(super) fn epochs(&self) -> impl Iterator<Item = [f64; 2]> {
        let means =
            self.steps.chunks(TRAIN / BATCH).map(|steps| steps.iter().sum::<f64>() / steps.len() as f64);
        means.enumerate().map(|(index, mean)| [(index + 1) as f64, mean])
    }
}

impl Runs {
    /// The mean accuracy after so many epochs.
    pub(super) fn accuracy(&self, epochs: usize) -> f64 {
        self.courses.iter().map(|course| course.accuracies[epochs - 1]).sum::<f64>()
            / self.courses.len() as f64
    }

    /// How often a digit was read as another, from all starts.
    pub(super) fn mistaken(&self, digit: usize, other: usize) -> usize {
        self.courses.iter().map(|course| course.confusion[digit][other]).sum()
    }

    /// All pairs of digits, with how often one was read as the other, the worst first.
    pub(super) fn worst_pairs(&self) -> Vec<([usize; 2], usize)> {
        let pairs = (0..CLASSES).flat_map(|low| (low + 1..CLASSES).map(move |high| [low, high]));
        let count = |pair: [usize; 2]| self.mistaken(pair[0], pair[1]) + self.mistaken(pair[1], pair[0]);
        let mut counted: Vec<_> = pairs.map(|pair| (pair, count(pair))).collect();
        counted.sort_by_key(|&(_, mistakes)| std::cmp::Reverse(mistakes));
        counted
    }

    /// The part of a digit's samples that is read as another digit.
    pub(super) fn error(&self, digit: usize) -> f64 {
        let all: usize = (0..CLASSES).map(|other| self.mistaken(digit, other)).sum();
        1.0 - self.mistaken(digit, digit) as f64 / all as f64
    }
}
