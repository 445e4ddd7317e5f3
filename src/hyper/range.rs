//! Intervals of numbers, with a text for each.

/// An interval of numbers that a setting must lie in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    low: f64,
    includes_low: bool,
    high: f64,
    includes_high: bool,
    text: &'static str,
}

impl Range {
    /// What lies in it, in words.
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// The same interval, in these words.
    pub const fn described(self, text: &'static str) -> Range {
        Range { text, ..self }
    }

    /// The bounds, which may be infinite and need not lie in it.
    pub fn bounds(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// Whether this number lies in it; NaN lies in none.
    pub fn contains(&self, x: f64) -> bool {
        let above = x > self.low || (self.includes_low && x == self.low);
        let below = x < self.high || (self.includes_high && x == self.high);
        // No comparison holds for NaN.
        above && below
    }
}

/// Any number, except NaN and the infinities.
pub const fn finite() -> Range {
    let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
    Range { low, includes_low: false, high, includes_high: false, text: "a finite number" }
}

/// (0, ∞)
pub const fn positive() -> Range {
    Range { low: 0.0, text: "a number above 0", ..finite() }
}

/// [0, ∞)
pub const fn non_negative() -> Range {
    Range { low: 0.0, includes_low: true, text: "a number of at least 0", ..finite() }
}

/// [0, 1)
pub const fn unit_open() -> Range {
    Range { low: 0.0, includes_low: true, high: 1.0, text: "a number in [0, 1)", ..finite() }
}

/// [0, 1]
pub const fn unit() -> Range {
    Range { includes_high: true, text: "a number in [0, 1]", ..unit_open() }
}

/// (0, 1)
pub const fn unit_inner() -> Range {
    Range { includes_low: false, text: "a number in (0, 1)", ..unit_open() }
}

/// (1, ∞)
pub const fn above_one() -> Range {
    Range { low: 1.0, text: "a number above 1", ..finite() }
}

/// What stays above 0 in single precision with denormals flushed: it may be divided by.
pub const fn divisor() -> Range {
    Range { low: 1.2e-38, includes_low: true, text: "a number of at least 1.2e-38", ..finite() }
}

/// (0, 1]
pub const fn unit_positive() -> Range {
    Range { high: 1.0, includes_high: true, text: "a number above 0 and at most 1", ..positive() }
}

/// [1, ∞)
pub const fn at_least_one() -> Range {
    Range { low: 1.0, text: "a number of at least 1", ..non_negative() }
}

/// [low, high]
pub const fn between(low: f64, high: f64, text: &'static str) -> Range {
    Range { low, includes_low: true, high, includes_high: true, text }
}

/// (low, high]
pub const fn above(low: f64, high: f64, text: &'static str) -> Range {
    Range { includes_low: false, ..between(low, high, text) }
}

/// The integers between `low` and `high`, both included, in words.
pub fn integer_text(low: usize, high: usize) -> String {
    format!("an integer from {low} to {high}")
}
