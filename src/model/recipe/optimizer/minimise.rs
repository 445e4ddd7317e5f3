//! Functions minimised by a rule of the table.

use super::config::Optimizer;
use crate::error::{Error, Result};
use crate::optim::minimise::{Minimisation, Path, minimise};

impl Optimizer {
    /// Minimises a function of a few numbers with this rule, as it trains networks; see
    /// [`minimise`](crate::minimise). The function writes its gradient at a point, both `[n]`, and returns its value.
    ///
    /// ```
    /// use fallline::Optimizer;
    /// use fallline::minimise::Minimisation;
    ///
    /// let bowl = |p: &[f64], gradient: &mut [f64]| {
    ///     gradient.copy_from_slice(&[2.0 * p[0], 2.0 * (p[1] - 1.0)]);
    ///     p[0] * p[0] + (p[1] - 1.0) * (p[1] - 1.0)
    /// };
    /// let path = Optimizer::sgd(0.1).minimise(&Minimisation::from([3.0, -2.0]).steps(50), bowl)?;
    /// assert_eq!(path.points.len(), 51);
    /// assert!(path.value() < 1e-6);
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if a setting of the rule is out of its range, or the schedule does not
    /// suit it; [`Error::Mismatch`](crate::Error::Mismatch) if the start is none, or has more numbers than the rule takes.
    pub fn minimise(
        &self,
        minimisation: &Minimisation,
        function: impl FnMut(&[f64], &mut [f64]) -> f64,
    ) -> Result<Path> {
        self.check()?;
        minimise(self.rule().as_ref(), self.learning_rate, minimisation, function)
    }

    /// That each setting is in its range, and all go together.
    fn check(&self) -> Result<()> {
        let wrong = |key: &str, expected: String, found: String| {
            Err(Error::Setting {
                place: format!("optimizer {}", self.name()),
                key: key.into(),
                expected,
                found,
            })
        };
        let rates = self.kind.rates();
        if !rates.contains(self.learning_rate) {
            return wrong("learning_rate", rates.text().into(), self.learning_rate.to_string());
        }
        if let Some((parameter, value)) =
            self.values.iter().find(|(parameter, value)| !parameter.holds(value))
        {
            return wrong(parameter.key, parameter.range(), value.to_string());
        }
        match self.conflict() {
            Some((key, expected, found)) => wrong(key, expected, found),
            None => Ok(()),
        }
    }
}
