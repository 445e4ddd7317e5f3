//! Rooflines (Williams, Waterman, Patterson: Roofline, CACM 52(4), 2009): arithmetic against operational
//! intensity, under the limits of the machine.

use plotters::backend::DrawingBackend;

use super::axis::{Axis, Scale, Span};
use super::canvas::{Canvas, Ink, PALETTE, QUIET, Side, TEXT, text_width};
use super::charts::{Roof, Roofline};
use super::frame::{self, BELOW_GRID, Frame, LABEL_SIZE, Look, WIDER_LETTERS};
use super::lines::{draw_x_axis, x_of};
use super::spots::Place;

/// The height of the grid.
const HEIGHT: f64 = 380.0;

/// The radius of a dot that is the whole, and of the smallest one, in CSS pixels.
const RADIUS: f64 = 34.0;
const LEAST_RADIUS: f64 = 3.0;

/// The most dots with names, and the least part of the whole of such a dot.
const MOST_NAMES: usize = 6;
const LEAST_NAMED: f64 = 0.04;
const NAME_SIZE: f64 = 11.0;

/// The room beyond the outermost values, as a factor.
const ROOM: f64 = 1.8;

pub(super) fn height(chart: &Roofline, width: u32) -> u32 {
    let names: Vec<&str> = entries(chart).into_iter().map(|(name, _)| name).collect();
    (frame::top(&names, f64::from(width)) + HEIGHT + BELOW_GRID) as u32
}

/// The entries of the legend: kinds of dots, then limits.
fn entries(chart: &Roofline) -> Vec<(&str, Look)> {
    let inks = PALETTE.iter().cycle();
    let is_used = |index: usize| chart.dots.iter().any(|dot| dot.series == index);
    let kinds = chart.series.iter().enumerate().zip(inks).filter(|((index, _), _)| is_used(*index));
    let kinds = kinds.map(|((_, name), &ink)| (name.as_str(), Look::bar(ink)));
    let roofs = chart.roofs.iter().enumerate().filter(|(_, roof)| roof.slope > 0.0);
    kinds.chain(roofs.map(|(index, roof)| (roof.name.as_str(), look_of_roof(index)))).collect()
}

fn look_of_roof(index: usize) -> Look {
    Look { ink: QUIET, ..frame::look(index) }
}

/// The values at the ends of an axis, with room.
fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let usable = values.filter(|value| value.is_finite() && *value > 0.0);
    let (low, high) =
        usable.fold((f64::INFINITY, 0f64), |(low, high), value| (low.min(value), high.max(value)));
    (high > 0.0).then_some((low / ROOM, high * ROOM))
}

pub(super) fn draw<B: DrawingBackend>(chart: &Roofline, canvas: &mut Canvas<B>) {
    let ridges = chart.roofs.iter().filter(|roof| roof.slope > 0.0).map(|roof| roof.most / roof.slope);
    let xs = ends(ridges.chain(chart.dots.iter().map(|dot| dot.x)));
    let ys = ends(chart.roofs.iter().map(|roof| roof.most).chain(chart.dots.iter().map(|dot| dot.y)));
    let both = |ends: Option<(f64, f64)>| ends.into_iter().flat_map(|(low, high)| [low, high]);
    let y_axis = Axis::new(&chart.y_label).on(Scale::Log10);
    let x_axis = Axis::new(&chart.x_label).on(Scale::Log10);
    let (x, y) = (Span::of(&x_axis, both(xs), false), Span::of(&y_axis, both(ys), false));
    let frame = frame::draw(canvas, &chart.title, &entries(chart), &y_axis, y);
    draw_x_axis(canvas, &frame, &x);
    frame::draw_x_label(canvas, &frame, &x_axis.caption());
    if let (Some(xs), Some(ys)) = (xs, ys) {
        for (index, roof) in chart.roofs.iter().enumerate() {
            draw_roof(canvas, &frame, &x, roof, index, (xs, ys));
        }
    }
    draw_dots(chart, canvas, &frame, &x);
}

/// Draws a roof: a slanted line up to the arithmetic's limit, or that limit itself.
fn draw_roof<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    frame: &Frame,
    x: &Span,
    roof: &Roof,
    index: usize,
    ((first, last), (lowest, _)): ((f64, f64), (f64, f64)),
) {
    let place = |at: f64, value: f64| Some((x_of(frame, x, at)?, frame.y(value)?));
    if roof.slope > 0.0 {
        // Below the chart there is nothing to see.
        let begin = first.max(lowest / roof.slope);
        let end = (roof.most / roof.slope).min(last);
        let ends = [begin, end].map(|at| place(at, roof.slope * at));
        let (Some(begin), Some(end)) = (ends[0], ends[1]) else { return };
        canvas.line(&[begin, end], 1.5, QUIET);
        // Marks at different heights do not hide each other.
        let part = 0.5 + 0.12 * (index % 3) as f64;
        let at = (begin.0 + part * (end.0 - begin.0), begin.1 + part * (end.1 - begin.1));
        frame::draw_mark(canvas, at, look_of_roof(index));
        canvas.spots.line(&roof.name, &[begin, end, (frame.right, end.1)]);
    } else if let (Some(begin), Some(end)) = (place(first, roof.most), place(last, roof.most)) {
        canvas.line(&[begin, end], 1.75, TEXT);
        canvas.text(&roof.name, (end.0, end.1 - 10.0), LABEL_SIZE, TEXT, Side::End);
        canvas.spots.line(&roof.name, &[begin, end]);
    }
}

