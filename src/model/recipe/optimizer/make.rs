//! Update rules as a program writes them.

use super::config::Optimizer;
use super::registry::optimizer_kind;
use crate::error::Result;
use crate::hyper::HyperValue;

/// What errors call the place of a rule that a program makes.
const PLACE: &str = "optimizer";

impl Optimizer {
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
    /// [`Error::Unknown`](crate::Error::Unknown) with the nearest name.
    pub fn named(name: &str) -> Result<Optimizer> {
        optimizer_kind(name, PLACE).map(Optimizer::of)
    }

    /// Gradient descent with this learning rate.
    ///
    /// # Panics
    /// Never: the rule has an entry.
    pub fn sgd(learning_rate: f64) -> Optimizer {
        Optimizer::named("sgd").expect("the table of rules has it").rate(learning_rate)
    }

    /// Adam with this learning rate.
    ///
    /// # Panics
    /// Never: the rule has an entry.
    pub fn adam(learning_rate: f64) -> Optimizer {
        Optimizer::named("adam").expect("the table of rules has it").rate(learning_rate)
    }

    /// With this learning rate, of at least 0, in the place of the rule's default.
    pub fn rate(mut self, learning_rate: f64) -> Optimizer {
        self.learning_rate = learning_rate;
        self
    }

    /// With this value of a hyper-parameter, by its key in a recipe. Whether it is in its range, and goes with the
    /// others, is found when the rule is used.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) if the rule has no such key, with the nearest one; [`Error::Setting`](crate::Error::Setting) if its value is of
    /// another kind.
    pub fn with(mut self, key: &str, value: impl Into<HyperValue>) -> Result<Optimizer> {
        self.values.set(PLACE, key, value.into())?;
        Ok(self)
    }
}
