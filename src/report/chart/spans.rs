//! Bars in rows from a beginning to an end: events over time, or parts of a whole.

use plotters::backend::DrawingBackend;

use super::axis::Span;
use super::canvas::{AXIS, Canvas, GRID, Ink, PALETTE, QUIET, Side, TEXT, text_width};
use super::charts::SpanChart;
use super::frame::{self, BELOW_GRID, LABEL_SIZE, Look, WIDER_LETTERS};
use super::names::cut;
use super::spots::Place;

const MARGIN: f64 = 16.0;
/// The widest name of a row.
const NAMES: f64 = 120.0;

/// The size of letters in bars, and the fewest letters for which a bar must have room to show its name.
const NAME_SIZE: f64 = 11.0;
const LEAST_LETTERS: usize = 3;

/// The opacity of bars: letters stand out from it, light and dark.
const OPACITY: f64 = 0.45;

/// The least width of a bar that tells its numbers, and the most such bars, the widest ones.
const LEAST_SPOT: f64 = 1.0;
const MOST_SPOTS: usize = 800;

/// The most rows that a picture can take.
const MOST_ROWS: usize = 64;

pub(super) fn height(chart: &SpanChart) -> u32 {
    let rows = chart.rows.len().clamp(1, MOST_ROWS) as f64;
    (top(chart) + rows * chart.row_height + if has_axis(chart) { BELOW_GRID } else { MARGIN }) as u32
}

fn has_axis(chart: &SpanChart) -> bool {
    !chart.x.label.is_empty()
}

fn entries(chart: &SpanChart) -> Vec<(&str, Look)> {
    let is_used = |index: usize| chart.spans.iter().any(|span| span.series == Some(index));
    let kinds = chart.series.iter().enumerate().zip(PALETTE.iter().cycle());
    let kinds = kinds.filter(|((index, _), _)| is_used(*index));
    kinds.map(|((_, name), &ink)| (name.as_str(), Look::bar(ink))).collect()
}

fn top(chart: &SpanChart) -> f64 {
    let names: Vec<&str> = entries(chart).into_iter().map(|(name, _)| name).collect();
    // There is no label above the rows.
    frame::top(&names, f64::from(chart.width())) - 26.0
}

pub(super) fn draw<B: DrawingBackend>(chart: &SpanChart, canvas: &mut Canvas<B>) {
    frame::draw_title(canvas, &chart.title);
    frame::draw_legend(canvas, &entries(chart));
    let widest = chart.rows.iter().map(|name| text_width(&cut(name), LABEL_SIZE)).fold(0.0, f64::max);
    let names = (widest * WIDER_LETTERS).min(NAMES);
    let left = MARGIN + names + if widest > 0.0 { 10.0 } else { 0.0 };
    let (top, right) = (top(chart), canvas.width - MARGIN);
    let rows = chart.rows.len().min(MOST_ROWS);
    let bottom = top + rows as f64 * chart.row_height;
    for (row, name) in chart.rows.iter().enumerate().take(rows) {
        let middle = top + (row as f64 + 0.5) * chart.row_height;
        canvas.text_within(name, (left - 10.0, middle), LABEL_SIZE, QUIET, Side::End, names);
    }
    let ends = chart.spans.iter().flat_map(|span| [span.start, span.end]);
    let x = Span::of(&chart.x.clone().from_zero(), ends, false);
    let place = |value: f64| x.place(value).map(|place| left + place * (right - left));
    if has_axis(chart) {
        draw_axis(canvas, chart, &x, (left, right, top, bottom));
    }
    let mut places = Vec::new();
    for (index, span) in chart.spans.iter().enumerate() {
        let (Some(start), Some(end)) = (place(span.start), place(span.end)) else { continue };
        if span.row >= rows {
            continue;
        }
        let y = top + span.row as f64 * chart.row_height;
        let (from, to) = ((start, y + 1.0), (end.max(start), y + chart.row_height - 1.0));
        places.push((index, from, to));
    }
    for (ink, from, to) in joined(chart, &places) {
        // A gap between neighbours, where there is room for one.
        let gap = if to.0 - from.0 > 3.0 { 0.5 } else { 0.0 };
        canvas.rectangle(from, (to.0 - gap, to.1), ink, OPACITY);
    }
    for &(index, from, to) in &places {
        let room = (to.0 - from.0 - 6.0) / WIDER_LETTERS;
        let name = &chart.spans[index].name;
        if room >= text_width(&name.chars().take(LEAST_LETTERS).collect::<String>(), NAME_SIZE) + NAME_SIZE {
            let at = (from.0 + 4.0, (from.1 + to.1) / 2.0);
            canvas.text_within(name, at, NAME_SIZE, TEXT, Side::Begin, room);
        }
    }
    add_spots(canvas, chart, &mut places);
}