fn ink_of(series: usize) -> Ink {
    PALETTE[series % PALETTE.len()]
}

/// Draws the dots. The largest lie below; the largest ones are named.
fn draw_dots<B: DrawingBackend>(chart: &Roofline, canvas: &mut Canvas<B>, frame: &Frame, x: &Span) {
    let mut dots: Vec<_> = chart
        .dots
        .iter()
        .filter_map(|dot| Some((dot, (x_of(frame, x, dot.x)?, frame.y(dot.y)?))))
        .map(|(dot, at)| (dot, at, (RADIUS * dot.area.clamp(0.0, 1.0).sqrt()).max(LEAST_RADIUS)))
        .collect();
    dots.sort_by(|a, b| b.2.total_cmp(&a.2));
    for (dot, at, radius) in &dots {
        canvas.bubble(*at, *radius, ink_of(dot.series));
    }
    // Names keep clear of dots, lines and each other.
    let around = |at: &(f64, f64), radius: f64| [at.0 - radius, at.1 - radius, at.0 + radius, at.1 + radius];
    let mut taken: Vec<[f64; 4]> = dots.iter().map(|(_, at, radius)| around(at, *radius)).collect();
    let slanted = chart.roofs.iter().filter(|roof| roof.slope > 0.0);
    taken.extend(slanted.flat_map(|roof| pieces(frame, x, roof)));
    taken.extend(chart.roofs.iter().filter_map(|roof| frame.y(roof.most)).map(|y| {
        // The arithmetic's limit has a name above it.
        [frame.left, y - 18.0, frame.right, y + 2.0]
    }));
    for (dot, at, radius) in dots.iter().take(MOST_NAMES).filter(|(dot, ..)| dot.area >= LEAST_NAMED) {
        if let Some((place, side)) = free_place(&dot.name, *at, *radius, frame, &mut taken) {
            canvas.text(&dot.name, place, NAME_SIZE, TEXT, side);
        }
    }
    // Small places lie on top, where they can be reached.
    for (dot, at, radius) in &dots {
        let roof = dot.roof.and_then(|index| chart.roofs.get(index));
        let mut values =
            vec![("x", dot.x.to_string()), ("y", dot.y.to_string()), ("area", dot.area.to_string())];
        if let Some(roof) = roof {
            values.push(("under", roof.name.clone()));
            values.push(("limit", roof.at(dot.x).to_string()));
        }
        canvas.spots.add(Place::Disc(*at, *radius), &dot.lines, &values, true);
    }
}

/// A slanted line as a row of small rectangles.
fn pieces(frame: &Frame, x: &Span, roof: &Roof) -> Vec<[f64; 4]> {
    const PIECES: usize = 64;
    const HALF: f64 = 2.0;
    let ridge = roof.most / roof.slope;
    let (Some(end), Some(top)) = (x_of(frame, x, ridge), frame.y(roof.most)) else { return Vec::new() };
    // Both axes are logarithmic, so that a second point determines all others.
    let (Some(other), Some(low)) = (x_of(frame, x, ridge / 10.0), frame.y(roof.most / 10.0)) else {
        return Vec::new();
    };
    let point = |part: f64| (end + part * (other - end), top + part * (low - top));
    (0..PIECES)
        .map(|piece| [piece, piece + 1].map(|end| point(2.0 * end as f64 / PIECES as f64)))
        .map(|[right, left]| [left.0 - HALF, right.1 - HALF, right.0 + HALF, left.1 + HALF])
        .collect()
}

/// The place of a name beside, below or above its dot, wherever nothing else is; none where there is no such place.
/// Places near the dot come first, for others could be taken for another dot's.
fn free_place(
    name: &str,
    (x, y): (f64, f64),
    radius: f64,
    frame: &Frame,
    taken: &mut Vec<[f64; 4]>,
) -> Option<((f64, f64), Side)> {
    let width = text_width(name, NAME_SIZE) * WIDER_LETTERS;
    let (beside, over, corner) = (radius + 4.0, radius + 9.0, 0.71 * radius + 6.0);
    let candidates = [
        ((x + beside, y), Side::Begin),
        ((x - beside, y), Side::End),
        ((x, y + over), Side::Middle),
        ((x, y - over), Side::Middle),
        ((x + corner, y - corner), Side::Begin),
        ((x + corner, y + corner), Side::Begin),
        ((x - corner, y - corner), Side::End),
        ((x - corner, y + corner), Side::End),
    ];
    for ((x, y), side) in candidates {
        let left = match side {
            Side::Begin => x,
            Side::Middle => x - width / 2.0,
            Side::End => x - width,
        };
        let area = [left, y - 6.5, left + width, y + 6.5];
        let is_inside =
            area[0] > frame.left && area[2] < frame.right && area[1] > frame.top && area[3] < frame.bottom;
        let meets = |other: &[f64; 4]| {
            area[0] < other[2] && other[0] < area[2] && area[1] < other[3] && other[1] < area[3]
        };
        if is_inside && !taken.iter().any(meets) {
            taken.push(area);
            return Some(((x, y), side));
        }
    }
    None
}
