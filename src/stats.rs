//! Medians, their intervals, and outliers.

mod mean;

pub use mean::MeanEstimate;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::rng::{Purpose, stream};

/// Resamplings of a bootstrap interval.
const RESAMPLINGS: usize = 2000;

/// The part of resampled values outside a 95 % interval, on each side.
const TAIL: f64 = 0.025;

/// Further from the median than so many (scaled) median absolute deviations is an outlier, as
/// Iglewicz and Hoaglin recommend (How to detect and handle outliers, 1993).
const FAR: f64 = 3.5;

/// Makes the median absolute deviation of normal numbers their standard deviation.
const DEVIATION_SCALE: f64 = 1.4826;

/// Some measurements of one quantity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub median: f64,
    /// The 95 % interval of the median begins here...
    pub low: f64,
    /// ...and ends here.
    pub high: f64,
    /// How many of the runs lie far from the median.
    pub outliers: usize,
    /// All measurements, in their order.
    pub runs: Vec<f64>,
}

impl Summary {
    /// Median, bootstrap interval and outliers of `runs` `[n]`; all zero if there are none. The same runs
    /// give the same interval.
    pub fn of(runs: &[f64]) -> Summary {
        let (low, high) = interval(&[runs], |parts| median(parts[0]));
        Summary { median: median(runs), low, high, outliers: outliers(runs), runs: runs.to_vec() }
    }
}

/// The median of some numbers `[n]`, the mean of the two middle ones if their count is even, 0 of none.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The quantile of some numbers `[n]` below which this part of them lies, interpolated; 0 of none.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = part * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    // One formula for both cases would make NaN of two infinities.
    if below == above {
        sorted[below]
    } else {
        sorted[below] + (sorted[above] - sorted[below]) * place.fract()
    }
}

/// How many numbers of `[n]` lie far from their median.
pub fn outliers(values: &[f64]) -> usize {
    let middle = median(values);
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    let limit = FAR * DEVIATION_SCALE * median(&distances);
    if limit > 0.0 { distances.iter().filter(|&&distance| distance > limit).count() } else { 0 }
}

/// The distribution-free interval of the median, of at least 95 %: order statistics whose ranks follow from the
/// binomial distribution, by its normal approximation (Conover: Practical nonparametric statistics, 1999, §3.2).
/// None of fewer than 6 numbers, which have no such interval.
pub fn median_interval(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len();
    if count < 6 {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let reach = 1.96 * (count as f64).sqrt() / 2.0;
    let low = (count as f64 / 2.0 - reach).floor().max(1.0) as usize - 1;
    Some((sorted[low], sorted[count - 1 - low]))
}

/// The 95 % percentile bootstrap interval of `statistic` of some groups, each resampled by itself
/// (Efron, Tibshirani: An introduction to the bootstrap, 1993, §13).
pub fn interval(groups: &[&[f64]], statistic: impl Fn(&[&[f64]]) -> f64) -> (f64, f64) {
    if groups.iter().any(|group| group.is_empty()) {
        return (0.0, 0.0);
    }
    let mut random = stream(0, Purpose::Bootstrap, 0);
    let mut resampled: Vec<Vec<f64>> = groups.iter().map(|group| group.to_vec()).collect();
    let values: Vec<f64> = (0..RESAMPLINGS)
        .map(|_| {
            for (to, from) in resampled.iter_mut().zip(groups) {
                to.iter_mut().for_each(|value| *value = from[random.random_range(0..from.len())]);
            }
            statistic(&resampled.iter().map(Vec::as_slice).collect::<Vec<_>>())
        })
        .collect();
    (quantile(&values, TAIL), quantile(&values, 1.0 - TAIL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, Normal};

    fn normal(count: usize, mean: f64, deviation: f64, index: u64) -> Vec<f64> {
        let mut random = stream(1, Purpose::Test, index);
        let normal = Normal::new(mean, deviation).unwrap();
        (0..count).map(|_| normal.sample(&mut random)).collect()
    }

    #[test]
    fn the_interval_of_a_median_holds_it_as_often_as_it_says() {
        let holds = |index: &u64| {
            let values = normal(25, 3.0, 2.0, *index);
            let (low, high) = median_interval(&values).unwrap();
            (low..=high).contains(&3.0)
        };
        let held = (0..1000).filter(holds).count();
        assert!((940..990).contains(&held), "{held}");
        assert_eq!(median_interval(&[1.0; 5]), None);
        // All six numbers lie on one side of the median in 2 of 64 cases.
        assert_eq!(median_interval(&[6.0, 2.0, 3.0, 4.0, 5.0, 1.0]), Some((1.0, 6.0)));
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!((median(&[]), median(&[3.0]), median(&[4.0, 1.0, 2.0])), (0.0, 3.0, 2.0));
        assert_eq!((median(&[4.0, 1.0]), quantile(&[0.0, 10.0], 0.3)), (2.5, 3.0));
    }

    #[test]
    fn the_interval_holds_the_true_median_nineteen_times_of_twenty() {
        let hits = (0..400)
            .filter(|&index| {
                let summary = Summary::of(&normal(25, 10.0, 1.0, index));
                assert!(summary.low <= summary.median && summary.median <= summary.high);
                (summary.low..=summary.high).contains(&10.0)
            })
            .count();
        assert!((365..=396).contains(&hits), "{hits} of 400");
    }

    #[test]
    fn what_lies_far_off_is_counted() {
        let mut runs = normal(30, 100.0, 1.0, 0);
        assert_eq!(outliers(&runs), 0);
        runs.extend([50.0, 140.0]);
        assert_eq!(outliers(&runs), 2);
        assert_eq!(outliers(&[1.0, 1.0, 1.0, 2.0]), 0, "no spread to judge by");
    }

    #[test]
    fn two_groups_are_resampled_separately() {
        let (old, new) = (normal(40, 100.0, 2.0, 1), normal(40, 90.0, 2.0, 2));
        let (low, high) = interval(&[&new, &old], |groups| median(groups[0]) / median(groups[1]));
        assert!(low < 0.9 && 0.9 < high && high < 0.93 && low > 0.87, "{low} {high}");
        assert_eq!(interval(&[&new, &[]], |_| 1.0), (0.0, 0.0));
    }
}
