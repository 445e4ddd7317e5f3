//! The kinds of charts.

use super::axis::Axis;
use super::pixels::{WIDE, WIDTH};
use crate::tour::figure::Plane;

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
    /// The points in the order of `x`. A point that is not finite, or not positive on a logarithmic axis, is
    /// left out and interrupts the line.
    pub points: Vec<Point>,
}

/// A value with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    /// The low end of the interval; equal to `y` if there is none.
    pub low: f64,
    pub high: f64,
}

impl Point {
    /// A value without an interval.
    pub fn new(x: f64, y: f64) -> Point {
        Point { x, y, low: y, high: y }
    }

    /// The value on this axis, with its interval if it has one, as a reader is told them.
    pub(super) fn told(&self, y: &Axis) -> String {
        let value = y.told(self.y);
        if self.low < self.high {
            format!("{value}, from {} to {}", y.told(self.low), y.told(self.high))
        } else {
            value
        }
    }
}

/// Groups of bars side by side, one bar for each series.
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    pub title: String,
    /// The label of the groups.
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

/// Dots at pairs of values, around a line on which they would lie if all were well.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterChart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    /// The pairs (x, y); one that is not finite is left out.
    pub dots: Vec<(f64, f64)>,
    pub guide: Guide,
}

/// The line of a [`ScatterChart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guide {
    /// y = x; both axes show the same values.
    Diagonal,
    /// y = 0.
    Zero,
}

/// A table of shaded cells.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub columns: Vec<String>,
    pub rows: Vec<String>,
    /// The cells, `[rows][columns]`; `None` where there is no value.
    pub cells: Vec<Vec<Option<Shade>>>,
}

/// A cell of a heat map.
#[derive(Clone, Debug, PartialEq)]
pub struct Shade {
    /// The depth, from 0 (paper) to 1 (full colour).
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

/// A limit: so much for each unit of intensity, up to a maximum.
#[derive(Clone, Debug, PartialEq)]
pub struct Roof {
    pub name: String,
    /// The slope; 0 for the limit of the arithmetic itself.
    pub slope: f64,
    pub most: f64,
}

impl Roof {
    /// The limit at an intensity.
    pub fn at(&self, x: f64) -> f64 {
        if self.slope > 0.0 { self.most.min(self.slope * x) } else { self.most }
    }
}

/// A dot at its intensity and rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    pub name: String,
    pub x: f64,
    pub y: f64,
    /// Its part of the whole, from 0 to 1.
    pub area: f64,
    /// The index of its series in the chart.
    pub series: usize,
    /// The index of the roof that bounds it.
    pub roof: Option<usize>,
    /// The lines that a page shows for it, its name first.
    pub lines: Vec<String>,
}

/// Bars in rows, from a beginning to an end.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanChart {
    pub title: String,
    /// The axis; without a label, it is not drawn.
    pub x: Axis,
    /// The names of the rows, from above.
    pub rows: Vec<String>,
    /// The height of a row, in CSS pixels.
    pub row_height: f64,
    /// Whether the chart is as wide as the page.
    pub is_wide: bool,
    /// The kinds of bars, each in a colour of its own.
    pub series: Vec<String>,
    /// The bars, in the order of their beginnings within a row.
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
    /// The index of its series in the chart; grey without.
    pub series: Option<usize>,
    /// The name, shown in the bar where it fits.
    pub name: String,
    /// The lines that a page shows for it, its name first.
    pub lines: Vec<String>,
}

/// Things with a value of each of several variables, as lines from axis to axis.
#[derive(Clone, Debug, PartialEq)]
pub struct ParallelChart {
    pub title: String,
    /// The variables, from the left.
    pub axes: Vec<Coordinate>,
    /// The kinds of lines, each in a colour of its own, the most important first.
    pub series: Vec<String>,
    pub lines: Vec<ParallelLine>,
}

/// An axis of a [`ParallelChart`].
#[derive(Clone, Debug, PartialEq)]
pub enum Coordinate {
    Numbers(Axis),
    /// A variable whose values have names; a line has the index of one, from below.
    Names {
        label: String,
        names: Vec<String>,
    },
}

impl Coordinate {
    /// The name of the variable.
    pub fn name(&self) -> &str {
        match self {
            Coordinate::Numbers(axis) => &axis.label,
            Coordinate::Names { label, .. } => label,
        }
    }

    /// The name, and that the axis is logarithmic where it is.
    pub(super) fn caption(&self) -> String {
        match self {
            Coordinate::Numbers(axis) => axis.caption(),
            Coordinate::Names { label, .. } => label.clone(),
        }
    }
}

/// A line of a [`ParallelChart`].
#[derive(Clone, Debug, PartialEq)]
pub struct ParallelLine {
    /// The value on each axis; one that is not finite interrupts the line.
    pub values: Vec<f64>,
    /// The index of its series in the chart.
    pub series: usize,
}

/// A part of the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaneChart {
    pub title: String,
    pub plane: Plane,
}
