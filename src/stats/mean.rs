//! A mean, and how well some measurements determine it.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

use serde::{Deserialize, Serialize};

/// The part of all repetitions whose interval holds the true mean.
const LEVEL: f64 = 0.95;

/// Halvings of an angle after which two doubles have no other between them.
const HALVINGS: usize = 64;

/// An estimate of the mean around which some independent measurements scatter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanEstimate {
    pub mean: f64,
    /// The standard deviation of the sample: the sum of squares is divided by one less than the count;
    /// absent, as the interval, if there is one measurement only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// The ends of the 95 % interval of the mean by Student's t, which takes the measurements to be
    /// normal (Student: The probable error of a mean, 1908).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl MeanEstimate {
    /// The estimate by these values `[n]`; nothing without values.
    pub fn of(values: &[f64]) -> Option<MeanEstimate> {
        let count = values.len();
        let degrees = count.checked_sub(1)?;
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (degrees > 0).then(|| (squares / degrees as f64).sqrt());
        let interval = deviation.map(|deviation| {
            let margin = student(degrees, LEVEL) * deviation / (count as f64).sqrt();
            [mean - margin, mean + margin]
        });
        Some(MeanEstimate { mean, deviation, interval })
    }
}

/// The number t for which Student's distribution with so many degrees of freedom, at least 1, has the
/// part `level` of its probability in [-t, t].
fn student(degrees: usize, level: f64) -> f64 {
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if central_probability(degrees, middle) < level { low = middle } else { high = middle }
    }
    (degrees as f64).sqrt() * (0.5 * (low + high)).tan()
}

/// Student's probability of [-t, t] for t = √degrees · tan(angle): a finite sum of powers of the cosine
/// (Abramowitz, Stegun: Handbook of mathematical functions, 1964, 26.7.3 and 26.7.4).
fn central_probability(degrees: usize, angle: f64) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let is_odd = degrees % 2 == 1;
    let (mut power, mut term) = if is_odd { (1, cosine) } else { (0, 1.0) };
    let mut sum = 0.0;
    while power + 2 <= degrees {
        sum += term;
        term *= (power + 1) as f64 / (power + 2) as f64 * cosine * cosine;
        power += 2;
    }
    if is_odd { FRAC_2_PI * (angle + sine * sum) } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use rand_distr::{Distribution, Normal};

    /// Made by scripts/golden/student.py with scipy.
    const GOLDEN: &str = include_str!("../../tests/golden/student.json");

    #[derive(Deserialize)]
    struct Golden {
        /// The quantiles: (degrees, level, t).
        quantiles: Vec<(usize, f64, f64)>,
        samples: Vec<Sample>,
    }

    #[derive(Deserialize)]
    struct Sample {
        values: Vec<f64>,
        mean: f64,
        deviation: f64,
        interval: [f64; 2],
    }

    fn golden() -> Golden {
        serde_json::from_str(GOLDEN).unwrap()
    }

    #[test]
    fn quantiles_are_scipys() {
        let Golden { quantiles, .. } = golden();
        assert!(quantiles.len() > 20);
        for (degrees, level, t) in quantiles {
            let found = student(degrees, level);
            assert!((found / t - 1.0).abs() < 1e-10, "{degrees} {level}: {found} for {t}");
            // The neighbours differ by far more than that.
            assert!((student(degrees + 1, level) / t - 1.0).abs() > 1e-10, "{degrees}");
        }
    }

    #[test]
    fn means_and_intervals_are_scipys() {
        for Sample { values, mean, deviation, interval } in golden().samples {
            let found = MeanEstimate::of(&values).unwrap();
            let ends = found.interval.unwrap();
            let pairs = [
                (found.mean, mean),
                (found.deviation.unwrap(), deviation),
                (ends[0], interval[0]),
                (ends[1], interval[1]),
            ];
            for (found, expected) in pairs {
                assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{found} for {expected}");
            }
        }
    }

    #[test]
    fn one_value_has_no_interval_and_none_has_nothing() {
        assert_eq!(MeanEstimate::of(&[]), None);
        let one = MeanEstimate::of(&[0.5]).unwrap();
        assert_eq!(one, MeanEstimate { mean: 0.5, deviation: None, interval: None });
        assert_eq!(serde_json::to_string(&one).unwrap(), "{\"mean\":0.5}");
    }

    /// Five values each, where a normal quantile in place of Student's would hold it 88 times of 100.
    #[test]
    fn the_interval_holds_the_true_mean_nineteen_times_of_twenty() {
        let normal = Normal::new(98.0, 0.1).unwrap();
        let hits = (0..2000).filter(|&index| {
            let mut random = stream(1, Purpose::Test, index);
            let values: Vec<f64> = (0..5).map(|_| normal.sample(&mut random)).collect();
            let [low, high] = MeanEstimate::of(&values).unwrap().interval.unwrap();
            (low..=high).contains(&98.0)
        });
        let hits = hits.count();
        assert!((1860..=1940).contains(&hits), "{hits} of 2000");
    }
}
