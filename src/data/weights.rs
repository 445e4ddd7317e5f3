//! Weights of samples by their classes.

use super::checks::mismatch;
use super::samples::{MOST_CLASSES, Samples, Targets};
use crate::error::Result;

impl Samples {
    /// A weight for each sample, `[samples]`, with which all classes that occur count alike:
    /// samples / (classes that occur * samples of its class), times the weight that the sample has already. It is the
    /// "balanced" of scikit-learn's `compute_sample_weight`, after King and Zeng (2001), Logistic regression in rare
    /// events data. The samples are as they were until they are given the weights.
    ///
    /// ```
    /// use fallline::Samples;
    ///
    /// let samples = Samples::from_rows(vec![0.0, 1.0, 2.0, 3.0], 1).classes(vec![5, 5, 5, 7])?;
    /// let weights = samples.balanced_weights()?;
    /// assert_eq!(weights, [2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 2.0]);
    /// let balanced = samples.with_weights(weights)?;
    /// # let _ = balanced;
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if the targets are no classes.
    pub fn balanced_weights(&self) -> Result<Vec<f32>> {
        let Some(labels) = self.labels() else {
            let found = if *self.targets() == Targets::None { "none" } else { "values" };
            return Err(mismatch("targets of samples with balanced weights", "classes", found));
        };
        let mut counts = [0_usize; MOST_CLASSES];
        labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
        let classes = counts.iter().filter(|&&count| count > 0).count();
        let of_class = |label: u8| labels.len() as f64 / (classes * counts[usize::from(label)]) as f64;
        let own = |sample: usize| self.weights().get(sample).map_or(1.0, |&weight| f64::from(weight));
        Ok(labels.iter().enumerate().map(|(sample, &label)| (of_class(label) * own(sample)) as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_weigh_alike() {
        let labels = vec![2, 0, 2, 2, 7, 2, 0, 2];
        let samples = Samples::images(vec![0; 8], [1, 1, 1], labels.clone(), 10).unwrap();
        let weights = samples.balanced_weights().unwrap();
        let of = |class: u8, weights: &[f32]| -> f64 {
            labels.iter().zip(weights).filter(|(label, _)| **label == class).map(|(_, &w)| f64::from(w)).sum()
        };
        // The sum is that of the samples, and each of the three classes has a third of it.
        for class in [0, 2, 7] {
            assert!((of(class, &weights) - 8.0 / 3.0).abs() < 1e-6, "{weights:?}");
        }
        assert_eq!(weights[4], (8.0_f64 / 3.0) as f32);

        let own: Vec<f32> = (0..8).map(|place| place as f32).collect();
        let both = samples.clone().with_weights(own.clone()).unwrap().balanced_weights().unwrap();
        for ((both, own), weight) in both.iter().zip(own).zip(&weights) {
            assert!((both - own * weight).abs() < 1e-6);
        }
    }

    #[test]
    fn values_have_no_classes_to_balance() {
        let values = Targets::Values { values: vec![1.0], width: 1 };
        let samples = Samples::floats(vec![0.0], [1, 1, 1], values, 0).unwrap();
        let message = samples.balanced_weights().unwrap_err().to_string();
        assert_eq!(message, "targets of samples with balanced weights: expected classes, found values");
    }

    #[test]
    fn weights_that_say_nothing_are_refused() {
        let samples = || Samples::images(vec![0; 3], [1, 1, 1], vec![0, 1, 2], 3).unwrap();
        let message = |weights: &[f32]| samples().with_weights(weights.to_vec()).unwrap_err().to_string();
        assert_eq!(message(&[1.0, 2.0]), "weights of samples: expected 3, one for each, found 2");
        let range = "weights of samples: expected finite numbers of at least 0, found";
        assert_eq!(message(&[1.0, -2.0, 1.0]), format!("{range} -2.0 at index 1"));
        assert_eq!(message(&[1.0, 1.0, f32::NAN]), format!("{range} NaN at index 2"));
        assert_eq!(message(&[f32::INFINITY, 1.0, 1.0]), format!("{range} inf at index 0"));
        let small = "weights of samples: expected 0 or at least 1.2e-38, found 1e-38 at index 1";
        assert_eq!(message(&[1.0, 1e-38, 1.0]), small);
        assert_eq!(message(&[0.0; 3]), "weights of samples: expected at least one above 0, found none");
        let weighted = samples().with_weights(vec![0.0, 0.5, 2.0]).unwrap();
        assert_eq!(weighted.take(&[2, 0]).unwrap().weights(), [2.0, 0.0]);
        assert_eq!(weighted.first(2).unwrap().weights(), [0.0, 0.5]);
    }
}
