//! The update rules that a name may mean: those of the table, and those that the program has registered.

use std::sync::{PoisonError, RwLock};

use super::{OPTIMIZERS, OptimizerConfig, OptimizerKind};
use crate::error::{Error, Result};
use crate::hyper::HyperParameter;
use crate::optim::MOST_SLOTS;
use crate::panics;

/// The most characters of a name or a key.
const LONGEST: usize = 40;

/// Keys that the `[optimizer]` table has for every rule.
const TAKEN: [&str; 2] = ["name", "learning_rate"];

/// Those of the program, in the order in which they came.
static REGISTERED: RwLock<Vec<&'static OptimizerKind>> = RwLock::new(Vec::new());

/// All update rules: those of the table, simple ones first, then those that the program has registered.
pub fn optimizer_kinds() -> Vec<&'static OptimizerKind> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    OPTIMIZERS.iter().chain(registered.iter().copied()).collect()
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
    let found = optimizer_kinds().into_iter().find(|kind| kind.name == name);
    found.ok_or_else(|| Error::unknown(place, "optimizer", name, optimizer_names()))
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
        let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been quicker.
        match registered.iter().find(|kind| kind.name == self.name) {
            Some(kind) if std::ptr::eq(*kind, self) => {}
            Some(_) => return Err(self.duplicate()),
            None => registered.push(self),
        }
        Ok(())
    }

    /// That recipes can name the rule, and that it can be made.
    pub(crate) fn check(&'static self) -> Result<()> {
        let is_name = |name: &str, mark: u8| {
            let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == mark;
            (1..=LONGEST).contains(&name.len())
                && name.bytes().all(is_fine)
                && name.as_bytes()[0].is_ascii_lowercase()
        };
        let letters = |mark| format!("1 to {LONGEST} of a-z, 0-9 and {mark}, a letter first");
        if !is_name(self.name, b'-') {
            return Err(self.wrong("name", letters('-'), format!("{:?}", self.name)));
        }
        let is_other = |kind: &&OptimizerKind| kind.name == self.name && !std::ptr::eq(*kind, self);
        if optimizer_kinds().iter().any(is_other) {
            return Err(self.duplicate());
        }
        let mut keys: Vec<&str> = TAKEN.to_vec();
        for parameter in self.hyper_parameters {
            let &HyperParameter { key, .. } = parameter;
            if !is_name(key, b'_') {
                return Err(self.wrong(
                    "hyper_parameters",
                    format!("keys of {}", letters('_')),
                    format!("{key:?}"),
                ));
            }
            if keys.contains(&key) {
                return Err(self.wrong(
                    "hyper_parameters",
                    "keys that differ".into(),
                    format!("`{key}` twice"),
                ));
            }
            let default = parameter.default();
            if !parameter.holds(&default) {
                return Err(self.wrong(
                    key,
                    format!("by default {}", parameter.range()),
                    default.to_string(),
                ));
            }
            keys.push(key);
        }
        let config = OptimizerConfig::of(self);
        let made = panics::quietly(|| ((self.conflict)(&config), config.rule()));
        let (conflict, rule) = made.map_err(|message| {
            self.wrong("make", "a rule of the defaults".into(), format!("a panic ({message})"))
        })?;
        if let Some((key, expected)) = conflict {
            let found = config.value(key).map_or("nothing".into(), |value| value.to_string());
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

    fn duplicate(&self) -> Error {
        self.wrong("name", "a name that no other update rule has".into(), self.name.into())
    }

    fn wrong(&self, key: &str, expected: String, found: String) -> Error {
        let name: String = self.name.chars().take(LONGEST).filter(|c| !c.is_control()).collect();
        Error::Setting { place: format!("update rule `{name}`"), key: key.into(), expected, found }
    }
}
