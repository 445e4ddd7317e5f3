//! Line charts.

use plotters::backend::DrawingBackend;

use super::axis::Span;
use super::canvas::{AXIS, Canvas, GRID, QUIET, Side, text_width};
use super::charts::{LineChart, Point, Series};
use super::frame::{self, BELOW_GRID, Frame, LABEL_SIZE, Look};
use super::pixels::WIDTH;

/// The height of the grid.
const HEIGHT: f64 = 268.0;

/// The most points of a series with marks; a longer one has a band in place of whiskers.
const MOST_MARKED: usize = 24;

/// Part of the width that is free on both sides of marked points.
const SIDE: f64 = 0.02;

pub(super) fn height(chart: &LineChart) -> u32 {
    (frame::top(&names(chart), f64::from(WIDTH)) + HEIGHT + BELOW_GRID) as u32
}

fn names(chart: &LineChart) -> Vec<&str> {
    chart.series.iter().map(|series| series.name.as_str()).collect()
}

pub(super) fn draw<B: DrawingBackend>(chart: &LineChart, canvas: &mut Canvas<B>) {
    let points = || chart.series.iter().flat_map(|series| &series.points);
    // A point that cannot be shown should not stretch the other axis either.
    let y = Span::of(&chart.y, points().flat_map(|point| [point.y, point.low, point.high]), true);
    let shown = points().filter(|point| y.place(point.y).is_some());
    let x = Span::of(&chart.x, shown.map(|point| point.x), false);
    let entries: Vec<(&str, Look)> = names(chart).into_iter().zip((0..).map(frame::look)).collect();
    let frame = frame::draw(canvas, &chart.title, &entries, &chart.y, y);
    draw_x_axis(canvas, &frame, &x);
    frame::draw_x_label(canvas, &frame, &chart.x.label);
    for (series, (_, look)) in chart.series.iter().zip(&entries) {
        for part in visible_parts(series, &frame, &x) {
            draw_part(canvas, &part, &frame, *look, series.points.len() <= MOST_MARKED);
        }
    }
}

pub(super) fn x_of(frame: &Frame, x: &Span, value: f64) -> Option<f64> {
    let (left, width) = (frame.left, frame.right - frame.left);
    x.place(value).map(|place| left + width * (SIDE + place * (1.0 - 2.0 * SIDE)))
}

/// Draws the x axis; labels that would touch the one before are left out.
pub(super) fn draw_x_axis<B: DrawingBackend>(canvas: &mut Canvas<B>, frame: &Frame, x: &Span) {
    let mut free_from = f64::NEG_INFINITY;
    for (value, label) in &x.ticks {
        let Some(at) = x_of(frame, x, *value) else { continue };
        canvas.line(&[(at, frame.bottom), (at, frame.bottom + 5.0)], 1.0, AXIS);
        let half = text_width(label, LABEL_SIZE) / 2.0;
        if at - half > free_from {
            canvas.line(&[(at, frame.top), (at, frame.bottom)], 1.0, GRID);
            canvas.text(label, (at, frame.bottom + 18.0), LABEL_SIZE, QUIET, Side::Middle);
            free_from = at + half + 8.0;
        }
    }
}

/// A point and its place.
type Placed = ((f64, f64), Point);

/// The runs of points that have a place.
fn visible_parts(series: &Series, frame: &Frame, x: &Span) -> Vec<Vec<Placed>> {
    let mut parts = vec![Vec::new()];
    for point in &series.points {
        match (x_of(frame, x, point.x), frame.y(point.y)) {
            (Some(x), Some(y)) => parts.last_mut().into_iter().for_each(|part| part.push(((x, y), *point))),
            _ => parts.push(Vec::new()),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn draw_part<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    part: &[Placed],
    frame: &Frame,
    look: Look,
    marked: bool,
) {
    let ends = |point: &Point| (frame.y(point.low), frame.y(point.high));
    let has_band = part.iter().any(|(_, point)| point.low < point.high);
    if has_band && !marked {
        let upper = part.iter().map(|&((x, y), point)| (x, ends(&point).1.unwrap_or(y)));
        let lower = part.iter().rev().map(|&((x, y), point)| (x, ends(&point).0.unwrap_or(y)));
        canvas.fill(&upper.chain(lower).collect::<Vec<_>>(), look.ink, 0.18);
    }
    let places: Vec<(f64, f64)> = part.iter().map(|(place, _)| *place).collect();
    if places.len() > 1 {
        frame::draw_line(canvas, &places, 1.75, look);
    }
    if marked || places.len() == 1 {
        for &(place, point) in part {
            frame::draw_whisker(canvas, place.0, ends(&point), look.ink);
            frame::draw_mark(canvas, place, look);
        }
    }
}
