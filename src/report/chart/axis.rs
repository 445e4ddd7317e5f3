//! The axes of charts: the places of values, and the labels.

use crate::report::numbers::{percent, significant};

/// Ticks that a linear axis aims at.
const TICKS: f64 = 5.0;

/// The most different values that are all labelled.
const MOST_LABELLED: usize = 12;

/// The largest value; larger ones cannot be subtracted from each other.
const LARGEST: f64 = 1e300;

/// The relative distance up to which values count as one.
const SAME: f64 = 1e-9;

/// An axis: a side of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
    pub unit: Unit,
    /// Whether it begins at 0; ignored on a logarithmic axis.
    pub from_zero: bool,
}

impl Axis {
    /// A linear axis of plain numbers that begins where they do.
    pub fn new(label: &str) -> Axis {
        Axis { label: label.into(), scale: Scale::Linear, unit: Unit::Number, from_zero: false }
    }

    /// This axis from 0.
    pub fn from_zero(self) -> Axis {
        Axis { from_zero: true, ..self }
    }

    /// This axis on another scale.
    pub fn on(self, scale: Scale) -> Axis {
        Axis { scale, ..self }
    }

    /// The label, and that the axis is logarithmic where it is.
    pub(super) fn caption(&self) -> String {
        match self.scale {
            Scale::Log2 | Scale::Log10 if !self.label.is_empty() => format!("{} (log scale)", self.label),
            _ => self.label.clone(),
        }
    }

    /// A value as a reader is told it: 97.65 %, 189,778.
    pub(super) fn told(&self, value: f64) -> String {
        match self.unit {
            Unit::Percent => percent(value),
            Unit::Number | Unit::Whole => significant(value),
        }
    }

    /// This axis in another unit.
    pub fn in_unit(self, unit: Unit) -> Axis {
        Axis { unit, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Linear,
    /// A logarithmic scale for sizes that double: a few different values are all labelled.
    Log2,
    Log10,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Number,
    /// Numbers of things: no tick lies between two of them.
    Whole,
    /// Fractions of 1, shown as percent.
    Percent,
}

/// The part of the numbers that an axis shows.
#[derive(Debug)]
pub(super) struct Span {
    scale: Scale,
    /// The ends, on the scale.
    low: f64,
    high: f64,
    /// The values of the ticks, and their labels.
    pub ticks: Vec<(f64, String)>,
}

impl Span {
    /// An axis that shows all these values. `rounded` puts its ends on ticks.
    pub fn of(axis: &Axis, values: impl Iterator<Item = f64>, rounded: bool) -> Span {
        let mut values: Vec<f64> = values.filter(|&value| scaled(axis.scale, value).is_some()).collect();
        if axis.from_zero && axis.scale == Scale::Linear {
            values.push(0.0);
        }
        values.sort_by(f64::total_cmp);
        values.dedup();
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
            return Span { scale: axis.scale, low: 0.0, high: 1.0, ticks: Vec::new() };
        };
        match axis.scale {
            Scale::Linear => linear(first, last, axis.unit, rounded),
            Scale::Log2 => log2(&values),
            Scale::Log10 => log10(first, last, axis.unit),
        }
    }

    /// The place of a value, from 0 to 1; `None` if it has no place.
    pub fn place(&self, value: f64) -> Option<f64> {
        scaled(self.scale, value).map(|value| (value - self.low) / (self.high - self.low))
    }
}

/// The value on the scale, if it is finite there.
fn scaled(scale: Scale, value: f64) -> Option<f64> {
    let scaled = match scale {
        Scale::Linear => value,
        Scale::Log2 => value.log2(),
        Scale::Log10 => value.log10(),
    };
    (scaled.is_finite() && scaled.abs() < LARGEST).then_some(scaled)
}

fn linear(first: f64, last: f64, unit: Unit, rounded: bool) -> Span {
    let (first, last) = if last - first > SAME * first.abs().max(last.abs()) {
        (first, last)
    } else {
        // A single value stands in the middle.
        let room = if first == 0.0 { 1.0 } else { 0.1 * first.abs() };
        (first - room, first + room)
    };
    let step = nice_step((last - first) / TICKS).max(if unit == Unit::Whole { 1.0 } else { 0.0 });
    let (low, high) =
        if rounded { ((first / step).floor() * step, (last / step).ceil() * step) } else { (first, last) };
    // A little room, so that a tick at the very end is not lost to rounding.
    let (begin, end) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let count = (end - begin).clamp(0.0, 4.0 * TICKS) as usize;
    let values: Vec<f64> = (0..=count).map(|index| (begin + index as f64) * step).collect();
    let ticks = values.iter().copied().zip(labels(&values, step, unit)).collect();
    Span { scale: Scale::Linear, low, high, ticks }
}

/// A step of 1, 2 or 5 times a power of ten, at least `least`.
fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().map(|times| times * power).find(|&step| step >= least);
    step.unwrap_or(10.0 * power)
}

