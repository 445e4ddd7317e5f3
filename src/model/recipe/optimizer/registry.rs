//! The update rules that a name may mean: those of the table, and those that the program has registered.

use super::config::{Optimizer, OptimizerKind};
use super::table::OPTIMIZERS;
use crate::error::{Error, Result};
use crate::hyper::HyperParameter;
use crate::optim::MOST_SLOTS;
use crate::panics;
use crate::registry::{Kind, Registry};

impl Kind for OptimizerKind {
    fn name(&self) -> &'static str {
        self.name
    }

    fn hyper_parameters(&self) -> &'static [HyperParameter] {
        self.hyper_parameters
    }
}

/// Every update rule.
static KINDS: Registry<OptimizerKind> = Registry::new(
    "update rule",
    || OPTIMIZERS.iter().collect(),
    || [Vec::new(), vec!["name", "learning_rate"]],
);

/// All update rules: those of the table, simple ones first, then those that the program has registered.
pub fn optimizer_kinds() -> Vec<&'static OptimizerKind> {
    KINDS.all()
}

/// The names of all update rules.
pub fn optimizer_names() -> impl Iterator<Item = &'static str> {
    optimizer_kinds().into_iter().map(|kind| kind.name)
}

/// The update rule of this name.
///
/// # Errors
/// [`Error::Unknown`] with the nearest name; `place` is where the name stands.
pub fn optimizer_kind(name: &str, place: &str) -> Result<&'static OptimizerKind> {
    KINDS.named(name).ok_or_else(|| Error::unknown(place, "optimizer", name, optimizer_names()))
}

impl OptimizerKind {
    /// Makes the rule known to the whole process: recipes, `--optimizer` and saved models may name it from now on.
    /// A [`Trainer`](crate::Trainer) takes it without. To register it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Setting`] if its name or one of its keys is none, or is another's already; if a default is out of its
    /// range; or if the rule cannot be made of its defaults.
    pub fn register(&'static self) -> Result<()> {
        self.check()?;
        KINDS.register(self)
    }

    /// That recipes can name the rule, and that it can be made.
    pub(crate) fn check(&'static self) -> Result<()> {
        KINDS.check(self)?;
        let config = Optimizer::of(self);
        let made = panics::quietly(|| (config.conflict(), config.rule()));
        let (conflict, rule) = made.map_err(|message| {
            self.wrong("make", "a rule of the defaults".into(), format!("a panic ({message})"))
        })?;
        if let Some((key, expected, found)) = conflict {
            return Err(self.wrong(key, format!("by default {expected}"), found));
        }
        if rule.slots() > MOST_SLOTS {
            return Err(self.wrong("slots", format!("at most {MOST_SLOTS}"), rule.slots().to_string()));
        }
        if !self.rates().contains(self.learning_rate) {
            let expected = format!("by default {}", self.learning_rate_range());
            return Err(self.wrong("learning_rate", expected, self.learning_rate.to_string()));
        }
        Ok(())
    }

    fn wrong(&self, key: &str, expected: String, found: String) -> Error {
        KINDS.wrong(self, key, expected, found)
    }
}
