//! The kinds of losses: those that are built in, and those that a program adds.

use std::fmt;

use super::function::LossFunction;
use super::outcome::Outcome;
use crate::error::Result;
use crate::hyper::{HyperParameter, HyperValue, HyperValues, Range, finite};
use crate::registry::Kind;

/// A kind of loss: its name, its hyper-parameters, the targets that it takes, and its arithmetic.
///
/// A program may have losses of its own, one `static` for each:
///
/// ```
/// use fallline::extend::{HyperParameter, unit_inner};
/// use fallline::{ElementwiseLoss, Loss, LossFunction, LossKind};
///
/// /// The loss whose least mean is at a quantile.
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
///     LossKind::new("pinball", |values| LossFunction::elementwise(Pinball(values.single("quantile"))))
///         .hyper_parameters(&[HyperParameter::single("quantile", 0.5, unit_inner(), "the part below")]);
///
/// let loss = Loss::of(&PINBALL).with("quantile", 0.9)?;
/// fallline::testing::check_loss(&loss, 3)?;
/// # Ok::<(), fallline::Error>(())
/// ```
///
/// It trains as a built-in loss does. A recipe or a saved model may name it once it is
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
    outcome: Outcome,
    make: fn(&HyperValues) -> LossFunction,
    reference: Option<Reference>,
}

/// A kind equals itself alone.
impl PartialEq for LossKind {
    fn eq(&self, other: &LossKind) -> bool {
        std::ptr::eq(self, other)
    }
}

/// The naive twin in f64 of the loss of one row, and its gradient by the outputs; of hyper-parameters, and of outputs
/// and targets, \[outputs\].
/// A class is the row that is 1 for it and 0 elsewhere.
pub type Reference = fn(&HyperValues, &[f64], &[f64]) -> (f64, Vec<f64>);

/// The targets that a loss takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Takes {
    /// A class alone.
    Classes,
    /// A class, a mixture of two, or a probability for each class, which sum to 1.
    Probabilities,
    /// A class, a mixture of two, or a number in [0, 1] for each output.
    IndependentProbabilities,
    /// Nothing: targets, if there are some, are not looked at.
    Nothing,
    /// A number of this range for each output; a class is the row that is 1 for it and 0 elsewhere.
    Numbers(Range),
}

impl Takes {
    /// The targets in words.
    pub fn text(self) -> String {
        match self {
            Takes::Classes => "a class".into(),
            Takes::Nothing => "none; samples may have some, which are not looked at".into(),
            Takes::Probabilities => "a class, or a probability for each, which sum to 1".into(),
            Takes::IndependentProbabilities => "a class, or a number in [0, 1] for each output".into(),
            Takes::Numbers(range) => format!("a class, or {} for each output", range.text()),
        }
    }
}

impl LossKind {
    /// A loss of this name, which is one of letters, digits and hyphens; `make` gives its arithmetic for the
    /// hyper-parameters that a [`Loss`] has. It takes finite numbers and has no hyper-parameters, unless more is said.
    pub const fn new(name: &'static str, make: fn(&HyperValues) -> LossFunction) -> LossKind {
        LossKind {
            name,
            formula: "",
            source: "",
            hyper_parameters: &[],
            takes: Takes::Numbers(finite()),
            mean_by: None,
            outcome: Outcome::Values,
            make,
            reference: None,
        }
    }

    /// Adds hyper-parameters, in the order in which they are written.
    pub const fn hyper_parameters(self, hyper_parameters: &'static [HyperParameter]) -> LossKind {
        LossKind { hyper_parameters, ..self }
    }

    /// Sets the targets that it takes; any others are refused before training.
    pub const fn takes(self, takes: Takes) -> LossKind {
        LossKind { takes, ..self }
    }

    /// Sets what outputs of the network stand for; they stand for themselves unless this is said.
    pub const fn outcome(self, outcome: Outcome) -> LossKind {
        LossKind { outcome, ..self }
    }

    /// Sets the formula: the loss of a sample in plain text, for y the outputs, C of them, and t the target.
    pub const fn formula(self, formula: &'static str) -> LossKind {
        LossKind { formula, ..self }
    }

    /// Sets the source of the formula.
    pub const fn source(self, source: &'static str) -> LossKind {
        LossKind { source, ..self }
    }

    /// Sets the naive twin in f64, which [`check_loss`](crate::testing::check_loss) compares with.
    pub const fn reference(self, reference: Reference) -> LossKind {
        LossKind { reference: Some(reference), ..self }
    }

    /// Makes the mean divide by the sum of the class weights under this key, where there are some and targets are
    /// classes.
    pub(super) const fn mean_by(self, key: &'static str) -> LossKind {
        LossKind { mean_by: Some(key), ..self }
    }

