//! What the numbers of a column are scaled by, and what stands for missing ones.

use super::feature::Scale;
use super::setup::{Fill, Scaling};
use crate::stats;

/// The number that stands for a missing one.
pub(super) fn filled(fill: Fill, present: &mut [f64]) -> f64 {
    match fill {
        Fill::Constant(number) => number,
        Fill::Mean => mean_and_deviation(present)[0],
        Fill::Median => stats::median(present),
        Fill::MostFrequent => {
            present.sort_unstable_by(f64::total_cmp);
            let runs = present.chunk_by(|a, b| a == b);
            // Of equally frequent ones the smallest.
            let most = runs.reduce(|best, run| if run.len() > best.len() { run } else { best });
            most.map_or(0.0, |run| run[0])
        }
    }
}

/// The scale that these numbers give, of which there is at least one.
pub(super) fn scale_of(scaling: Scaling, present: &mut [f64]) -> Scale {
    // What has no spread is left at a distance of 0.
    let inverse = |spread: f64| if spread.recip().is_finite() && spread > 0.0 { spread.recip() } else { 1.0 };
    match scaling {
        Scaling::None => Scale::NONE,
        Scaling::Standardise => {
            let [offset, deviation] = mean_and_deviation(present);
            Scale { log1p: false, offset, factor: inverse(deviation) }
        }
        Scaling::Log1p => {
            present.iter_mut().for_each(|value| *value = value.ln_1p());
            Scale { log1p: true, ..scale_of(Scaling::Standardise, present) }
        }
        Scaling::MinMax => {
            let smallest = present.iter().copied().fold(f64::INFINITY, f64::min);
            let largest = present.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Scale { log1p: false, offset: smallest, factor: inverse(largest - smallest) }
        }
        Scaling::Robust => {
            let [first, median, third] = [0.25, 0.5, 0.75].map(|part| stats::quantile(present, part));
            Scale { log1p: false, offset: median, factor: inverse(third - first) }
        }
    }
}

/// Mean and standard deviation, by the number of values, in two passes.
pub(super) fn mean_and_deviation(values: &[f64]) -> [f64; 2] {
    let count = values.len() as f64;
    // Divided first, so that no sum of large numbers is infinite.
    let mean: f64 = values.iter().map(|value| value / count).sum();
    let variance: f64 = values.iter().map(|value| (value - mean).powi(2) / count).sum();
    [mean, variance.sqrt()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_those_of_the_textbook() {
        let of = |scaling| {
            let scale = scale_of(scaling, &mut [4.0, 0.0, 2.0, 2.0]);
            [scale.offset, scale.factor]
        };
        assert_eq!(of(Scaling::Standardise), [2.0, 1.0 / 2f64.sqrt()]);
        assert_eq!(of(Scaling::MinMax), [0.0, 0.25]);
        assert_eq!(of(Scaling::Robust), [2.0, 1.0]);
        assert_eq!(of(Scaling::None), [0.0, 1.0]);
        let log = scale_of(Scaling::Log1p, &mut [0.0, std::f64::consts::E - 1.0]);
        assert!(log.log1p && (log.offset - 0.5).abs() < 1e-12 && (log.factor - 2.0).abs() < 1e-12);
        // Without a spread nothing is divided by 0.
        assert_eq!(
            scale_of(Scaling::Standardise, &mut [3.0, 3.0]),
            Scale { log1p: false, offset: 3.0, factor: 1.0 }
        );
    }

    #[test]
    fn missing_numbers_are_filled_as_asked() {
        let values = || [5.0, 1.0, 1.0, 9.0];
        assert_eq!(filled(Fill::Median, &mut values()), 3.0);
        assert_eq!(filled(Fill::Mean, &mut values()), 4.0);
        assert_eq!(filled(Fill::MostFrequent, &mut values()), 1.0);
        assert_eq!(filled(Fill::Constant(-7.0), &mut values()), -7.0);
    }
}
