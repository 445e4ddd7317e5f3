//! The generated digits: reproducible, in balance, like MNIST in ink and place, and neither
//! impossible nor trivial to tell apart.

use fallline::Error;
use fallline::data::digits::{CLASSES, Digits, MOST_SAMPLES, PIXELS, SIDE, generate};
use fallline::engine::rng::{Purpose, stream};
use rand::seq::SliceRandom;

/// Where the test samples begin; the training samples begin at 0.
const TEST_FIRST: u64 = 1 << 32;

fn digits(count: usize, seed: u64, first: u64) -> Digits {
    generate(count, seed, first).unwrap()
}

#[test]
fn a_seed_repeats_and_another_differs() {
    let (one, again, other) = (digits(50, 7, 0), digits(50, 7, 0), digits(50, 8, 0));
    assert_eq!(one.images, again.images);
    assert_eq!(one.labels, again.labels);
    assert_ne!(one.images, other.images);
    assert_ne!(one.labels, other.labels);
}

#[test]
fn a_part_generated_alone_is_the_same_as_in_the_whole() {
    let (whole, part) = (digits(100, 3, TEST_FIRST), digits(50, 3, TEST_FIRST + 50));
    assert_eq!(whole.images[50 * PIXELS..], part.images);
    assert_eq!(whole.labels[50..], part.labels);
    assert_ne!(whole.images[..50 * PIXELS], part.images);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| digits(300, 5, 0))
    };
    let one = with(1);
    for threads in [2, 3, 8] {
        let several = with(threads);
        assert_eq!(one.images, several.images);
        assert_eq!(one.labels, several.labels);
    }
}

/// FNV-1a over the first 1000 samples of seed 1 (images, then labels), as the code gave it when this
/// test was written. The generator uses only operations that IEEE 754 defines to the last bit, so
/// the number holds on every platform. Whoever changes the look of the digits changes it, and with
/// it every accuracy that was ever measured on them.
const GOLDEN: u64 = 7_328_734_022_543_821_549;

#[test]
fn the_bytes_are_the_same_on_every_platform() {
    let Digits { mut images, labels } = digits(1000, 1, 0);
    assert_eq!(fnv1a(images.iter().chain(&labels)), GOLDEN);
    images[PIXELS / 2] ^= 1;
    assert_ne!(fnv1a(images.iter().chain(&labels)), GOLDEN);
}

/// The 64-bit hash of Fowler, Noll and Vo, variant 1a.
fn fnv1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.fold(0xcbf2_9ce4_8422_2325, step)
}

#[test]
fn counts_that_cannot_be_are_refused() {
    for count in [MOST_SAMPLES + 1, usize::MAX / PIXELS + 1, usize::MAX] {
        let error = generate(count, 1, 0).unwrap_err();
        assert!(matches!(&error, Error::Setting { key, .. } if key == "count"), "{error}");
    }
    let error = generate(2, 1, u64::MAX - 1).unwrap_err();
    assert!(matches!(&error, Error::Setting { key, .. } if key == "first"), "{error}");
    assert_eq!(digits(1, 1, u64::MAX - 1).labels.len(), 1);
    assert!(digits(0, 1, 0).images.is_empty());
}

/// The first class that is far from a tenth of these 10,000 labels, if any.
fn unbalanced(labels: &[u8]) -> Option<u8> {
    assert_eq!(labels.len(), 10_000);
    let count = |class| labels.iter().filter(|&&label| label == class).count();
    // Expected 1000 with a standard deviation of 30.
    (0..CLASSES as u8).find(|&class| !(850..1150).contains(&count(class)))
}

#[test]
fn the_classes_are_in_balance() {
    let mut labels = digits(10_000, 1, 0).labels;
    assert_eq!(unbalanced(&labels), None);
    labels[..3000].iter_mut().filter(|label| **label == 3).for_each(|label| *label = 4);
    assert_eq!(unbalanced(&labels), Some(3));
}