/// The axis of doubling sizes; `values` are sorted, different and positive.
fn log2(values: &[f64]) -> Span {
    let (low, high) = (values[0].log2(), values[values.len() - 1].log2());
    let ticks: Vec<f64> = if values.len() <= MOST_LABELLED {
        values.to_vec()
    } else {
        let every = ((high - low) / MOST_LABELLED as f64).ceil().max(1.0) as usize;
        (low.ceil() as i32..=high.floor() as i32).step_by(every).map(|power| 2f64.powi(power)).collect()
    };
    let ticks = ticks.into_iter().map(|value| (value, short(value))).collect();
    widened(Scale::Log2, low, high, ticks)
}

fn log10(first: f64, last: f64, unit: Unit) -> Span {
    let (low, high) = (first.log10(), last.log10());
    let decades = low.floor() as i32..=high.ceil() as i32;
    let times: &[f64] = if high - low > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let inside = |value: &f64| (low - 1e-9..=high + 1e-9).contains(&value.log10());
    let every = ((high - low) / TICKS).ceil().max(1.0) as usize;
    let mut ticks: Vec<f64> = decades
        .step_by(every)
        .flat_map(|power| times.iter().map(move |times| times * 10f64.powi(power)))
        .filter(inside)
        .collect();
    if ticks.len() < 2 {
        ticks = vec![first, last];
        ticks.dedup();
    }
    let label = |value: f64| match unit {
        Unit::Number | Unit::Whole => short(value),
        Unit::Percent => format!("{} %", short(100.0 * value)),
    };
    let ticks = ticks.into_iter().map(|value| (value, label(value))).collect();
    widened(Scale::Log10, low, high, ticks)
}

/// The axis of a single value, which stands in the middle.
fn widened(scale: Scale, low: f64, high: f64, ticks: Vec<(f64, String)>) -> Span {
    if high - low > SAME {
        Span { scale, low, high, ticks }
    } else {
        Span { scale, low: low - 0.5, high: high + 0.5, ticks }
    }
}

/// Labels of equal precision and unit.
fn labels(values: &[f64], step: f64, unit: Unit) -> Vec<String> {
    let largest = values.iter().fold(0f64, |largest, value| largest.max(value.abs()));
    let (divisor, suffix) = match unit {
        Unit::Percent => (0.01, " %"),
        Unit::Number | Unit::Whole => prefix(largest),
    };
    if unit != Unit::Percent && !(1e-4..1e16).contains(&largest) {
        return values.iter().map(|value| short(*value)).collect();
    }
    let decimals = (-(step / divisor).log10() - 1e-9).ceil().clamp(0.0, 9.0) as usize;
    let label = |value: &f64| {
        // Adding 0 avoids "-0".
        let number = value / divisor + 0.0;
        if number == 0.0 { "0".to_string() } else { format!("{number:.decimals$}{suffix}") }
    };
    values.iter().map(label).collect()
}

fn prefix(largest: f64) -> (f64, &'static str) {
    match largest {
        largest if largest >= 1e10 => (1e9, " G"),
        largest if largest >= 1e7 => (1e6, " M"),
        largest if largest >= 1e4 => (1e3, " k"),
        _ => (1.0, ""),
    }
}

/// A number in three to four digits: 1.64 M, 812 k, 1024, 95.3, 0.048, 3.2e-7; "-" if it is none.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "-".to_string();
    }
    if size == 0.0 {
        return "0".to_string();
    }
    if !(1e-3..1e15).contains(&size) {
        return trimmed(format!("{value:.1e}"));
    }
    if size < 9999.5 {
        let decimals = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
        return trimmed(format!("{value:.decimals$}"));
    }
    let (divisor, suffix) = match size {
        size if size < 999_500.0 => (1e3, " k"),
        size if size < 999.5e6 => (1e6, " M"),
        size if size < 999.5e9 => (1e9, " G"),
        _ => (1e12, " T"),
    };
    let number = value / divisor;
    let decimals = (2 - number.abs().log10().floor() as i32).clamp(0, 2) as usize;
    trimmed(format!("{number:.decimals$}")) + suffix
}

