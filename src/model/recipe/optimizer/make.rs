//! Update rules as a program writes them.

use super::super::super::section::shortened;
use super::{Allowed, HyperParameter, HyperValue, OptimizerConfig, optimizer_kind};
use crate::error::{Error, Result};

/// What errors call the place of a rule that a program makes.
const PLACE: &str = "optimizer";

impl OptimizerConfig {
    /// The rule of this name with all its defaults; `fallline optimizers` lists them.
    ///
    /// ```
    /// use fallline::Optimizer;
    ///
    /// let rule = Optimizer::named("adamw")?.rate(2e-3).with("weight_decay", 0.05)?;
    /// assert_eq!(rule.learning_rate, 2e-3);
    /// assert!(Optimizer::named("adamv").is_err());
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn named(name: &str) -> Result<OptimizerConfig> {
        optimizer_kind(name, PLACE).map(OptimizerConfig::new)
    }

    /// Gradient descent with this learning rate.
    ///
    /// # Panics
    /// Never: the rule has an entry.
    pub fn sgd(learning_rate: f64) -> OptimizerConfig {
        OptimizerConfig::named("sgd").expect("the table of rules has it").rate(learning_rate)
    }

    /// Adam with this learning rate.
    ///
    /// # Panics
    /// Never: the rule has an entry.
    pub fn adam(learning_rate: f64) -> OptimizerConfig {
        OptimizerConfig::named("adam").expect("the table of rules has it").rate(learning_rate)
    }

    /// With this learning rate, of at least 0, in the place of the rule's default.
    pub fn rate(mut self, learning_rate: f64) -> OptimizerConfig {
        self.learning_rate = learning_rate;
        self
    }

    /// With this value of a hyper-parameter, by its key in a recipe. Whether it is in its range, and goes with the
    /// others, is found when the rule is used.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the rule has no such key, with the nearest one; [`Error::Setting`] if its value is of
    /// another kind.
    pub fn with(mut self, key: &str, value: impl Into<HyperValue>) -> Result<OptimizerConfig> {
        let known = || self.kind.hyper_parameters.iter().map(|parameter| parameter.key);
        let Some(index) = known().position(|known| known == key) else {
            return Err(Error::unknown(PLACE, "hyper-parameter", &shortened(key), known()));
        };
        let parameter: &HyperParameter = &self.kind.hyper_parameters[index];
        let value = match (value.into(), &parameter.allowed) {
            (HyperValue::Integer(value), Allowed::Number(..)) => HyperValue::Number(value as f64),
            (HyperValue::Name(name), Allowed::Name(_, names)) if names.contains(&name) => {
                HyperValue::Name(name)
            }
            (value @ HyperValue::Number(_), Allowed::Number(..))
            | (value @ HyperValue::Integer(_), Allowed::Integer { .. })
            | (value @ HyperValue::Choice(_), Allowed::Choice(_)) => value,
            (value, _) => {
                return Err(Error::Setting {
                    place: PLACE.into(),
                    key: key.into(),
                    expected: parameter.range(),
                    found: value.to_string(),
                });
            }
        };
        self.values[index] = value;
        Ok(self)
    }
}

macro_rules! values {
    ($($type:ty => $variant:ident,)*) => {$(
        impl From<$type> for HyperValue {
            fn from(value: $type) -> HyperValue {
                HyperValue::$variant(value)
            }
        }
    )*};
}

values! {
    f64 => Number,
    usize => Integer,
    bool => Choice,
    &'static str => Name,
}
