//! The `[optimizer]` table: the name of an update rule, its learning rate and hyper-parameters.

mod full_batch;
mod make;
mod table;

pub(super) use full_batch::check as check_full_batch;
pub use full_batch::check_samples;
pub use table::OPTIMIZERS;

use super::super::section::{Range, Section, non_negative, positive};
use super::keys;
use crate::error::{Error, Result};
use crate::hyper;
use crate::optim::Rule;

use crate::hyper::Allowed;
pub use crate::hyper::{HyperParameter, HyperValue};

/// An update rule as recipes know it.
#[derive(Debug)]
pub struct OptimizerKind {
    /// What recipes and the command line call it.
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
    /// The key whose value does not fit the others, and what would.
    conflict: fn(&OptimizerConfig) -> Option<(&'static str, String)>,
    make: fn(&OptimizerConfig) -> Box<dyn Rule>,
}

/// Names are unique.
impl PartialEq for OptimizerKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl OptimizerKind {
    /// The learning rates that it may be given, in words.
    pub fn learning_rate_range(&'static self) -> &'static str {
        self.rates().text()
    }

    fn rates(&'static self) -> Range {
        if self.searches() { positive() } else { non_negative() }
    }

    /// Whether its steps are found by a line search.
    pub fn searches(&'static self) -> bool {
        OptimizerConfig::new(self).rule().full_batch().is_some()
    }
}

/// The names of all update rules.
pub fn optimizer_names() -> impl Iterator<Item = &'static str> {
    OPTIMIZERS.iter().map(|kind| kind.name)
}

/// The update rule of this name.
///
/// # Errors
/// [`Error::Unknown`] with the nearest name; `place` is where the name stands.
pub fn optimizer_kind(name: &str, place: &str) -> Result<&'static OptimizerKind> {
    let found = OPTIMIZERS.iter().find(|kind| kind.name == name);
    found.ok_or_else(|| Error::unknown(place, "optimizer", name, optimizer_names()))
}

/// An update rule with its hyper-parameters, all of them in their ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerConfig {
    /// At least 0.
    pub learning_rate: f64,
    kind: &'static OptimizerKind,
    /// As many as the kind has hyper-parameters, in their order.
    values: Vec<HyperValue>,
}

impl OptimizerConfig {
    /// A rule with all its defaults.
    pub fn new(kind: &'static OptimizerKind) -> OptimizerConfig {
        OptimizerConfig {
            learning_rate: kind.learning_rate,
            kind,
            values: hyper::defaults(kind.hyper_parameters),
        }
    }

    pub(super) fn read(mut section: Section) -> Result<OptimizerConfig> {
        let names: Vec<&str> = optimizer_names().collect();
        let name = section.choice("name", "optimizer", None, &names)?;
        let mut config = OptimizerConfig::new(optimizer_kind(name, "optimizer.name")?);
        config.learning_rate = section.number("learning_rate", config.learning_rate, config.kind.rates())?;
        config.values = keys::read(&mut section, config.kind.hyper_parameters)?;
        if let Some((key, expected)) = (config.kind.conflict)(&config) {
            let found = config.value(key).map_or("nothing".to_string(), |value| value.to_string());
            return Err(section.setting(key, &expected, &found));
        }
        section.finish()?;
        Ok(config)
    }

    /// The name of the rule.
    pub fn name(&self) -> &'static str {
        self.kind.name
    }

    /// What is known of the rule.
    pub fn kind(&self) -> &'static OptimizerKind {
        self.kind
    }

    /// All hyper-parameters with their values.
    pub fn values(&self) -> impl Iterator<Item = (&'static HyperParameter, HyperValue)> {
        self.kind.hyper_parameters.iter().zip(self.values.iter().cloned())
    }

    /// The value of a hyper-parameter; None if the rule has none of this key.
    pub fn value(&self, key: &str) -> Option<HyperValue> {
        self.values().find(|(parameter, _)| parameter.key == key).map(|(_, value)| value)
    }

    /// The rule, ready to be used.
    pub fn rule(&self) -> Box<dyn Rule> {
        (self.kind.make)(self)
    }

    /// The number under a key that the kind lists, which a test sees for all of them.
    fn number(&self, key: &str) -> f64 {
        match self.value(key) {
            Some(HyperValue::Number(number)) => number,
            other => unreachable!("{} has no number {key}, but {other:?}", self.name()),
        }
    }

    /// The integer under a key that the kind lists, as for numbers.
    fn integer(&self, key: &str) -> usize {
        match self.value(key) {
            Some(HyperValue::Integer(integer)) => integer,
            other => unreachable!("{} has no integer {key}, but {other:?}", self.name()),
        }
    }

    /// The name under a key that the kind lists, as for numbers.
    fn name_of(&self, key: &str) -> &'static str {
        match self.value(key) {
            Some(HyperValue::Name(name)) => name,
            other => unreachable!("{} has no name {key}, but {other:?}", self.name()),
        }
    }

    /// The choice under a key that the kind lists, as for numbers.
    fn choice(&self, key: &str) -> bool {
        match self.value(key) {
            Some(HyperValue::Choice(choice)) => choice,
            other => unreachable!("{} has no choice {key}, but {other:?}", self.name()),
        }
    }
}
