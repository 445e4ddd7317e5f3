//! What a key may be: `optimizer.learning_rate=1e-4..1e-1:log`, `train.batch=32,64,128`.

use std::str::FromStr;

use toml::Value;

use crate::foreign::line;
use crate::{Error, Result, panics};

/// The most values of a list, and points of a range.
pub const MOST_VALUES: usize = 10_000;

/// Digits of numbers between the ends of a range: more say nothing that a search could know.
const DIGITS: usize = 6;

/// A key of a recipe and what it may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    /// The dotted key, as of `--set`.
    pub key: String,
    pub range: Range,
    /// As it was given, behind the `=`.
    pub text: String,
}

/// What a key may be. A place in it is a number from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// All numbers between two, evenly or by their logarithms.
    Numbers { low: f64, high: f64, log: bool },
    /// The same of integers.
    Integers { low: i64, high: i64, log: bool },
    /// So many points of a range, from end to end.
    Points { values: Vec<Value>, log: bool },
    /// These values, of which none is nearer to another.
    List(Vec<Value>),
}

impl FromStr for Over {
    type Err = Error;

    /// Reads `KEY=LOW..HIGH`, with `:log` and `:POINTS` behind it, or `KEY=VALUE,VALUE`. Two integers make a range of
    /// integers; [`Space::new`](super::Space::new) finds out whether the key takes other numbers.
    fn from_str(text: &str) -> Result<Over> {
        let wrong = |key: &str, expected: &str| refused(key, expected, text);
        let form = "KEY=LOW..HIGH, KEY=LOW..HIGH:log or KEY=VALUE,VALUE, such as \
                    optimizer.learning_rate=1e-4..1e-1:log";
        let Some((key, range)) = text.split_once('=') else { return Err(wrong("--over", form)) };
        let (key, range) = (key.trim(), range.trim());
        if key.is_empty() || key.split('.').any(str::is_empty) || range.is_empty() {
            return Err(wrong("--over", form));
        }
        let over = |range_of| Over { key: key.into(), range: range_of, text: range.into() };
        match ends(range) {
            Some((low, high, rest)) => range_between(key, low, high, rest, range).map(over),
            None => list(key, range).map(over),
        }
    }
}

/// The ends of `LOW..HIGH` and what stands behind them; none of a list.
fn ends(text: &str) -> Option<(&str, &str, Vec<&str>)> {
    let (low, rest) = text.split_once("..").filter(|(low, _)| !low.contains([',', '"', '\'', '[']))?;
    let mut parts = rest.split(':');
    Some((low.trim(), parts.next()?.trim(), parts.map(str::trim).collect()))
}

fn range_between(key: &str, low: &str, high: &str, rest: Vec<&str>, text: &str) -> Result<Range> {
    let number = |of: &str| of.parse::<f64>().ok().filter(|number| number.is_finite());
    let Some((from, to)) = number(low).zip(number(high)) else {
        return Err(refused(key, "two finite numbers with .. between them", text));
    };
    let (mut log, mut points) = (false, None);
    for part in rest {
        match part {
            "log" if !log => log = true,
            part if points.is_none() => {
                let count = part.parse().ok().filter(|count| (2..=MOST_VALUES).contains(count));
                let expected = format!("`log` or a number of points from 2 to {MOST_VALUES} behind a range");
                points = Some(count.ok_or_else(|| refused(key, &expected, part))?);
            }
            part => return Err(refused(key, "`log` and a number of points once each behind a range", part)),
        }
    }
    if from >= to {
        let reason = if from == to { "an empty range" } else { "a reversed one" };
        let expected = format!("a range whose lower end, below the upper one, comes first, not {reason}");
        return Err(refused(key, &expected, text));
    }
    if log && from <= 0.0 {
        return Err(refused(key, "numbers above 0 in a range by logarithms", text));
    }
    let range = match low.parse::<i64>().ok().zip(high.parse().ok()) {
        Some((low, high)) => Range::Integers { low, high, log },
        None => Range::Numbers { low: from, high: to, log },
    };
    match points {
        None => Ok(range),
        Some(points) => Ok(range.in_points(points)),
    }
}

fn list(key: &str, text: &str) -> Result<Range> {
    let values = items(text);
    if values.iter().any(|item| item.is_empty()) || values.len() > MOST_VALUES {
        let expected = format!("at most {MOST_VALUES} values with commas between them");
        return Err(refused(key, &expected, text));
    }
    let values: Vec<Value> = values.into_iter().map(value).collect();
    for (index, value) in values.iter().enumerate() {
        if values[..index].contains(value) {
            return Err(refused(key, "values that are all different", text));
        }
    }
    Ok(Range::List(values))
}

