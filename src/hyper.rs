//! Hyper-parameters of update rules and losses: a key, the values that it may have, and its default.
//!
//! A table of rules or losses lists them; recipes are read, written and checked by that list.

use std::fmt;

use crate::error::{Error, Result};

/// The most characters of a name or a key that a table lists.
pub(crate) const LONGEST_NAME: usize = 40;

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

/// (0, 1)
pub fn inner_unit() -> Range {
    let text = "a number of samples, or a part of them between 0 and 1 (both excluded)";
    Range { includes_low: false, text, ..unit_open() }
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

/// (0, 1)
pub const fn fraction() -> Range {
    Range { high: 1.0, text: "a number above 0 and below 1", ..positive() }
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

/// A number, a choice or a name that a rule or a loss lets one set.
#[derive(Debug)]
pub struct HyperParameter {
    /// The key in recipes.
    pub key: &'static str,
    /// One line on what it does.
    pub about: &'static str,
    pub(crate) allowed: Allowed,
}

/// The default and what else is possible.
#[derive(Debug)]
pub(crate) enum Allowed {
    Number(f64, Range),
    /// A number that is in the range in single precision, too.
    Single(f32, Range),
    /// With the least and the largest that is possible.
    Integer {
        default: usize,
        low: usize,
        high: usize,
    },
    Choice(bool),
    /// One of these names.
    Name(&'static str, &'static [&'static str]),
    /// One for each class, none below 0 and one above; or none, which is 1 for each.
    ClassWeights,
}

/// The value of a hyper-parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum HyperValue {
    Number(f64),
    Single(f32),
    Integer(usize),
    Choice(bool),
    Name(&'static str),
    /// \[classes\], or none, which is 1 for each class.
    ClassWeights(Vec<f32>),
}

impl HyperParameter {
    /// A number in double precision, as update rules have them.
    pub const fn number(
        key: &'static str,
        default: f64,
        range: Range,
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter { key, about, allowed: Allowed::Number(default, range) }
    }

    /// A number in single precision, as losses have them.
    pub const fn single(
        key: &'static str,
        default: f32,
        range: Range,
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter { key, about, allowed: Allowed::Single(default, range) }
    }

    /// An integer between two, both included.
    pub const fn integer(
        key: &'static str,
        default: usize,
        [low, high]: [usize; 2],
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter { key, about, allowed: Allowed::Integer { default, low, high } }
    }

    /// `true` or `false`.
    pub const fn choice(key: &'static str, default: bool, about: &'static str) -> HyperParameter {
        HyperParameter { key, about, allowed: Allowed::Choice(default) }
    }

    /// One of some names.
    pub const fn name(
        key: &'static str,
        default: &'static str,
        names: &'static [&'static str],
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter { key, about, allowed: Allowed::Name(default, names) }
    }

    /// A number for each class, none below 0 and one above; 1 for each unless it is set.
    pub const fn class_weights(key: &'static str, about: &'static str) -> HyperParameter {
        HyperParameter { key, about, allowed: Allowed::ClassWeights }
    }

    /// Its value where a recipe gives none.
    pub fn default(&self) -> HyperValue {
        match self.allowed {
            Allowed::Number(default, _) => HyperValue::Number(default),
            Allowed::Single(default, _) => HyperValue::Single(default),
            Allowed::Integer { default, .. } => HyperValue::Integer(default),
            Allowed::Choice(default) => HyperValue::Choice(default),
            Allowed::Name(default, _) => HyperValue::Name(default),
            Allowed::ClassWeights => HyperValue::ClassWeights(Vec::new()),
        }
    }

    /// The values that it may have, in words.
    pub fn range(&self) -> String {
        match &self.allowed {
            Allowed::Number(_, range) | Allowed::Single(_, range) => range.text().into(),
            Allowed::Integer { low, high, .. } => integer_text(*low, *high),
            Allowed::Choice(_) => "true or false".into(),
            Allowed::Name(_, names) => format!("one of {}", names.join(", ")),
            Allowed::ClassWeights => "a weight for each class, none below 0 and one above".into(),
        }
    }

    /// Whether it may have this value. Of class weights, a number that is not one each may weigh is refused where the
    /// number of classes is known.
    pub fn holds(&self, value: &HyperValue) -> bool {
        match (value, &self.allowed) {
            (HyperValue::Number(value), Allowed::Number(_, range)) => range.contains(*value),
            (HyperValue::Single(value), Allowed::Single(_, range)) => range.contains((*value).into()),
            (HyperValue::Integer(value), Allowed::Integer { low, high, .. }) => (low..=high).contains(&value),
            (HyperValue::Choice(_), Allowed::Choice(_)) => true,
            (HyperValue::Name(name), Allowed::Name(_, names)) => names.contains(name),
            (HyperValue::ClassWeights(_), Allowed::ClassWeights) => true,
            _ => false,
        }
    }

    /// The value as it is kept, if it is of the right kind: an integer will do for a number.
    fn taken(&self, value: HyperValue) -> Option<HyperValue> {
        match (value, &self.allowed) {
            (HyperValue::Integer(value), Allowed::Number(..)) => Some(HyperValue::Number(value as f64)),
            (HyperValue::Integer(value), Allowed::Single(..)) => Some(HyperValue::Single(value as f32)),
            (HyperValue::Number(value), Allowed::Single(..)) => Some(HyperValue::Single(value as f32)),
            (HyperValue::Single(value), Allowed::Number(..)) => Some(HyperValue::Number(value.into())),
            (HyperValue::Name(name), Allowed::Name(_, names)) => {
                names.contains(&name).then_some(HyperValue::Name(name))
            }
            (value @ HyperValue::Number(_), Allowed::Number(..))
            | (value @ HyperValue::Single(_), Allowed::Single(..))
            | (value @ HyperValue::Integer(_), Allowed::Integer { .. })
            | (value @ HyperValue::Choice(_), Allowed::Choice(_))
            | (value @ HyperValue::ClassWeights(_), Allowed::ClassWeights) => Some(value),
            _ => None,
        }
    }
}

/// The values of hyper-parameters where a recipe gives none, in their order.
pub(crate) fn defaults(parameters: &[HyperParameter]) -> Vec<HyperValue> {
    parameters.iter().map(HyperParameter::default).collect()
}

/// Puts a value in place of that of this key. Whether it is in its range is found when it is used; `place` is what
/// errors call whose hyper-parameters these are.
///
/// # Errors
/// [`Error::Unknown`] with the nearest key if there is none of this one; [`Error::Setting`] if its value is of another
/// kind.
pub(crate) fn set(
    parameters: &[HyperParameter],
    values: &mut [HyperValue],
    place: &str,
    (key, value): (&str, HyperValue),
) -> Result<()> {
    let known = || parameters.iter().map(|parameter| parameter.key);
    let Some(index) = known().position(|known| known == key) else {
        let short: String = key.chars().take(LONGEST_NAME).collect();
        return Err(Error::unknown(place, "hyper-parameter", &short, known()));
    };
    let found = value.to_string();
    match parameters[index].taken(value) {
        Some(value) => values[index] = value,
        None => {
            let (place, key, expected) = (place.into(), key.into(), parameters[index].range());
            return Err(Error::Setting { place, key, expected, found });
        }
    }
    Ok(())
}

/// The shortest text that reads back as the value.
impl fmt::Display for HyperValue {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            HyperValue::Choice(choice) => write!(formatter, "{choice}"),
            HyperValue::Integer(integer) => write!(formatter, "{integer}"),
            HyperValue::Name(name) => write!(formatter, "{name}"),
            HyperValue::Number(number) if *number != 0.0 && number.abs() < 1e-3 => {
                write!(formatter, "{number:e}")
            }
            HyperValue::Number(number) => write!(formatter, "{number}"),
            HyperValue::Single(number) if *number != 0.0 && number.abs() < 1e-3 => {
                write!(formatter, "{number:e}")
            }
            HyperValue::Single(number) => write!(formatter, "{number}"),
            HyperValue::ClassWeights(weights) if weights.is_empty() => write!(formatter, "all 1"),
            HyperValue::ClassWeights(weights) => write!(formatter, "{weights:?}"),
        }
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
    f32 => Single,
    usize => Integer,
    bool => Choice,
    &'static str => Name,
    Vec<f32> => ClassWeights,
}
