//! How a training has failed.

use serde::{Deserialize, Serialize};

use super::nulls::null_is_nan;
use crate::error::Error;

/// How a training has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Divergence {
    /// The name of the number that is not finite, or "the mean training loss".
    pub what: String,
    /// The value itself; `null` in JSON if it is not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub value: f64,
    /// The loss of the first step, which the value exceeds; absent if the value is not finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
    /// The last step.
    pub step: u64,
    /// The epoch of that step, from 1.
    pub epoch: usize,
    /// The recipe's `optimizer.learning_rate`, which schedules start from.
    pub learning_rate: f64,
}

impl Divergence {
    /// The divergence of an [`Error::Diverged`]; the error back, if it is another one.
    pub(in crate::train) fn of(error: Error) -> Result<Divergence, Error> {
        match error {
            Error::Diverged { what, value, step, epoch, learning_rate } => {
                Ok(Divergence { what, value, first: None, step, epoch, learning_rate })
            }
            other => Err(other),
        }
    }

    /// The divergence as an error, if something is not finite.
    pub fn error(&self) -> Option<Error> {
        let Divergence { what, value, first, step, epoch, learning_rate } = self.clone();
        first.is_none().then_some(Error::Diverged { what, value, step, epoch, learning_rate })
    }
}