/// The items of a list: commas within brackets and quotes are parts of one.
fn items(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut quote, mut start) = (Vec::new(), 0usize, None, 0);
    for (place, letter) in text.char_indices() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) => quote = Some(letter),
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.push(text[start..place].trim());
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// A value as `--set` takes it: what is no TOML is a text.
fn value(text: &str) -> Value {
    let parsed = panics::caught(|| text.parse()).ok().and_then(std::result::Result::ok);
    parsed.unwrap_or_else(|| Value::from(text))
}

pub(super) fn refused(key: &str, expected: &str, found: &str) -> Error {
    let key = if key == "--over" { key.to_string() } else { format!("--over {}", line(key, 120)) };
    let found = format!("`{}`", line(found, 80));
    Error::Setting { place: "command line".into(), key, expected: expected.into(), found }
}

impl Range {
    /// So many points of the range, from end to end; of integers fewer, if that is all there are.
    fn in_points(self, points: usize) -> Range {
        let at = |index: usize| self.value(index as f64 / (points - 1) as f64);
        let mut values: Vec<Value> = (0..points).map(at).collect();
        values.dedup();
        let log = match self {
            Range::Numbers { log, .. } | Range::Integers { log, .. } | Range::Points { log, .. } => log,
            Range::List(_) => false,
        };
        Range::Points { values, log }
    }

    /// How many values there are, if they can be counted off one by one.
    pub fn count(&self) -> Option<usize> {
        match self {
            Range::Points { values, .. } | Range::List(values) => Some(values.len()),
            Range::Numbers { .. } | Range::Integers { .. } => None,
        }
    }

    /// Whether the values are in an order, so that one is nearer to some than to others.
    pub fn is_ordered(&self) -> bool {
        !matches!(self, Range::List(_))
    }

    /// Whether places go by logarithms.
    pub fn is_log(&self) -> bool {
        match self {
            Range::Numbers { log, .. } | Range::Integers { log, .. } | Range::Points { log, .. } => *log,
            Range::List(_) => false,
        }
    }

    /// The same range of any numbers, if it was one of integers.
    pub(super) fn of_numbers(&self) -> Range {
        match *self {
            Range::Integers { low, high, log } => Range::Numbers { low: low as f64, high: high as f64, log },
            ref other => other.clone(),
        }
    }

    /// The value at a place from 0 to 1.
    pub fn value(&self, place: f64) -> Value {
        let place = place.clamp(0.0, 1.0);
        match self {
            Range::Numbers { low, high, log } => {
                // The ends are met exactly.
                let between = if place == 0.0 {
                    *low
                } else if place == 1.0 {
                    *high
                } else {
                    rounded(within(*low, *high, *log, place)).clamp(*low, *high)
                };
                Value::Float(between)
            }
            Range::Integers { low, high, log } => {
                // Each integer has the places half way to its neighbours.
                let [first, last] = [*low as f64 - 0.5, *high as f64 + 0.5];
                let near = within(first, last, *log, place).round();
                Value::Integer((near as i64).clamp(*low, *high))
            }
            Range::Points { values, .. } | Range::List(values) => values[cell(values.len(), place)].clone(),
        }
    }

    /// The place of the value at a place: equal values have equal ones.
    pub fn snapped(&self, place: f64) -> f64 {
        match self {
            Range::Numbers { low, high, log } => match self.value(place) {
                Value::Float(value) => inverse(*low, *high, *log, value),
                _ => place,
            },
            Range::Integers { low, high, log } => match self.value(place) {
                Value::Integer(value) => inverse(*low as f64 - 0.5, *high as f64 + 0.5, *log, value as f64),
                _ => place,
            },
            Range::Points { values, .. } | Range::List(values) => {
                (cell(values.len(), place) as f64 + 0.5) / values.len() as f64
            }
        }
    }

    /// The lowest and the highest value, or all of a list: what is tried before a search begins.
    pub(super) fn ends(&self) -> Vec<f64> {
        match self {
            Range::List(values) => (0..values.len()).map(|index| self.middle(index)).collect(),
            _ => vec![0.0, 1.0],
        }
    }

    /// The place of the value with this index.
    pub(super) fn middle(&self, index: usize) -> f64 {
        (index as f64 + 0.5) / self.count().unwrap_or(1) as f64
    }
}

/// The index of one of so many equal parts of [0, 1].
fn cell(count: usize, place: f64) -> usize {
    ((place.clamp(0.0, 1.0) * count as f64) as usize).min(count - 1)
}

