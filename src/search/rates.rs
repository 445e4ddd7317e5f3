//! The losses of a learning-rate range test.

use serde::{Deserialize, Serialize};

/// Fewer steps say nothing.
pub(super) const LEAST_STEPS: usize = 20;

/// The part of the loss before that stays in the smoothed one.
const SMOOTHING: f64 = 0.95;

/// The test ends once the smoothed loss is so many times its least.
const EXPLODED: f64 = 4.0;

/// The part of its fall by which the loss has fallen.
const FALLEN: f64 = 0.9;

/// A range test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RangeTest {
    /// The steps that were asked for; the test ends before if the loss explodes.
    pub steps: usize,
    pub points: Vec<RatePoint>,
    /// The rate at which the smoothed loss was least.
    pub least: f64,
    /// The rate that is suggested: a third of that at which the smoothed loss had [fallen](RangeTest::fallen).
    pub suggestion: f64,
    /// Whether the loss has exploded before the last step.
    pub exploded: bool,
}

impl RangeTest {
    /// The first rate at which the smoothed loss had fallen by nine tenths of all that it fell; none without points.
    pub fn fallen(&self) -> Option<f64> {
        fallen(&self.points)
    }
}

/// A step of a range test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatePoint {
    pub rate: f64,
    /// The mean loss of the batch before the update.
    pub loss: f64,
    /// The exponential average of the losses so far, corrected for its beginning with nothing.
    pub smoothed: f64,
}

/// The points of some losses, each at its rate, up to the one at which they have exploded; and whether they have.
pub fn smoothed(losses: impl Iterator<Item = (f64, f64)>) -> (Vec<RatePoint>, bool) {
    let (mut points, mut average, mut weight, mut least) = (Vec::new(), 0.0, 1.0, f64::INFINITY);
    for (rate, loss) in losses {
        if !loss.is_finite() {
            return (points, true);
        }
        average = SMOOTHING * average + (1.0 - SMOOTHING) * loss;
        weight *= SMOOTHING;
        let smoothed = average / (1.0 - weight);
        points.push(RatePoint { rate, loss, smoothed });
        least = f64::min(least, smoothed);
        if smoothed > EXPLODED * least && points.len() >= LEAST_STEPS / 2 {
            return (points, true);
        }
    }
    (points, false)
}

/// The rate of the least smoothed loss; none without points.
pub fn least(points: &[RatePoint]) -> Option<f64> {
    points.iter().min_by(|a, b| a.smoothed.total_cmp(&b.smoothed)).map(|point| point.rate)
}

/// The first rate at which the smoothed loss has fallen by nine tenths of the way from the first to the least. Around its
/// least the loss is flat, and where exactly that lies is chance; this place is steep, and so certain.
pub fn fallen(points: &[RatePoint]) -> Option<f64> {
    let first = points.first()?.smoothed;
    let least = points.iter().map(|point| point.smoothed).fold(first, f64::min);
    let enough = first - FALLEN * (first - least);
    points.iter().find(|point| point.smoothed <= enough).map(|point| point.rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_falls_and_explodes_has_its_least_between() {
        let rates = (0..200).map(|index| 1e-5 * 10f64.powf(index as f64 / 40.0));
        // Falls until 0.01, explodes at 0.1.
        let loss = |rate: f64| 2.0 - (rate * 150.0).min(1.5) + (rate / 0.03).powi(4);
        let (points, exploded) = smoothed(rates.map(|rate| (rate, loss(rate))));
        assert!(exploded && points.len() < 200);
        let found = least(&points).unwrap();
        assert!((0.01..0.04).contains(&found), "{found}");
        // Nine tenths of the fall are done at 0.009 at the latest, but for the smoothing, which lags behind.
        let fast = fallen(&points).unwrap();
        assert!((0.006..found).contains(&fast), "{fast}");
        let first = points.iter().position(|point| point.rate == fast).unwrap();
        let lowest = points.iter().map(|point| point.smoothed).fold(f64::INFINITY, f64::min);
        let part =
            |index: usize| (points[0].smoothed - points[index].smoothed) / (points[0].smoothed - lowest);
        assert!(part(first) >= 0.9 && part(first - 1) < 0.9);
        let (points, exploded) = smoothed([(1.0, 3.0), (2.0, 3.0), (3.0, f64::NAN), (4.0, 1.0)].into_iter());
        assert_eq!((points.len(), exploded), (2, true));
        // The correction: two equal losses have that loss as their average.
        assert!((points[1].smoothed - 3.0).abs() < 1e-12);
        assert_eq!((least(&[]), fallen(&[])), (None, None));
        // A loss that only rises has fallen where it begins.
        let rising = smoothed([(1.0, 3.0), (2.0, 4.0)].into_iter()).0;
        assert_eq!(fallen(&rising), Some(1.0));
    }
}