/// A number without the zeros that end its fraction: "1.50" is 1.5, "2.0e-7" is 2e-7.
fn trimmed(number: String) -> String {
    let (digits, power) = number.split_at(number.find('e').unwrap_or(number.len()));
    if !digits.contains('.') {
        return number;
    }
    digits.trim_end_matches('0').trim_end_matches('.').to_string() + power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(axis: &Axis, values: &[f64], rounded: bool) -> Vec<String> {
        Span::of(axis, values.iter().copied(), rounded).ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn numbers_are_short() {
        let numbers =
            [0.0, 1_640_000.0, 812_000.0, 1024.0, 95.31, 0.048, 3.2e-7, 1.479e23, -2.5, 999_600.0, 16.0];
        let texts = numbers.map(short);
        let expected =
            ["0", "1.64 M", "812 k", "1024", "95.3", "0.048", "3.2e-7", "1.5e23", "-2.5", "1 M", "16"];
        assert_eq!(texts, expected);
        assert_eq!(short(f64::NAN), "-");
    }

    #[test]
    fn linear_ticks_are_round_and_share_their_unit() {
        let from_zero = Axis::new("").from_zero();
        assert_eq!(
            ticks(&from_zero, &[870_000.0], true),
            ["0", "200 k", "400 k", "600 k", "800 k", "1000 k"]
        );
        let percent = Axis::new("").in_unit(Unit::Percent);
        assert_eq!(ticks(&percent, &[0.97, 0.984], true), ["97.0 %", "97.5 %", "98.0 %", "98.5 %"]);
        assert_eq!(ticks(&Axis::new(""), &[1.0, 10.0], false), ["2", "4", "6", "8", "10"]);
        let whole = Axis::new("epoch").in_unit(Unit::Whole);
        assert_eq!(ticks(&whole, &[1.0, 3.0], false), ["1", "2", "3"]);
        assert_eq!(ticks(&whole, &[1.0], false), ["1"]);
        assert_eq!(ticks(&Axis::new(""), &[-1.0, 1.0], true), ["-1.0", "-0.5", "0", "0.5", "1.0"]);
    }

    #[test]
    fn doubling_sizes_are_labelled_themselves() {
        let axis = Axis::new("batch").on(Scale::Log2);
        assert_eq!(ticks(&axis, &[16.0, 64.0, 256.0, 1000.0], false), ["16", "64", "256", "1000"]);
        let many: Vec<f64> = (1..=4096).map(f64::from).collect();
        assert_eq!(ticks(&axis, &many, false)[..3], ["1", "2", "4"]);
        let span = Span::of(&axis, [16.0, 64.0, 256.0].into_iter(), false);
        assert_eq!([16.0, 64.0, 256.0].map(|value| span.place(value)), [Some(0.0), Some(0.5), Some(1.0)]);
        assert_eq!(span.place(0.0), None);
    }

    #[test]
    fn decades_are_labelled() {
        let axis = Axis::new("loss").on(Scale::Log10);
        assert_eq!(ticks(&axis, &[0.02, 2.3], true), ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(ticks(&axis, &[1e-6, 1.0], true), ["1e-6", "1e-4", "0.01", "1"]);
        assert_eq!(ticks(&axis, &[3.1, 3.3], true), ["3.1", "3.3"]);
    }

    #[test]
    fn absurd_values_have_an_axis_too() {
        for scale in [Scale::Linear, Scale::Log2, Scale::Log10] {
            let axis = Axis::new("").on(scale);
            for values in [
                &[][..],
                &[f64::NAN],
                &[0.0],
                &[-5.0, -5.0],
                &[f64::INFINITY, 1.0],
                &[f64::MIN_POSITIVE / 4.0, f64::MAX],
                &[1e299, -1e299],
                &[1.0, 1.0 + f64::EPSILON],
            ] {
                for rounded in [false, true] {
                    let span = Span::of(&axis, values.iter().copied(), rounded);
                    assert!(span.ticks.len() <= 32, "{values:?}: {span:?}");
                    for (value, _) in &span.ticks {
                        let place = span.place(*value).unwrap();
                        assert!((-0.01..=1.01).contains(&place), "{values:?}: {place} in {span:?}");
                    }
                }
            }
        }
    }
}
