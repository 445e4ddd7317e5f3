//! The frame of the values: title, legend, grid and the labels of the axes.

use plotters::backend::DrawingBackend;

use super::axis::{Axis, Span};
use super::canvas::{AXIS, Canvas, GRID, Ink, PALETTE, QUIET, Side, TEXT, text_width};
use super::names::cut;

pub(super) const MARGIN: f64 = 16.0;
pub(super) const TITLE_SIZE: f64 = 16.0;
pub(super) const LABEL_SIZE: f64 = 12.5;

/// The distance from one line of the legend to the next.
pub(super) const LEGEND_LINE: f64 = 20.0;
/// The distance from a mark of the legend to its name, and from there to the next mark.
pub(super) const LEGEND_MARK: f64 = 26.0;
const LEGEND_GAP: f64 = 22.0;
/// How much wider a reader's letters may be than ours.
pub(super) const WIDER_LETTERS: f64 = 1.12;

/// The distance down to the first line of the legend.
pub(super) const ABOVE_LEGEND: f64 = 48.0;
/// The distance from there to the grid, for the label of the y axis.
pub(super) const ABOVE_GRID: f64 = 46.0;
/// The room for the labels of the x axis.
pub(super) const BELOW_GRID: f64 = 56.0;

/// The rectangle of the values.
pub(super) struct Frame {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    y: Span,
}

impl Frame {
    /// The height of a value; `None` if it has none.
    pub fn y(&self, value: f64) -> Option<f64> {
        self.y.place(value).map(|place| self.bottom - place * (self.bottom - self.top))
    }
}

/// The look by which a series is told from others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    pub ink: Ink,
    pub mark: Mark,
    /// The length of the dashes of its line; none if it is whole.
    pub dash: Option<f64>,
}

impl Look {
    /// That of bars and areas.
    pub fn bar(ink: Ink) -> Look {
        Look { ink, mark: Mark::Bar, dash: None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Disc,
    Square,
    Triangle,
    Diamond,
    Bar,
}

/// The look of the line with this number; colours and marks repeat at different distances. Once all colours are in use,
/// lines are dashed.
pub(super) fn look(index: usize) -> Look {
    const MARKS: [Mark; 4] = [Mark::Disc, Mark::Square, Mark::Triangle, Mark::Diamond];
    let dash = match index / PALETTE.len() {
        0 => None,
        1 => Some(6.0),
        _ => Some(3.0),
    };
    Look { ink: PALETTE[index % PALETTE.len()], mark: MARKS[index % MARKS.len()], dash }
}

/// A line in the look of its series.
pub(super) fn draw_line<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    points: &[(f64, f64)],
    width: f64,
    look: Look,
) {
    match look.dash {
        Some(dash) => canvas.dashed(points, width, look.ink, dash),
        None => canvas.line(points, width, look.ink),
    }
}

/// The line and the place in it, in pixels, of each name of a legend in a chart that is `room` wide.
pub(super) fn legend_places(names: &[&str], room: f64) -> Vec<(usize, f64)> {
    let (mut line, mut x) = (0, MARGIN);
    let mut places = Vec::new();
    for name in names {
        let width = LEGEND_MARK + text_width(&cut(name), LABEL_SIZE) * WIDER_LETTERS;
        if x > MARGIN && x + width > room - MARGIN {
            (line, x) = (line + 1, MARGIN);
        }
        places.push((line, x));
        x += width + LEGEND_GAP;
    }
    places
}

/// The distance down to the grid of a chart of this width. One series needs no legend.
pub(super) fn top(names: &[&str], width: f64) -> f64 {
    let lines = if names.len() < 2 {
        return ABOVE_LEGEND + ABOVE_GRID - LEGEND_LINE;
    } else {
        legend_places(names, width).last().map_or(0, |&(line, _)| line)
    };
    ABOVE_LEGEND + lines as f64 * LEGEND_LINE + ABOVE_GRID
}

pub(super) fn draw_title<B: DrawingBackend>(canvas: &mut Canvas<B>, title: &str) {
    let room = canvas.width - 2.0 * MARGIN;
    canvas.text_within(title, (MARGIN, 22.0), TITLE_SIZE, TEXT, Side::Begin, room);
}

/// Draws title, legend, grid and the y axis; returns the frame of the values.
pub(super) fn draw<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    title: &str,
    entries: &[(&str, Look)],
    axis: &Axis,
    y: Span,
) -> Frame {
    draw_title(canvas, title);
    let names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
    draw_legend(canvas, entries);
    let widest = y.ticks.iter().map(|(_, label)| text_width(label, LABEL_SIZE)).fold(0.0, f64::max);
    let left = MARGIN + widest * WIDER_LETTERS + 8.0;
    let (top, bottom) = (top(&names, canvas.width), canvas.height - BELOW_GRID);
    let frame = Frame { left, right: canvas.width - MARGIN - 8.0, top, bottom, y };
    let room = canvas.width - 2.0 * MARGIN;
    canvas.text_within(&axis.caption(), (MARGIN, top - 22.0), LABEL_SIZE, QUIET, Side::Begin, room);
    for (value, label) in &frame.y.ticks {
        let Some(height) = frame.y(*value) else { continue };
        canvas.line(&[(left, height), (frame.right, height)], 1.0, GRID);
        canvas.text(label, (left - 8.0, height), LABEL_SIZE, QUIET, Side::End);
    }
    canvas.line(&[(left, bottom), (frame.right, bottom)], 1.0, AXIS);
    frame
}

