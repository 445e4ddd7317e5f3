//! Checks of a loss before training: hyper-parameters, network and targets.

use super::kind::{Loss, Takes};
use super::{Targets, function};
use crate::error::{Error, Result};
use crate::hyper::{HyperParameter, HyperValue, finite};
use crate::kernels::loss::Tokens;

/// The error that the sum of a target's probabilities may have.
const SUM_TOLERANCE: f64 = 1e-3;

impl Loss {
    /// Checks that the loss may be used by its name, and that its hyper-parameters are in their ranges and fit a
    /// network with so many outputs.
    ///
    /// # Errors
    /// [`Error::Mismatch`] with the key, the range and what was found.
    pub fn check(&self, outputs: usize) -> Result<()> {
        self.kind().check()?;
        self.values().iter().try_for_each(|(parameter, value)| check_value(parameter, value, outputs))
    }

    /// Checks that the loss has a meaning for these targets. `targets` of all samples, `[samples]` classes or
    /// `[samples, outputs]` values.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if values are given where classes are needed, targets where there are none or none where there are
    /// some, or values out of the loss's
    /// range, or no class of a sample has a weight.
    #[doc(hidden)]
    pub fn check_targets(&self, targets: Targets, outputs: usize) -> Result<()> {
        let values = match targets {
            Targets::Values(values) => values,
            Targets::None if self.takes_targets() => {
                let (expected, found) = (self.kind().about().takes.text(), "none".into());
                return Err(Error::Mismatch { what: self.targets(), expected, found });
            }
            Targets::None => return Ok(()),
            Targets::Tokens(tokens) => return self.check_tokens(tokens),
            Targets::Classes(labels) | Targets::Mixed { labels, .. } => {
                if !self.takes_classes() {
                    let (expected, found) = ("values".into(), "classes".into());
                    return Err(Error::Mismatch { what: self.targets(), expected, found });
                }
                let weights = self.mean_weights();
                if function::weight(weights, targets, 0..labels.len()) > 0.0 {
                    return Ok(());
                }
                let expected = "a sample of a class with a weight above 0".to_string();
                return Err(mismatch(self.kind().mean_key().unwrap_or(""), expected, "none"));
            }
        };
        match self.kind().about().takes {
            Takes::Classes => Err(Error::Mismatch {
                what: self.targets(),
                expected: "classes".into(),
                found: "values".into(),
            }),
            Takes::Nothing => {
                Err(Error::Mismatch { what: self.targets(), expected: "none".into(), found: "values".into() })
            }
            Takes::Probabilities => self.check_probabilities(values, outputs),
            Takes::IndependentProbabilities => self.check_shares(values),
            // All values of samples are finite.
            Takes::Numbers(range) if range == finite() => Ok(()),
            Takes::Numbers(range) => {
                let expected = format!("each {}", range.text());
                self.check_values(values, &expected, |t| range.contains(t.into()))
            }
        }
    }

    fn check_tokens(&self, tokens: Tokens) -> Result<()> {
        if !self.takes_classes() {
            let (expected, found) = ("values".into(), "classes".into());
            return Err(Error::Mismatch { what: self.targets(), expected, found });
        }
        let samples = (tokens.ids.len() - tokens.positions) / tokens.step + 1;
        if function::weight(self.mean_weights(), Targets::Tokens(tokens), 0..samples) > 0.0 {
            return Ok(());
        }
        let expected = "a position that counts, of a class with a weight above 0".into();
        Err(Error::Mismatch { what: self.targets(), expected, found: "none".into() })
    }

    fn check_probabilities(&self, values: &[f32], outputs: usize) -> Result<()> {
        self.check_shares(values)?;
        for (sample, row) in values.chunks_exact(outputs).enumerate() {
            let sum: f64 = row.iter().map(|&t| f64::from(t)).sum();
            if (sum - 1.0).abs() > SUM_TOLERANCE {
                let (expected, found) = ("rows that sum to 1".into(), format!("{sum} at sample {sample}"));
                return Err(Error::Mismatch { what: self.targets(), expected, found });
            }
        }
        Ok(())
    }

    fn check_shares(&self, values: &[f32]) -> Result<()> {
        self.check_values(values, "numbers in [0, 1]", |t| (0.0..=1.0).contains(&t))
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

fn check_value(parameter: &HyperParameter, value: &HyperValue, outputs: usize) -> Result<()> {
    let key = parameter.key;
    let HyperValue::ClassWeights(weights) = value else {
        return if parameter.holds(value) { Ok(()) } else { Err(mismatch(key, parameter.range(), value)) };
    };
    let is_weight = |weight: f32| weight >= 0.0 && weight.is_finite();
    if let Some(weight) = weights.iter().find(|&&weight| !is_weight(weight)) {
        return Err(mismatch(key, "numbers of at least 0".into(), weight));
    }
    if !weights.is_empty() && weights.len() != outputs {
        return Err(mismatch(key, format!("{outputs} weights, one for each class"), weights.len()));
    }
    if !weights.is_empty() && weights.iter().all(|&weight| weight == 0.0) {
        return Err(mismatch(key, "a weight above 0".into(), "none"));
    }
    Ok(())
}

fn mismatch(key: &str, expected: String, found: impl std::fmt::Display) -> Error {
    Error::Mismatch { what: format!("`model.loss.{key}`"), expected, found: found.to_string() }
}
