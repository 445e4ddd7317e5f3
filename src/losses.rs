//! The losses that training minimises. Value and gradient come together; the mean is taken over the batch.
//!
//! A loss is taken of the network's outputs y and a target t: a class or, for losses on values, as many
//! numbers as there are outputs, which for a class are 1 at the class and 0 elsewhere; or of the outputs alone. Each is a file of its
//! own with a [`LossKind`] in [`ALL`]: recipes, documentation, the command line and tests read it. A [`Loss`] is one of
//! them with its hyper-parameters, and its [function](Loss::function) the arithmetic. Programs may have losses of their
//! own.

mod binary_cross_entropy;
mod binary_hinge;
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
mod minimum;
mod outcome;
mod poisson;

pub use crate::kernels::loss::{ElementwiseLoss, RowLoss, Scores, Target, Targets};
pub use function::LossFunction;
use kind::PLACE;
pub use kind::{About, Loss, LossKind, Reference, Takes};
pub use outcome::Outcome;

use crate::error::{Error, Result};
use crate::registry::Registry;

/// Every loss that is built in, in the order in which documentation lists them.
pub static ALL: [&LossKind; 12] = [
    &cross_entropy::KIND,
    &focal::KIND,
    &binary_cross_entropy::KIND,
    &mean_squared_error::KIND,
    &mean_absolute_error::KIND,
    &huber::KIND,
    &log_cosh::KIND,
    &hinge::KIND,
    &binary_hinge::KIND,
    &kl_divergence::KIND,
    &poisson::KIND,
    &minimum::KIND,
];

/// The table of all losses: those that are built in and those that programs register.
static KINDS: Registry<LossKind> = Registry::new("loss", || ALL.to_vec(), || [Vec::new(), vec!["type"]]);

impl Loss {
    pub const BINARY_CROSS_ENTROPY: Loss = Loss::plain(&binary_cross_entropy::KIND);
    pub const MEAN_SQUARED_ERROR: Loss = Loss::plain(&mean_squared_error::KIND);
    pub const MEAN_ABSOLUTE_ERROR: Loss = Loss::plain(&mean_absolute_error::KIND);
    pub const LOG_COSH: Loss = Loss::plain(&log_cosh::KIND);
    pub const KL_DIVERGENCE: Loss = Loss::plain(&kl_divergence::KIND);
    pub const POISSON: Loss = Loss::plain(&poisson::KIND);
    pub const MINIMUM: Loss = Loss::plain(&minimum::KIND);

    /// Softmax cross-entropy with a class or with probabilities; the outputs are logits. Labels are not smoothed and
    /// all classes count the same, unless [`with`](Loss::with) sets `label_smoothing` or `class_weights`.
    pub fn cross_entropy() -> Loss {
        Loss::of(&cross_entropy::KIND)
    }

    /// Cross-entropy with a class, in which samples that are classified well already weigh less, the more so the larger
    /// `gamma`, of at least 0; [`with`](Loss::with) sets `alpha`, a weight for each class.
    pub fn focal(gamma: f32) -> Loss {
        Loss::first(&focal::KIND, gamma)
    }

    /// Huber's loss: squared error up to `delta`, which is above 0, and linear from there.
    pub fn huber(delta: f32) -> Loss {
        Loss::first(&huber::KIND, delta)
    }

    /// The hinge loss: by how much each other class comes closer to the right one than `margin`, above 0;
    /// [`with`](Loss::with) `squared`, the squares of that.
    pub fn hinge(margin: f32) -> Loss {
        Loss::first(&hinge::KIND, margin)
    }

    /// The hinge loss of each class against all others, the shortfalls squared or not.
    pub fn binary_hinge(squared: bool) -> Loss {
        Loss::first(&binary_hinge::KIND, squared)
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
}

impl LossKind {
    /// Registers the loss: recipes and saved models that this process reads from now on know its name.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if there is another loss of this name, or the name or a key is one that
    /// no recipe can have.
    pub fn register(&'static self) -> Result<()> {
        KINDS.register(self)
    }

    /// The loss of this name, built in or registered.
    pub fn named(name: &str) -> Option<&'static LossKind> {
        KINDS.named(name)
    }

    /// All losses: those that are built in, then those that are registered.
    pub fn all() -> Vec<&'static LossKind> {
        KINDS.all()
    }

    /// Checks that a recipe could have its name and its keys, and would not take it for another.
    pub(crate) fn check(&'static self) -> Result<()> {
        KINDS.check(self)
    }
}

impl Default for Loss {
    /// The default loss, [`Loss::cross_entropy`].
    fn default() -> Loss {
        Loss::cross_entropy()
    }
}

#[cfg(test)]
mod tests;
