//! What a case shows, as plain data: pictures of lines and bars, pictures of a plane, and tables.

use serde::{Deserialize, Serialize};

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The stem of its file's name, of small letters and hyphens; no other figure of the case has it.
    pub name: String,
    pub title: String,
    pub picture: Picture,
}

/// The kinds of pictures.
#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    Lines(Lines),
    Bars(Bars),
    Plane(Plane),
}

/// The label of a side of a picture, and how values lie along it.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    pub label: String,
    pub scale: Scale,
    /// Whether values are fractions of 1, to be shown as percent.
    pub is_percent: bool,
}

/// How values lie along a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Linear,
    /// By their logarithms; values that are not positive are not shown.
    Log,
}

impl Side {
    pub fn linear(label: &str) -> Side {
        Side { label: label.into(), scale: Scale::Linear, is_percent: false }
    }

    pub fn log(label: &str) -> Side {
        Side { label: label.into(), scale: Scale::Log, is_percent: false }
    }

    pub fn percent(label: &str) -> Side {
        Side { label: label.into(), scale: Scale::Linear, is_percent: true }
    }
}

/// Points with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub name: String,
    /// The pairs (x, y), in their order. A pair that is not finite interrupts a line.
    pub points: Vec<[f64; 2]>,
}

impl Named {
    pub fn new(name: &str, points: impl IntoIterator<Item = [f64; 2]>) -> Named {
        Named { name: name.into(), points: points.into_iter().collect() }
    }

    /// Values over their numbers, counted from 0.
    pub fn course(name: &str, values: impl IntoIterator<Item = f64>) -> Named {
        Named::new(name, values.into_iter().enumerate().map(|(x, y)| [x as f64, y]))
    }
}

/// A line for each series.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    pub x: Side,
    pub y: Side,
    pub series: Vec<Named>,
}

/// Groups of bars side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// What the groups are.
    pub x_label: String,
    pub y: Side,
    pub groups: Vec<String>,
    /// The name of each series, and a value for each group; `None` where there is none.
    pub series: Vec<(String, Vec<Option<f64>>)>,
}

/// A part of the plane, with what lies in it, from the lowest layer to the highest.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    pub x_label: String,
    pub y_label: String,
    /// From where to where it goes: of x and of y.
    pub window: [[f64; 2]; 2],
    /// Whether a unit of x is as long as one of y.
    pub is_square: bool,
    /// Whether the SVG file lets the paths grow step by step, again and again.
    pub animated: bool,
    pub layers: Vec<Layer>,
}

/// What lies in a plane. Layers with a name are in the legend.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// The heights of a function, as lines of equal height. Its values are at the points of the grid.
    Contours(Grid),
    /// Where each class would be given: the index of one at each point of the grid.
    Regions(Grid),
    /// A line through points: a fitted curve.
    Curve(Named),
    /// A way that was gone, from its first point, which is marked, to its last. Points outside the window are cut off.
    Path(Named),
    Dots(Named),
    /// Single places, large: minima, centres.
    Marks(Named),
}

/// Values on a grid that covers a window, its outermost points on the window's sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    pub columns: usize,
    /// `[rows][columns]`, from the lowest y up.
    pub values: Vec<f64>,
}

impl Grid {
    /// The values of a function of x and y on a window, at so many points along each side.
    pub fn of(window: [[f64; 2]; 2], points: usize, mut value: impl FnMut(f64, f64) -> f64) -> Grid {
        let [[left, right], [low, high]] = window;
        let at = |from: f64, to: f64, index: usize| from + (to - from) * index as f64 / (points - 1) as f64;
        let mut values = Vec::with_capacity(points * points);
        for row in 0..points {
            values.extend((0..points).map(|column| value(at(left, right, column), at(low, high, row))));
        }
        Grid { columns: points, values }
    }

    pub fn rows(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }
}

/// A small table of texts; the first column names the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub caption: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}
