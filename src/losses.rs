//! What training makes small. Value and gradient come together; the mean is taken over the batch.
//!
//! A loss is taken of the network's outputs y and a target t: a class or, for losses on values, as many
//! numbers as there are outputs, which for a class are 1 at the class and 0 elsewhere. Each is a file of its
//! own with a [`LossKind`] in [`ALL`]: recipes, documentation, the command line and tests read it. A [`Loss`] is one of
//! them with its hyper-parameters, and its [function](Loss::function) the arithmetic. Programs may have losses of their
//! own.

mod binary_cross_entropy;
mod checks;
mod cross_entropy;
mod focal;
mod function;
mod hinge;
mod huber;
mod kind;
mod kl_divergence;
mod log_cosh;
mod mean_absolute_error;
mod mean_squared_error;
mod poisson;

use std::fmt;

pub use crate::kernels::loss::{ElementwiseLoss, RowLoss, Scores, Target, Targets};
pub use function::LossFunction;
pub use kind::{About, LossKind, Reference, Takes};

use crate::error::{Error, Result};
use crate::hyper::{self, HyperParameter, HyperValue};

/// Every loss that is built in, in the order in which documentation lists them.
pub static ALL: [&LossKind; 10] = [
    &cross_entropy::KIND,
    &focal::KIND,
    &binary_cross_entropy::KIND,
    &mean_squared_error::KIND,
    &mean_absolute_error::KIND,
    &huber::KIND,
    &log_cosh::KIND,
    &hinge::KIND,
    &kl_divergence::KIND,
    &poisson::KIND,
];

/// What errors call the place of a loss that a program makes.
const PLACE: &str = "loss";

/// A loss with its hyper-parameters.
///
/// ```
/// use fallline::Loss;
///
/// let huber = Loss::huber(0.5);
/// assert_eq!(huber, Loss::named("huber")?.with("delta", 0.5)?);
/// let smoothed = Loss::cross_entropy().with("label_smoothing", 0.1)?;
/// assert_ne!(smoothed, Loss::cross_entropy());
/// # Ok::<(), fallline::Error>(())
/// ```
#[derive(Clone)]
pub struct Loss {
    kind: &'static LossKind,
    /// As many as the kind has hyper-parameters, in their order.
    values: Vec<HyperValue>,
}

impl Loss {
    pub const BINARY_CROSS_ENTROPY: Loss = Loss::plain(&binary_cross_entropy::KIND);
    pub const MEAN_SQUARED_ERROR: Loss = Loss::plain(&mean_squared_error::KIND);
    pub const MEAN_ABSOLUTE_ERROR: Loss = Loss::plain(&mean_absolute_error::KIND);
    pub const LOG_COSH: Loss = Loss::plain(&log_cosh::KIND);
    pub const KL_DIVERGENCE: Loss = Loss::plain(&kl_divergence::KIND);
    pub const POISSON: Loss = Loss::plain(&poisson::KIND);

    /// Of one without hyper-parameters.
    const fn plain(kind: &'static LossKind) -> Loss {
        Loss { kind, values: Vec::new() }
    }

    /// With this first hyper-parameter, and the others as they are by default.
    fn first(kind: &'static LossKind, value: impl Into<HyperValue>) -> Loss {
        let mut loss = Loss::of(kind);
        loss.values[0] = value.into();
        loss
    }

    /// Softmax cross-entropy with a class or with probabilities; the outputs are logits. Labels are not smoothed and
    /// all classes count the same, unless [`with`](Loss::with) sets `label_smoothing` or `class_weights`.
    pub fn cross_entropy() -> Loss {
        Loss::of(&cross_entropy::KIND)
    }

    /// Cross-entropy with a class that makes less of samples which are classified well already, the more so the larger
    /// `gamma`, of at least 0; [`with`](Loss::with) sets `alpha`, a weight for each class.
    pub fn focal(gamma: f32) -> Loss {
        Loss::first(&focal::KIND, gamma)
    }

    /// Squared error up to `delta`, which is above 0, and linear from there.
    pub fn huber(delta: f32) -> Loss {
        Loss::first(&huber::KIND, delta)
    }

    /// What the other classes lack in distance to the right one, of which `margin`, above 0, is enough;
    /// [`with`](Loss::with) `squared`, the squares of that.
    pub fn hinge(margin: f32) -> Loss {
        Loss::first(&hinge::KIND, margin)
    }

