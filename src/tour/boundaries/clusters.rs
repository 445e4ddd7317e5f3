//! k-means by descent, and by Lloyd's algorithm, from good starts and from a bad one.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::sets::Points;
use crate::clustering::{self, KMeans, Lloyd, MOST_ITERATIONS};
use crate::data::Samples;
use crate::error::Result;
use crate::model::Model;
use crate::model::recipe::Optimizer;
use crate::optim::schedule::{Curve, Schedule};
use crate::rng::{Purpose, stream};
use crate::train::Trainer;

pub const CLUSTERS: usize = 4;
/// The starts of each way.
pub const STARTS: u64 = 200;
const SAMPLES: usize = 400;
/// The true centres, the corners of a rectangle, and the standard deviation around them.
const HEAPS: [[f64; 2]; CLUSTERS] = [[-2.5, -1.8], [2.5, -1.8], [-2.5, 1.8], [2.5, 1.8]];
const SPREAD: f64 = 0.7;
const EPOCHS: usize = 60;

/// A run from some centres: those at the start and at the end, and the inertia after each pass over the points.
pub struct Run {
    pub start: Vec<f32>,
    pub centres: Vec<f64>,
    pub inertia: f64,
    pub course: Vec<f64>,
}

/// Both ways from one start.
pub struct Pair {
    pub lloyd: Run,
    pub descent: Run,
}

/// What there is to see.
pub struct Clusters {
    pub points: Points,
    pub good: Pair,
    pub bad: Pair,
    /// How many of [`STARTS`] starts Lloyd's algorithm takes to the least inertia: from samples drawn by their distance from
    /// others, and from any samples.
    pub found: [usize; 2],
}

impl Clusters {
    pub fn new() -> Result<Clusters> {
        let points = heaps();
        let good = with(&points, |all| clustering::start(all, CLUSTERS, 1))?;
        let (good, bad) = (Pair::from(&points, good)?, Pair::from(&points, bad_start(&points))?);
        let found = [
            found(&points, good.lloyd.inertia, |all, seed| clustering::start(all, CLUSTERS, seed))?,
            found(&points, good.lloyd.inertia, |_, seed| Ok(any_samples(&points, seed)))?,
        ];
        Ok(Clusters { points, good, bad, found })
    }
}

/// Points around the true centres, which take turns.
fn heaps() -> Points {
    let mut draws = stream(1, Purpose::Tour, 800);
    let mut near = |centre: f64| {
        let off: f64 = StandardNormal.sample(&mut draws);
        (centre + SPREAD * off) as f32
    };
    let places = (0..SAMPLES).map(|sample| HEAPS[sample % CLUSTERS].map(&mut near)).collect();
    Points { places, classes: (0..SAMPLES).map(|sample| (sample % CLUSTERS) as u8).collect() }
}

/// What is done with the points as clustering reads them.
fn with<T>(points: &Points, each: impl FnOnce(&clustering::Points) -> Result<T>) -> Result<T> {
    let read = |sample: usize, row: &mut [f32]| row.copy_from_slice(&points.places[sample]);
    each(&clustering::Points::new([points.places.len(), 2], &[], &read))
}

/// The two leftmost points of the first heap, the points next to the centres of the second and the third, and none of the
/// last.
fn bad_start(points: &Points) -> Vec<f32> {
    let of = |heap: usize| points.places.iter().copied().skip(heap).step_by(CLUSTERS);
    let next_to = |heap: usize| {
        let far =
            |place: &[f32; 2]| (0..2).map(|i| (f64::from(place[i]) - HEAPS[heap][i]).powi(2)).sum::<f64>();
        of(heap).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or_default()
    };
    let mut left: Vec<[f32; 2]> = of(0).collect();
    left.sort_by(|a, b| a[0].total_cmp(&b[0]));
    [left[0], left[1], next_to(1), next_to(2)].concat()
}

/// Any samples, no two of them the same.
fn any_samples(points: &Points, seed: u64) -> Vec<f32> {
    let mut draws = stream(8, Purpose::Tour, seed);
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < CLUSTERS {
        let sample = draws.random_range(0..points.places.len());
        if !chosen.contains(&sample) {
            chosen.push(sample);
        }
    }
    chosen.into_iter().flat_map(|sample| points.places[sample]).collect()
}

