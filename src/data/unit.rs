//! What target values are measured in.

use serde::{Deserialize, Serialize};

/// What target values are measured in: the number that a target value t stands for is t * factor + offset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Above 0.
    pub factor: f64,
    pub offset: f64,
}

impl Unit {
    /// Values that stand for themselves.
    pub const ONE: Unit = Unit { factor: 1.0, offset: 0.0 };

    /// The number that a target value stands for.
    pub fn number(self, value: f64) -> f64 {
        value * self.factor + self.offset
    }

    /// The target value of a number.
    pub fn value(self, number: f64) -> f64 {
        (number - self.offset) / self.factor
    }

    /// Whether both numbers are finite, and the factor is above 0.
    pub fn is_sound(self) -> bool {
        self.factor > 0.0 && self.factor.is_finite() && self.offset.is_finite()
    }
}
