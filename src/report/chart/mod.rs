//! Charts as plain data, drawn as SVG and as PNG by one function each.
//!
//! A chart is drawn in its own light colours. A page that shows it inline turns them dark with
//! [`dark_rules`].

mod axis;
mod bars;
mod canvas;
mod charts;
mod frame;
mod heat;
mod lines;
mod motion;
mod names;
mod parallel;
mod pixels;
mod plane;
mod roofline;
mod scatter;
mod sheet;
mod spans;
mod spots;
mod strokes;

pub use axis::{Axis, Scale, Unit, short};
pub use canvas::dark_rules;
pub use charts::{
    Bar, BarChart, Bars, Coordinate, Dot, Guide, HeatMap, LineChart, ParallelChart, ParallelLine, PlaneChart,
    Point, Roof, Roofline, ScatterChart, Series, Shade, SpanChart,
};
use names::cut;
use pixels::{FINE, PHONE, PNG_SCALE, WIDTH, averaged, encoded};
pub use sheet::{Tile, contact_sheet};

use super::markup::escaped;
use super::numbers::counted;
use canvas::{Canvas, PAPER};
use motion::Motion;
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};

/// Anything that can be drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    Lines(LineChart),
    Bars(BarChart),
    Scatter(ScatterChart),
    Heat(HeatMap),
    Roofline(Roofline),
    Spans(SpanChart),
    Parallel(ParallelChart),
    Plane(PlaneChart),
}

impl Chart {
    pub fn title(&self) -> &str {
        match self {
            Chart::Lines(chart) => &chart.title,
            Chart::Bars(chart) => &chart.title,
            Chart::Scatter(chart) => &chart.title,
            Chart::Heat(chart) => &chart.title,
            Chart::Roofline(chart) => &chart.title,
            Chart::Spans(chart) => &chart.title,
            Chart::Parallel(chart) => &chart.title,
            Chart::Plane(chart) => &chart.title,
        }
    }

    /// The description for a reader who cannot see the chart.
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
            Chart::Scatter(chart) => {
                let dots = counted(chart.dots.len(), "dot");
                format!(
                    "Scatter chart: {}. {} against {}, {dots}.",
                    chart.title, chart.y.label, chart.x.label
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
            Chart::Parallel(chart) => {
                let axes: Vec<&str> = chart.axes.iter().map(|axis| axis.name()).collect();
                format!(
                    "Parallel coordinates: {}. {} through {}.",
                    chart.title,
                    counted(chart.lines.len(), "line"),
                    axes.join(", ")
                )
            }
            Chart::Plane(chart) => {
                let shown = names(&mut plane::names(chart).iter());
                let (x, y) = (&chart.plane.x_label, &chart.plane.y_label);
                format!("Part of a plane: {}. {y} against {x}, with {shown}.", chart.title)
            }
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
        self.width() > WIDTH
    }

    /// Whether it can be read on a telephone as it is.
    pub fn is_narrow(&self) -> bool {
        self.width() < WIDTH
    }

    /// The width in CSS pixels.
    fn width(&self) -> u32 {
        match self {
            Chart::Spans(chart) => chart.width(),
            Chart::Parallel(chart) => parallel::width(chart),
            Chart::Plane(_) => plane::WIDTH,
            _ => WIDTH,
        }
    }

    /// Width and height in CSS pixels, of a drawing of this width.
    fn size(&self, width: u32) -> (u32, u32) {
        let height = match self {
            Chart::Lines(chart) => lines::height(chart, width),
            Chart::Bars(chart) => bars::height(chart, width),
            Chart::Scatter(_) => scatter::height(width),
            Chart::Heat(chart) => heat::height(chart),
            Chart::Roofline(chart) => roofline::height(chart, width),
            Chart::Spans(chart) => spans::height(chart),
            Chart::Parallel(chart) => parallel::height(chart),
            Chart::Plane(chart) => plane::height(chart),
        };
        (width, height)
    }

    fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        match self {
            Chart::Lines(chart) => lines::draw(chart, canvas),
            Chart::Bars(chart) => bars::draw(chart, canvas),
            Chart::Scatter(chart) => scatter::draw(chart, canvas),
            Chart::Heat(chart) => heat::draw(chart, canvas),
            Chart::Roofline(chart) => roofline::draw(chart, canvas),
            Chart::Spans(chart) => spans::draw(chart, canvas),
            Chart::Parallel(chart) => parallel::draw(chart, canvas),
            Chart::Plane(chart) => plane::draw(chart, canvas),
        }
    }

    /// The chart as an SVG file, on white paper.
    pub fn to_svg(&self) -> String {
        let (width, height) = self.size(self.width());
        let paper = "<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n";
        let attributes =
            format!("xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\"");
        self.svg(&attributes, paper, self.width(), false)
    }

    /// The chart for a page: without paper, as wide as its place, named for those who cannot see it.
    pub fn to_inline_svg(&self) -> String {
        self.svg(&self.attributes(), "", self.width(), true)
    }

    /// The chart for a page in a narrow window, whose letters would be too small in the other drawing; nothing of a chart
    /// that cannot be drawn so narrow.
    pub fn to_phone_svg(&self) -> Option<String> {
        let is_fluid = matches!(
            self,
            Chart::Lines(_) | Chart::Bars(_) | Chart::Scatter(_) | Chart::Heat(_) | Chart::Roofline(_)
        );
        is_fluid.then(|| self.svg(&format!("class=\"phone\" {}", self.attributes()), "", PHONE, true))
    }

    fn attributes(&self) -> String {
        let label = escaped(&self.description());
        // Elements inside a picture cannot be reached by keyboard.
        let role = if matches!(self, Chart::Parallel(_) | Chart::Plane(_)) { "img" } else { "group" };
        format!("role=\"{role}\" aria-label=\"{label}\"")
    }

    /// The chart as SVG, `width` CSS pixels wide. With `spots`, places tell their numbers.
    fn svg(&self, attributes: &str, paper: &str, width: u32, spots: bool) -> String {
        let (width, height) = self.size(width);
        let mut drawn = String::new();
        let size = (width * FINE, height * FINE);
        let mut canvas = Canvas::of_svg(SVGBackend::with_string(&mut drawn, size), size);
        if matches!(self, Chart::Plane(chart) if chart.plane.animated) {
            canvas.motion = Some(Motion::default());
        }
        self.draw(&mut canvas);
        let moving = canvas.motion.take().map_or(String::new(), |motion| motion.into_svg(&PAPER.hex()));
        let spots = if spots { std::mem::take(&mut canvas.spots).into_svg() } else { String::new() };
        drop(canvas);
        // The first line is the opening tag, whose size would be that of the fine drawing.
        let body = drawn.split_once('\n').map_or("", |(_, body)| body);
        let body = match body.rsplit_once("</svg>") {
            Some((body, _)) if !(moving.is_empty() && spots.is_empty()) => {
                format!("{body}{moving}{spots}</svg>\n")
            }
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
        let (width, height) = self.size(self.width());
        let size = (width * FINE, height * FINE);
        let mut pixels = vec![255; (size.0 * size.1 * 3) as usize];
        let mut canvas = Canvas::of_bitmap(BitMapBackend::with_buffer(&mut pixels, size), size);
        self.draw(&mut canvas);
        drop(canvas);
        let small = averaged(&pixels, size.0 as usize, (FINE / PNG_SCALE) as usize);
        encoded(&small, width * PNG_SCALE, height * PNG_SCALE)
    }
}

#[cfg(test)]
mod tests;