fn draw_axis<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    chart: &SpanChart,
    x: &Span,
    (left, right, top, bottom): (f64, f64, f64, f64),
) {
    for (value, label) in &x.ticks {
        let Some(place) = x.place(*value) else { continue };
        let at = left + place * (right - left);
        canvas.line(&[(at, top), (at, bottom)], 1.0, GRID);
        canvas.line(&[(at, bottom), (at, bottom + 5.0)], 1.0, AXIS);
        // The last label would stand over the edge.
        let half = text_width(label, LABEL_SIZE) / 2.0;
        let at = at.min(right + MARGIN - half - 2.0);
        canvas.text(label, (at, bottom + 18.0), LABEL_SIZE, QUIET, Side::Middle);
    }
    canvas.line(&[(left, bottom), (right, bottom)], 1.0, AXIS);
    let middle = (left + right) / 2.0;
    canvas.text_within(
        &chart.x.label,
        (middle, bottom + 40.0),
        LABEL_SIZE,
        QUIET,
        Side::Middle,
        right - left,
    );
}

/// A bar's place among `spans`, and its corners.
type Placed = (usize, (f64, f64), (f64, f64));

/// A bar of a colour, and its corners.
type Bar = (Ink, (f64, f64), (f64, f64));

/// Joins bars of one colour that touch, if they are too narrow to be told apart.
fn joined(chart: &SpanChart, places: &[Placed]) -> Vec<Bar> {
    const NARROW: f64 = 1.0;
    let mut bars: Vec<Bar> = Vec::new();
    // The last bar of each row.
    let mut last: Vec<Option<usize>> = vec![None; chart.rows.len()];
    for &(index, from, to) in places {
        let span = &chart.spans[index];
        let ink = span.series.map_or(AXIS, |series| PALETTE[series % PALETTE.len()]);
        let before = last[span.row].and_then(|at| bars.get_mut(at));
        match before {
            Some((old, start, end))
                if *old == ink
                    && (from.0 - end.0).abs() < 0.25
                    && to.0 - from.0 < NARROW
                    && to.0 > start.0 =>
            {
                end.0 = end.0.max(to.0);
            }
            _ => {
                last[span.row] = Some(bars.len());
                bars.push((ink, from, to));
            }
        }
    }
    bars
}

/// Adds the places that tell numbers: the tabulator stops at the first, arrows go on from there.
fn add_spots<B: DrawingBackend>(canvas: &mut Canvas<B>, chart: &SpanChart, places: &mut Vec<Placed>) {
    let width = |place: &Placed| place.2.0 - place.1.0;
    places.retain(|place| width(place) >= LEAST_SPOT && !chart.spans[place.0].lines.is_empty());
    places.sort_by(|a, b| width(b).total_cmp(&width(a)));
    places.truncate(MOST_SPOTS);
    places.sort_by_key(|place| place.0);
    for (order, &(index, from, to)) in places.iter().enumerate() {
        canvas.spots.add(Place::Rectangle(from, to), &chart.spans[index].lines, &[], order == 0);
    }
}