/// The first thing about the ink of these images that is unlike handwriting, if any.
fn ink_fault(images: &[u8]) -> Option<String> {
    let (mut total, mut border) = (0u64, 0u64);
    for (i, image) in images.chunks_exact(PIXELS).enumerate() {
        let (mut ink, mut moments) = (0, [0, 0]);
        for (pixel, &value) in image.iter().enumerate() {
            let (row, column, value) = (pixel / SIDE, pixel % SIDE, u64::from(value));
            ink += value;
            moments[0] += value * row as u64;
            moments[1] += value * column as u64;
            if row.min(column) < 2 || row.max(column) >= SIDE - 2 {
                border += value;
            }
        }
        let mean = ink as f64 / 255.0 / PIXELS as f64;
        if !(0.01..0.45).contains(&mean) {
            return Some(format!("image {i} has mean {mean}"));
        }
        for moment in moments {
            let centre = moment as f64 / ink as f64 + 0.5;
            if (centre - SIDE as f64 / 2.0).abs() > 3.0 {
                return Some(format!("image {i} has its centre of mass at {centre}"));
            }
        }
        total += ink;
    }
    // MNIST: mean 0.131; the two outermost pixels of each side hold 0.2 % of the ink.
    let mean = total as f64 / 255.0 / images.len() as f64;
    let border = border as f64 / total as f64;
    let good = (0.11..0.15).contains(&mean) && border < 0.01;
    (!good).then(|| format!("mean {mean}, {border} of it at the border"))
}

#[test]
fn ink_and_place_are_like_mnist() {
    assert_eq!(ink_fault(&digits(10_000, 1, 0).images), None);
}

#[test]
fn the_ink_check_sees_blank_shifted_inverted_and_faint_images() {
    let images = digits(200, 1, 0).images;
    let mut blank = images.clone();
    blank[PIXELS..2 * PIXELS].fill(0);
    let mut shifted = images.clone();
    shifted.rotate_right(6 * SIDE);
    let inverted: Vec<u8> = images.iter().map(|value| 255 - value).collect();
    let faint: Vec<u8> = images.iter().map(|value| value / 2).collect();
    for broken in [blank, shifted, inverted, faint] {
        assert!(ink_fault(&broken).is_some());
    }
}

/// The mean image of each class, `[10][784]`.
fn centroids(images: &[u8], labels: &[u8]) -> Vec<Vec<f32>> {
    let mut sums = vec![vec![0.0; PIXELS]; CLASSES];
    let mut counts = [0.0; CLASSES];
    for (image, &label) in images.chunks_exact(PIXELS).zip(labels) {
        counts[label as usize] += 1.0;
        for (sum, &value) in sums[label as usize].iter_mut().zip(image) {
            *sum += f32::from(value);
        }
    }
    for (sum, count) in sums.iter_mut().zip(counts) {
        sum.iter_mut().for_each(|value| *value /= count);
    }
    sums
}

fn squared_distance(a: impl Iterator<Item = f32>, b: &[f32]) -> f32 {
    a.zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The fraction of `test` that is nearest to the mean training image of its own class.
fn centroid_accuracy(images: &[u8], labels: &[u8], test: &Digits) -> f64 {
    let centroids = centroids(images, labels);
    let right = test.images.chunks_exact(PIXELS).zip(&test.labels).filter(|&(image, &label)| {
        let distance =
            |class: usize| squared_distance(image.iter().map(|&value| f32::from(value)), &centroids[class]);
        let nearest = (0..CLASSES).min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap();
        nearest == label as usize
    });
    right.count() as f64 / test.labels.len() as f64
}

fn shuffled(labels: &[u8]) -> Vec<u8> {
    let mut labels = labels.to_vec();
    labels.shuffle(&mut stream(1, Purpose::Test, 0));
    labels
}

#[test]
fn classes_can_be_told_apart_but_not_trivially() {
    let (train, test) = (digits(10_000, 1, 0), digits(2_000, 1, TEST_FIRST));
    let accuracy = centroid_accuracy(&train.images, &train.labels, &test);
    assert!((0.6..0.95).contains(&accuracy), "{accuracy}");
    let chance = centroid_accuracy(&train.images, &shuffled(&train.labels), &test);
    assert!(chance < 0.3, "labels without meaning give {chance}");
}

#[test]
fn no_two_classes_look_alike() {
    let train = digits(10_000, 1, 0);
    // The least distance between two mean images: root mean square over the pixels, of 255.
    let least_distance = |labels: &[u8]| {
        let centroids = centroids(&train.images, labels);
        let distance = |(a, b): (usize, usize)| {
            (squared_distance(centroids[a].iter().copied(), &centroids[b]) / PIXELS as f32).sqrt()
        };
        let pairs = (0..CLASSES).flat_map(|a| (0..a).map(move |b| (a, b)));
        pairs.map(distance).min_by(f32::total_cmp).unwrap()
    };
    let (apart, chance) = (least_distance(&train.labels), least_distance(&shuffled(&train.labels)));
    assert!(apart > 12.0, "{apart}");
    assert!(chance < 6.0, "labels without meaning give {chance}");
}
