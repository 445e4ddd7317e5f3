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
mod roofline;
mod sheet;
mod spans;
mod spots;

pub use axis::{Axis, Scale, Unit, short};
pub use canvas::dark_rules;
pub use sheet::{Tile, contact_sheet};

use super::markup::escaped;
use canvas::Canvas;
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};

/// The width of charts, in CSS pixels, and of those that need twice as much.
const WIDTH: u32 = 660;
const WIDE: u32 = 1270;

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
    Roofline(Roofline),
    Spans(SpanChart),
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
    fn width(&self) -> u32 {
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

impl Chart {
    pub fn title(&self) -> &str {
        match self {
            Chart::Lines(chart) => &chart.title,
            Chart::Bars(chart) => &chart.title,
            Chart::Heat(chart) => &chart.title,
            Chart::Roofline(chart) => &chart.title,
            Chart::Spans(chart) => &chart.title,
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
            Chart::Roofline(chart) => format!(
                "Roofline chart: {}. {} against {}, {} dots under {}.",
                chart.title,
                chart.y_label,
                chart.x_label,
                chart.dots.len(),
                names(&mut chart.roofs.iter().map(|roof| &roof.name))
            ),
            Chart::Spans(chart) => {
                let rows = names(&mut chart.rows.iter().take(8));
                format!(
                    "Bars in rows: {}. {}, {} bars for {rows}.",
                    chart.title,
                    chart.x.label,
                    chart.spans.len()
                )
            }
        }
    }

    /// Whether it takes the width of a page.
    pub fn is_wide(&self) -> bool {
        self.size().0 > WIDTH
    }

    /// Width and height in CSS pixels.
    fn size(&self) -> (u32, u32) {
        let width = if let Chart::Spans(chart) = self { chart.width() } else { WIDTH };
        let height = match self {
            Chart::Lines(chart) => lines::height(chart),
            Chart::Bars(chart) => bars::height(chart),
            Chart::Heat(chart) => heat::height(chart),
            Chart::Roofline(chart) => roofline::height(chart),
            Chart::Spans(chart) => spans::height(chart),
        };
        (width, height)
    }

    fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        match self {
            Chart::Lines(chart) => lines::draw(chart, canvas),
            Chart::Bars(chart) => bars::draw(chart, canvas),
            Chart::Heat(chart) => heat::draw(chart, canvas),
            Chart::Roofline(chart) => roofline::draw(chart, canvas),
            Chart::Spans(chart) => spans::draw(chart, canvas),
        }
    }

    /// A file of its own, on white paper.
    pub fn to_svg(&self) -> String {
        let (width, height) = self.size();
        let paper = "<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n";
        let attributes =
            format!("xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\"");
        self.svg(&attributes, paper, false)
    }

    /// For a page: without paper, as wide as its place, named for those who cannot see it.
    pub fn to_inline_svg(&self) -> String {
        let label = escaped(&self.description());
        // What is in a picture cannot be reached by keyboard.
        let role = if matches!(self, Chart::Roofline(_) | Chart::Spans(_)) { "group" } else { "img" };
        self.svg(&format!("role=\"{role}\" aria-label=\"{label}\""), "", true)
    }

    /// With `spots`, places tell their numbers.
    fn svg(&self, attributes: &str, paper: &str, spots: bool) -> String {
        let (width, height) = self.size();
        let mut drawn = String::new();
        let size = (width * FINE, height * FINE);
        let mut canvas = Canvas::of_svg(SVGBackend::with_string(&mut drawn, size), size);
        self.draw(&mut canvas);
        let told = std::mem::take(&mut canvas.spots).into_svg();
        drop(canvas);
        // The first line is the opening tag, whose size would be that of the fine drawing.
        let body = drawn.split_once('\n').map_or("", |(_, body)| body);
        let body = match body.rsplit_once("</svg>") {
            Some((body, _)) if spots && !told.is_empty() => format!("{body}{told}</svg>\n"),
            _ => body.to_string(),
        };
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
