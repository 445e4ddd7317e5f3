//! Line charts.

use plotters::backend::DrawingBackend;

use super::axis::Span;
use super::canvas::{AXIS, Canvas, GRID, QUIET, Side, text_width};
use super::charts::{LineChart, Point, Series};
use super::frame::{self, BELOW_GRID, Frame, LABEL_SIZE, Look};
use super::spots::Place;

/// The height of the grid.
const HEIGHT: f64 = 268.0;

/// The most points of a series with marks; a longer one has a band in place of whiskers.
const MOST_MARKED: usize = 24;

/// The distance between the points of series whose whiskers would lie over each other, and the most of all of them
/// together, in CSS pixels.
const BESIDE: f64 = 7.0;
const MOST_BESIDE: f64 = 21.0;

/// The most places of a series that tell their numbers, and their radius.
const MOST_TOLD: usize = 60;
const TOLD_RADIUS: f64 = 8.0;

/// Part of the width that is free on both sides of marked points.
const SIDE: f64 = 0.02;

pub(super) fn height(chart: &LineChart, width: u32) -> u32 {
    (frame::top(&names(chart), f64::from(width)) + HEIGHT + BELOW_GRID) as u32
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
    frame::draw_x_label(canvas, &frame, &chart.x.caption());
    let shifts = shifts(chart, &frame);
    for ((series, (_, look)), shift) in chart.series.iter().zip(&entries).zip(&shifts) {
        for part in visible_parts(series, &frame, &x, *shift) {
            draw_part(canvas, &part, &frame, *look, is_marked(series));
        }
    }
    for (series, shift) in chart.series.iter().zip(&shifts) {
        let places: Vec<Placed> = visible_parts(series, &frame, &x, *shift).concat();
        tell(chart, series, &places, canvas);
    }
}

fn is_marked(series: &Series) -> bool {
    series.points.len() <= MOST_MARKED
}

/// How far each series is drawn beside the place of its values, in CSS pixels: not at all, unless whiskers of several
/// series would lie over each other.
fn shifts(chart: &LineChart, frame: &Frame) -> Vec<f64> {
    let is_seen = |point: &Point| {
        let ends = frame.y(point.low).zip(frame.y(point.high));
        ends.is_some_and(|(low, high)| frame::is_whisker(low, high))
    };
    let has_whiskers = |series: &&Series| is_marked(series) && series.points.iter().any(is_seen);
    let count = chart.series.iter().filter(has_whiskers).count();
    if count < 2 {
        return vec![0.0; chart.series.len()];
    }
    let step = BESIDE.min(MOST_BESIDE / (count - 1) as f64);
    let mut before = 0;
    let shift = |series: &Series| {
        if !has_whiskers(&series) {
            return 0.0;
        }
        before += 1;
        step * ((before - 1) as f64 - (count - 1) as f64 / 2.0)
    };
    chart.series.iter().map(shift).collect()
}

/// Places that tell the numbers of a series: all of a short one, some of a long one and its last.
fn tell<B: DrawingBackend>(chart: &LineChart, series: &Series, places: &[Placed], canvas: &mut Canvas<B>) {
    let name = if series.name.is_empty() { &chart.title } else { &series.name };
    let every = places.len().div_ceil(MOST_TOLD).max(1);
    let told = places.iter().rev().step_by(every).rev();
    for (index, (at, point)) in told.enumerate() {
        let x = format!("{} {}", chart.x.label, chart.x.told(point.x));
        let y = format!("{} {}", chart.y.label, point.told(&chart.y));
        // The tabulator stops at each series, arrows go through its points.
        canvas.spots.add(Place::Disc(*at, TOLD_RADIUS), &[name.clone(), x, y], &[], index == 0);
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

/// The runs of points that have a place, all `shift` beside it.
fn visible_parts(series: &Series, frame: &Frame, x: &Span, shift: f64) -> Vec<Vec<Placed>> {
    let mut parts = vec![Vec::new()];
    for point in &series.points {
        match (x_of(frame, x, point.x), frame.y(point.y)) {
            (Some(x), Some(y)) => {
                parts.last_mut().into_iter().for_each(|part| part.push(((x + shift, y), *point)))
            }
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