/// How many starts lead to this inertia.
fn found(
    points: &Points,
    least: f64,
    start: impl Fn(&clustering::Points, u64) -> Result<Vec<f32>>,
) -> Result<usize> {
    with(points, |all| {
        let mut count = 0;
        for seed in 0..STARTS {
            let end = clustering::lloyd(all, &start(all, seed)?, MOST_ITERATIONS)?;
            count += usize::from(end.assignment.inertia < 1.001 * least);
        }
        Ok(count)
    })
}

impl Pair {
    fn from(points: &Points, start: Vec<f32>) -> Result<Pair> {
        Ok(Pair { lloyd: lloyd(points, &start)?, descent: descend(points, &start)? })
    }

    /// How far the two centres of one start end apart, at most.
    pub fn distance(&self) -> f64 {
        let pairs = self.lloyd.places().into_iter().zip(self.descent.places());
        pairs.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).fold(0.0, f64::max)
    }
}

impl Run {
    pub fn places(&self) -> Vec<[f64; 2]> {
        self.centres.as_chunks::<2>().0.to_vec()
    }

    pub fn first(&self) -> Vec<[f64; 2]> {
        self.start.as_chunks::<2>().0.iter().map(|place| place.map(f64::from)).collect()
    }
}

fn lloyd(points: &Points, start: &[f32]) -> Result<Run> {
    with(points, |all| {
        let end = clustering::lloyd(all, start, MOST_ITERATIONS)?;
        let after =
            |most| clustering::lloyd(all, start, most).map(|Lloyd { assignment, .. }| assignment.inertia);
        let course = (0..=end.iterations).map(after).collect::<Result<_>>()?;
        Ok(Run { start: start.to_vec(), inertia: end.assignment.inertia, centres: end.centres, course })
    })
}

/// Plain descent in small batches, with a rate that falls to nothing.
fn descend(points: &Points, start: &[f32]) -> Result<Run> {
    let samples = Samples::from_rows(points.places.as_flattened().to_vec(), 2).without_targets()?;
    let mut model = Model::k_means(2, KMeans::new(CLUSTERS))?;
    model.parts_mut().1[..start.len()].copy_from_slice(start);
    let falling = Schedule::of(Curve::Cosine { end_factor: 0.0 });
    let trainer =
        Trainer::new().optimizer(Optimizer::sgd(0.5)).schedule(falling).batch(20).epochs(EPOCHS).threads(1);
    let record = trainer.fit(&mut model, &samples)?;
    let centres: Vec<f64> = model.storage()[..start.len()].iter().map(|&c| c.into()).collect();
    let inertia = |centres: &[f64]| with(points, |all| Ok(clustering::assign(all, centres)?.inertia));
    let first: Vec<f64> = start.iter().map(|&c| c.into()).collect();
    let mut course = vec![inertia(&first)?];
    course.extend(record.epochs.iter().map(|epoch| epoch.train_loss));
    Ok(Run { start: start.to_vec(), inertia: inertia(&centres)?, centres, course })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A centre of an end lies at the mean of the points that are nearer to it than to any other.
    #[test]
    fn centres_are_means() {
        let found = Clusters::new().unwrap();
        for (run, close) in [(&found.good.lloyd, 1e-9), (&found.bad.lloyd, 1e-9), (&found.good.descent, 0.02)]
        {
            let centres = run.places();
            let mut sums = vec![[0.0; 3]; CLUSTERS];
            for place in &found.points.places {
                let [x, y] = place.map(f64::from);
                let far = |centre: [f64; 2]| (centre[0] - x).powi(2) + (centre[1] - y).powi(2);
                let nearest =
                    (0..CLUSTERS).min_by(|&a, &b| far(centres[a]).total_cmp(&far(centres[b]))).unwrap();
                sums[nearest][0] += x;
                sums[nearest][1] += y;
                sums[nearest][2] += 1.0;
            }
            for (centre, [x, y, count]) in centres.into_iter().zip(sums) {
                assert!((centre[0] - x / count).abs() < close && (centre[1] - y / count).abs() < close);
            }
        }
    }

    /// Blobs of a deviation s around their centres have an inertia of about 2 s², if every centre is found.
    #[test]
    fn the_least_inertia_is_that_of_the_noise() {
        let found = Clusters::new().unwrap();
        assert!(
            (found.good.lloyd.inertia / (2.0 * SPREAD * SPREAD) - 1.0).abs() < 0.1,
            "{}",
            found.good.lloyd.inertia
        );
    }
}