/// The names of several series.
pub(super) fn draw_legend<B: DrawingBackend>(canvas: &mut Canvas<B>, entries: &[(&str, Look)]) {
    let names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
    if entries.len() > 1 {
        for ((name, look), (line, x)) in entries.iter().zip(legend_places(&names, canvas.width)) {
            let height = ABOVE_LEGEND + line as f64 * LEGEND_LINE;
            draw_entry(canvas, name, *look, (x, height));
        }
    }
}

/// The label of the x axis, below the labels of its ticks.
pub(super) fn draw_x_label<B: DrawingBackend>(canvas: &mut Canvas<B>, frame: &Frame, label: &str) {
    let middle = (frame.left + frame.right) / 2.0;
    let room = frame.right - frame.left;
    canvas.text_within(label, (middle, frame.bottom + 40.0), LABEL_SIZE, QUIET, Side::Middle, room);
}

fn draw_entry<B: DrawingBackend>(canvas: &mut Canvas<B>, name: &str, look: Look, at: (f64, f64)) {
    let (x, y) = at;
    if look.mark == Mark::Bar {
        canvas.rectangle((x + 4.0, y - 5.5), (x + 15.0, y + 5.5), look.ink, 1.0);
    } else {
        draw_line(canvas, &[(x, y), (x + 20.0, y)], 2.0, look);
        draw_mark(canvas, (x + 10.0, y), look);
    }
    canvas.text(&cut(name), (x + LEGEND_MARK, y), LABEL_SIZE, TEXT, Side::Begin);
}

pub(super) fn draw_mark<B: DrawingBackend>(canvas: &mut Canvas<B>, at: (f64, f64), look: Look) {
    let (x, y) = at;
    let offsets: &[(f64, f64)] = match look.mark {
        Mark::Disc => return canvas.disc(at, 3.75, look.ink),
        Mark::Square | Mark::Bar => &[(-3.25, -3.25), (3.25, -3.25), (3.25, 3.25), (-3.25, 3.25)],
        Mark::Triangle => &[(0.0, -4.5), (4.25, 3.25), (-4.25, 3.25)],
        Mark::Diamond => &[(0.0, -4.75), (4.75, 0.0), (0.0, 4.75), (-4.75, 0.0)],
    };
    let corners: Vec<(f64, f64)> = offsets.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    canvas.fill(&corners, look.ink, 1.0);
}

/// The shortest interval that is drawn; shorter ones would be blots.
const SHORTEST_WHISKER: f64 = 3.0;

/// Whether an interval between these heights is drawn.
pub(super) fn is_whisker(low: f64, high: f64) -> bool {
    (low - high).abs() >= SHORTEST_WHISKER
}

/// A thin line from the low to the high end of an interval, if it is long enough to be seen.
pub(super) fn draw_whisker<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    x: f64,
    ends: (Option<f64>, Option<f64>),
    ink: Ink,
) {
    let (Some(low), Some(high)) = ends else { return };
    if !is_whisker(low, high) {
        return;
    }
    canvas.line(&[(x, low), (x, high)], 1.25, ink);
    for height in [low, high] {
        canvas.line(&[(x - 3.0, height), (x + 3.0, height)], 1.25, ink);
    }
}
