//! Digits by two networks, and two ways to say which digit it is.

mod page;

use rand::seq::SliceRandom;

use self::page::{accuracies, losses, mistakes, table_of_networks, table_of_pairs, table_of_targets, text};
use super::case::{Case, Setting};
use super::record::Finding;
use crate::data::digits::CLASSES;
use crate::data::{Features, Samples, generate_digits};
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::losses::Loss;
use crate::model::Model;
use crate::model::recipe::Optimizer;
use crate::rng::{Purpose, stream};
use crate::train::{Predictor, Trainer};

pub static CASE: Case = Case {
    name: "digits",
    title: "Digits, with ten hidden units and with 128",
    summary: "784-10-10 and 784-128-10, with one-hot targets and with classes",
    example: "tour_digits",
    run,
};

const TRAIN: usize = 3000;
const TEST: usize = 2000;
const PIXELS: usize = 784;
const NARROW: u64 = 10;
const WIDE: u64 = 128;
const EPOCHS: usize = 10;
const BATCH: usize = 50;
const RATE: f64 = 0.002;
/// Chance decides some of a network's mistakes, so each is trained from so many starts.
const SEEDS: u64 = 3;

/// Digits, their pixels from 0 to 1.
struct Digits {
    /// `[samples, 784]`
    x: Vec<f32>,
    /// `[samples]`
    classes: Vec<u8>,
}

/// How the network is told the digit.
#[derive(Clone, Copy)]
enum Targets {
    /// By its number.
    Classes,
    /// By a row of ten numbers, 1 at the digit and 0 elsewhere.
    OneHot,
}

/// What a training has come to.
struct Course {
    parameters: usize,
    /// The mean loss of each step, all epochs one after the other.
    steps: Vec<f64>,
    /// The part of the test digits that is right after each epoch.
    accuracies: Vec<f64>,
    /// How often a digit (row) was read as another (column), by the end.
    confusion: [[usize; CLASSES]; CLASSES],
}

/// The trainings of one kind from several starts.
struct Runs {
    courses: Vec<Course>,
}

/// All trainings.
struct Trainings {
    narrow: Runs,
    wide: Runs,
    narrow_squares: Runs,
    wide_squares: Runs,
    /// From the first start, with one-hot rows: cross-entropy of both networks, and other losses of the narrow one.
    narrow_one_hot: Course,
    wide_one_hot: Course,
    divergence: Course,
    squares_one_hot: Course,
}

fn run(setting: &Setting) -> Result<Finding> {
    let set = generate_digits([TRAIN, TEST], 1)?;
    let done = Trainings::of(&digits(&set.train), &digits(&set.test), setting)?;
    let worst = [&done.narrow, &done.wide].map(Runs::worst_pairs);
    let mut finding = Finding::default();
    note(&mut finding, &done);
    for (name, worst) in ["narrow", "wide"].iter().zip(&worst) {
        let (pair, mistakes) = worst[0];
        finding.note(format!("{name}_worst_low"), pair[0] as f64);
        finding.note(format!("{name}_worst_high"), pair[1] as f64);
        finding.note(format!("{name}_worst_mistakes"), mistakes as f64);
    }
    finding.text = text(&finding);
    finding.tables = vec![table_of_networks(&finding), table_of_targets(&finding), table_of_pairs(&worst)];
    finding.figures = vec![accuracies(&done), losses(&done), mistakes(&done)];
    Ok(finding)
}

impl Trainings {
    fn of(train: &Digits, test: &Digits, setting: &Setting) -> Result<Trainings> {
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

fn note(finding: &mut Finding, done: &Trainings) {
    for (name, runs) in [("narrow", &done.narrow), ("wide", &done.wide)] {
        finding.note(format!("{name}_parameters"), runs.courses[0].parameters as f64);
        finding.note(format!("{name}_first_accuracy"), runs.accuracy(1));
        finding.note(format!("{name}_accuracy"), runs.accuracy(EPOCHS));
    }
    finding.note("narrow_squares_accuracy", done.narrow_squares.accuracy(EPOCHS));
    finding.note("wide_squares_accuracy", done.wide_squares.accuracy(EPOCHS));
    let [narrow, wide, squares] =
        [&done.narrow, &done.wide, &done.narrow_squares].map(|runs| &runs.courses[0]);
    for (name, one, other) in [
        ("narrow_one_hot_difference", narrow, &done.narrow_one_hot),
        ("wide_one_hot_difference", wide, &done.wide_one_hot),
        ("divergence_difference", narrow, &done.divergence),
        ("squares_one_hot_difference", squares, &done.squares_one_hot),
        ("squares_difference", narrow, squares),
    ] {
        finding.note(name, largest_difference(&one.steps, &other.steps));
    }
}

fn digits(samples: &Samples) -> Digits {
    let x = match samples.features() {
        Features::Bytes(pixels) => pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect(),
        Features::Floats(values) => values.clone(),
    };
    Digits { x, classes: samples.labels().unwrap_or_default().to_vec() }
}

impl Digits {
    fn pixels(&self, index: usize) -> &[f32] {
        &self.x[index * PIXELS..(index + 1) * PIXELS]
    }
}

/// A row for each class: 1 at the class and 0 elsewhere.
fn one_hot(classes: &[u8]) -> Vec<f32> {
    let mut rows = vec![0.0; classes.len() * CLASSES];
    classes.iter().enumerate().for_each(|(row, &class)| rows[row * CLASSES + usize::from(class)] = 1.0);
    rows
}

/// Trains one hidden layer of so many units. The same seed gives the same weights at first, and the same batches.
fn train_one(
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

fn confusion(model: Model, test: &Digits) -> Result<[[usize; CLASSES]; CLASSES]> {
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

fn largest_difference(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

impl Course {
    /// The mean loss of the steps of each epoch.
    fn epochs(&self) -> impl Iterator<Item = [f64; 2]> {
        let means =
            self.steps.chunks(TRAIN / BATCH).map(|steps| steps.iter().sum::<f64>() / steps.len() as f64);
        means.enumerate().map(|(index, mean)| [(index + 1) as f64, mean])
    }
}

impl Runs {
    /// The mean accuracy after so many epochs.
    fn accuracy(&self, epochs: usize) -> f64 {
        self.courses.iter().map(|course| course.accuracies[epochs - 1]).sum::<f64>()
            / self.courses.len() as f64
    }

    /// How often a digit was read as another, from all starts.
    fn mistaken(&self, digit: usize, other: usize) -> usize {
        self.courses.iter().map(|course| course.confusion[digit][other]).sum()
    }

    /// All pairs of digits, with how often one was read as the other, the worst first.
    fn worst_pairs(&self) -> Vec<([usize; 2], usize)> {
        let pairs = (0..CLASSES).flat_map(|low| (low + 1..CLASSES).map(move |high| [low, high]));
        let count = |pair: [usize; 2]| self.mistaken(pair[0], pair[1]) + self.mistaken(pair[1], pair[0]);
        let mut counted: Vec<_> = pairs.map(|pair| (pair, count(pair))).collect();
        counted.sort_by_key(|&(_, mistakes)| std::cmp::Reverse(mistakes));
        counted
    }

    /// The part of a digit's samples that is read as another digit.
    fn error(&self, digit: usize) -> f64 {
        let all: usize = (0..CLASSES).map(|other| self.mistaken(digit, other)).sum();
        1.0 - self.mistaken(digit, digit) as f64 / all as f64
    }
}

#[cfg(test)]
mod tests;