    /// The loss of this name with all its defaults, built in or [registered](LossKind::register); `fallline losses`
    /// lists those that are built in.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn named(name: &str) -> Result<Loss> {
        let unknown = || Error::unknown(PLACE, "loss", name, LossKind::all().iter().map(|kind| kind.name()));
        LossKind::named(name).map(Loss::of).ok_or_else(unknown)
    }

    /// A loss with all its defaults, of a kind that may be a program's own.
    pub fn of(kind: &'static LossKind) -> Loss {
        Loss { kind, values: hyper::defaults(kind.about().hyper_parameters) }
    }

    /// With these values, as many as the kind has hyper-parameters and of their kinds.
    pub(crate) fn with_values(kind: &'static LossKind, values: Vec<HyperValue>) -> Loss {
        debug_assert_eq!(values.len(), kind.about().hyper_parameters.len());
        Loss { kind, values }
    }

    /// With this value of a hyper-parameter, by its key in a recipe. Whether it is in its range is found when the loss
    /// is used.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the loss has no such key, with the nearest one; [`Error::Setting`] if its value is of
    /// another kind.
    pub fn with(mut self, key: &str, value: impl Into<HyperValue>) -> Result<Loss> {
        hyper::set(self.kind.about().hyper_parameters, &mut self.values, PLACE, (key, value.into()))?;
        Ok(self)
    }

    /// What is known of the loss.
    pub fn kind(&self) -> &'static LossKind {
        self.kind
    }

    /// The name in recipes.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// All hyper-parameters with their values.
    pub fn values(&self) -> impl Iterator<Item = (&'static HyperParameter, &HyperValue)> {
        self.kind.about().hyper_parameters.iter().zip(&self.values)
    }

    /// The value of a hyper-parameter; None if the loss has none of this key.
    pub fn value(&self, key: &str) -> Option<&HyperValue> {
        self.values().find(|(parameter, _)| parameter.key == key).map(|(_, value)| value)
    }

    /// The number in single precision under a key.
    ///
    /// # Panics
    /// If the kind lists none of this key.
    pub fn single(&self, key: &str) -> f32 {
        match self.value(key) {
            Some(HyperValue::Single(number)) => *number,
            other => unreachable!("{} has no number {key} in single precision, but {other:?}", self.name()),
        }
    }

    /// The integer under a key.
    ///
    /// # Panics
    /// If the kind lists none of this key.
    pub fn integer(&self, key: &str) -> usize {
        match self.value(key) {
            Some(HyperValue::Integer(integer)) => *integer,
            other => unreachable!("{} has no integer {key}, but {other:?}", self.name()),
        }
    }

    /// The choice under a key.
    ///
    /// # Panics
    /// If the kind lists none of this key.
    pub fn choice(&self, key: &str) -> bool {
        match self.value(key) {
            Some(HyperValue::Choice(choice)) => *choice,
            other => unreachable!("{} has no choice {key}, but {other:?}", self.name()),
        }
    }

    /// The class weights under a key, \[classes\]; or none, if all are 1.
    ///
    /// # Panics
    /// If the kind lists none of this key.
    pub fn class_weights(&self, key: &str) -> &[f32] {
        match self.value(key) {
            Some(HyperValue::ClassWeights(weights)) => weights,
            other => unreachable!("{} has no class weights {key}, but {other:?}", self.name()),
        }
    }

    /// The arithmetic.
    pub fn function(&self) -> LossFunction {
        self.kind.function(self).with_mean_by(self.mean_weights().to_vec())
    }

    /// The class weights that the mean is divided by; or none.
    fn mean_weights(&self) -> &[f32] {
        self.kind.mean_key().map_or(&[], |key| self.class_weights(key))
    }

    /// Whether targets may be classes: where the loss has a meaning for targets of 0 and 1.
    pub fn takes_classes(&self) -> bool {
        match self.kind.about().takes {
            Takes::Numbers(range) => range.contains(0.0) && range.contains(1.0),
            _ => true,
        }
    }

    /// Whether targets may be [mixtures](Targets::Mixed) of two classes: where the loss is one of
    /// probabilities.
    pub fn takes_mixtures(&self) -> bool {
        matches!(self.kind.about().takes, Takes::Probabilities | Takes::IndependentProbabilities)
    }
}

impl Default for Loss {
    /// [`Loss::cross_entropy`].
    fn default() -> Loss {
        Loss::cross_entropy()
    }
}

/// Of the same kind with the same hyper-parameters.
impl PartialEq for Loss {
    fn eq(&self, other: &Loss) -> bool {
        self.kind == other.kind && self.values == other.values
    }
}

impl fmt::Debug for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())?;
        for (index, (parameter, value)) in self.values().enumerate() {
            write!(formatter, "{} {} {value}", if index == 0 { " with" } else { "," }, parameter.key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
