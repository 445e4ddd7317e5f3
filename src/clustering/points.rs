//! Samples among centres: which is the nearest, and how far it is, in f64.

use crate::kernels::simd::reduce::{LANES, tree};
use crate::kernels::simd::vectorise::vectorise;
use crate::{Result, memory};

/// Reads the features of a sample, \[features\].
type Read<'a> = dyn Fn(usize, &mut [f32]) + 'a;

/// Samples that are read one by one, so that no copy of all is made.
pub struct Points<'a> {
    count: usize,
    features: usize,
    /// `[count]`, or empty if all count alike.
    weights: &'a [f32],
    read: &'a Read<'a>,
}

/// The nearest centre of each sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The index of the nearest centre, the first of several: `[samples]`.
    pub nearest: Vec<u32>,
    /// The sum of the weights of the samples of each centre: `[centres]`.
    pub weights: Vec<f64>,
    /// The sum of the features of the samples of each centre, times their weights: `[centres, features]`.
    pub sums: Vec<f64>,
    /// The mean squared distance to the nearest centre, by the weights.
    pub inertia: f64,
}

impl<'a> Points<'a> {
    /// So many samples, each of so many features, at least one of both, that `read` writes. `weights` says how much each
    /// counts, `[samples]`, one of them above 0, and is empty if all count alike.
    pub fn new([count, features]: [usize; 2], weights: &'a [f32], read: &'a Read<'a>) -> Points<'a> {
        debug_assert!(count > 0 && features > 0 && (weights.is_empty() || weights.len() == count));
        Points { count, features, weights, read }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Features of a sample.
    pub fn features(&self) -> usize {
        self.features
    }

    /// How much a sample counts.
    pub fn weight(&self, sample: usize) -> f64 {
        self.weights.get(sample).map_or(1.0, |&weight| f64::from(weight))
    }

    /// Writes the features of a sample, \[features\].
    pub fn read(&self, sample: usize, row: &mut [f32]) {
        (self.read)(sample, row);
    }
}

/// The nearest of `centres` `[k, features]` for each sample.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) if memory is short.
pub fn assign(points: &Points, centres: &[f64]) -> Result<Assignment> {
    const WHAT: &str = "the clusters of samples";
    let features = points.features;
    let mut nearest = memory::filled(WHAT, 0u32, points.count)?;
    let mut weights = memory::filled(WHAT, 0.0, centres.len() / features)?;
    let mut sums = memory::filled(WHAT, 0.0, centres.len())?;
    let mut row = memory::filled(WHAT, 0.0f32, features)?;
    let (mut total, mut squares) = (0.0, 0.0);
    for (sample, nearest) in nearest.iter_mut().enumerate() {
        points.read(sample, &mut row);
        let (place, distance) = nearest_of(&row, centres);
        let weight = points.weight(sample);
        *nearest = place as u32;
        weights[place] += weight;
        let sums = &mut sums[place * features..(place + 1) * features];
        sums.iter_mut().zip(&row).for_each(|(sum, &x)| *sum += weight * f64::from(x));
        total += weight;
        squares += weight * distance;
    }
    Ok(Assignment { nearest, weights, sums, inertia: squares / total })
}

/// The nearest centre of a row, the first of several, and its squared distance.
fn nearest_of(row: &[f32], centres: &[f64]) -> (usize, f64) {
    vectorise(
        #[inline(always)]
        || {
            let (mut place, mut least) = (0, f64::INFINITY);
            for (index, centre) in centres.chunks_exact(row.len()).enumerate() {
                let distance = squared_distance(row, centre);
                if distance < least {
                    (place, least) = (index, distance);
                }
            }
            (place, least)
        },
    )
}

/// ‖x - c‖²: `x`, `centre` `[n]`. The order of the sum follows from n alone.
#[inline(always)]
pub(super) fn squared_distance(x: &[f32], centre: &[f64]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    let (of_centre, rest_of_centre) = centre.as_chunks::<LANES>();
    for (x, c) in chunks.iter().zip(of_centre) {
        for i in 0..LANES {
            let difference = f64::from(x[i]) - c[i];
            lanes[i] += difference * difference;
        }
    }
    for ((lane, &x), c) in lanes.iter_mut().zip(rest).zip(rest_of_centre) {
        let difference = f64::from(x) - c;
        *lane += difference * difference;
    }
    tree(lanes, |a, b| a + b)
}
