//! An update rule as recipes know it, and one with its learning rate and hyper-parameters.

use crate::hyper::{HyperParameter, HyperValues, Range, non_negative, positive};
use crate::optim::{Rule, Search};

/// A kind of update rule: its name, its learning rate, its hyper-parameters, and how it is made. A program makes one of
/// its own as a `static`, of [`new`](OptimizerKind::new) and what else there is to say:
///
/// ```
/// use fallline::extend::{HyperParameter, unit_open};
/// use fallline::{Coefficients, Optimizer, OptimizerKind, Rule, StepSettings};
///
/// /// p ← p - rate · sign(g) · |g|^power
/// #[derive(Debug)]
/// struct Power(f64);
///
/// impl Rule for Power {
///     fn slots(&self) -> usize {
///         0
///     }
///
///     fn coefficients(&self, settings: StepSettings) -> Coefficients {
///         fallline::extend::coefficients([settings.learning_rate, self.0])
///     }
///
///     fn apply(&self, of_step: &Coefficients, p: &mut [f32], g: &mut [f32], _: &mut [&mut [f32]]) {
///         let [rate, power, ..] = *of_step;
///         p.iter_mut().zip(g).for_each(|(p, g)| *p -= rate * g.signum() * g.abs().powf(power));
///     }
/// }
///
/// static POWER: OptimizerKind =
///     OptimizerKind::new("power", 0.01, |values| Box::new(Power(values.number("power"))))
///         .hyper_parameters(&[HyperParameter::number("power", 0.5, unit_open(), "of the gradient")])
///         .formula("p ← p - rate · sign(g) · |g|^power");
///
/// fallline::testing::check_rule(&Optimizer::of(&POWER))?;
/// let trainer = fallline::Trainer::new().optimizer(Optimizer::of(&POWER).with("power", 0.25)?);
/// # let _ = trainer;
/// # Ok::<(), fallline::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct OptimizerKind {
    /// What recipes and the command line call it: 1 to 40 of `a-z`, `0-9` and `-`, a letter first.
    pub name: &'static str,
    /// The learning rate where a recipe gives none; it works on `mnist-mlp`.
    pub learning_rate: f64,
    /// What a step does, with p a parameter and g its gradient.
    pub formula: &'static str,
    /// Where the formula comes from.
    pub source: &'static str,
    /// Whether it needs the gradient of all samples in every step.
    pub full_batch: bool,
    /// In the order in which they are written.
    pub hyper_parameters: &'static [HyperParameter],
    /// The key whose value does not fit the others, and what would; None if all go together.
    pub conflict: fn(&HyperValues) -> Option<(&'static str, String)>,
    /// The rule with these values, of which each is in its range and there is no conflict.
    pub make: fn(&HyperValues) -> Box<dyn Rule>,
}

/// Names are unique.
impl PartialEq for OptimizerKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl OptimizerKind {
    /// A rule of this name, with this learning rate where nothing else is said; `make` is told its hyper-parameters, each
    /// in its range. It takes batches of any size and has no hyper-parameters, unless more is said.
    pub const fn new(
        name: &'static str,
        learning_rate: f64,
        make: fn(&HyperValues) -> Box<dyn Rule>,
    ) -> OptimizerKind {
        OptimizerKind {
            name,
            learning_rate,
            formula: "",
            source: "",
            full_batch: false,
            hyper_parameters: &[],
            conflict: |_| None,
            make,
        }
    }

    /// Adds hyper-parameters, in the order in which they are written.
    pub const fn hyper_parameters(self, hyper_parameters: &'static [HyperParameter]) -> OptimizerKind {
        OptimizerKind { hyper_parameters, ..self }
    }

    /// Refuses values that do not go together though each is in its range: tells the key of one, and what would fit.
    pub const fn conflict(
        self,
        conflict: fn(&HyperValues) -> Option<(&'static str, String)>,
    ) -> OptimizerKind {
        OptimizerKind { conflict, ..self }
    }

    /// Demands the gradient of all samples in every step.
    pub const fn full_batch(self) -> OptimizerKind {
        OptimizerKind { full_batch: true, ..self }
    }

    /// Sets what a step does, with p a parameter and g its gradient.
    pub const fn formula(self, formula: &'static str) -> OptimizerKind {
        OptimizerKind { formula, ..self }
    }

    /// Sets the source of the formula.
    pub const fn source(self, source: &'static str) -> OptimizerKind {
        OptimizerKind { source, ..self }
    }

    /// The learning rates that it may be given, in words.
    pub fn learning_rate_range(&'static self) -> &'static str {
        self.rates().text()
    }

    pub(super) fn rates(&'static self) -> Range {
        if self.searches() { positive() } else { non_negative() }
    }

    /// Whether its steps are found by a search.
    pub fn searches(&'static self) -> bool {
        Optimizer::of(self).rule().full_batch().is_some()
    }

    /// What the learning rate is to it.
    pub fn learning_rate_is(&'static self) -> &'static str {
        match Optimizer::of(self).rule().full_batch().map(|how| how.search) {
            None => "the rate of the formula",
            Some(Search::Descent(_)) => "the first step that a search tries",
            Some(Search::Global(global)) => global.method.rate_is(),
        }
    }
}

/// An update rule with its hyper-parameters, all of them in their ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer {
    /// At least 0.
    pub learning_rate: f64,
    pub(super) kind: &'static OptimizerKind,
    pub(super) values: HyperValues,
}

impl Optimizer {
    /// A rule with all its defaults.
    pub fn of(kind: &'static OptimizerKind) -> Optimizer {
        let values = HyperValues::of(kind.name, kind.hyper_parameters);
        Optimizer { learning_rate: kind.learning_rate, kind, values }
    }

    /// The name of the rule.
    pub fn name(&self) -> &'static str {
        self.kind.name
    }

    /// What is known of the rule.
    pub fn kind(&self) -> &'static OptimizerKind {
        self.kind
    }

    /// The hyper-parameters with their values.
    pub fn values(&self) -> &HyperValues {
        &self.values
    }

    /// The rule, ready to be used.
    pub fn rule(&self) -> Box<dyn Rule> {
        (self.kind.make)(&self.values)
    }

    /// The key whose value does not fit the others, what would, and what was found; none if all go together.
    pub(super) fn conflict(&self) -> Option<(&'static str, String, String)> {
        let (key, expected) = (self.kind.conflict)(&self.values)?;
        let found = self.values.get(key).map_or("nothing".into(), |value| value.to_string());
        Some((key, expected, found))
    }
}
