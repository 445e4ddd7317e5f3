//! What a loss may be used with, found out before training.

use super::{Loss, Targets};
use crate::error::{Error, Result};

/// How far the probabilities of a target may be from summing to 1.
const SUM_TOLERANCE: f64 = 1e-3;

impl Loss {
    /// That the parameters are in their ranges and fit a network with so many outputs.
    ///
    /// # Errors
    /// [`Error::Mismatch`] with the key, the range and what was found.
    pub fn check(&self, classes: usize) -> Result<()> {
        match self {
            Loss::CrossEntropy { label_smoothing, class_weights } => {
                within("label_smoothing", *label_smoothing, "a number in [0, 1)", |x| {
                    (0.0..1.0).contains(&x)
                })?;
                let finite = |x: f32| x >= 0.0 && x.is_finite();
                for weight in class_weights {
                    within("class_weights", *weight, "numbers of at least 0", finite)?;
                }
                if !class_weights.is_empty() && class_weights.len() != classes {
                    let expected = format!("{classes} weights, one for each class");
                    return Err(mismatch("class_weights", expected, class_weights.len()));
                }
                if !class_weights.is_empty() && class_weights.iter().all(|&weight| weight == 0.0) {
                    return Err(mismatch("class_weights", "a weight above 0".into(), "none"));
                }
                Ok(())
            }
            Loss::Huber { delta } => within("delta", *delta, "a number above 0", above_0),
            Loss::Hinge { margin, .. } => within("margin", *margin, "a number above 0", above_0),
            _ => Ok(()),
        }
    }

    /// That targets are such that the loss has a meaning. `targets` of all samples; for values,
    /// `classes` of them a sample.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if values are given where classes are needed, or values out of the loss's
    /// range, or no class of a sample has a weight.
    pub fn check_targets(&self, targets: Targets, classes: usize) -> Result<()> {
        let values = match targets {
            Targets::Values(values) => values,
            Targets::Classes(labels) | Targets::Mixed { labels, .. }
                if self.weight(targets, 0..labels.len()) > 0.0 =>
            {
                return Ok(());
            }
            Targets::Classes(_) | Targets::Mixed { .. } => {
                let expected = "a sample of a class with a weight above 0".to_string();
                return Err(mismatch("class_weights", expected, "none"));
            }
        };
        match self {
            Loss::Hinge { .. } => Err(Error::Mismatch {
                what: self.targets(),
                expected: "classes".into(),
                found: "values".into(),
            }),
            Loss::CrossEntropy { .. } | Loss::KlDivergence => self.check_probabilities(values, classes),
            Loss::BinaryCrossEntropy => {
                self.check_values(values, "numbers in [0, 1]", |t| (0.0..=1.0).contains(&t))
            }
            Loss::Poisson => self.check_values(values, "numbers of at least 0", |t| t >= 0.0),
            Loss::MeanSquaredError | Loss::MeanAbsoluteError | Loss::Huber { .. } => Ok(()),
        }
    }

    fn check_probabilities(&self, values: &[f32], classes: usize) -> Result<()> {
        self.check_values(values, "numbers in [0, 1]", |t| (0.0..=1.0).contains(&t))?;
        for (sample, row) in values.chunks_exact(classes).enumerate() {
            let sum: f64 = row.iter().map(|&t| f64::from(t)).sum();
            if (sum - 1.0).abs() > SUM_TOLERANCE {
                let (expected, found) = ("rows that sum to 1".into(), format!("{sum} at sample {sample}"));
                return Err(Error::Mismatch { what: self.targets(), expected, found });
            }
        }
        Ok(())
    }

    fn check_values(&self, values: &[f32], expected: &str, fits: impl Fn(f32) -> bool) -> Result<()> {
        match values.iter().position(|&value| !fits(value)) {
            None => Ok(()),
            Some(place) => {
                let found = format!("{} at index {place}", values[place]);
                Err(Error::Mismatch { what: self.targets(), expected: expected.into(), found })
            }
        }
    }

    fn targets(&self) -> String {
        format!("targets of the loss {}", self.name())
    }
}

fn above_0(x: f32) -> bool {
    x > 0.0 && x.is_finite()
}

fn within(key: &str, value: f32, range: &str, fits: impl Fn(f32) -> bool) -> Result<()> {
    if fits(value) { Ok(()) } else { Err(mismatch(key, range.into(), value)) }
}

fn mismatch(key: &str, expected: String, found: impl std::fmt::Display) -> Error {
    Error::Mismatch { what: format!("`model.loss.{key}`"), expected, found: found.to_string() }
}
