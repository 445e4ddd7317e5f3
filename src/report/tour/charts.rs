//! The figures of the tour as charts.

use crate::report::chart::{self, Axis, BarChart, Bars, Chart, LineChart, PlaneChart, Point, Series, Unit};
use crate::tour::figure::{self, Figure, Named, Picture, Scale, Side};

/// The parts of a side that are told apart: points of a line that are closer to each other are drawn as one.
const PARTS: f64 = 1500.0;
/// Shorter lines have all of their points.
const SHORT: usize = 1000;

/// A figure as a chart.
pub fn chart(figure: &Figure) -> Chart {
    let title = figure.title.clone();
    match &figure.picture {
        Picture::Lines(lines) => Chart::Lines(LineChart {
            title,
            x: axis(&lines.x),
            y: axis(&lines.y),
            series: lines.series.iter().map(|named| series(named, lines)).collect(),
        }),
        Picture::Bars(bars) => Chart::Bars(BarChart {
            title,
            x_label: bars.x_label.clone(),
            y: axis(&bars.y),
            groups: bars.groups.clone(),
            series: bars.series.iter().map(of_bars).collect(),
        }),
        Picture::Plane(plane) => Chart::Plane(PlaneChart { title, plane: plane.clone() }),
    }
}

fn axis(side: &Side) -> Axis {
    let scale = match side.scale {
        Scale::Linear => chart::Scale::Linear,
        Scale::Log => chart::Scale::Log10,
    };
    let axis = Axis::new(&side.label).on(scale);
    if side.is_percent { axis.in_unit(Unit::Percent) } else { axis }
}

fn of_bars((name, values): &(String, Vec<Option<f64>>)) -> Bars {
    let value =
        |value: &Option<f64>| value.filter(|value| value.is_finite()).map(|value| Point::new(0.0, value));
    Bars { name: name.clone(), values: values.iter().map(value).collect() }
}

fn series(named: &Named, lines: &figure::Lines) -> Series {
    let points = thinned(&named.points, lines.x.scale);
    Series { name: named.name.clone(), points: points.into_iter().map(|[x, y]| Point::new(x, y)).collect() }
}

/// The points of a long line that are seen beside each other, its first and its last one among them.
fn thinned(points: &[[f64; 2]], scale: Scale) -> Vec<[f64; 2]> {
    let place = |x: f64| if scale == Scale::Log { x.ln() } else { x };
    let places = || points.iter().map(|&[x, _]| place(x)).filter(|place| place.is_finite());
    let (low, high) = (places().fold(f64::INFINITY, f64::min), places().fold(f64::NEG_INFINITY, f64::max));
    let least = (high - low) / PARTS;
    if points.len() <= SHORT || !least.is_finite() {
        return points.to_vec();
    }
    let mut kept: Vec<[f64; 2]> = Vec::new();
    let mut before = f64::NAN;
    for (index, &[x, y]) in points.iter().enumerate() {
        // A gap stays one.
        let is_gap = !(x.is_finite() && y.is_finite());
        let is_apart = before.is_nan() || (place(x) - before).abs() >= least;
        if is_gap || is_apart || index + 1 == points.len() {
            before = if is_gap { f64::NAN } else { place(x) };
            kept.push([x, y]);
        }
    }
    kept
}
