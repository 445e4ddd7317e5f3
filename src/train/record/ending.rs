//! Why a training ended.

use serde::{Deserialize, Serialize};

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    Epochs,
    Interrupted,
    /// Something is no longer finite.
    Diverged,
    Steps,
    Seconds,
    GradientNorm,
    Accuracy,
    Loss,
    Tolerance,
    Patience,
    /// No element of the gradient is above the optimizer's `tolerance_grad`.
    ToleranceGrad,
    /// An iteration changed less than the optimizer's `tolerance_change`.
    ToleranceChange,
    /// A line search found nothing better, not even along the gradient.
    LineSearch,
}

impl Ending {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Epochs => "epochs",
            Ending::Interrupted => "interrupted",
            Ending::Diverged => "diverged",
            Ending::Steps => "steps",
            Ending::Seconds => "seconds",
            Ending::GradientNorm => "gradient-norm",
            Ending::Accuracy => "accuracy",
            Ending::Loss => "loss",
            Ending::Tolerance => "tolerance",
            Ending::Patience => "patience",
            Ending::ToleranceGrad => "tolerance-grad",
            Ending::ToleranceChange => "tolerance-change",
            Ending::LineSearch => "line-search",
        }
    }
}