fn within(low: f64, high: f64, log: bool, place: f64) -> f64 {
    if log {
        (low.ln() + place * (high.ln() - low.ln())).exp()
    } else {
        // A difference of the ends may be more than a number holds.
        low * (1.0 - place) + high * place
    }
}

fn inverse(low: f64, high: f64, log: bool, value: f64) -> f64 {
    let place = if log {
        (value.ln() - low.ln()) / (high.ln() - low.ln())
    } else {
        (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
    };
    place.clamp(0.0, 1.0)
}

/// The number in [`DIGITS`] digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value)
}

/// A value as people write it: 0.001, 64, adam.
pub fn told(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => crate::error::rate(*number),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        format!("a.b={text}").parse::<Over>().unwrap().range
    }

    #[test]
    fn ranges_and_lists_are_read() {
        assert_eq!(range("1e-4..1e-1:log"), Range::Numbers { low: 1e-4, high: 0.1, log: true });
        assert_eq!(range("-1..1.5"), Range::Numbers { low: -1.0, high: 1.5, log: false });
        assert_eq!(range("1..10"), Range::Integers { low: 1, high: 10, log: false });
        assert_eq!(range("adam,sgd"), Range::List(vec!["adam".into(), "sgd".into()]));
        assert_eq!(range("32, 64"), Range::List(vec![32.into(), 64.into()]));
        assert_eq!(range("[1, 2],[3]").count(), Some(2));
        assert_eq!(range("true"), Range::List(vec![true.into()]));
        let points = range("1e-4..1e-1:log:4");
        let expected = [1e-4, 1e-3, 1e-2, 1e-1].map(Value::Float).to_vec();
        assert_eq!(points, Range::Points { values: expected, log: true });
        assert_eq!(range("1..3:9").count(), Some(3), "there are no more integers");
    }

    #[test]
    fn what_is_no_range_is_refused_with_the_reason() {
        for (text, reason) in [
            ("a.b", "expected KEY=LOW..HIGH"),
            ("=1..2", "expected KEY=LOW..HIGH"),
            ("a..b=1..2", "expected KEY=LOW..HIGH"),
            ("a.b=", "expected KEY=LOW..HIGH"),
            ("a.b=1..1", "an empty range"),
            ("a.b=2..1", "a reversed one"),
            ("a.b=0..1:log", "above 0 in a range by logarithms"),
            ("a.b=-1..1:log", "above 0 in a range by logarithms"),
            ("a.b=1..inf", "two finite numbers"),
            ("a.b=1..x", "two finite numbers"),
            ("a.b=1..nan", "two finite numbers"),
            ("a.b=1..2:lin", "`log` or a number of points from 2"),
            ("a.b=1..2:1", "`log` or a number of points from 2"),
            ("a.b=1..2:99999999999999999999", "`log` or a number of points from 2"),
            ("a.b=1..2:log:log", "`log` or a number of points"),
            ("a.b=1..2:3:4", "once each"),
            ("a.b=1,,2", "with commas between them"),
            ("a.b=1,1", "all different"),
        ] {
            let message = text.parse::<Over>().unwrap_err().to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }

    #[test]
    fn places_give_values_and_values_give_places_back() {
        let log = range("1e-4..1e-1:log");
        assert_eq!([0.0, 1.0 / 3.0, 1.0].map(|place| told(&log.value(place))), ["0.0001", "0.001", "0.1"]);
        let whole = range("1..4");
        let values: Vec<i64> =
            (0..8).map(|place| whole.value(place as f64 / 8.0 + 0.01).as_integer().unwrap()).collect();
        assert_eq!(values, [1, 1, 2, 2, 3, 3, 4, 4], "each integer is as likely as another");
        assert_eq!(range("a,b").value(0.6), "b".into());
        for text in ["1e-4..1e-1:log", "1..4", "1..1000:log", "0.5..0.75", "0..1:5", "a,b,c"] {
            let range = range(text);
            for step in 0..=40 {
                let place = f64::from(step) / 40.0;
                let snapped = range.snapped(place);
                assert_eq!(range.value(snapped), range.value(place), "{text} at {place}");
                assert!((range.snapped(snapped) - snapped).abs() < 1e-12, "{text} at {place}");
            }
        }
        // Ends whose difference is no number.
        let wide = range("-1e308..1e308");
        assert!(wide.value(0.25).as_float().unwrap().is_finite() && wide.snapped(0.25).is_finite());
    }
}
