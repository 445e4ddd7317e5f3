//! The kinds of charts.

use super::axis::Axis;
use super::pixels::{WIDE, WIDTH};

/// Values over a number, one line for each series.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

/// A line. Few points are marked and have whiskers for their intervals, many have a band.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub name: String,
    /// In the order of `x`. A point that is not finite, or not positive on a logarithmic axis, is
    /// left out and interrupts the line.
    pub points: Vec<Point>,
}

/// A value with the interval that it is believed to lie in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    /// Equal to `y` if there is no interval.
    pub low: f64,
    pub high: f64,
}

impl Point {
    /// A value without an interval.
    pub fn new(x: f64, y: f64) -> Point {
        Point { x, y, low: y, high: y }
    }
}

/// Groups of bars side by side, one bar for each series.
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    pub title: String,
    /// What the groups are.
    pub x_label: String,
    pub y: Axis,
    pub groups: Vec<String>,
    pub series: Vec<Bars>,
}

/// The bars of one series, one for each group; `None` where there is no value. Their `x` is unused.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    pub name: String,
    pub values: Vec<Option<Point>>,
}

/// A table of shaded cells.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub columns: Vec<String>,
    pub rows: Vec<String>,
    /// `[rows][columns]`; `None` where there is no value.
    pub cells: Vec<Vec<Option<Shade>>>,
}

/// A cell of a heat map.
#[derive(Clone, Debug, PartialEq)]
pub struct Shade {
    /// From 0 (paper) to 1 (full colour).
    pub depth: f64,
    pub text: String,
}

/// Arithmetic over intensity, both on logarithmic axes, under the limits of the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Roofline {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub roofs: Vec<Roof>,
    /// The kinds of dots, each in a colour of its own.
    pub series: Vec<String>,
    pub dots: Vec<Dot>,
}

/// A limit: so much for each unit of intensity, up to a most.
#[derive(Clone, Debug, PartialEq)]
pub struct Roof {
    pub name: String,
    /// 0 for the limit of the arithmetic itself.
    pub slope: f64,
    pub most: f64,
}

impl Roof {
    /// The limit at an intensity.
    pub fn at(&self, x: f64) -> f64 {
        if self.slope > 0.0 { self.most.min(self.slope * x) } else { self.most }
    }
}

/// What reaches so much at its intensity.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    pub name: String,
    pub x: f64,
    pub y: f64,
    /// From 0 to 1: its part of the whole.
    pub area: f64,
    /// Its place among the chart's series.
    pub series: usize,
    /// The place among the chart's roofs of the one that bounds it.
    pub roof: Option<usize>,
    /// What a page tells of it, its name first.
    pub lines: Vec<String>,
}

/// Bars in rows, from a beginning to an end.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanChart {
    pub title: String,
    /// Without a label, the axis is not drawn.
    pub x: Axis,
    /// From above.
    pub rows: Vec<String>,
    /// In CSS pixels.
    pub row_height: f64,
    /// Whether it is as wide as the page.
    pub is_wide: bool,
    /// The kinds of bars, each in a colour of its own.
    pub series: Vec<String>,
    /// In the order of their beginnings within a row.
    pub spans: Vec<Bar>,
}

impl SpanChart {
    pub(super) fn width(&self) -> u32 {
        if self.is_wide { WIDE } else { WIDTH }
    }
}

/// A bar of a [`SpanChart`].
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    pub row: usize,
    pub start: f64,
    pub end: f64,
    /// Its place among the chart's series; grey without.
    pub series: Option<usize>,
    /// Shown in it where it fits.
    pub name: String,
    /// What a page tells of it, its name first.
    pub lines: Vec<String>,
}