    /// The name in recipes and on the command line.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The facts that documentation shows of the loss.
    pub fn about(&self) -> About {
        let LossKind { formula, source, hyper_parameters, takes, reference, .. } = *self;
        About { formula, source, hyper_parameters, takes, reference }
    }

    /// What outputs of the network stand for.
    pub fn gives(&self) -> Outcome {
        self.outcome
    }

    pub(super) fn mean_key(&self) -> Option<&'static str> {
        self.mean_by
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

/// The facts that documentation shows of a loss.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The loss of a sample, for y the outputs, C of them, and t the target.
    pub formula: &'static str,
    /// The paper that the formula comes from.
    pub source: &'static str,
    /// The hyper-parameters, in the order in which they are written.
    pub hyper_parameters: &'static [HyperParameter],
    pub takes: Takes,
    /// The naive twin in f64, if there is one.
    pub reference: Option<Reference>,
}

/// The place of a program's loss in errors.
pub(super) const PLACE: &str = "loss";

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
#[derive(Clone, PartialEq)]
pub struct Loss {
    kind: &'static LossKind,
    values: HyperValues,
}

impl Loss {
    /// A loss of a kind without hyper-parameters.
    pub(super) const fn plain(kind: &'static LossKind) -> Loss {
        Loss { kind, values: HyperValues::none(kind.name) }
    }

    /// A loss with this first hyper-parameter, and the others as they are by default.
    pub(super) fn first(kind: &'static LossKind, value: impl Into<HyperValue>) -> Loss {
        let mut loss = Loss::of(kind);
        loss.values.put(0, value.into());
        loss
    }

    /// A loss with all its defaults, of a kind that may be a program's own.
    pub fn of(kind: &'static LossKind) -> Loss {
        Loss { kind, values: HyperValues::of(kind.name, kind.hyper_parameters) }
    }

    /// A loss with all of these values, as many as the kind has hyper-parameters and of their types.
    pub(crate) fn with_values(kind: &'static LossKind, values: Vec<HyperValue>) -> Loss {
        Loss { kind, values: Loss::of(kind).values.all_set(values) }
    }

    /// Sets a hyper-parameter, by its key in a recipe. Whether the value is in its range is found when the loss
    /// is used.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) if the loss has no such key, with the nearest one; [`Error::Setting`](crate::Error::Setting) if its value is of
    /// another kind.
    pub fn with(mut self, key: &str, value: impl Into<HyperValue>) -> Result<Loss> {
        self.values.set(PLACE, key, value.into())?;
        Ok(self)
    }

    /// The kind of the loss.
    pub fn kind(&self) -> &'static LossKind {
        self.kind
    }

    /// The name in recipes.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The hyper-parameters with their values.
    pub fn values(&self) -> &HyperValues {
        &self.values
    }

    /// The arithmetic of the loss.
    pub fn function(&self) -> LossFunction {
        (self.kind.make)(&self.values).with_mean_by(self.mean_weights().to_vec())
    }

    /// The class weights by which the mean is divided, \[classes\]; or none.
    pub(super) fn mean_weights(&self) -> &[f32] {
        self.kind.mean_key().map_or(&[], |key| self.values.class_weights(key))
    }

    /// Whether targets may be classes: where the loss has a meaning for targets of 0 and 1.
    pub fn takes_classes(&self) -> bool {
        match self.kind.about().takes {
            Takes::Numbers(range) => range.contains(0.0) && range.contains(1.0),
            Takes::Nothing => false,
            _ => true,
        }
    }

    /// Whether there are targets at all: a loss without any is of the outputs alone.
    pub fn takes_targets(&self) -> bool {
        self.kind.about().takes != Takes::Nothing
    }

    /// Whether it is the cross-entropy, in nats, without smoothing or weights of classes.
    pub(crate) fn is_cross_entropy(&self) -> bool {
        self.name() == "cross-entropy"
            && self.mean_weights().is_empty()
            && self.values().single("label_smoothing") == 0.0
    }

    /// Whether targets may be [mixtures](crate::kernels::loss::Targets::Mixed) of two classes: where the loss is one of
    /// probabilities.
    pub fn takes_mixtures(&self) -> bool {
        matches!(self.kind.about().takes, Takes::Probabilities | Takes::IndependentProbabilities)
    }
}

impl fmt::Debug for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())?;
        for (index, (parameter, value)) in self.values.iter().enumerate() {
            write!(formatter, "{} {} {value}", if index == 0 { " with" } else { "," }, parameter.key)?;
        }
        Ok(())
    }
}
