//! Charts as plain data, drawn as SVG and as PNG by one function each.
//!
//! A chart is drawn in its own light colours. A page that shows it inline turns them dark with
//! [`dark_rules`].

mod axis;
mod bars;
mod canvas;
mod frame;
mod heat;
mod lines;
mod sheet;

pub use axis::{Axis, Scale, Unit, short};
pub use canvas::dark_rules;
pub use sheet::{Tile, contact_sheet};

use super::markup::escaped;
use canvas::Canvas;
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};

/// The width of every chart, in CSS pixels.
const WIDTH: u32 = 660;

/// Units of the drawing in a CSS pixel: plotters' coordinates are integers, and this makes them fine
/// enough for thin lines.
const FINE: u32 = 4;

/// Pixels of a PNG in a CSS pixel; the remaining part of [`FINE`] is averaged, which smooths edges.
const PNG_SCALE: u32 = 2;

/// Characters of a name that a chart shows; longer ones are cut.
const LONGEST_NAME: usize = 48;

/// Anything that can be drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    Lines(LineChart),
    Bars(BarChart),
    Heat(HeatMap),
}

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

impl Chart {
    pub fn title(&self) -> &str {
        match self {
            Chart::Lines(chart) => &chart.title,
            Chart::Bars(chart) => &chart.title,
            Chart::Heat(chart) => &chart.title,
        }
    }

    /// What a reader who cannot see the chart should know of it.
    pub fn description(&self) -> String {
        let names = |names: &mut dyn Iterator<Item = &String>| {
            names.map(|name| cut(name)).collect::<Vec<_>>().join(", ")
        };
        match self {
            Chart::Lines(chart) => {
                let series = names(&mut chart.series.iter().map(|series| &series.name));
                format!(
                    "Line chart: {}. {} against {}, for {series}.",
                    chart.title, chart.y.label, chart.x.label
                )
            }
            Chart::Bars(chart) => {
                let series = names(&mut chart.series.iter().map(|series| &series.name));
                format!(
                    "Bar chart: {}. {} for each {}, of {series}.",
                    chart.title, chart.y.label, chart.x_label
                )
            }
            Chart::Heat(chart) => {
                format!("Heat map: {}. {} against {}.", chart.title, chart.y_label, chart.x_label)
            }
        }
    }

    /// Width and height in CSS pixels.
    fn size(&self) -> (u32, u32) {
        let height = match self {
            Chart::Lines(chart) => lines::height(chart),
            Chart::Bars(chart) => bars::height(chart),
            Chart::Heat(chart) => heat::height(chart),
        };
        (WIDTH, height)
    }

    fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        match self {
            Chart::Lines(chart) => lines::draw(chart, canvas),
            Chart::Bars(chart) => bars::draw(chart, canvas),
            Chart::Heat(chart) => heat::draw(chart, canvas),
        }
    }

    /// A file of its own, on white paper.
    pub fn to_svg(&self) -> String {
        let (width, height) = self.size();
        let paper = "<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n";
        let attributes =
            format!("xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\"");
        self.svg(&attributes, paper)
    }

    /// For a page: without paper, as wide as its place, named for those who cannot see it.
    pub fn to_inline_svg(&self) -> String {
        let label = escaped(&self.description());
        self.svg(&format!("role=\"img\" aria-label=\"{label}\""), "")
    }

    fn svg(&self, attributes: &str, paper: &str) -> String {
        let (width, height) = self.size();
        let mut drawn = String::new();
        let size = (width * FINE, height * FINE);
        let mut canvas = Canvas::of_svg(SVGBackend::with_string(&mut drawn, size), size);
        self.draw(&mut canvas);
        drop(canvas);
        // The first line is the opening tag, whose size would be that of the fine drawing.
        let body = drawn.split_once('\n').map_or("", |(_, body)| body);
        format!(
            "<svg {attributes} viewBox=\"0 0 {} {}\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\">\n{paper}{body}",
            size.0, size.1
        )
    }

    /// The content of a PNG file, with several pixels in a CSS pixel.
    pub fn to_png(&self) -> Vec<u8> {
        let (width, height) = self.size();
        let size = (width * FINE, height * FINE);
        let mut pixels = vec![255; (size.0 * size.1 * 3) as usize];
        let mut canvas = Canvas::of_bitmap(BitMapBackend::with_buffer(&mut pixels, size), size);
        self.draw(&mut canvas);
        drop(canvas);
        let small = averaged(&pixels, size.0 as usize, (FINE / PNG_SCALE) as usize);
        encoded(&small, width * PNG_SCALE, height * PNG_SCALE)
    }
}

/// The mean of each square of `side` times `side` pixels.
///
/// `pixels`: `[height, width, 3]`, `width` and height multiples of `side`.
fn averaged(pixels: &[u8], width: usize, side: usize) -> Vec<u8> {
    let rows = pixels.chunks_exact(width * 3 * side);
    let of_rows = |rows: &[u8]| -> Vec<u8> {
        (0..width / side * 3)
            .map(|at| {
                let (column, channel) = (at / 3 * side, at % 3);
                let value =
                    |row: usize, next: usize| usize::from(rows[(row * width + column + next) * 3 + channel]);
                let sum: usize =
                    (0..side).map(|row| (0..side).map(|next| value(row, next)).sum::<usize>()).sum();
                (sum / (side * side)) as u8
            })
            .collect()
    };
    rows.flat_map(of_rows).collect()
}

/// `pixels` (`[height, width, 3]`) as a PNG file.
fn encoded(pixels: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels));
    written.expect("memory takes every byte, and the pixels fill the picture");
    file
}

/// A name short enough for a chart.
fn cut(name: &str) -> String {
    if name.chars().count() <= LONGEST_NAME {
        return name.to_string();
    }
    name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
