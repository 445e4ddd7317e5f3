//! What is known of a loss: the table of those that are built in, and those that a program adds.

use super::Loss;
use super::function::LossFunction;
use crate::error::Result;
use crate::hyper::{HyperParameter, Range, finite};
use crate::registry::{Kind, Registry};

/// A loss as recipes know it: its name, what may be set, what it may be compared with, and its arithmetic.
///
/// A program may have losses of its own, one `static` for each:
///
/// ```
/// use fallline::extend::{HyperParameter, unit_inner};
/// use fallline::{ElementwiseLoss, Loss, LossFunction, LossKind};
///
/// /// Whose least mean is at a quantile.
/// #[derive(Clone, Copy)]
/// struct Pinball(f32);
///
/// impl ElementwiseLoss for Pinball {
///     #[inline(always)]
///     fn at(self, output: f32, target: f32) -> (f32, f32) {
///         let slope = if output > target { 1.0 - self.0 } else { -self.0 };
///         (slope * (output - target), slope)
///     }
/// }
///
/// static PINBALL: LossKind =
///     LossKind::new("pinball", |loss| LossFunction::elementwise(Pinball(loss.single("quantile"))))
///         .hyper_parameters(&[HyperParameter::single("quantile", 0.5, unit_inner(), "the part below")]);
///
/// let loss = Loss::of(&PINBALL).with("quantile", 0.9)?;
/// fallline::testing::check_loss(&loss, 3)?;
/// # Ok::<(), fallline::Error>(())
/// ```
///
/// It trains as those that are built in do. A recipe or a saved model may name it once it is
/// [registered](LossKind::register).
#[derive(Debug)]
pub struct LossKind {
    name: &'static str,
    formula: &'static str,
    source: &'static str,
    hyper_parameters: &'static [HyperParameter],
    takes: Takes,
    /// The key of the class weights by whose sum the sum of the losses is divided, if it is not by the number of
    /// samples.
    mean_by: Option<&'static str>,
    make: fn(&Loss) -> LossFunction,
    reference: Option<Reference>,
}

/// Each is one of its own.
impl PartialEq for LossKind {
    fn eq(&self, other: &LossKind) -> bool {
        std::ptr::eq(self, other)
    }
}

/// The loss of one row in f64, naively, and its gradient by the outputs; of outputs and targets, \[outputs\]. A class
/// is the row that is 1 for it and 0 elsewhere.
pub type Reference = fn(&Loss, &[f64], &[f64]) -> (f64, Vec<f64>);

/// What a loss may be compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Takes {
    /// A class alone.
    Classes,
    /// A class, a mixture of two, or a probability for each class, which sum to 1.
    Probabilities,
    /// A class, a mixture of two, or a number in [0, 1] for each output.
    IndependentProbabilities,
    /// A number of this range for each output; a class is the row that is 1 for it and 0 elsewhere.
    Numbers(Range),
}

impl Takes {
    /// In words.
    pub fn text(self) -> String {
        match self {
            Takes::Classes => "a class".into(),
            Takes::Probabilities => "a class, or a probability for each, which sum to 1".into(),
            Takes::IndependentProbabilities => "a class, or a number in [0, 1] for each output".into(),
            Takes::Numbers(range) => format!("a class, or {} for each output", range.text()),
        }
    }
}

impl LossKind {
    /// A loss of this name, which is one of letters, digits and hyphens; `make` gives its arithmetic for the
    /// hyper-parameters that a [`Loss`] has. It takes finite numbers and has nothing to set, unless more is said.
    pub const fn new(name: &'static str, make: fn(&Loss) -> LossFunction) -> LossKind {
        LossKind {
            name,
            formula: "",
            source: "",
            hyper_parameters: &[],
            takes: Takes::Numbers(finite()),
            mean_by: None,
            make,
            reference: None,
        }
    }

    /// With what may be set, in the order in which it is written.
    pub const fn hyper_parameters(self, hyper_parameters: &'static [HyperParameter]) -> LossKind {
        LossKind { hyper_parameters, ..self }
    }

    /// With what it may be compared with; anything else is refused before training.
    pub const fn takes(self, takes: Takes) -> LossKind {
        LossKind { takes, ..self }
    }

    /// With the loss of a sample in plain text, for y the outputs, C of them, and t the target.
    pub const fn formula(self, formula: &'static str) -> LossKind {
        LossKind { formula, ..self }
    }

    /// With where the formula comes from.
    pub const fn source(self, source: &'static str) -> LossKind {
        LossKind { source, ..self }
    }

    /// With the same in f64, which [`check_loss`](crate::testing::check_loss) compares with.
    pub const fn reference(self, reference: Reference) -> LossKind {
        LossKind { reference: Some(reference), ..self }
    }

    /// A mean that divides by the sum of the class weights under this key, where there are some and targets are
    /// classes.
    pub(super) const fn mean_by(self, key: &'static str) -> LossKind {
        LossKind { mean_by: Some(key), ..self }
    }

    /// What recipes and the command line call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// As documentation shows it.
    pub fn about(&self) -> About {
        let LossKind { formula, source, hyper_parameters, takes, reference, .. } = *self;
        About { formula, source, hyper_parameters, takes, reference }
    }

    pub(super) fn mean_key(&self) -> Option<&'static str> {
        self.mean_by
    }

    pub(super) fn function(&self, loss: &Loss) -> LossFunction {
        (self.make)(loss)
    }

    /// Makes it known by its name to recipes and saved models that this process reads from now on.
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

    /// Those that are built in, then those that are registered.
    pub fn all() -> Vec<&'static LossKind> {
        KINDS.all()
    }

    /// That a recipe could have its name and its keys, and would not take it for another.
    pub(crate) fn check(&'static self) -> Result<()> {
        KINDS.check(self)
    }
}

impl Kind for LossKind {
    fn name(&self) -> &'static str {
        self.name
    }

    fn hyper_parameters(&self) -> &'static [HyperParameter] {
        self.hyper_parameters
    }
}

/// Every loss.
static KINDS: Registry<LossKind> =
    Registry::new("loss", || super::ALL.to_vec(), || [Vec::new(), vec!["type"]]);

/// What documentation shows of a loss.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The loss of a sample, for y the outputs, C of them, and t the target.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// In the order in which they are written.
    pub hyper_parameters: &'static [HyperParameter],
    pub takes: Takes,
    /// The same in f64, naively.
    pub reference: Option<Reference>,
}
